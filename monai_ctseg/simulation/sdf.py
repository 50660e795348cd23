"""Solids: shapes as functions from points to a signed distance, and the share of each voxel that they fill.

Near the surface every distance is exact or too small by some factor, never too large.
Solids are partial functions, not closures, so that they can be sent to another process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise, product
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
    length = np.subtract(end, start)
    return partial(
        _rod, np.add(start, end) / 2, unit(length), np.float32(np.linalg.norm(length) / 2), np.float32(radius)
    )


def _rod(center: FloatArray, axis: FloatArray, half: np.float32, radius: np.float32, at: Points) -> Floats:
    offset = _offset(at, center)
    along = dot(offset, axis)
    radial = np.sqrt(np.maximum(dot(offset, offset) - along**2, 0))
    nearest: Floats = np.maximum(radial - radius, np.abs(along) - half)
    return nearest


def bar(start: npt.ArrayLike, end: npt.ArrayLike, *, thick: float, wide: float) -> Solid:
    """A rectangular bar; `wide` is along y, and start and end differ in x and z only."""
    length = unit(np.subtract(end, start))
    sides = (length, np.array([0.0, 1.0, 0.0]), np.cross(length, (0.0, 1.0, 0.0)))
    halves = np.array([np.linalg.norm(np.subtract(end, start)), wide, thick]).astype(np.float32) / np.float32(2)
    return partial(_bar, np.add(start, end) / 2, sides, halves)


def _bar(center: FloatArray, sides: Sequence[FloatArray], halves: Floats, at: Points) -> Floats:
    offset = _offset(at, center)
    return -_least([half - np.abs(dot(offset, side)) for half, side in zip(halves, sides, strict=True)])


def ball(center: npt.ArrayLike, semi_axes: npt.ArrayLike) -> Solid:
    """An ellipsoid along the axes; its distance is scaled by the shortest."""
    return partial(_ball, np.asarray(center), np.asarray(semi_axes))


def _ball(center: FloatArray, semi_axes: FloatArray, at: Points) -> Floats:
    shortest = np.float32(np.min(semi_axes))
    scaled = [o / np.float32(s) for o, s in zip(_offset(at, center), semi_axes, strict=True)]
    return np.sqrt(dot(scaled, scaled)) * shortest - shortest


def cone(radius_start: float, radius_end: float, length: float) -> Solid:
    """A cone, or a cylinder, with flat ends, along z from 0 to `length`."""
    slope = (radius_end - radius_start) / length
    return partial(_cone, float(radius_start), float(slope), float(length))


def _cone(radius: float, slope: float, length: float, at: Points) -> Floats:
    x, y, z = at
    side = (np.hypot(x, y) - (radius + slope * z)) * float(1 / np.hypot(1, slope))
    return _both(side, np.abs(z - length / 2) - length / 2)


def shell(inner: float, outer: float, *, top: float) -> Solid:
    """What a hollow ball about the origin has below z = `top`; top = 0 is half a shell, open along +z."""
    return partial(_shell, (float(inner) + float(outer)) / 2, (float(outer) - float(inner)) / 2, float(top))


def _shell(middle: float, half: float, top: float, at: Points) -> Floats:
    x, y, z = at
    return _both(np.abs(np.sqrt(x * x + y * y + z * z) - middle) - half, z - top)


def ring(radius: float, wire_radius: float) -> Solid:
    """A ring of round wire about the z axis."""
    return partial(_ring, float(radius), float(wire_radius))


def _ring(radius: float, wire_radius: float, at: Points) -> Floats:
    x, y, z = at
    distance: Floats = np.hypot(np.hypot(x, y) - radius, z) - np.float32(wire_radius)
    return distance


def helix(radius: float, pitch: float, wire_radius: float, length: float, *, radius_end: float | None = None) -> Solid:
    """A round wire wound about z from 0 to `length`, cut flat; `radius_end` makes a cone of it."""
    slope = ((radius if radius_end is None else radius_end) - radius) / length
    return partial(_helix, float(radius), float(slope), float(pitch), float(wire_radius), float(length))


def _helix(radius: float, slope: float, pitch: float, wire_radius: float, length: float, at: Points) -> Floats:
    x, y, z = at
    middle = radius + slope * z
    turns = z / pitch - np.arctan2(y, x) / (2 * np.pi)
    steep = 1 / np.sqrt(1 + (pitch / (2 * np.pi * min(radius, radius + slope * length))) ** 2)
    across = (turns - np.round(turns)) * float(pitch * steep)
    wire = (np.hypot(np.hypot(x, y) - middle, across) - wire_radius) * float(1 / (1 + abs(slope)))
    return _both(wire, np.abs(z - length / 2) - length / 2)


def chain(points: npt.ArrayLike, radius: float) -> Solid:
    """A round wire through the points (n x 3), with round joints and ends."""
    return partial(_chain, np.asarray(points, dtype=np.float32), float(radius))


def _chain(points: Floats, radius: float, at: Points) -> Floats:
    squared = []
    for start, end in pairwise(points):
        offset, length = _offset(at, start), end - start
        share = np.clip(dot(offset, length.astype(np.float64)) / np.dot(length, length), 0, 1)
        rest = [o - share * side for o, side in zip(offset, length, strict=True)]
        squared.append(dot(rest, rest))
    nearest: Floats = np.sqrt(_least(squared)) - np.float32(radius)
    return nearest


Profile: TypeAlias = float | Sequence[float] | FloatArray
"""One value, or one for each of the heights of a loft."""


def loft(
    heights: Sequence[float] | FloatArray,
    *,
    half_x: Profile,
    half_y: Profile,
    x: Profile = 0.0,
    y: Profile = 0.0,
    corner: float = 1.0,
    bend_radius: float = np.inf,
) -> Solid:
    """Rounded rectangles stacked along z, cut flat at the ends: bars, plates, stems, nails, bent rods, crowns.

    heights: rising z in mm, between which centre (x, y) and half widths change linearly.
    corner: radius of the corners as a share of the lesser half width, 1 for a circle or a stadium.
    bend_radius: bows the section about an axis along z at (x - bend_radius), as a plate that hugs a round bone.
    """
    z = np.asarray(heights, dtype=np.float64)
    table = np.stack([np.broadcast_to(np.asarray(p, dtype=np.float64), z.shape) for p in (x, y, half_x, half_y)])
    steps = np.abs(np.diff(table, axis=1)) / np.diff(z)
    bow = table[3].max() / bend_radius
    steep = np.hypot(steps[0] + steps[2], (steps[1] + steps[3]) * np.hypot(1, bow)).max()
    return partial(_loft, z, table, float(corner), float(1 / bend_radius), float(1 / np.hypot(np.hypot(1, bow), steep)))


def _loft(z: FloatArray, table: FloatArray, corner: float, bow: float, scale: float, at: Points) -> Floats:
    x, y, half_x, half_y = (np.interp(at[2], z, row).astype(np.float32) for row in table)
    across = at[1] - y
    along = at[0] - x + np.clip(across, -half_y, half_y) ** 2 * (bow / 2)
    round_off = corner * np.minimum(half_x, half_y)
    dx, dy = np.abs(along) - half_x + round_off, np.abs(across) - half_y + round_off
    section = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - round_off
    return _both(section * scale, np.abs(at[2] - float(z[0] + z[-1]) / 2) - float(z[-1] - z[0]) / 2)


def cut(solid: Solid, holes: Sequence[Solid]) -> Solid:
    """The solid without the holes."""
    return partial(_cut, solid, tuple(holes))


def _cut(solid: Solid, holes: Sequence[Solid], at: Points) -> Floats:
    return _both(solid(at), -union(holes, at))


def common(first: Solid, second: Solid) -> Solid:
    """Where both solids are."""
    return partial(_common, first, second)


def _common(first: Solid, second: Solid, at: Points) -> Floats:
    return _both(first(at), second(at))


def _both(first: Floats, second: Floats) -> Floats:
    distance: Floats = np.maximum(first, second)
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
