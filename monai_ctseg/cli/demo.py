"""`monai-ctseg demo`: the whole path, command by command."""

from __future__ import annotations

import shlex
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from monai_ctseg.cli.console import INTERRUPTED, OutputOption, OverwriteOption, SeriesOption, ThresholdOption
from monai_ctseg.segmentation.threshold import DEFAULT_THRESHOLD_HU

EPOCHS = 4
STEPS = 40
SIMULATED = ("--kind", "hip_screw", "--seed", "4", "--size", "256", "--pixel", "1.5", "--count", "40", "--slice", "2.5")


app = typer.Typer()


@app.command(epilog="Example:  monai-ctseg demo -o demo     or     monai-ctseg demo ~/scans/hip -o demo")
def demo(
    context: typer.Context,
    output: OutputOption,
    scan: Annotated[
        Path | None,
        typer.Argument(metavar="[SCAN]", help="Your own scan; without it, a simulated CT.", show_default=False),
    ] = None,
    threshold: ThresholdOption = DEFAULT_THRESHOLD_HU,
    series: SeriesOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Show the whole path: simulated CT or your scan, statistics, labels, segmentation, a short training, Dice.

    Each step is a command that is printed before it runs. Takes a few minutes on two cores.
    """
    if series is not None and scan is None:
        raise typer.BadParameter(
            "says which series of your own scan; it makes no sense without SCAN", param_hint="--series"
        )
    start = perf_counter()
    again = ["--overwrite"] if overwrite else []
    chosen = ["--series", series] if series else []
    at = ["--threshold", f"{threshold:g}"] if threshold != DEFAULT_THRESHOLD_HU else []
    place = scan or output / "simulated" / "dicom"
    masks = {name: output / name for name in ("threshold", "half_maximum", "network")}
    training = output / "training"

    def step(what: str, *words: object) -> None:
        _run(context, what, [str(word) for word in words])

    if scan is None:
        step("a CT of a hip with a screw is simulated", "simulate", "-o", output / "simulated", *SIMULATED, *again)
    step("what is in it", "stats", place, "--plot", output / "stats.png", *chosen, *again)
    step("metal by threshold, in the body", "labels", place, "-o", masks["threshold"], *at, *chosen, *again)
    half = ("--method", "half-maximum", *at, *chosen, *again)
    step("metal by the edges of each object", "labels", place, "-o", masks["half_maximum"], *half)
    step("metal by the network that comes along", "infer", place, "-o", masks["network"], *chosen, *again)
    short = ["--epochs", EPOCHS, "--set", f"steps_per_epoch={STEPS}"]
    learns = "a network of your own: a 2D U-Net learns the threshold's labels on some slices, and is tried on others"
    step(learns, "train", place, "-o", training, *short, *at, *chosen, *again)
    for name, folder in masks.items():
        if scan is None:
            truth = output / "simulated" / "truth.nii.gz"
            step(f"{name.replace('_', '-')} against the truth", "evaluate", folder / "mask.nii.gz", truth)
        elif name != "half_maximum":
            other = masks["half_maximum"] / "mask.nii.gz"
            step(f"{name} against half-maximum", "evaluate", folder / "mask.nii.gz", other)
    typer.echo(f"\nall of it in {perf_counter() - start:.0f} s; look at")
    pictures = ("stats.png", "training/overview.png", "network/mask.nii.gz")
    for picture in (("simulated/preview.png",) if scan is None else ()) + pictures:
        typer.echo(f"  {output / picture}")


def _run(context: typer.Context, what: str, words: list[str]) -> None:
    """Print a heading and the command, and run it as if it had been typed."""
    typer.secho(f"\n# {what}", bold=True)
    typer.secho(f"$ monai-ctseg {shlex.join(words)}", bold=True)
    if context.find_root().command.main(words, standalone_mode=False) == INTERRUPTED:
        raise KeyboardInterrupt
