"""How well masks agree over many cases, and what counts where a mask is empty.

The policy (`POLICY`, printed with the figures) answers the questions that Maier-Hein et al., Metrics reloaded, Nature
Methods 21 (2024), want answered and reported. Overlap is averaged over the cases with metal in the truth: on an empty
truth a single voxel takes Dice from 1 to 0, so false metal there is a volume instead. A missed case counts with the
worst Dice, 0. A distance has no worst value, so a missed case has none, and the number of such cases is given with the
mean: read both, as missing a case must not look like an improvement.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from monai_ctseg.metrics.overlap import Overlap, compare_masks
from monai_ctseg.metrics.score import Score
from monai_ctseg.metrics.summary import Summary, summarize
from monai_ctseg.scan import Mask

POLICY = (
    "A case without metal in the truth has no Dice, no IoU and no distances and is in no mean; it counts by the volume "
    "predicted in it (false metal). "
    "A case with metal of which nothing is predicted has Dice 0 and IoU 0, which are in the means, and no distances: "
    "the means of distances run over the other cases, and their number is given. "
    "Pooled figures count the voxels of all cases together. "
    "Slices without metal are those where the truth is empty; what is predicted on them is false metal. "
    "Where a case lists slices, only those count; distances need adjacent slices."
)
EMPTY_TRUTH = "no metal in the truth"
EMPTY_PREDICTION = "nothing was predicted"
NOT_ADJACENT = "the evaluated slices are not adjacent"


@dataclass(frozen=True)
class ScoreTable:
    """Every case by every method, sorted.

    threshold_hu: Of the method "threshold", where there is one.
    """

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
        """What one has to know to read the figures, one sentence each."""
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
                f"saturated below {self.threshold_hu:g} HU: {', '.join(sorted(lacking))}"
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
    predicted: Mask, truth: Mask, *, case: str, method: str = "prediction", source: str = "mask", adjacent: bool = True
) -> Score:
    """Compare one mask with the truth.

    Args:
        predicted: Voxels [i, j, k] bool.
        truth: On the same grid.
        case: Name of the case.
        method: What made the mask.
        source: What made the truth.
        adjacent: Whether the slices are adjacent in space; where not, there are no surface distances.

    Raises:
        GridMismatch: The masks do not lie on one grid.
    """
    overlap = compare_masks(predicted, truth, distances=adjacent)
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
        no_distances=_why_no_distances(overlap, adjacent=adjacent),
    )


def _why_no_distances(overlap: Overlap, *, adjacent: bool) -> str:
    if not overlap.voxels_truth:
        return EMPTY_TRUTH
    if not overlap.voxels_predicted:
        return EMPTY_PREDICTION
    return "" if adjacent else NOT_ADJACENT
