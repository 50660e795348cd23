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

from monai_ctseg.datasets.dataset_file import FILE_NAME, Case, DataSplit, read_dataset, write_dataset
from monai_ctseg.datasets.split import SplitKind, build_dataset, check_dataset, open_dataset
from monai_ctseg.errors import BundleError, DatasetError, TrainingError
from monai_ctseg.networks.config import (
    DEFAULT_BUNDLE,
    ConfigName,
    config_errors,
    device_override,
    find_bundle,
    open_workflow,
    own_errors,
    quiet,
    writing_errors,
)
from monai_ctseg.networks.distributed import is_first, join, started_by_torchrun, wait
from monai_ctseg.networks.handlers import Progress, ProgressReport
from monai_ctseg.networks.handlers.checkpoints import LAST, is_finished, read_checkpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """What a training gave.

    dice: of the best epoch, over all voxels of a scan's validation slices, then the mean of the scans with metal.
    weights: the best epoch's; last: the last epoch's with the optimizer's state.
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
    *,
    bundle: str | Path = DEFAULT_BUNDLE,
    labels: Sequence[str | Path] | None = None,
    series: str | None = None,
    split: SplitKind | None = None,
    held_out: Sequence[int | str] | None = None,
    threshold_hu: float = 3000.0,
    max_epochs: int | None = None,
    augment: bool = True,
    seed: int = 0,
    device: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> TrainResult:
    """Train the bundle's network on scans, and leave everything in `output_dir`.

    scans: DICOM folders, files or NIfTI volumes; or one dataset.json (or its folder), which says what validates.
    labels: a NIfTI mask for each scan; without them the metal above `threshold_hu` is the label.
    split: "blocks" (one scan; the default there), "interleaved" (one scan), "patients" (several; the default there).
    held_out: first and last slice that validate, as names or indices k.
    overrides: values for other ids of the bundle's configs. On one machine's CPU the same seed gives the same weights.
    Where `output_dir` holds a last.pt of the same training that did not end, it goes on from there. Under torchrun the
    processes train together, and the first one writes.
    Raises what `read_scan` raises, DatasetError, BundleError, TrainingError, OutputError.
    """
    start = time.monotonic()
    folder = find_bundle(bundle)
    own = {"bundle_root", "dataset_dir", "output_dir"} & set(overrides or {})
    if own:
        raise BundleError(
            f"{min(own)} is set by the scan, the bundle and the output folder that are named; leave it out"
        )
    output, on = Path(output_dir), device_override(device)
    join(None if device is None else torch.device(device))
    if is_first():
        how: dict[str, Any] = {"labels": labels, "series": series, "split": split, "held_out": held_out}
        dataset = _split(scans, threshold_hu=threshold_hu, seed=seed, **how)
        logger.info("seed %d; %s", seed, dataset.note)
        with writing_errors(output):
            output.mkdir(parents=True, exist_ok=True)
            _require_same(dataset, output)
            write_dataset(dataset, output / FILE_NAME)
    wait()
    dataset = dataset if is_first() else open_dataset(output)
    epochs = {} if max_epochs is None else {"max_epochs": max_epochs}
    settings = {
        "dataset_dir": str(output),
        "output_dir": str(output),
        "threshold_hu": threshold_hu,
        "augment": augment,
        "seed": seed,
        **epochs,
        **on,
        **(overrides or {}),
    }
    with writing_errors(output):
        dice, best, ran = _run(folder, settings, progress)
        shutil.rmtree(output / "cache", ignore_errors=True)
    return _result(output, dataset, dice=dice, best_epoch=best, epochs=ran, seed=seed, seconds=time.monotonic() - start)


def _split(
    scans: Sequence[str | Path],
    *,
    labels: Sequence[str | Path] | None,
    series: str | None,
    threshold_hu: float,
    seed: int,
    **how: Any,
) -> DataSplit:
    """What trains and what validates."""
    if not _is_dataset(scans):
        return build_dataset(_cases(scans, labels, series), threshold_hu=threshold_hu, seed=seed, **how)
    if labels or series or any(how.values()):
        raise DatasetError(
            f"{scans[0]} says itself what validates; leave labels, series, split and held-out slices out"
        )
    return check_dataset(open_dataset(scans[0]), threshold_hu=threshold_hu)


def _require_same(dataset: DataSplit, output: Path) -> None:
    """An unfinished training goes on with its own data only."""
    if not ((output / LAST).is_file() and (output / FILE_NAME).is_file()):
        return
    before = read_dataset(output / FILE_NAME)
    same = all(_places(before.cases(part)) == _places(dataset.cases(part)) for part in ("training", "validation"))
    if not same and not is_finished(read_checkpoint(output / LAST)):
        raise TrainingError(
            f"{output}: an unfinished training with other scans or slices; name those again to go on with it, "
            "or another folder"
        )


def _places(cases: Sequence[Case]) -> list[tuple[Any, ...]]:
    """What tells cases apart, however their paths were written."""
    return [(case.image.absolute(), case.label and case.label.absolute(), case.series, case.slices) for case in cases]


def _is_dataset(scans: Sequence[str | Path]) -> bool:
    return len(scans) == 1 and (Path(scans[0]).suffix == ".json" or (Path(scans[0]) / FILE_NAME).is_file())


def _cases(scans: Sequence[str | Path], labels: Sequence[str | Path] | None, series: str | None) -> list[Case]:
    if labels is not None and len(labels) != len(scans):
        raise DatasetError(f"{len(labels)} masks for {len(scans)} scans; give one for each, in the same order")
    masks = [None] * len(scans) if labels is None else [Path(label) for label in labels]
    return [Case(Path(scan), label=mask, series=series) for scan, mask in zip(scans, masks, strict=True)]


def _run(bundle: Path, settings: Mapping[str, Any], progress: Progress | None) -> tuple[float, int, int]:
    """Run the workflow; best Dice, its epoch, and the epochs run."""
    with quiet():
        more: tuple[ConfigName, ...] = ("multi_gpu_train",) if started_by_torchrun() > 1 else ()
        workflow = open_workflow(bundle, "inference", "train", *more, overrides=settings)
        with config_errors(bundle):
            trainer, evaluator = workflow.trainer, workflow.evaluator
        _require_validation(workflow.parser)
        if is_first():
            evaluator.add_event_handler(Events.COMPLETED, _log_dice)
            trainer.add_event_handler(Events.EPOCH_COMPLETED, _log_loss)
        if progress is not None and is_first():
            ProgressReport(progress).attach(trainer)
        with own_errors():
            workflow.run()
            workflow.finalize()
    state = evaluator.state
    if not state.best_metric > 0:
        raise DatasetError(
            "no epoch found any metal on the validation slices (Dice 0); train longer, or let metal validate"
        )
    return float(state.best_metric), int(state.best_metric_epoch), int(trainer.state.epoch)


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
