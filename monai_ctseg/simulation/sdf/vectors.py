"""Vectors: points as three arrays, and rotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray, unit

Floats: TypeAlias = npt.NDArray[np.float32]
Points: TypeAlias = tuple[Floats, Floats, Floats]
"""x, y and z in mm: three arrays that broadcast to the volume [i, j, k], or to a list of points."""
Vector: TypeAlias = npt.ArrayLike
"""Three numbers: a point in mm, or a direction."""


def xyz(x: float, y: float, z: float) -> FloatArray:
    """The vector (x, y, z), (3,) float64, mm."""
    return np.array([x, y, z], dtype=float)


def dot(a: Sequence[Floats], b: Sequence[Floats] | FloatArray) -> Floats:
    """Scalar product of points with one vector or with other points, float32."""
    x, y, z = (p * np.asarray(q, dtype=np.float32) for p, q in zip(a, b, strict=True))
    return x + y + z


def shifted(at: Points, origin: Vector) -> Points:
    """The points relative to an origin (3,)."""
    x, y, z = (p - np.float32(o) for p, o in zip(at, np.asarray(origin), strict=True))
    return x, y, z


def rotation_about(axis: int, degrees: float) -> FloatArray:
    """Rotation about a coordinate axis.

    Args:
        axis: 0, 1 or 2 for x, y or z.
        degrees: the angle, by the right hand.

    Returns:
        3 x 3 float64.
    """
    angle = np.radians(degrees)
    matrix = np.eye(3)
    p, q = [(1, 2), (2, 0), (0, 1)][axis]
    matrix[p, p] = matrix[q, q] = np.cos(angle)
    matrix[p, q], matrix[q, p] = -np.sin(angle), np.sin(angle)
    return matrix


def toward(direction: Vector, side: Vector = (1.0, 0.0, 0.0)) -> FloatArray:
    """The rotation that turns +z into a direction.

    Args:
        direction: where +z goes, (3,), of any length.
        side: where +x goes, as near as a right angle to `direction` allows.

    Returns:
        3 x 3 float64, orthogonal.
    """
    z = unit(direction)
    across = np.asarray(side, dtype=np.float64) - np.dot(side, z) * z
    if np.linalg.norm(across) < 1e-3:
        across = np.eye(3)[np.argmin(np.abs(z))]
        across = across - np.dot(across, z) * z
    x = unit(across)
    return np.stack([x, np.cross(z, x), z], axis=1)
