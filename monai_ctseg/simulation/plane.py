"""Plane: where the slices of a scan lie, and how points of the slices' plane lie in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.errors import CtsegError
from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.simulation.sdf import Floats, Points


@dataclass(frozen=True, eq=False)
class SlicePlane:
    """The plane of the slices, with coordinates u along i, v along j and w along the normal, mm about the isocentre.

    Attributes:
        axes: 3 x 3, its columns are unit vectors along i, j and k in LPS.
        center: the isocentre, which is the image's centre, (3,) LPS mm.
    """

    axes: FloatArray
    center: FloatArray

    @classmethod
    def of(cls, body: Grid, grid: Grid) -> SlicePlane:
        """The plane of an image of a body.

        Raises:
            CtsegError: the grids' axes differ, or are not at right angles.
        """
        axes = grid.index_to_lps[:3, :3] / np.array(grid.spacing_mm)
        others = body.index_to_lps[:3, :3] / np.array(body.spacing_mm)
        if np.abs(axes - others).max() > 1e-3 or np.abs(axes.T @ axes - np.eye(3)).max() > 1e-3:
            raise CtsegError(
                f"simulate needs slices stacked at right angles, the result's along the body's: "
                f"{body.describe()} against {grid.describe()}; resample the body"
            )
        return cls(axes, grid.center_lps)

    def origin_mm(self, grid: Grid) -> tuple[float, float]:
        """U and v of voxel (0, 0) of a grid, mm."""
        u, v, _ = (grid.to_lps((0, 0, 0)) - self.center) @ self.axes
        return float(u), float(v)

    def points(self, u: Floats, v: Floats, w: float) -> Points:
        """LPS coordinates of u (n, 1), v (1, m) and one w; they broadcast to (n, m)."""
        along, down, normal = self.axes.T
        x, y, z = (
            sum((a * p for a, p in ((along[c], u), (down[c], v)) if abs(a) > 1e-9), np.zeros((1, 1)))
            + (self.center[c] + w * normal[c])
            for c in range(3)
        )
        return x.astype(np.float32), y.astype(np.float32), z.astype(np.float32)

    def require_slices(self, body: Grid, grid: Grid) -> None:
        """The last slice of the body would be repeated for slices beyond it.

        Raises:
            CtsegError: slices of the grid lie beyond the body's.
        """
        ends = [
            sorted(float((one.to_lps((0, 0, k)) - self.center) @ self.axes[:, 2]) for k in (0, one.shape[2] - 1))
            for one in (body, grid)
        ]
        (low, high), (first, last) = ends
        half = body.spacing_mm[2] / 2
        if first < low - half or last > high + half:
            raise CtsegError(
                f"the result's slices lie at {first - low:g} to {last - low:g} mm from the body's first, "
                f"and the body ends at {high - low:g} mm; ask for fewer slices, or give a longer body"
            )
