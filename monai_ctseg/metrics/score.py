"""Score: one case compared with its truth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from monai_ctseg.metrics.overlap import Overlap


@dataclass(frozen=True)
class Score:
    """One mask compared with the truth of one case.

    method: What made the mask: "network", "threshold" or "prediction".
    truth: What made the truth: "mask" (a file) or "threshold".
    slices: Number of evaluated slices.
    slices_with_false_metal, false_metal_mm3: On the slices without metal in the truth.
    no_distances: Why there are no surface distances; "" where there are.
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
        """One flat record; None where the policy says that a figure is not defined."""
        flat = {key: value for key, value in vars(self).items() if key not in ("overlap", "no_distances")}
        figures = asdict(self.overlap)
        if not self.has_metal:
            figures.update(dice=None, iou=None)
        return {**flat, **figures, "no_distances": self.no_distances}
