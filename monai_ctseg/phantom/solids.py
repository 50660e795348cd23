"""Solids: shapes as functions from points to a signed distance, and the share of each voxel that they fill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray, Grid

Floats: TypeAlias = npt.NDArray[np.float32]
Points: TypeAlias = tuple[Floats, Floats, Floats]
"""x, y and z in mm: three arrays that broadcast to the volume [i, j, k], or to a list of points."""
Solid: TypeAlias = Callable[[Points], Floats]
"""Points -> a distance in mm that is negative inside; a union is the least distance."""

SUBSAMPLE_MM = 0.5
"""Step at which voxels on the metal's surface are divided, in at most 6 parts a side."""


def dot(a: Sequence[Floats], b: Sequence[Floats] | FloatArray) -> Floats:
    """Scalar product of points and a vector."""
    x, y, z = (p * np.asarray(q, dtype=np.float32) for p, q in zip(a, b, strict=True))
    return x + y + z


def _offset(at: Points, origin: npt.ArrayLike) -> list[Floats]:
    return [p - np.float32(o) for p, o in zip(at, np.asarray(origin), strict=True)]


def unit(vector: npt.ArrayLike) -> FloatArray:
    """The vector at length 1."""
    return np.asarray(vector, dtype=np.float64) / np.linalg.norm(vector)


def rod(start: npt.ArrayLike, end: npt.ArrayLike, radius: float) -> Solid:
    """A cylinder with flat ends."""
    half = np.float32(np.linalg.norm(np.subtract(end, start)) / 2)

    def distance(at: Points) -> Floats:
        offset = _offset(at, np.add(start, end) / 2)
        along = dot(offset, unit(np.subtract(end, start)))
        radial = np.sqrt(np.maximum(dot(offset, offset) - along**2, 0))
        nearest: Floats = np.maximum(radial - np.float32(radius), np.abs(along) - half)
        return nearest

    return distance


def bar(start: npt.ArrayLike, end: npt.ArrayLike, *, thick: float, wide: float) -> Solid:
    """A rectangular bar; `wide` is along y, and start and end differ in x and z only."""
    length = unit(np.subtract(end, start))
    sides = [length, np.array([0.0, 1.0, 0.0]), np.cross(length, (0.0, 1.0, 0.0))]
    halves = np.array([np.linalg.norm(np.subtract(end, start)), wide, thick], dtype=np.float32) / 2

    def distance(at: Points) -> Floats:
        offset = _offset(at, np.add(start, end) / 2)
        return -_least([half - np.abs(dot(offset, side)) for half, side in zip(halves, sides, strict=True)])

    return distance


def ball(center: npt.ArrayLike, semi_axes: npt.ArrayLike) -> Solid:
    """An ellipsoid along the axes; its distance is scaled by the shortest."""

    def distance(at: Points) -> Floats:
        shortest = np.float32(np.min(semi_axes))
        scaled = [o / np.float32(s) for o, s in zip(_offset(at, center), np.asarray(semi_axes), strict=True)]
        return np.sqrt(dot(scaled, scaled)) * shortest - shortest

    return distance


def _least(distances: Sequence[Floats]) -> Floats:
    least = distances[0]
    for distance in distances[1:]:
        least = np.minimum(least, distance)
    return least


def union(solids: Sequence[Solid], at: Points) -> Floats:
    """Distance to the nearest of the solids."""
    return _least([solid(at) for solid in solids])


def occupancy(solids: Sequence[Solid], at: Points, grid: Grid) -> Floats:
    """Share of each voxel's volume inside the union [i, j, k]; only voxels that its surface may cross are divided."""
    distance = np.broadcast_to(union(solids, at), grid.shape)
    share = (distance < 0).astype(np.float32)
    crossed = np.abs(distance) <= np.linalg.norm(grid.spacing_mm) / 2
    x, y, z = (np.broadcast_to(p, grid.shape)[crossed] for p in at)
    parts = [min(6, int(np.ceil(mm / SUBSAMPLE_MM))) for mm in grid.spacing_mm]
    steps = [((np.arange(n) + 0.5) / n - 0.5) * mm for n, mm in zip(parts, grid.spacing_mm, strict=True)]
    inside = np.zeros(x.shape, dtype=np.int32)
    for dx, dy, dz in product(*(s.astype(np.float32) for s in steps)):
        inside += union(solids, (x + dx, y + dy, z + dz)) < 0
    share[crossed] = inside / np.float32(np.prod(parts))
    return share
