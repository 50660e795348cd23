"""`monai-ctseg demo`: the whole path, command by command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from monai_ctseg.cli.console import INTERRUPTED, OutputOption, OverwriteOption, SeriesOption, ThresholdOption, load
from monai_ctseg.segmentation.intensity import METAL_HU

EPOCHS = 4
STEPS = 40
SIMULATED = ("--kind", "hip_screw", "--seed", "4", "--size", "256", "--pixel", "1.5", "--count", "40", "--slice", "2.5")
SIMULATES = "a CT of two thighs, a screw in one hip, is simulated: the true metal is known"
MEASURES = "what the scan holds: geometry, intensities, and whether its scale can show metal"
THRESHOLD = "metal by threshold: fast, but metal blooms and is found too large"
HALF_MAXIMUM = "metal by half-maximum: each object ends half-way between its own plateau and its surroundings"
NETWORK = "metal by the network that is installed, with the interval that it expects the true volume in"
TRAINS = "a network of your own: a 2D U-Net learns the threshold's labels on some slices and is tested on others"

app = typer.Typer()


@app.command(epilog="Example:  monai-ctseg demo -o demo\nor        monai-ctseg demo ~/scans/hip -o demo")
def demo(
    context: typer.Context,
    output: OutputOption,
    scan: Annotated[
        Path | None,
        typer.Argument(metavar="[SCAN]", help="Your own scan; without it, a simulated CT.", show_default=False),
    ] = None,
    threshold: ThresholdOption = METAL_HU,
    series: SeriesOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Run each step on a simulated CT, or on a scan of your own.

    Statistics, metal by threshold, by half-maximum and by a network, a short training, and comparisons with the truth.
    Each command is printed before it runs, with what it shows. Takes a few minutes on two cores.

    Writes a folder for each step, stats.png, and overview.png: one slice with the metal that each method finds.
    """
    if series is not None and scan is None:
        raise typer.BadParameter(
            "says which series of your own scan; it makes no sense without SCAN", param_hint="--series"
        )
    start = perf_counter()
    chosen = ["--series", series] if series else []
    again = ["--overwrite"] if overwrite else []
    at = ["--threshold", f"{threshold:g}"] if threshold != METAL_HU else []
    source = scan or output / "simulated" / "dicom"
    if scan is None:
        _run(context, SIMULATES, "simulate", "-o", output / "simulated", *SIMULATED, *again)
    _run(context, MEASURES, "stats", source, "--plot", output / "stats.png", *chosen, *again)
    _run(context, THRESHOLD, "labels", source, "-o", output / "threshold", *at, *chosen, *again)
    half = ("--method", "half-maximum", *at, *chosen, *again)
    _run(context, HALF_MAXIMUM, "labels", source, "-o", output / "half_maximum", *half)
    _run(context, NETWORK, "infer", source, "-o", output / "network", *chosen, *again)
    short = ["--epochs", EPOCHS, "--set", f"steps_per_epoch={STEPS}"]
    _run(context, TRAINS, "train", source, "-o", output / "training", *short, *at, *chosen, *again)
    masks = {name: output / name / "mask.nii.gz" for name in ("threshold", "half_maximum", "network")}
    truth = output / "simulated" / "truth.nii.gz" if scan is None else None
    for name, mask in masks.items():
        if truth:
            _run(
                context, f"{_spoken(name)} compared with the truth; Dice is 1 where they agree", "evaluate", mask, truth
            )
        elif name != "half_maximum":
            _run(context, f"{_spoken(name)} compared with half-maximum", "evaluate", mask, masks["half_maximum"])
    _draw(source, series, masks, truth, output / "overview.png")
    typer.echo(f"\nDone in {perf_counter() - start:.0f} s. Look at")
    for path, shows in {
        "overview.png": "one slice: the scan, the metal by each method" + (", the truth" if truth else ""),
        "stats.png": "the highest and the mean intensity of each slice",
        "training/overview.png": "what the network of your own learned",
        "network/mask.nii.gz": "the mask, for a viewer such as 3D Slicer",
    }.items():
        typer.echo(f"  {output / path!s:<{len(str(output)) + 22}}  {shows}")


def _run(context: typer.Context, shows: str, *words: object) -> None:
    """Say what a command shows, print it, and run it as if it had been typed."""
    typed = [str(word) for word in words]
    typer.secho(f"\n# {shows}", bold=True)
    typer.secho(f"$ monai-ctseg {shlex.join(typed)}", bold=True)
    if context.find_root().command.main(typed, standalone_mode=False) == INTERRUPTED:
        raise KeyboardInterrupt


def _spoken(name: str) -> str:
    return name.replace("_", "-")


def _draw(source: Path, series: str | None, masks: Mapping[str, Path], truth: Path | None, picture: Path) -> None:
    """One slice with the metal that each method found."""
    from monai_ctseg.io.nifti import read_mask
    from monai_ctseg.plots import plot_methods

    found = {_spoken(name): read_mask(path) for name, path in masks.items()}
    plot_methods(load(source, series, say_notes=False), found, read_mask(truth) if truth else None, picture)
