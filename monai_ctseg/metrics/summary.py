"""One method over many cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from monai_ctseg.metrics.overlap import Overlap

if TYPE_CHECKING:
    from monai_ctseg.metrics.score import Score


@dataclass(frozen=True)
class Spread:
    """A figure over the `cases` that have it."""

    cases: int
    mean: float
    median: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Summary:
    """One method over all cases, by the policy of `metrics.scores`.

    dice, iou, hd95_mm, average_surface_distance_mm: None where no case has the figure.
    pooled_dice, pooled_iou: Over the voxels of all cases; None where no case has metal.
    cases_missed: With metal, but nothing predicted.
    cases_without_distances: Of those with metal.
    false_metal_on_slices_mm3: On slices without metal, of all cases.
    false_metal_on_scans_mm3: In cases without metal.
    """

    cases: int
    cases_with_metal: int
    cases_without_metal: int
    cases_missed: int
    cases_without_distances: int
    dice: Spread | None
    iou: Spread | None
    hd95_mm: Spread | None
    average_surface_distance_mm: Spread | None
    pooled_dice: float | None
    pooled_iou: float | None
    voxels_predicted: int
    voxels_truth: int
    volume_predicted_mm3: float
    volume_truth_mm3: float
    false_positive_mm3: float
    false_negative_mm3: float
    slices_without_metal: int
    slices_with_false_metal: int
    false_metal_on_slices_mm3: float
    cases_with_false_metal: int
    false_metal_on_scans_mm3: float


def summarize(scores: Sequence[Score]) -> Summary:
    """Sum up the scores of one method.

    Args:
        scores: One for each case.
    """
    metal = [score for score in scores if score.has_metal]
    bare = [score for score in scores if not score.has_metal]
    pooled_dice, pooled_iou = _pooled(scores)
    return Summary(
        cases=len(scores),
        cases_with_metal=len(metal),
        cases_without_metal=len(bare),
        cases_missed=sum(score.overlap.voxels_predicted == 0 for score in metal),
        cases_without_distances=sum(bool(score.no_distances) for score in metal),
        dice=_spread(metal, lambda overlap: overlap.dice),
        iou=_spread(metal, lambda overlap: overlap.iou),
        hd95_mm=_spread(metal, lambda overlap: overlap.hd95_mm),
        average_surface_distance_mm=_spread(metal, lambda overlap: overlap.average_surface_distance_mm),
        pooled_dice=pooled_dice,
        pooled_iou=pooled_iou,
        **_totals(scores),
        slices_without_metal=sum(score.slices_without_metal for score in scores),
        slices_with_false_metal=sum(score.slices_with_false_metal for score in scores),
        false_metal_on_slices_mm3=float(sum(score.false_metal_mm3 for score in scores)),
        cases_with_false_metal=sum(score.overlap.voxels_predicted > 0 for score in bare),
        false_metal_on_scans_mm3=float(sum(score.overlap.false_positive_mm3 for score in bare)),
    )


def _spread(scores: Sequence[Score], figure: Callable[[Overlap], float | None]) -> Spread | None:
    values = [value for score in scores if (value := figure(score.overlap)) is not None]
    if not values:
        return None
    return Spread(len(values), float(np.mean(values)), float(np.median(values)), min(values), max(values))


def _pooled(scores: Sequence[Score]) -> tuple[float, float] | tuple[None, None]:
    """Dice and IoU over the voxels of all cases; they need metal somewhere."""
    both = sum(score.overlap.voxels_predicted + score.overlap.voxels_truth for score in scores)
    shared = sum(score.overlap.voxels_shared for score in scores)
    if not any(score.has_metal for score in scores):
        return None, None
    return 2 * shared / both, shared / (both - shared)


def _totals(scores: Sequence[Score]) -> dict[str, Any]:
    names = (
        "voxels_predicted",
        "voxels_truth",
        "volume_predicted_mm3",
        "volume_truth_mm3",
        "false_positive_mm3",
        "false_negative_mm3",
    )
    return {name: sum(getattr(score.overlap, name) for score in scores) for name in names}
