"""Metal on a saturated scan: the plateau at the saturation level, grown to a lower threshold.

The half maximum cannot be known where the maximum is clipped. What can be said: metal reads the saturation level at
least, so its edge lies no farther out than half of that level; and no metal reads more than some 25,000 HU, so its edge
lies no deeper below the plateau's rim than the point spread makes of that.
"""

from __future__ import annotations

from typing import NamedTuple

import cc3d
import numpy as np
from scipy import ndimage
from scipy.special import ndtri

from monai_ctseg.errors import SaturatedScan
from monai_ctseg.scan import BoolArray, Scan
from monai_ctseg.segmentation.components import Components
from monai_ctseg.segmentation.half_maximum.boxes import boxes_around, grow
from monai_ctseg.segmentation.half_maximum.edges import DENSEST_HU
from monai_ctseg.segmentation.half_maximum.spread import usual_spread
from monai_ctseg.segmentation.intensity import BONE_HU
from monai_ctseg.segmentation.records import Volumes
from monai_ctseg.segmentation.scan_facts import ScanFacts

NEAR_MM = 3.0
"""So far from the plateau an object's voxels may lie."""
TOO_LOW_HU = 2500.0
"""Dense bone reaches a saturation level of so many HU."""


class Plateaus(NamedTuple):
    """Components above `threshold_hu` that hold a voxel at the saturation level."""

    components: Components
    threshold_hu: float


def find_plateaus(facts: ScanFacts) -> Plateaus:
    """The plateaus at the scan's saturation level, each grown to a lower threshold.

    Raises:
        SaturatedScan: the saturation level is too low to tell metal from bone.
    """
    level = facts.intensity.highest_hu
    if level <= TOO_LOW_HU:
        raise SaturatedScan(
            f"the scan's scale ends at {level:g} HU, which dense bone reaches, too, and nothing tells metal from it; "
            "take the scan as the scanner stored it, or --method threshold with a threshold of your own"
        )
    lower = max(min(BONE_HU, level - 1), level / 2)
    seeds = facts.without_sentinels(np.asarray(facts.scan.hu >= level))
    grown = facts.without_sentinels(_grow(facts.scan, seeds, lower))
    return Plateaus(Components.of(grown), lower)


def _grow(scan: Scan, seeds: BoolArray, lower: float) -> BoolArray:
    """What exceeds `lower`, is connected with a seed, and lies near it."""
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


def plateau_interval(scan: Scan, mask: BoolArray, level: float) -> Volumes:
    """The least and the most volume that the metal of a mask may have; the mask's own lies between them.

    Args:
        scan: HU on a grid.
        mask: [i, j, k], from `find_plateaus`.
        level: the scan's saturation level, HU.

    Returns:
        Lowest and highest volume, mm3.
    """
    inward_mm = max(0.0, -float(ndtri(min(level / DENSEST_HU, 0.99)))) * usual_spread(scan.grid.spacing_mm)[0]
    least, most = 0, mask.copy(order="K")
    for box in boxes_around(mask):
        outer = grow(box, _margin(scan), mask.shape)
        hu, here = scan.hu[outer], mask[outer]
        # A voxel at the rim may be a tenth of metal and still read the saturation level: it does not count here.
        sure = ndimage.binary_erosion(here & (hu >= level), np.ones((3, 3, 3)))
        depth = ndimage.distance_transform_edt(sure, sampling=scan.grid.spacing_mm)
        reach = ndimage.distance_transform_edt(~here, sampling=scan.grid.spacing_mm)
        core = tuple(slice(b.start - o.start, b.stop - o.start) for b, o in zip(box, outer, strict=True))
        least += int(np.count_nonzero((depth - min(scan.grid.spacing_mm) / 2 > inward_mm)[core] & here[core]))
        most[outer] |= (hu > level / 2) & (reach <= NEAR_MM)
    return least * scan.grid.voxel_mm3, int(np.count_nonzero(most)) * scan.grid.voxel_mm3


def _margin(scan: Scan) -> tuple[int, ...]:
    return tuple(max(1, int(np.ceil(NEAR_MM / mm))) for mm in scan.grid.spacing_mm)
