"""`monai-ctseg measure`: the hips of a scan."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from monai_ctseg.cli.console import (
    JsonOption,
    OverwriteOption,
    ScanArgument,
    SeriesOption,
    load,
    print_facts,
    print_json,
    progress,
)
from monai_ctseg.output import new_folder, write_json, write_run

if TYPE_CHECKING:
    from monai_ctseg.hip import Hips, Measurement
    from monai_ctseg.scan import Scan


FORMULA = "=+-@"
"""A cell that begins with one of these is a formula to a spreadsheet."""


app = typer.Typer()


@app.command(epilog="Example:  monai-ctseg measure ~/scans/hip --subject HIP-001 -o measured/HIP-001")
def measure(
    scan: ScanArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Write measurements as CSV and JSON, and a picture of each hip, into this new folder.",
            show_default=False,
        ),
    ] = None,
    subject: Annotated[
        str, typer.Option(help="A pseudonym for the subject column of the CSV; never the patient's name.")
    ] = "unnamed",
    session: Annotated[str, typer.Option(help="A label for the session column of the CSV.")] = "1",
    series: SeriesOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure hips, native or replaced, with intervals.

    Heads, sockets, cups and stems are measured; a measure that cannot be given says why.
    Spheres are fitted to the bone's edges of femoral head and acetabulum, and to half-maximum edges of ball head and
    cup. Inclination and anteversion follow the radiological definition and refer to the scanner's coronal plane.
    Coordinates are LPS.
    """
    from monai_ctseg.hip import find_hips, measurements

    for name, text in (("--subject", subject), ("--session", session)):
        if not text.strip() or text[0] in FORMULA:
            problem = f"{text!r} is no label: it is empty, or a spreadsheet would take it for a formula"
            raise typer.BadParameter(problem, param_hint=name)
    loaded = load(scan, series)
    start = perf_counter()
    with new_folder(output, overwrite=overwrite) if output else nullcontext() as folder:
        with progress("measuring") as bar:
            hips = find_hips(loaded, progress=bar)
        found = measurements(hips)
        if folder is not None:
            _write(folder, loaded, hips, found, {"subject": subject, "session": session})
            write_run(
                folder,
                "measure",
                {"subject": subject, "session": session, "series": series},
                scans=[loaded],
                seconds={"measure": perf_counter() - start},
            )
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        print_facts(describe(found))


def _write(folder: Path, scan: Scan, hips: Hips, found: Sequence[Measurement], names: dict[str, str]) -> None:
    from monai_ctseg.hip.pictures import plot_hip
    from monai_ctseg.hip.table import Reading, write_table

    write_table(found, Reading(**names), folder / "measurements.csv")
    write_json(folder / "measurements.json", {**names, "measurements": [asdict(one) for one in found]})
    if hips.left is not None:
        plot_hip(scan, "left", hips.left, folder / "left.png")
    if hips.right is not None:
        plot_hip(scan, "right", hips.right, folder / "right.png")


def describe(found: Sequence[Measurement]) -> dict[str, str]:
    """Measurements as lines to read.

    Args:
        found: from `measure_hips`.

    Returns:
        Label to text: one line per quantity, a centre's three coordinates in one, and a line for each reason why
        quantities are not measurable.

    """
    facts: dict[str, str] = {}
    missing: dict[tuple[str, str], list[Measurement]] = {}
    for one in found:
        name = f"{one.side} {one.quantity.replace('_', ' ')}"
        if one.value is None:
            missing.setdefault((one.side, one.reason), []).append(one)
        elif one.quantity.endswith(("_center_y", "_center_z")):
            facts[f"{name[:-2]}, LPS"] += f", {one.value:.1f}" + (") mm" if name.endswith("z") else "")
        elif one.quantity.endswith("_center_x"):
            facts[f"{name[:-2]}, LPS"] = f"({one.value:.1f}"
        else:
            facts[name] = (
                f"{one.value:.1f} {one.unit} ({one.low:.1f} to {one.high:.1f}), "
                f"{one.points} points, residual {one.residual_mm:.2f} mm"
            )
    for (side, reason), ones in missing.items():
        facts[f"{side}, not measurable"] = "\n".join(
            filter(None, (facts.get(f"{side}, not measurable"), f"{', '.join(_parts(ones))}: {reason}"))
        )
    return facts


def _parts(missing: Sequence[Measurement]) -> list[str]:
    """Names of what is missing: the part's where all its quantities are, else those of the quantities."""
    from monai_ctseg.hip.records import QUANTITIES

    names = [one.quantity for one in missing]
    whole = [part for part, quantities in QUANTITIES.items() if {f"{part}_{q}" for q in quantities} <= {*names}]
    rest = [name for name in names if not name.startswith(tuple(whole))]
    return [name.replace("_", " ") for name in (*whole, *rest)]
