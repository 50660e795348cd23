"""Console: what all commands share on the screen. Facts go to stdout; notes, warnings and progress to stderr."""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monai_ctseg import __version__

if TYPE_CHECKING:
    from monai_ctseg.parallel import Progress
    from monai_ctseg.scan import Scan

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

ScanArgument = Annotated[
    Path,
    typer.Argument(
        metavar="SCAN", help="A folder of DICOM files, one DICOM file, or a NIfTI volume.", show_default=False
    ),
]
SeriesOption = Annotated[
    str | None, typer.Option("--series", help="Which series, as `monai-ctseg series` names it.", show_default=False)
]


def finite(value: float) -> float:
    """The value, where voxels can be compared with it; else wrong usage."""
    if not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number of HU")
    return value


ThresholdOption = Annotated[
    float, typer.Option("--threshold", callback=finite, help="Metal lies above this value, in HU.")
]
NoBodyMaskOption = Annotated[
    bool, typer.Option("--no-body-mask", help="Keep what lies outside the patient's body, too.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of text.")]
OutputOption = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="The folder to write; it must not hold anything yet.",
        show_default=False,
    ),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier run wrote there.")]


def print_version(wanted: bool) -> None:
    """The installed version, on request."""
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


def options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log to stderr what is done.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options before the command's name."""
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, format="%(name)s: %(message)s", force=True)
    logging.getLogger("pydicom").setLevel(logging.ERROR)


def refuse(message: str, *, table: str = "") -> None:
    """One line of refusal, and the table of choices behind it."""
    _say(f"monai-ctseg: {' '.join(message.split())}", "red")
    if table:
        typer.echo(table, err=True)


def warn(message: str) -> None:
    """One line that the user should not miss."""
    _say(f"note: {' '.join(message.split())}", "yellow")


def _say(line: str, colour: str) -> None:
    typer.secho(line, err=True, fg=None if os.environ.get("NO_COLOR") else colour)


@contextmanager
def progress(what: str) -> Iterator[Progress]:
    """A bar on stderr, where that is a terminal; yields a callback (done, of). It pulses until the first call."""
    if not sys.stderr.isatty():
        yield lambda done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


@contextmanager
def training_progress() -> Iterator[Callable[[int, int, float], None]]:
    """A bar on stderr for training; yields a callback (step, of, loss)."""
    with progress("training") as bar:
        yield lambda step, of, loss: bar(step, of)


def load(path: Path, series: str | None, *, say_notes: bool = True) -> Scan:
    """Read a scan under a progress bar, and say what was repaired or left out."""
    from monai_ctseg.io.read import read_scan

    with progress("reading") as callback:
        scan = read_scan(path, series=series, progress=callback)
    for note in scan.notes if say_notes else ():
        warn(note)
    return scan


def print_json(content: Mapping[str, Any] | Sequence[Any]) -> None:
    """JSON on stdout."""
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def print_facts(facts: Mapping[str, str]) -> None:
    """Aligned lines of name and value; a value of several lines is continued under itself."""
    width = max(map(len, facts))
    for name, value in facts.items():
        first, *more = value.splitlines() or [""]
        typer.echo(f"{name:<{width}}  {first}")
        for line in more:
            typer.echo(f"{'':<{width}}  {line}")
