"""Grid: where the voxels of a volume lie in the scanner.

The only place where LPS (DICOM) and RAS (NIfTI, MONAI) exchange their signs.
docs/coordinates.md explains the frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from monai_ctseg.errors import GridMismatch

FloatArray: TypeAlias = npt.NDArray[np.float64]

LPS_TO_RAS: FloatArray = np.diag([-1.0, -1.0, 1.0, 1.0])
"""4 x 4; it is its own inverse, so it also turns RAS into LPS."""


def unit(vector: npt.ArrayLike) -> FloatArray:
    """The vector at length 1, float64.

    >>> unit((0, 3, 4)).tolist()
    [0.0, 0.6, 0.8]
    """
    return np.asarray(vector, dtype=np.float64) / np.linalg.norm(vector)


@dataclass(frozen=True, eq=False)
class Grid:
    """Shape of a volume and the map from voxel index to patient coordinates.

    Attributes:
        shape: voxels along i (along a row), j (down a column) and k (along the slice normal).
        index_to_lps: 4 x 4 float64, (i, j, k, 1) -> millimetres in DICOM's LPS frame, at voxel centres. A sheared map
            (a tilted gantry) is kept as it is.

    Raises:
        ValueError: `index_to_lps` is not a finite, invertible 4 x 4 matrix.
    """

    shape: tuple[int, int, int]
    index_to_lps: FloatArray

    def __post_init__(self) -> None:
        matrix = np.array(self.index_to_lps, dtype=np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise ValueError(f"index_to_lps must be a finite 4 x 4 matrix, not {matrix.tolist()}")
        if abs(np.linalg.det(matrix[:3, :3])) < 1e-12:
            raise ValueError(f"index_to_lps is singular: {matrix.tolist()}")
        matrix.setflags(write=False)
        object.__setattr__(self, "index_to_lps", matrix)
        i, j, k = self.shape
        object.__setattr__(self, "shape", (int(i), int(j), int(k)))

    @classmethod
    def from_ras(cls, shape: tuple[int, int, int], affine_ras: FloatArray) -> Grid:
        """Grid of a NIfTI or MONAI affine.

        Args:
            shape: Voxels along i, j, k.
            affine_ras: 4 x 4, (i, j, k, 1) -> millimetres in RAS.

        Returns:
            The same grid in LPS.

        Raises:
            ValueError: `affine_ras` is not a finite, invertible 4 x 4 matrix.
        """
        return cls(shape, LPS_TO_RAS @ np.asarray(affine_ras, dtype=np.float64))

    @property
    def affine_ras(self) -> FloatArray:
        """4 x 4, (i, j, k, 1) -> millimetres in RAS, as NIfTI and MONAI want it."""
        return LPS_TO_RAS @ self.index_to_lps

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Length of one step along i, j and k, in millimetres.

        >>> Grid((2, 2, 2), np.diag([0.5, 0.75, 3.0, 1.0])).spacing_mm
        (0.5, 0.75, 3.0)
        """
        x, y, z = np.linalg.norm(self.index_to_lps[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel in cubic millimetres, shear included."""
        return float(abs(np.linalg.det(self.index_to_lps[:3, :3])))

    @property
    def center_lps(self) -> FloatArray:
        """Centre of the volume, (3,) millimetres in LPS: index (N - 1) / 2 on each axis.

        >>> Grid((3, 3, 3), np.eye(4)).center_lps.tolist()
        [1.0, 1.0, 1.0]
        """
        return self.to_lps((np.array(self.shape) - 1) / 2)

    @property
    def center_ras(self) -> FloatArray:
        """Centre of the volume, (3,) millimetres in RAS."""
        return LPS_TO_RAS[:3, :3] @ self.center_lps

    @property
    def orientation(self) -> str:
        """The way to which i, j and k grow, a letter each: LPS for an axial scan, head first.

        The letters are the nearest patient axes: L(eft) R(ight) P(osterior) A(nterior) S(uperior) I(nferior).
        """
        steps = self.index_to_lps[:3, :3] / np.array(self.spacing_mm)
        order = _assign_axes(np.abs(steps))
        return "".join("LPS"[axis] if steps[axis, n] > 0 else "RAI"[axis] for n, axis in enumerate(order))

    def to_lps(self, ijk: npt.ArrayLike) -> FloatArray:
        """Voxel indices -> patient coordinates.

        Args:
            ijk: (..., 3) in the order i, j, k; fractions and indices beyond the volume are allowed.

        Returns:
            (..., 3) float64, millimetres in LPS.
        """
        return np.asarray(ijk, dtype=np.float64) @ self.index_to_lps[:3, :3].T + self.index_to_lps[:3, 3]

    def to_index(self, lps: npt.ArrayLike) -> FloatArray:
        """Patient coordinates -> voxel indices.

        Args:
            lps: (..., 3), millimetres in LPS.

        Returns:
            (..., 3) float64 in the order i, j, k, fractions kept.
        """
        offset = np.asarray(lps, dtype=np.float64) - self.index_to_lps[:3, 3]
        return offset @ np.linalg.inv(self.index_to_lps[:3, :3]).T

    def matches(self, other: Grid, *, tolerance_mm: float = 0.01) -> bool:
        """Whether two grids are the same.

        Args:
            other: The other grid.
            tolerance_mm: Largest distance between the same corner voxel of both, in millimetres.

        Returns:
            Whether the shapes are equal and every corner voxel is within the tolerance of its twin.
        """
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        return bool(np.abs(self.to_lps(corners) - other.to_lps(corners)).max() <= tolerance_mm)

    def require(self, other: Grid, *, tolerance_mm: float = 0.01) -> None:
        """Refuse another grid.

        Args:
            other: The other grid.
            tolerance_mm: As in `matches`.

        Raises:
            GridMismatch: The grids do not match.
        """
        if not self.matches(other, tolerance_mm=tolerance_mm):
            raise GridMismatch(f"the grids differ: {self.describe()} against {other.describe()}; resample one of them")

    def describe(self) -> str:
        """One line: size, spacing, orientation, centre."""
        size = " x ".join(str(n) for n in self.shape)
        spacing = " x ".join(f"{mm:.4g}" for mm in self.spacing_mm)
        center = ", ".join(f"{mm:.2f}" for mm in self.center_lps)
        return f"{size} voxels of {spacing} mm, {self.orientation}, centre LPS ({center})"


def _assign_axes(weights: FloatArray) -> tuple[int, int, int]:
    """The patient axis (row) of each index axis (column), each used once, largest cosines first."""
    order = [0, 0, 0]
    left = weights.copy()
    for _ in range(3):
        axis, n = np.unravel_index(int(left.argmax()), left.shape)
        order[int(n)] = int(axis)
        left[axis, :] = left[:, n] = -1.0
    return order[0], order[1], order[2]
