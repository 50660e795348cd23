"""`monai-ctseg demo`: the whole path, command by command."""

from __future__ import annotations

import shlex
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from monai_ctseg.cli.console import OutputOption, OverwriteOption, ThresholdOption
from monai_ctseg.cli.evaluate import evaluate
from monai_ctseg.cli.infer import infer
from monai_ctseg.cli.labels import labels
from monai_ctseg.cli.phantom import phantom
from monai_ctseg.cli.stats import stats
from monai_ctseg.cli.train import train
from monai_ctseg.metal import DEFAULT_THRESHOLD_HU

EPOCHS = 6
STEPS = 100


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example:  monai-ctseg demo -o demo     or     monai-ctseg demo ~/scans/hip -o demo")(demo)


def demo(
    output: OutputOption,
    scan: Annotated[
        Path | None, typer.Argument(metavar="[SCAN]", help="Your own scan; without it, a phantom.", show_default=False)
    ] = None,
    threshold: ThresholdOption = DEFAULT_THRESHOLD_HU,
    overwrite: OverwriteOption = False,
) -> None:
    """Show the whole path: phantom or scan, statistics, labels, a short training, prediction, Dice.

    Each step is a command that is printed before it runs. Takes a few minutes on two cores.
    """
    start = perf_counter()
    place = scan or output / "phantom" / "dicom"
    truth = output / "phantom" / "truth.nii.gz"
    if scan is None:
        _announce("a CT of two thighs with a hip screw is drawn", "phantom", "-o", output / "phantom")
        phantom(output / "phantom", overwrite=overwrite)
    _announce("what is in it", "stats", place, "--plot", output / "stats.png")
    stats(place, plot=output / "stats.png", overwrite=overwrite)
    at = ("--threshold", f"{threshold:g}") if threshold != DEFAULT_THRESHOLD_HU else ()
    _announce("metal by threshold, in the body", "labels", place, "-o", output / "labels", *at)
    labels(place, output / "labels", threshold=threshold, overwrite=overwrite)
    short = ("--epochs", str(EPOCHS), "--set", f"steps_per_epoch={STEPS}")
    _announce(
        "a 2D U-Net learns these labels on some slices and is tried on others",
        *("train", place, "-o", output / "training", *short, *at),
    )
    train([place], output / "training", threshold=threshold, epochs=EPOCHS, set_=[short[-1]], overwrite=overwrite)
    weights = output / "training" / "model.pt"
    _announce("it segments the whole scan", "infer", place, "-o", output / "predicted", "--weights", weights)
    infer(place, output / "predicted", weights=weights, overwrite=overwrite)
    predicted, labelled = output / "predicted" / "mask.nii.gz", output / "labels" / "mask.nii.gz"
    _announce("the network against its labels", "evaluate", predicted, labelled)
    evaluate(predicted, labelled)
    if scan is None:
        _announce("the network against the known truth", "evaluate", predicted, truth)
        evaluate(predicted, truth)
        _announce("the threshold against the known truth", "evaluate", labelled, truth)
        evaluate(labelled, truth)
        typer.echo(
            "\nThe network does not beat its labels: metal blooms, a threshold of 3000 HU draws it too large,"
            "\nand a network trained on that threshold learns just that."
        )
    typer.echo(f"\nall of it in {perf_counter() - start:.0f} s; look at")
    for name in ("stats.png", "labels/masks", "training/overview.png", "predicted/mask.nii.gz"):
        typer.echo(f"  {output / name}")


def _announce(what: str, *command: object) -> None:
    """A heading, and the command as one would type it."""
    typer.secho(f"\n# {what}", bold=True)
    typer.secho(f"$ monai-ctseg {shlex.join(str(word) for word in command)}", bold=True)
