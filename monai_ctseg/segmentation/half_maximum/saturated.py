"""Metal on a saturated scan: the plateau at the ceiling, grown to a lower threshold.

The half maximum is not knowable where the maximum is cut off. What can be said: metal reads the ceiling at least, so
that its edge lies no farther out than half of the ceiling; and no metal reads more than some 25,000 HU, so that its
edge lies no deeper under the plateau's rim than the point spread makes of that.
"""

from __future__ import annotations

from dataclasses import replace

import cc3d
import numpy as np
from scipy import ndimage
from scipy.special import ndtri

from monai_ctseg.errors import SaturatedScan
from monai_ctseg.scan import BoolArray, Mask, Scan
from monai_ctseg.segmentation.half_maximum.boxes import boxes_around, grow
from monai_ctseg.segmentation.half_maximum.edges import DENSEST_HU
from monai_ctseg.segmentation.half_maximum.spread import usual_spread
from monai_ctseg.segmentation.intensity import BONE_HU, IntensityVerdict
from monai_ctseg.segmentation.threshold import Metal, judge_mask, without_sentinels

NEAR_MM = 3.0
TOO_LOW_HU = 2500.0


def find_plateaus(scan: Scan, intensity: IntensityVerdict, *, anywhere: bool) -> Metal:
    """The pieces above a lower threshold that hold a voxel at the ceiling, and the interval of their volume.

    Raises SaturatedScan where the ceiling is too low to tell metal from bone.
    """
    ceiling = intensity.ceiling_hu
    if ceiling <= TOO_LOW_HU:
        raise SaturatedScan(
            f"the scan's scale ends at {ceiling:g} HU, which dense bone reaches, too, and nothing tells metal from it; "
            "take the scan as the scanner stored it, or --method threshold with a threshold of your own"
        )
    lower = max(min(BONE_HU, ceiling - 1), ceiling / 2)
    seeds = without_sentinels(np.asarray(scan.hu >= ceiling), scan, intensity)
    grown = _grow(scan, seeds, lower)
    metal = judge_mask(scan, Mask(grown, scan.grid), anywhere=anywhere, intensity=intensity)
    interval = _interval(scan, metal.mask.voxels, ceiling)
    note = (
        f"the scan is saturated at {ceiling:g} HU, so the half maximum is not knowable: the mask is what exceeds "
        f"{lower:g} HU around voxels at the ceiling; the metal's volume lies between {interval[0]:,.0f} and "
        f"{interval[1]:,.0f} mm3"
    )
    return replace(
        metal, method="plateau", threshold_hu=lower, interval_mm3=interval, notes=(note,) if metal.mask.count else ()
    )


def _grow(scan: Scan, seeds: BoolArray, lower: float) -> BoolArray:
    """What exceeds `lower` in one piece with a seed, and near it."""
    grown = np.zeros(seeds.shape, dtype=bool, order="F")
    margin = _margin(scan)
    for box in boxes_around(seeds):
        outer = grow(box, margin, seeds.shape)
        labels = cc3d.connected_components(scan.hu[outer] > lower, connectivity=26, out_dtype=np.uint32)
        near = ndimage.maximum_filter(seeds[outer], [2 * m + 1 for m in margin])
        seeded = np.zeros(int(labels.max()) + 1, dtype=bool)
        seeded[labels[seeds[outer]]] = True
        seeded[0] = False
        grown[outer] |= seeded[labels] & near
    return grown


def _interval(scan: Scan, mask: BoolArray, ceiling: float) -> tuple[float, float]:
    """The least and the most volume, mm3, that the metal of `mask` may have; the mask's own lies between them."""
    inward_mm = max(0.0, -float(ndtri(min(ceiling / DENSEST_HU, 0.99)))) * usual_spread(scan.grid.spacing_mm)[0]
    least, most = 0, mask.copy(order="K")
    for box in boxes_around(mask):
        outer = grow(box, _margin(scan), mask.shape)
        hu, here = scan.hu[outer], mask[outer]
        # A voxel at the rim may be a tenth of metal and read the ceiling all the same: it counts for nothing here.
        sure = ndimage.binary_erosion(here & (hu >= ceiling), np.ones((3, 3, 3)))
        depth = ndimage.distance_transform_edt(sure, sampling=scan.grid.spacing_mm)
        reach = ndimage.distance_transform_edt(~here, sampling=scan.grid.spacing_mm)
        core = tuple(slice(b.start - o.start, b.stop - o.start) for b, o in zip(box, outer, strict=True))
        least += int(np.count_nonzero((depth - min(scan.grid.spacing_mm) / 2 > inward_mm)[core] & here[core]))
        most[outer] |= (hu > ceiling / 2) & (reach <= NEAR_MM)
    return least * scan.grid.voxel_mm3, int(np.count_nonzero(most)) * scan.grid.voxel_mm3


def _margin(scan: Scan) -> tuple[int, ...]:
    return tuple(max(1, int(np.ceil(NEAR_MM / mm))) for mm in scan.grid.spacing_mm)
