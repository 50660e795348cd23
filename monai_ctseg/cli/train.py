"""`monai-ctseg train`: a U-Net from scans and labels."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monai_ctseg.cli.console import (
    JsonOption,
    OutputOption,
    OverwriteOption,
    SeriesOption,
    ThresholdOption,
    print_facts,
    print_json,
    training_progress,
    warn,
)
from monai_ctseg.cli.settings import parse_settings
from monai_ctseg.output import file_sha256, resumable_folder, write_run
from monai_ctseg.segmentation.intensity import METAL_HU

if TYPE_CHECKING:
    from monai_ctseg.networks.train import TrainResult


_FILES = ("dataset.json", "model.pt", "last.pt", "history.csv", "overview.png")
WRITES = (*_FILES, "validation/", "tensorboard/", "cache/")
OWN_OPTIONS = {"max_epochs", "augment", "seed", "threshold_hu", "split", "held_out", "device"}


class Split(StrEnum):
    """How slices or scans are held out for validation."""

    blocks = "blocks"
    interleaved = "interleaved"
    patients = "patients"


app = typer.Typer()
PANELS = {
    "Labels and split": ("label", "threshold", "split", "held_out", "series"),
    "Network and training": ("bundle", "set_", "epochs", "augment", "seed", "device"),
}


@app.command(epilog="Example:  monai-ctseg train ~/scans/hip -o hip_run --split blocks --epochs 12")
def train(
    scans: Annotated[
        list[Path],
        typer.Argument(
            metavar="SCAN...", help="One scan or several, or one dataset.json or its folder.", show_default=False
        ),
    ],
    output: OutputOption,
    label: Annotated[
        list[Path] | None,
        typer.Option(
            help="A NIfTI mask for each scan, in the same order; without it, by threshold.", show_default=False
        ),
    ] = None,
    threshold: ThresholdOption = METAL_HU,
    split: Annotated[
        Split | None,
        typer.Option(
            metavar="SPLIT",
            help="blocks or interleaved slices of one scan, or patients. Default: blocks; patients with several scans.",
            show_default=False,
        ),
    ] = None,
    held_out: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="FIRST LAST", help="The block that validates, by slice names or indices.", show_default=False
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: as the bundle says.", show_default=False)] = None,
    augment: Annotated[
        bool,
        typer.Option(
            help="Vary at random what differs between scanners (how high metal reads, kernel, noise, a 12-bit range), "
            "and rotate, shear, shift, zoom, flip and turn by quarters."
        ),
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, patches and augmentation.")] = 0,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or cuda:1. Default: CUDA, if there is one.", show_default=False)
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="ID=VALUE",
            help="Change a value of the bundle's config, such as steps_per_epoch=50; see its configs/train.yaml.",
            show_default=False,
        ),
    ] = None,
    bundle: Annotated[str, typer.Option(help="Name or folder of a MONAI bundle.")] = "metal_unet2d",
    series: SeriesOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a U-Net, and validate it on unseen slices or patients.

    Writes model.pt (best epoch), last.pt, dataset.json, history.csv, overview.png (truth left, prediction right),
    validation/ (masks), tensorboard/ and run.json. Watch it with `tensorboard --logdir FOLDER`.

    A training that was interrupted, by Ctrl-C, SIGTERM or a power cut, resumes when the same command is given again.

    For several GPUs: torchrun --nproc_per_node GPUS -m monai_ctseg train ...
    """
    for module in ("train", "caches", "disk_cache", "handlers.checkpoints"):
        logging.getLogger(f"monai_ctseg.networks.{module}").setLevel(logging.INFO)
    options: dict[str, Any] = {
        "threshold_hu": threshold,
        "split": split.value if split else None,
        "held_out": held_out,
        "max_epochs": epochs,
        "augment": augment,
        "seed": seed,
        "device": device,
        "series": series,
        "overrides": parse_settings(set_ or [], own=OWN_OPTIONS),
    }
    if int(os.environ.get("RANK", "0")) > 0:  # torchrun's other processes: the first one writes and prints
        _run(scans, output, bundle=bundle, labels=label, **options)
        return
    named = {"bundle": bundle, "inputs": _fingerprint(scans, label), **options}
    with resumable_folder(output, writes=WRITES, keep="last.pt", options=named, overwrite=overwrite) as folder:
        try:
            with training_progress() as callback:
                result = _run(scans, folder, progress=callback, bundle=bundle, labels=label, **options)
        except (KeyboardInterrupt, SystemExit):
            if (folder / "last.pt").exists():
                warn(f"{output} keeps what was trained so far; give the same command again to resume")
            raise
        record(folder, result, {"bundle": bundle, "labelled": bool(label), **options})
    for note in {note: None for source in result.inputs for note in source["notes"]}:
        warn(note)
    if as_json:
        print_json({name: str(value) if isinstance(value, Path) else value for name, value in asdict(result).items()})
    else:
        print_facts(describe(result))
    if result.split == "interleaved":
        warn(result.note)


def _run(scans: Sequence[Path], folder: Path, *, progress: Any = None, **options: Any) -> TrainResult:
    from monai_ctseg.networks.train import TrainOptions
    from monai_ctseg.networks.train import train as run_training

    return run_training(scans, folder, TrainOptions(**options), progress=progress)


def _fingerprint(scans: Sequence[Path], labels: Sequence[Path] | None) -> str:
    """A hash of the inputs' paths, which may hold a patient's name."""
    named = [[str(path.absolute()) for path in paths or ()] for paths in (scans, labels)]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:16]


def record(folder: Path, result: TrainResult, arguments: Mapping[str, Any]) -> None:
    """Write run.json of a training."""
    write_run(
        folder,
        "train",
        arguments,
        inputs=result.inputs,
        dice=result.dice,
        best_epoch=result.best_epoch,
        split=result.split,
        note=result.note,
        weights_sha256=file_sha256(result.weights),
        seconds={"all": result.seconds},
    )


def describe(result: TrainResult) -> dict[str, str]:
    """A training as names and values to print."""
    return {
        "validation Dice": f"{result.dice:.4f}, epoch {result.best_epoch} of {result.epochs}",
        "split": result.note,
        "seed": str(result.seed),
        "took": f"{result.seconds:.0f} s",
        "weights": str(result.weights),
        "picture": f"{result.overview} (truth left, prediction right)",
        "masks": str(result.masks),
        "curves": f"tensorboard --logdir {shlex.quote(str(result.tensorboard))}",
    }
