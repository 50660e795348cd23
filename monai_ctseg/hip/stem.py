"""Stem: the axis of a prosthesis' stem, through the centres of its sections."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np

from monai_ctseg.grid import FloatArray, unit
from monai_ctseg.hip.ball import METAL
from monai_ctseg.hip.rays import lps_box
from monai_ctseg.hip.sphere import Sphere
from monai_ctseg.scan import Scan


@dataclass(frozen=True)
class StemSearch:
    """Where the stem is looked for, and how; where no reason is given, chosen by hand."""

    below_mm: tuple[float, float] = (60.0, 260.0)
    """Below the ball's centre along patient z: further up the stem widens to one side, further down it has ended."""
    aside_mm: float = 90.0
    """Along patient x and y, from the ball's centre."""
    above_mm: float = 5.0
    """Above the ball's centre, so that ball and stem are connected."""
    slab_mm: float = 3.0
    """Height of a section: above the coarsest slices there are several voxels in each."""
    shortest_mm: float = 40.0
    """A shorter part gives no axis to a degree."""
    least_sections: int = 4
    independent_mm: float = 10.0
    """Sections this far apart have independent errors: nearer ones share streaks and voxels."""
    least_independent: float = 3.0
    """Two sections determine a line without any residual."""


SEARCH = StemSearch()


@dataclass(frozen=True, eq=False)
class Stem:
    """A prosthesis' stem.

    Attributes:
        axis_lps: (3,) unit vector up the stem.
        centers_lps: [n, 3] mm, of its sections.
        residual_mm: root mean square distance of the centres from the axis.

    """

    axis_lps: FloatArray
    centers_lps: FloatArray
    residual_mm: float

    @property
    def sd_degrees(self) -> float:
        """Standard deviation of the axis' direction, around any perpendicular axis."""
        length_mm = float(np.ptp(self.centers_lps[:, 2]))
        count = max(SEARCH.least_independent, length_mm / SEARCH.independent_mm)
        return float(np.degrees(self.residual_mm / (length_mm / np.sqrt(12)) / np.sqrt(count)))


def find_stem(scan: Scan, ball: Sphere) -> Stem | None:
    """The stem below a ball head.

    Args:
        scan: in HU.
        ball: the sphere of the ball head.

    Returns:
        The stem; None where less than 40 mm of it lie in the scan.

    """
    centers = _section_centers(_connected_metal(scan, ball.center_lps))
    if len(centers) < SEARCH.least_sections or np.ptp(centers[:, 2]) < SEARCH.shortest_mm:
        return None
    offset = centers - centers.mean(axis=0)
    axis = np.linalg.svd(offset)[2][0]
    axis = unit(axis * np.sign(axis[2]))
    across = offset - np.outer(offset @ axis, axis)
    return Stem(axis, centers, float(np.sqrt((across**2).sum(axis=1).mean())))


def _connected_metal(scan: Scan, ball_lps: FloatArray) -> FloatArray:
    """Voxel centres [n, 3] in LPS of the metal connected to a ball head, from 60 mm below it."""
    aside, (near, far) = SEARCH.aside_mm, SEARCH.below_mm
    below, above = np.array((aside, aside, far)), np.array((aside, aside, SEARCH.above_mm))
    box = lps_box(scan.grid, ball_lps - below, ball_lps + above)
    low = np.array([side.start for side in box])
    labels = cc3d.connected_components(scan.hu[box] > METAL.least_hu)
    at = np.rint(scan.grid.to_index(ball_lps)).astype(int) - low
    own = labels[tuple(np.clip(at, 0, np.array(labels.shape) - 1))]
    points = scan.grid.to_lps(np.argwhere((labels == own) & (labels > 0)) + low)
    return np.asarray(points[points[:, 2] < ball_lps[2] - near])


def _section_centers(points: FloatArray) -> FloatArray:
    """Means [n, 3] of points in slabs along z, without the incomplete ones at the ends."""
    if len(points) == 0:
        return points
    slab = np.floor((points[:, 2] - points[:, 2].min()) / SEARCH.slab_mm).astype(int)
    count = np.bincount(slab)
    sums = np.stack([np.bincount(slab, points[:, axis]) for axis in range(3)], axis=1)
    kept = count > 0
    kept[[0, 1, -1]] = False
    return np.asarray(sums[kept] / count[kept, None])
