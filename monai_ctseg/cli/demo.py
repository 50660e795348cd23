"""`monai-ctseg demo`: the whole path, command by command."""

from __future__ import annotations

import shlex
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from monai_ctseg.cli.console import INTERRUPTED, OutputOption, OverwriteOption, SeriesOption, ThresholdOption
from monai_ctseg.metal import DEFAULT_THRESHOLD_HU

EPOCHS = 6
STEPS = 60


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example:  monai-ctseg demo -o demo     or     monai-ctseg demo ~/scans/hip -o demo")(demo)


def demo(
    context: typer.Context,
    output: OutputOption,
    scan: Annotated[
        Path | None, typer.Argument(metavar="[SCAN]", help="Your own scan; without it, a phantom.", show_default=False)
    ] = None,
    threshold: ThresholdOption = DEFAULT_THRESHOLD_HU,
    series: SeriesOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Show the whole path: phantom or scan, statistics, labels, a short training, prediction, Dice.

    Each step is a command that is printed before it runs. Takes a few minutes on two cores.
    """
    start = perf_counter()
    again = ["--overwrite"] if overwrite else []
    chosen = ["--series", series] if series else []
    at = ["--threshold", f"{threshold:g}"] if threshold != DEFAULT_THRESHOLD_HU else []
    place = scan or output / "phantom" / "dicom"
    labels, training, predicted = (output / name for name in ("labels", "training", "predicted"))

    def step(what: str, *words: object) -> None:
        _run(context, what, [str(word) for word in words])

    if scan is None:
        step("a CT of two thighs with a hip screw is drawn", "phantom", "-o", output / "phantom", *again)
    step("what is in it", "stats", place, "--plot", output / "stats.png", *chosen, *again)
    step("metal by threshold, in the body", "labels", place, "-o", labels, *at, *chosen, *again)
    short = ["--epochs", EPOCHS, "--set", f"steps_per_epoch={STEPS}"]
    learns = "a 2D U-Net learns these labels on some slices and is tried on others"
    step(learns, "train", place, "-o", training, *short, *at, *chosen, *again)
    weights = training / "model.pt"
    step("it segments the whole scan", "infer", place, "-o", predicted, "--weights", weights, *chosen, *again)
    step("the network against its labels", "evaluate", predicted / "mask.nii.gz", labels / "mask.nii.gz")
    if scan is None:
        truth = output / "phantom" / "truth.nii.gz"
        step("the network against the known truth", "evaluate", predicted / "mask.nii.gz", truth)
        step("the threshold against the known truth", "evaluate", labels / "mask.nii.gz", truth)
        typer.echo(
            "\nThe network does not beat its labels: metal blooms, a threshold of 3000 HU draws it too large,"
            "\nand a network trained on that threshold learns just that."
        )
    typer.echo(f"\nall of it in {perf_counter() - start:.0f} s; look at")
    for name in ("stats.png", "labels/masks", "training/overview.png", "predicted/mask.nii.gz"):
        typer.echo(f"  {output / name}")


def _run(context: typer.Context, what: str, words: list[str]) -> None:
    """Print a heading and the command, and run it as if it had been typed."""
    typer.secho(f"\n# {what}", bold=True)
    typer.secho(f"$ monai-ctseg {shlex.join(words)}", bold=True)
    if context.find_root().command.main(words, standalone_mode=False) == INTERRUPTED:
        raise KeyboardInterrupt
