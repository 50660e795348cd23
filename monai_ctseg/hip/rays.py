"""Rays: HU along straight lines through a scan, in patient coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.scan import Scan
from monai_ctseg.simulation.sdf import Floats


def directions(count: int) -> FloatArray:
    """Unit vectors [count, 3], evenly spread over a sphere: a Fibonacci lattice (Gonzalez 2010)."""
    n = np.arange(count) + 0.5
    height, turn = 1 - 2 * n / count, np.pi * (1 + 5**0.5) * n
    flat = np.sqrt(1 - height**2)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), height], axis=1)


def slice_normal(grid: Grid) -> tuple[FloatArray, float]:
    """Unit vector across the slices, and the distance of two of them in mm.

    Slices are stacked along the third axis, but in a NIfTI volume whose first or second step alone differs along that.
    """
    steps = np.array(grid.spacing_mm)
    alike = [bool(abs(a - b) < 0.01 * b) for a, b in ((steps[1], steps[2]), (steps[0], steps[2]), (steps[0], steps[1]))]
    axis = alike.index(True) if sum(alike) == 1 else 2
    normal = np.cross(*grid.index_to_lps[:3, [n for n in range(3) if n != axis]].T)
    normal /= np.linalg.norm(normal)
    return normal, float(abs(normal @ grid.index_to_lps[:3, axis]))


@dataclass(frozen=True, eq=False)
class Region:
    """A piece of a scan round a place, ready for sampling between its voxels.

    hu: float32 [i, j, k] of the piece. grid: where it lies. cap_hu: what no voxel of the scan can exceed.
    """

    hu: Floats
    grid: Grid
    cap_hu: float

    @classmethod
    def around(cls, scan: Scan, center_lps: FloatArray, reach_mm: float, *, cap_hu: float = np.inf) -> Region:
        """The voxels within `reach_mm` along each patient axis, as far as the scan goes."""
        corners = center_lps + reach_mm * np.array(np.meshgrid(*3 * [(-1.0, 1.0)])).reshape(3, -1).T
        index = scan.grid.to_index(corners)
        low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, np.array(scan.grid.shape) - 1)
        high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, low + 1, scan.grid.shape)
        matrix = scan.grid.index_to_lps.copy()
        matrix[:3, 3] = scan.grid.to_lps(low)
        i, j, k = high - low
        piece = scan.hu[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        return cls(np.asarray(piece, dtype=np.float32), Grid((int(i), int(j), int(k)), matrix), cap_hu)

    def clipped(self, low_hu: float, high_hu: float) -> Region:
        """The same with HU outside these limits set to them."""
        return Region(np.clip(self.hu, low_hu, high_hu), self.grid, min(self.cap_hu, high_hu))

    @cached_property
    def _spline(self) -> Floats:
        return np.asarray(ndimage.spline_filter(self.hu, order=3, output=np.float32, mode="nearest"))

    def sample(self, points_lps: FloatArray) -> FloatArray:
        """HU at points [..., 3] by cubic splines; NaN outside the piece."""
        index = np.moveaxis(self.grid.to_index(points_lps), -1, 0)
        edge = np.array(self.grid.shape).reshape(3, *(1,) * (index.ndim - 1)) - 1
        inside = ((index >= 0) & (index <= edge)).all(axis=0)
        values = ndimage.map_coordinates(self._spline, index, order=3, mode="nearest", prefilter=False)
        return np.where(inside, values, np.nan)

    def profiles(self, center_lps: FloatArray, ways: FloatArray, at_mm: FloatArray) -> FloatArray:
        """HU [n, samples] along rays from a centre: directions [n, 3], distances [samples] or [n, samples]."""
        at = np.broadcast_to(at_mm, (len(ways), np.shape(at_mm)[-1]))
        return self.sample(center_lps + ways[:, None, :] * at[..., None])

    def blur_mm(self, ways: FloatArray, in_plane_mm: float, across_mm: float) -> FloatArray:
        """Standard deviation of the scan's blur along directions [n, 3], from that within and across slices."""
        across = ways @ slice_normal(self.grid)[0]
        return np.asarray(np.sqrt(in_plane_mm**2 * (1 - across**2) + across_mm**2 * across**2))
