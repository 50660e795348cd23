"""Scores: how well masks agree over many cases, and what counts where a mask is empty.

The policy (`POLICY`, printed with the figures) decides and tells what Maier-Hein et al., Metrics reloaded, Nature
Methods 21 (2024) want decided and told. Overlap is averaged over the cases that have something to overlap with: on an
empty truth Dice leaps from 1 to 0 by a single voxel, so false metal there is a volume instead. A missed case counts
with the worst Dice, 0. A distance has no worst value, so a missed case has none, and the number of such cases stands
beside the mean: read both, as missing a case must not look like an improvement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from monai_ctseg.metrics.overlap import Overlap, compare_masks
from monai_ctseg.scan import Mask

POLICY = (
    "A case without metal in the truth has no Dice, no IoU and no distances and is in no mean; it counts by the volume "
    "predicted in it (false metal). "
    "A case with metal of which nothing is predicted has Dice 0 and IoU 0, which are in the means, and no distances: "
    "the means of distances run over the other cases, and their number is given. "
    "Pooled figures count the voxels of all cases together. "
    "Slices without metal are those where the truth is empty; what is predicted on them is false metal. "
    "Where a case lists slices, only those count; distances need slices that are neighbours."
)
EMPTY_TRUTH = "no metal in the truth"
EMPTY_PREDICTION = "nothing was predicted"
APART = "the slices that count are no neighbours"


@dataclass(frozen=True)
class Score:
    """One mask held against the truth of one case.

    method: what made the mask: "network", "threshold" or "prediction".
    truth: what made the truth: "mask" (a file) or "threshold".
    slices: those that count. slices_with_false_metal, false_metal_mm3: on the slices without metal in the truth.
    no_distances: why there are no surface distances; "" where there are.
    """

    case: str
    method: str
    truth: str
    slices: int
    slices_without_metal: int
    slices_with_false_metal: int
    false_metal_mm3: float
    overlap: Overlap
    no_distances: str

    @property
    def has_metal(self) -> bool:
        """In the truth."""
        return self.overlap.voxels_truth > 0

    def row(self) -> dict[str, Any]:
        """All of it as one flat record; None where the policy says that a figure is not defined."""
        flat = {key: value for key, value in vars(self).items() if key not in ("overlap", "no_distances")}
        figures = asdict(self.overlap)
        if not self.has_metal:
            figures.update(dice=None, iou=None)
        return {**flat, **figures, "no_distances": self.no_distances}


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
    """One method over all cases, by the policy.

    dice, iou, hd95_mm, average_surface_distance_mm: None where no case has the figure.
    pooled_dice, pooled_iou: over the voxels of all cases; None where no case has metal.
    cases_missed: with metal, but nothing predicted. cases_without_distances: of those with metal.
    false_metal_on_slices_mm3: on slices without metal, of all cases. false_metal_on_scans_mm3: in cases without metal.
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


@dataclass(frozen=True)
class ScoreTable:
    """Every case by every method, sorted; threshold_hu: of the method "threshold", where there is one."""

    cases: tuple[Score, ...]
    threshold_hu: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "cases", tuple(sorted(self.cases, key=lambda score: (score.case, score.method))))

    @property
    def overall(self) -> dict[str, Summary]:
        """A summary for each method."""
        methods = dict.fromkeys(sorted(score.method for score in self.cases))
        return {name: summarize([score for score in self.cases if score.method == name]) for name in methods}

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be known to read the figures, a sentence each."""
        every = {score.case for score in self.cases}
        own = {score.case for score in self.cases if score.truth == "threshold"}
        lacking = every - {score.case for score in self.cases if score.method == "threshold"}
        notes = []
        if own:
            of = "the labels" if own == every else f"the labels of {len(own)} of {len(every)} cases"
            notes.append(
                f"{of} are this threshold's ({self.threshold_hu:g} HU, in the body): its own figures there say "
                "nothing, and the network's say how well it repeats the threshold"
            )
        if lacking and self.threshold_hu is not None:
            notes.append(
                f"{len(lacking)} of {len(every)} cases have no figures of the threshold, because their scans are "
                f"saturated under {self.threshold_hu:g} HU: {', '.join(sorted(lacking))}"
            )
        return tuple(notes)

    def as_json(self) -> dict[str, Any]:
        """Policy, notes, overall and cases as plain JSON values."""
        return {
            "policy": POLICY,
            "notes": list(self.notes),
            "threshold_hu": self.threshold_hu,
            "overall": {name: asdict(summary) for name, summary in self.overall.items()},
            "cases": [score.row() for score in self.cases],
        }


def score_masks(
    predicted: Mask, truth: Mask, *, case: str, method: str = "prediction", source: str = "mask", apart: bool = False
) -> Score:
    """Hold one mask against the truth [i, j, k].

    source: what made the truth. apart: the slices are no neighbours, so that there are no surface distances.
    Raises GridMismatch where the masks do not lie on one grid.
    """
    overlap = compare_masks(predicted, truth, distances=not apart)
    bare = ~truth.voxels.any(axis=(0, 1))
    false = np.count_nonzero(predicted.voxels, axis=(0, 1))[bare]
    return Score(
        case=case,
        method=method,
        truth=source,
        slices=int(bare.size),
        slices_without_metal=int(bare.sum()),
        slices_with_false_metal=int(np.count_nonzero(false)),
        false_metal_mm3=float(false.sum() * truth.grid.voxel_mm3),
        overlap=overlap,
        no_distances=_why_no_distances(overlap, apart),
    )


def summarize(scores: Sequence[Score]) -> Summary:
    """Sum up the cases of one method."""
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


def _why_no_distances(overlap: Overlap, apart: bool) -> str:
    if not overlap.voxels_truth:
        return EMPTY_TRUTH
    if not overlap.voxels_predicted:
        return EMPTY_PREDICTION
    return APART if apart else ""


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
