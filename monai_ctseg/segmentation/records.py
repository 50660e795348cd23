"""What comes out of a segmentation: the mask, its components with reasons, and how far to rely on it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from monai_ctseg.scan import Mask
from monai_ctseg.segmentation.intensity import IntensityVerdict

Method: TypeAlias = Literal[
    "threshold", "half-maximum", "plateau", "network", "network and half-maximum", "network and threshold", "given"
]
"""How a mask came about. plateau: what half-maximum falls back to on a saturated scan. network and ...: probabilities
averaged with those of another method. given: the mask was drawn elsewhere."""

Volumes: TypeAlias = tuple[float, float]
"""Lowest and highest volume, mm3."""

Shares: TypeAlias = npt.NDArray[np.uint8]
"""[i, j, k]: a probability, or the share of each voxel that is metal, in 255ths."""

METAL = 128
"""A voxel is metal from this share on."""


@dataclass(frozen=True)
class Component:
    """One connected component of a mask.

    Attributes:
        label: rank by size; 1 is the largest.
        voxels: number of voxels.
        volume_mm3: volume in mm3.
        centroid_lps: mean position, LPS, mm.
        max_hu: highest intensity.
        share_in_body: share of the voxels that lie in the body; None where no body mask was used.
        kept: whether it is part of the mask.
        reason: why it was kept or dropped.
        plateau_hu: what it would read without blur, where half-maximum found its edges; a median over the component.
        edge_hu: HU of its edge, likewise.
        surroundings_hu: HU of what lies around it, likewise.
        volume_interval_mm3: interval of the true volume, where the method gives one.
    """

    label: int
    voxels: int
    volume_mm3: float
    centroid_lps: tuple[float, float, float]
    max_hu: float
    share_in_body: float | None
    kept: bool
    reason: str
    plateau_hu: float | None = None
    edge_hu: float | None = None
    surroundings_hu: float | None = None
    volume_interval_mm3: Volumes | None = None


@dataclass(frozen=True)
class Unlisted:
    """The components smaller than the listed ones, summed."""

    kept_components: int
    kept_voxels: int
    dropped_components: int
    dropped_voxels: int


@dataclass(frozen=True)
class Sensitivity:
    """What another threshold would have kept, by the same rule and in the same body."""

    threshold_hu: float
    voxels: int
    volume_mm3: float


@dataclass(frozen=True)
class Confidence:
    """How far a network's mask can be relied on.

    Attributes:
        interval_levels: the two probabilities whose iso-surfaces bound the volume intervals, the lower first.
        interval_calibrated: whether these levels were set for these very weights.
        training_range_known: whether the bundle says what its weights were trained on.
        out_of_distribution: in which ways the scan is unlike the training scans, a sentence each.
    """

    interval_levels: tuple[float, float]
    interval_calibrated: bool
    training_range_known: bool
    out_of_distribution: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The metal of one scan, and how it was found.

    Attributes:
        mask: the metal, on the scan's own grid.
        method: how it was found.
        threshold_hu: of the methods that use one; for half-maximum what an object exceeds somewhere; else None.
        body_mask: whether components outside the patient's body were dropped.
        intensity: what the scan's scale can show.
        components: the largest components, largest first, at most 200, kept or dropped.
        unlisted: the sum of the others.
        sensitivity: what other thresholds would have kept; for a threshold only.
        volume_interval_mm3: interval of the metal's true volume, where the method gives one.
        confidence: of a network's mask.
        probability: of a network's mask: uint8 [i, j, k] in 255ths.
        notes: what the reader of the mask should know, a sentence each.
    """

    mask: Mask
    method: Method
    threshold_hu: float | None
    body_mask: bool
    intensity: IntensityVerdict
    components: tuple[Component, ...]
    unlisted: Unlisted
    sensitivity: tuple[Sensitivity, ...] = ()
    volume_interval_mm3: Volumes | None = None
    confidence: Confidence | None = None
    probability: Shares | None = None
    notes: tuple[str, ...] = ()

    @property
    def slices_with_metal(self) -> int:
        """Number of slices with a voxel of metal."""
        return int(np.count_nonzero(self.mask.voxels.any(axis=(0, 1))))

    def component_report(self) -> dict[str, Any]:
        """Everything but the voxels, as plain JSON values: component_report.json."""
        return {
            "method": self.method,
            "threshold_hu": self.threshold_hu,
            "body_mask": self.body_mask,
            "voxels": self.mask.count,
            "volume_mm3": self.mask.volume_mm3,
            "volume_interval_mm3": self.volume_interval_mm3,
            "slices_with_metal": self.slices_with_metal,
            "intensity": asdict(self.intensity),
            "components": [asdict(component) for component in self.components],
            "unlisted": asdict(self.unlisted),
            "sensitivity": [asdict(row) for row in self.sensitivity],
            "confidence": asdict(self.confidence) if self.confidence else None,
            "notes": list(self.notes),
        }
