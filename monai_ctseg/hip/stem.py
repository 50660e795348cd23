"""Stem: the axis of a prosthesis' stem, through the middles of its sections."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.ball import METAL_HU, Surface
from monai_ctseg.scan import Scan
from monai_ctseg.simulation.sdf import unit

FROM_MM, TO_MM, ASIDE_MM = 60.0, 260.0, 90.0
"""The stem is looked for so far below the ball, and so far to its sides; higher up it widens to one side."""
SLAB_MM = 3.0
SHORTEST_MM = 40.0


@dataclass(frozen=True, eq=False)
class Stem:
    """axis_lps: unit vector up the stem. middles_lps: [n, 3] of its sections; residual_mm: their distance from it."""

    axis_lps: FloatArray
    middles_lps: FloatArray
    residual_mm: float

    @property
    def length_mm(self) -> float:
        """Of the part that the axis rests on."""
        return float(np.ptp(self.middles_lps[:, 2]))

    @property
    def sd_degrees(self) -> float:
        """Standard deviation of the axis about any axis across, its sections taken as independent every 10 mm."""
        count = max(3.0, self.length_mm / 10)
        return float(np.degrees(self.residual_mm / (self.length_mm / np.sqrt(12)) / np.sqrt(count)))


def find_stem(scan: Scan, ball: Surface) -> Stem | None:
    """The stem below a ball head; None where less than 40 mm of it are in the scan."""
    middles = _middles(_metal_of(scan, ball))
    if len(middles) < 4 or np.ptp(middles[:, 2]) < SHORTEST_MM:
        return None
    middle = middles.mean(axis=0)
    axis = np.linalg.svd(middles - middle)[2][0]
    axis = unit(axis * np.sign(axis[2]))
    off = middles - middle
    across = off - np.outer(off @ axis, axis)
    return Stem(axis, middles, float(np.sqrt((across**2).sum(axis=1).mean())))


def _metal_of(scan: Scan, ball: Surface) -> FloatArray:
    """Voxels [n, 3] in LPS of the metal that hangs on a ball, from FROM_MM below it."""
    center = ball.sphere.center_lps
    reach = np.array((ASIDE_MM, ASIDE_MM, TO_MM)), np.array((ASIDE_MM, ASIDE_MM, 5.0))
    corners = np.array(np.meshgrid(*zip(center - reach[0], center + reach[1], strict=True))).reshape(3, -1).T
    index = scan.grid.to_index(corners)
    low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, np.array(scan.grid.shape) - 1)
    high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, low + 1, scan.grid.shape)
    labels = cc3d.connected_components(scan.hu[low[0] : high[0], low[1] : high[1], low[2] : high[2]] > METAL_HU)
    at = np.rint(scan.grid.to_index(center)).astype(int) - low
    own = labels[tuple(np.clip(at, 0, np.array(labels.shape) - 1))]
    points = scan.grid.to_lps(np.argwhere((labels == own) & (labels > 0)) + low)
    return np.asarray(points[points[:, 2] < center[2] - FROM_MM])


def _middles(points: FloatArray) -> FloatArray:
    """Means [n, 3] of points in slabs along z, without the ends."""
    if len(points) == 0:
        return points
    slab = np.floor((points[:, 2] - points[:, 2].min()) / SLAB_MM).astype(int)
    count = np.bincount(slab)
    sums = np.stack([np.bincount(slab, points[:, axis]) for axis in range(3)], axis=1)
    kept = count > 0
    kept[[0, 1, -1]] = False
    return np.asarray(sums[kept] / count[kept, None])
