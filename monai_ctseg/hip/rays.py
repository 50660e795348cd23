"""Rays: HU along straight lines through a scan, in patient coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.scan import BoolArray, Box, Scan

Float32Array: TypeAlias = npt.NDArray[np.float32]

EQUAL_SPACING = 0.01
"""Relative difference of two spacings that count as equal: headers round them."""


def even_directions(count: int) -> FloatArray:
    """Unit vectors spread evenly over a sphere: a Fibonacci lattice (Gonzalez 2010, doi 10.1007/s11004-009-9257-x).

    Args:
        count: how many.

    Returns:
        [count, 3], the same for the same count.

    """
    n = np.arange(count) + 0.5
    height, turn = 1 - 2 * n / count, np.pi * (1 + 5**0.5) * n
    flat = np.sqrt(1 - height**2)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), height], axis=1)


def slice_normal(grid: Grid) -> tuple[FloatArray, float]:
    """Direction across the slices.

    Slices are stacked along k, except in a NIfTI volume where only the spacing along i or along j differs.

    Args:
        grid: of the scan.

    Returns:
        Unit vector (3,) in LPS, and the distance between two slices in mm.

    """
    x, y, z = grid.spacing_mm
    equal = [abs(a - b) < EQUAL_SPACING * b for a, b in ((y, z), (x, z), (x, y))]
    axis = equal.index(True) if sum(equal) == 1 else 2
    normal = np.cross(*grid.index_to_lps[:3, [n for n in range(3) if n != axis]].T)
    normal /= np.linalg.norm(normal)
    return normal, float(abs(normal @ grid.index_to_lps[:3, axis]))


def lps_box(grid: Grid, low_lps: FloatArray, high_lps: FloatArray) -> Box:
    """The voxels of a grid that cover a box of patient coordinates, as far as the grid goes.

    Args:
        grid: to take voxels of.
        low_lps: (3,) mm, least x, y and z of the box.
        high_lps: (3,) mm, greatest x, y and z.

    Returns:
        Slices along i, j and k, each of at least one voxel.

    """
    index = grid.to_index(np.array(np.meshgrid(*zip(low_lps, high_lps, strict=True))).reshape(3, -1).T)
    low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, np.array(grid.shape) - 1)
    high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, low + 1, grid.shape)
    i, j, k = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return i, j, k


def falling_edges(hu: npt.NDArray[np.floating], step_mm: float, least_hu_per_mm: float) -> BoolArray:
    """Where HU fall steepest along rays.

    Args:
        hu: [n, samples] along n rays.
        step_mm: between two samples.
        least_hu_per_mm: slower falls are no edge.

    Returns:
        [n, samples - 2], for all samples but the first and the last of each ray.

    """
    fall = (hu[:, :-2] - hu[:, 2:]) / (2 * step_mm)
    padded = np.pad(fall, ((0, 0), (1, 1)))
    return np.asarray((fall > least_hu_per_mm) & (fall >= padded[:, :-2]) & (fall >= padded[:, 2:]))


def crossing(here: FloatArray, there: FloatArray, level: FloatArray | float) -> FloatArray:
    """Share of the way from one sample to the next, 0 to 1, at which falling HU cross a level, by linear interpolation.

    Args:
        here: [...] HU at or above the level.
        there: [...] HU of the next sample.
        level: HU.

    Returns:
        [...], 0 at `here` and 1 at `there`.

    """
    return np.asarray(np.clip((here - level) / np.where(here > there, here - there, 1), 0, 1))


@dataclass(frozen=True, eq=False)
class Region:
    """Part of a scan, ready for sampling between its voxels.

    Attributes:
        hu: float32 [i, j, k] of the part.
        grid: of the part.
        saturation_hu: the level that no voxel of the scan exceeds; infinite where the scan is not saturated.

    """

    hu: Float32Array
    grid: Grid
    saturation_hu: float

    @classmethod
    def around(cls, scan: Scan, center_lps: FloatArray, reach_mm: float, *, saturation_hu: float = np.inf) -> Region:
        """The voxels within `reach_mm` of a centre along each patient axis, as far as the scan goes."""
        box = lps_box(scan.grid, center_lps - reach_mm, center_lps + reach_mm)
        matrix = scan.grid.index_to_lps.copy()
        matrix[:3, 3] = scan.grid.to_lps([side.start for side in box])
        hu = np.asarray(scan.hu[box], dtype=np.float32)
        i, j, k = hu.shape
        return cls(hu, Grid((i, j, k), matrix), saturation_hu)

    def clipped(self, low_hu: float, high_hu: float) -> Region:
        """The same region with HU clipped to these limits."""
        return Region(np.clip(self.hu, low_hu, high_hu), self.grid, min(self.saturation_hu, high_hu))

    @cached_property
    def _spline(self) -> Float32Array:
        return np.asarray(ndimage.spline_filter(self.hu, order=3, output=np.float32, mode="nearest"))

    def sample(self, points_lps: FloatArray) -> FloatArray:
        """HU at points [..., 3] by cubic splines; NaN outside the region."""
        index = np.moveaxis(self.grid.to_index(points_lps), -1, 0)
        edge = np.array(self.grid.shape).reshape(3, *(1,) * (index.ndim - 1)) - 1
        inside = ((index >= 0) & (index <= edge)).all(axis=0)
        values = ndimage.map_coordinates(self._spline, index, order=3, mode="nearest", prefilter=False)
        return np.where(inside, values, np.nan)

    def profiles(self, center_lps: FloatArray, directions: FloatArray, at_mm: FloatArray) -> FloatArray:
        """HU [n, samples] along rays from a centre: directions [n, 3], distances [samples] or [n, samples]."""
        at = np.broadcast_to(at_mm, (len(directions), np.shape(at_mm)[-1]))
        return self.sample(center_lps + directions[:, None, :] * at[..., None])

    def blur_mm(self, directions: FloatArray, in_plane_mm: float, across_mm: float) -> FloatArray:
        """Standard deviation [n] of the scan's blur along directions [n, 3], from that within and across slices."""
        across = directions @ slice_normal(self.grid)[0]
        return np.asarray(np.sqrt(in_plane_mm**2 * (1 - across**2) + across_mm**2 * across**2))
