"""What a training is asked for, and which of its cases train and validate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai_ctseg.bundles import DEFAULT_BUNDLE
from monai_ctseg.datasets.dataset_file import FILE_NAME, read_dataset
from monai_ctseg.datasets.records import Case, DataSplit
from monai_ctseg.datasets.split import SplitKind, build_dataset, check_dataset, open_dataset
from monai_ctseg.errors import DatasetError, TrainingError
from monai_ctseg.networks.handlers.checkpoints import LAST, is_finished, read_checkpoint
from monai_ctseg.segmentation.intensity import METAL_HU


@dataclass(frozen=True)
class TrainOptions:
    """How to train.

    Attributes:
        bundle: Name or folder of the bundle.
        labels: A NIfTI mask for each scan; without them the metal above `threshold_hu` is the label.
        series: SeriesInstanceUID, or its beginning, for folders with several series.
        split: "blocks" (one scan; the default there), "interleaved" (one scan) or "patients" (several scans; the
            default there).
        held_out: First and last slice that validate, both included, as names or indices k.
        threshold_hu: Metal lies above it; HU.
        max_epochs: Number of epochs; None: as the bundle says.
        augment: Whether patches are varied at random.
        seed: Of weights, patches and augmentation. On one machine's CPU the same seed gives the same weights.
        device: "cpu", "cuda", "cuda:1"; None: CUDA where there is one.
        overrides: Values for other ids of the bundle's configs.

    """

    bundle: str | Path = DEFAULT_BUNDLE
    labels: Sequence[str | Path] | None = None
    series: str | None = None
    split: SplitKind | None = None
    held_out: Sequence[int | str] | None = None
    threshold_hu: float = METAL_HU
    max_epochs: int | None = None
    augment: bool = True
    seed: int = 0
    device: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)


def split_cases(scans: Sequence[str | Path], options: TrainOptions) -> DataSplit:
    """What trains and what validates: as a dataset.json says, or by a split of the scans.

    Args:
        scans: DICOM folders, files or NIfTI volumes; or one dataset.json or its folder.
        options: Its labels, series, split and held-out slices are for scans only.

    Raises:
        DatasetError: The split or the dataset.json cannot be used. And what `read_scan` raises.

    """
    how = {"split": options.split, "held_out": options.held_out}
    if not _is_dataset(scans):
        cases = _cases(scans, options)
        return build_dataset(cases, threshold_hu=options.threshold_hu, seed=options.seed, **how)  # type: ignore[arg-type]
    if options.labels or options.series or any(how.values()):
        raise DatasetError(
            f"{scans[0]} says itself what validates; leave labels, series, split and held-out slices out"
        )
    return check_dataset(open_dataset(scans[0]), threshold_hu=options.threshold_hu)


def _is_dataset(scans: Sequence[str | Path]) -> bool:
    return len(scans) == 1 and (Path(scans[0]).suffix == ".json" or (Path(scans[0]) / FILE_NAME).is_file())


def _cases(scans: Sequence[str | Path], options: TrainOptions) -> list[Case]:
    labels = options.labels
    if labels is not None and len(labels) != len(scans):
        raise DatasetError(f"{len(labels)} masks for {len(scans)} scans; give one for each, in the same order")
    masks = [None] * len(scans) if labels is None else [Path(label) for label in labels]
    return [Case(Path(scan), label=mask, series=options.series) for scan, mask in zip(scans, masks, strict=True)]


def require_same_cases(dataset: DataSplit, output: Path) -> None:
    """Refuse to resume a training with other data.

    Args:
        dataset: Of the training that starts.
        output: Where an unfinished one may have left last.pt and dataset.json.

    Raises:
        TrainingError: There is an unfinished one with other scans, masks or slices.

    """
    if not ((output / LAST).is_file() and (output / FILE_NAME).is_file()):
        return
    before = read_dataset(output / FILE_NAME)
    same = all(_identities(before.cases(part)) == _identities(dataset.cases(part)) for part in _PARTS)
    if not same and not is_finished(read_checkpoint(output / LAST)):
        raise TrainingError(
            f"{output}: an unfinished training with other scans or slices; name the same ones to resume it, "
            "or another folder"
        )


_PARTS: tuple[Any, ...] = ("training", "validation")


def _identities(cases: Sequence[Case]) -> list[tuple[Any, ...]]:
    """What tells cases apart, however their paths were written."""
    return [(case.image.absolute(), case.label and case.label.absolute(), case.series, case.slices) for case in cases]
