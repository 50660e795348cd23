"""Shapes of organs and bones: signed distances with the box that holds them, and joins that round their seams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.sdf import Floats, Points, dot, unit

Vector = npt.ArrayLike
FAR_MM = 1e4


@dataclass(frozen=True)
class Shape:
    """A solid and its box.

    distance: points -> mm, negative inside; near the surface good to a tenth.
    low, high: corners (3,) of a box that holds the shape.
    """

    distance: Callable[[Points], Floats]
    low: FloatArray
    high: FloatArray


def xyz(x: float, y: float, z: float) -> FloatArray:
    """A vector, mm."""
    return np.array([x, y, z], dtype=float)


def cone(start: Vector, end: Vector, start_mm: float, end_mm: float) -> Shape:
    """A rod with round ends, of one radius at its start and another at its end."""
    a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    axis, grows = b - a, np.float32(end_mm - start_mm)
    step = axis / max(float(axis @ axis), 1e-9)

    def distance(at: Points) -> Floats:
        offset = shifted(at, a)
        t = np.clip(dot(offset, step), 0, 1)
        x, y, z = (o - t * np.float32(c) for o, c in zip(offset, axis, strict=True))
        away: Floats = np.sqrt(x * x + y * y + z * z)
        away -= np.float32(start_mm) + t * grows
        return away

    low = np.minimum(a - start_mm, b - end_mm)
    return Shape(distance, low, np.maximum(a + start_mm, b + end_mm))


def tube(points: Sequence[Vector] | FloatArray, radii: Sequence[float] | FloatArray) -> list[Shape]:
    """Cones from point to point."""
    pairs = zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True)
    return [cone(a, b, first, last) for a, b, first, last in pairs]


def ellipsoid(center: Vector, semi_axes: Vector, turn: FloatArray | None = None) -> Shape:
    """An ellipsoid; the columns of `turn` are its axes. The distance is good to first order in the surface's slope:
    |p/r| (|p/r| - 1) / |p/r^2|.
    """
    c, r = np.asarray(center, dtype=float), np.asarray(semi_axes, dtype=float)
    axes = np.eye(3) if turn is None else turn
    reach = np.sqrt(((axes * r) ** 2).sum(axis=1))

    def distance(at: Points) -> Floats:
        offset = shifted(at, c)
        local = offset if turn is None else tuple(dot(offset, axis) for axis in axes.T)
        x, y, z = (p * np.float32(1 / s) for p, s in zip(local, r, strict=True))
        near = np.sqrt(x * x + y * y + z * z) + np.float32(1e-6)
        x, y, z = (p * np.float32(1 / s) for p, s in zip((x, y, z), r, strict=True))
        result: Floats = near * (near - 1) / (np.sqrt(x * x + y * y + z * z) + np.float32(1e-6))
        return result

    return Shape(distance, c - reach, c + reach)


def drum(center: Vector, semi_axes: Vector, turn: FloatArray, *, waist: float = 0.0) -> Shape:
    """An elliptical cylinder with rounded rims along the third column of `turn`; its middle loses the share `waist`."""
    c, r = np.asarray(center, dtype=float), np.asarray(semi_axes, dtype=float)
    reach = np.sqrt(((turn * r) ** 2).sum(axis=1)) * 1.2

    def distance(at: Points) -> Floats:
        offset = shifted(at, c)
        x, y, z = (dot(offset, axis) for axis in turn.T)
        narrow = 1 - np.float32(waist) * np.maximum(1 - (z / np.float32(r[2])) ** 2, 0)
        x, y = x / np.float32(r[0]), y / np.float32(r[1])
        side = (np.sqrt(x * x + y * y) - narrow) * np.float32(min(r[0], r[1]))
        return smooth_max(side, np.abs(z) - np.float32(r[2]), 3.0)

    return Shape(distance, c - reach, c + reach)


def cut(shape: Shape, point: Vector, normal: Vector) -> Shape:
    """What of the shape lies behind a plane."""
    n, p = unit(normal), np.asarray(point, dtype=float)
    level = np.float32(n @ p)
    return Shape(lambda at: np.maximum(shape.distance(at), dot(at, n) - level), shape.low, shape.high)


def join(shapes: Sequence[Shape]) -> Shape:
    """The union, seams kept; shapes that end more than 25 mm above or below all points are not asked."""

    def distance(at: Points) -> Floats:
        low, high = at[2].min() - 25, at[2].max() + 25
        least: Floats = np.full((1, 1, 1), np.float32(FAR_MM))
        for shape in shapes:
            if shape.low[2] < high and shape.high[2] > low:
                least = np.minimum(least, shape.distance(at))
        return least

    return Shape(distance, *box_of(shapes))


def box_of(shapes: Sequence[Shape]) -> tuple[FloatArray, FloatArray]:
    """Corners of the box that holds all of them."""
    return np.min([s.low for s in shapes], axis=0), np.max([s.high for s in shapes], axis=0)


def shifted(at: Points, origin: FloatArray) -> Points:
    """The points as seen from the origin."""
    x, y, z = (p - np.float32(o) for p, o in zip(at, origin, strict=True))
    return x, y, z


def smooth_min(a: Floats, b: Floats, round_mm: float) -> Floats:
    """Union with a rounded seam (the quadratic blend)."""
    near = np.maximum(np.float32(round_mm) - np.abs(a - b), 0)
    result: Floats = np.minimum(a, b) - near * near * np.float32(0.25 / round_mm)
    return result


def smooth_max(a: Floats, b: Floats, round_mm: float) -> Floats:
    """Intersection with a rounded seam."""
    return -smooth_min(-a, -b, round_mm)


def turn_about(axis: int, degrees: float) -> FloatArray:
    """Rotation matrix about x, y or z (0, 1, 2)."""
    angle = np.radians(degrees)
    matrix = np.eye(3)
    p, q = [(1, 2), (2, 0), (0, 1)][axis]
    matrix[p, p] = matrix[q, q] = np.cos(angle)
    matrix[p, q], matrix[q, p] = -np.sin(angle), np.sin(angle)
    return matrix
