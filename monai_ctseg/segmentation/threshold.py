"""Metal by threshold: what lies strictly above so many HU, in components of voxels that touch (26 neighbours)."""

from __future__ import annotations

import cc3d
import numpy as np

from monai_ctseg.errors import SaturatedScan
from monai_ctseg.scan import BoolArray, Box, bounding_box
from monai_ctseg.segmentation.body import Body
from monai_ctseg.segmentation.components import Components, IntArray
from monai_ctseg.segmentation.intensity import IntensityVerdict
from monai_ctseg.segmentation.keep import kept_labels
from monai_ctseg.segmentation.records import Sensitivity
from monai_ctseg.segmentation.scan_facts import ScanFacts

SENSITIVITY_HU = (2000.0, 2500.0, 3000.0, 3500.0, 4000.0)


def find_above(facts: ScanFacts, threshold_hu: float) -> Components:
    """The components of what exceeds a threshold.

    Args:
        facts: of the scan.
        threshold_hu: HU that metal exceeds.

    Raises:
        SaturatedScan: the scan's saturation level lies at or below the threshold, so that metal could not show.
    """
    _require_headroom(facts.intensity, threshold_hu)
    return Components.of(facts.above(threshold_hu))


def _require_headroom(intensity: IntensityVerdict, threshold_hu: float) -> None:
    if not intensity.saturated or intensity.highest_hu > threshold_hu:
        return
    raise SaturatedScan(
        f"nothing can exceed the threshold of {threshold_hu:g} HU: the scan is saturated at "
        f"{intensity.highest_hu:g} HU, where {intensity.highest_voxels:,} voxels stand; {intensity.advise()}"
    )


def try_other_thresholds(facts: ScanFacts, *, body_mask: bool) -> tuple[Sensitivity, ...]:
    """What each of `SENSITIVITY_HU` would have kept, by the same rule and in the same body.

    Args:
        facts: of the scan.
        body_mask: whether to drop what lies outside the patient's body.
    """
    above = facts.above(SENSITIVITY_HU[0])
    box = bounding_box(above)
    if box is None:
        return tuple(Sensitivity(threshold_hu, 0, 0.0) for threshold_hu in SENSITIVITY_HU)
    above, hu = above[box], facts.scan.hu[box]
    k, j, i = np.nonzero(above.T)  # of a transposed view, since scans lie in memory slice by slice
    inside = _in_body(facts.body, box, (i, j, k)) if body_mask else np.ones(len(i), dtype=bool)
    found = []
    for threshold_hu in SENSITIVITY_HU:
        labels = cc3d.connected_components(above & (hu > threshold_hu), connectivity=26, out_dtype=np.uint32)[i, j, k]
        voxels = np.bincount(labels)
        shares = np.bincount(labels, weights=inside) / np.maximum(voxels, 1)
        count = int(voxels[kept_labels(shares)].sum())
        found.append(Sensitivity(threshold_hu, count, count * facts.scan.grid.voxel_mm3))
    return tuple(found)


def _in_body(body: Body, box: Box, ijk: tuple[IntArray, IntArray, IntArray]) -> BoolArray:
    """Whether voxels, counted from the box's first, lie in the body."""
    i, j, k = (line + side.start for line, side in zip(ijk, box, strict=True))
    return body.at(body.blocks, (i, j), k)
