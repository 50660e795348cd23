"""Scans -> dataset.json -> a bundle's training workflow -> weights, with their validation Dice."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events

from monai_ctseg.bundles import find_bundle
from monai_ctseg.datasets.dataset_file import FILE_NAME, write_dataset
from monai_ctseg.datasets.records import DataSplit
from monai_ctseg.datasets.split import open_dataset
from monai_ctseg.errors import BundleError, DatasetError
from monai_ctseg.networks.config import ConfigName, device_override, open_workflow
from monai_ctseg.networks.distributed import is_first, join, started_by_torchrun, wait
from monai_ctseg.networks.guards import config_errors, own_errors, quiet, writing_errors
from monai_ctseg.networks.handlers import ProgressReport, TrainingProgress
from monai_ctseg.networks.training_cases import TrainOptions, require_same_cases, split_cases

__all__ = ["TrainOptions", "TrainResult", "train"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """What a training gave.

    Attributes:
        dice: Of the best epoch: over all voxels of a scan's validation slices, then the mean of the scans with metal.
        best_epoch: Its number, from 1.
        epochs: How many there were.
        seed: As it was given.
        split: "blocks", "interleaved", "patients", or what dataset.json says.
        note: How the dataset was split, a sentence.
        weights: model.pt, of the best epoch.
        last: last.pt, of the last epoch with the optimizer's state.
        dataset: dataset.json.
        overview: The picture of the best epoch.
        masks: The folder of the validation's masks.
        tensorboard: The folder of the curves.
        seconds: Of this run.
        inputs: The provenance of each scan.

    """

    dice: float
    best_epoch: int
    epochs: int
    seed: int
    split: str
    note: str
    weights: Path
    last: Path
    dataset: Path
    overview: Path
    masks: Path
    tensorboard: Path
    seconds: float
    inputs: tuple[Mapping[str, Any], ...] = ()


def train(
    scans: Sequence[str | Path],
    output_dir: str | Path,
    options: TrainOptions | None = None,
    *,
    progress: TrainingProgress | None = None,
) -> TrainResult:
    """Train a bundle's network on scans, and leave everything in a folder.

    Where the folder holds a last.pt of the same training that did not end, it is resumed. Under torchrun the processes
    train together, and the first one writes.

    Args:
        scans: DICOM folders, files or NIfTI volumes; or one dataset.json (or its folder), which says what validates.
        output_dir: The folder.
        options: How to train; None: as `TrainOptions` says by default.
        progress: Called after each step with (step, steps, loss).

    Returns:
        The Dice of the best epoch, and where everything is.

    Raises:
        DatasetError: The scans cannot be split, or hold no metal to learn or to validate.
        BundleError: The bundle or an override cannot be used.
        TrainingError: The loss became NaN, or an unfinished training in the folder is another one.
        OutputError: The folder cannot be written.
        SaturatedScan: A label is by threshold, and its scan is saturated below it.
        ScanError: A scan cannot be read, see `read_scan`.

    """
    start = time.monotonic()
    options = options or TrainOptions()
    folder, output = find_bundle(options.bundle), Path(output_dir)
    settings = _settings(options, output)
    join(None if options.device is None else torch.device(options.device))
    if is_first():
        dataset = split_cases(scans, options)
        logger.info("seed %d; %s", options.seed, dataset.note)
        with writing_errors(output):
            output.mkdir(parents=True, exist_ok=True)
            require_same_cases(dataset, output)
            write_dataset(dataset, output / FILE_NAME)
    wait()
    dataset = dataset if is_first() else open_dataset(output)
    with writing_errors(output):
        figures = _run(folder, settings, progress)
        shutil.rmtree(output / "cache", ignore_errors=True)
    return _result(output, dataset, seed=options.seed, seconds=time.monotonic() - start, **figures)


def _settings(options: TrainOptions, output: Path) -> dict[str, Any]:
    """The config's ids that the options set."""
    own = {"bundle_root", "dataset_dir", "output_dir"} & options.overrides.keys()
    if own:
        raise BundleError(
            f"{min(own)} is set by the scan, the bundle and the output folder that are named; leave it out"
        )
    return {
        "dataset_dir": str(output),
        "output_dir": str(output),
        "threshold_hu": options.threshold_hu,
        "augment": options.augment,
        "seed": options.seed,
        **({} if options.max_epochs is None else {"max_epochs": options.max_epochs}),
        **device_override(options.device),
        **options.overrides,
    }


def _run(bundle: Path, settings: Mapping[str, Any], progress: TrainingProgress | None) -> dict[str, Any]:
    """Run the workflow; the best Dice, its epoch, and the epochs there were."""
    with quiet():
        more: tuple[ConfigName, ...] = ("multi_gpu_train",) if started_by_torchrun() > 1 else ()
        workflow = open_workflow(bundle, "inference", "train", *more, overrides=settings)
        with config_errors(bundle):
            trainer, evaluator = workflow.trainer, workflow.evaluator
        _require_validation(workflow.parser)
        if is_first():
            evaluator.add_event_handler(Events.COMPLETED, _log_dice)
            trainer.add_event_handler(Events.EPOCH_COMPLETED, _log_loss)
            if progress is not None:
                ProgressReport(progress).attach(trainer)
        with own_errors():
            workflow.run()
            workflow.finalize()
    best = evaluator.state
    if not best.best_metric > 0:
        raise DatasetError(
            "no epoch found any metal on the validation slices (Dice 0); train longer, or let metal validate"
        )
    return {
        "dice": float(best.best_metric),
        "best_epoch": int(best.best_metric_epoch),
        "epochs": int(trainer.state.epoch),
    }


def _require_validation(parser: Any) -> None:
    interval, epochs = (parser.get_parsed_content(name) for name in ("val_interval", "max_epochs"))
    if interval > epochs:
        raise BundleError(f"val_interval is {interval} with {epochs} epochs, so nothing would be validated; take fewer")


def _log_loss(trainer: Engine) -> None:
    state = trainer.state
    logger.info("epoch %d of %d: loss %.4f", state.epoch, state.max_epochs, float(state.output[0]["loss"]))


def _log_dice(evaluator: Engine) -> None:
    dice = evaluator.state.metrics[evaluator.state.key_metric_name]
    logger.info("epoch %d: validation Dice %.4f", evaluator.state.epoch, dice)


def _result(output: Path, dataset: DataSplit, **figures: Any) -> TrainResult:
    return TrainResult(
        split=dataset.split,
        note=dataset.note,
        inputs=dataset.sources,
        weights=output / "model.pt",
        last=output / "last.pt",
        dataset=output / FILE_NAME,
        overview=output / "overview.png",
        masks=output / "validation",
        tensorboard=output / "tensorboard",
        **figures,
    )
