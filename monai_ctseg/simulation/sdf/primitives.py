"""Primitives: solids with a formula each. Those of implants run along +z from the origin unless said otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from monai_ctseg.grid import FloatArray, unit
from monai_ctseg.simulation.sdf.combine import smooth_max
from monai_ctseg.simulation.sdf.solid import DistanceFunction, Solid
from monai_ctseg.simulation.sdf.vectors import Floats, Points, Vector, dot, shifted

Profile: TypeAlias = float | Sequence[float] | FloatArray
"""One value, or one for each of the heights of a loft."""


def rod(start: Vector, end: Vector, radius: float) -> Solid:
    """A cylinder with flat ends from one point to another."""
    length = np.subtract(end, start)
    axis = unit(length)
    half = np.float32(np.linalg.norm(length) / 2)
    reach = radius * np.sqrt(np.maximum(1 - axis**2, 0))
    return Solid(
        partial(_rod, np.add(start, end) / 2, axis, half, np.float32(radius)),
        np.minimum(start, end) - reach,
        np.maximum(start, end) + reach,
    )


def _rod(center: FloatArray, axis: FloatArray, half: np.float32, radius: np.float32, at: Points) -> Floats:
    offset = shifted(at, center)
    along = dot(offset, axis)
    radial = np.sqrt(np.maximum(dot(offset, offset) - along**2, 0))
    nearest: Floats = np.maximum(radial - radius, np.abs(along) - half)
    return nearest


def bar(start: Vector, end: Vector, *, thick: float, wide: float) -> Solid:
    """A rectangular bar from one point to another, which differ in x and z only; `wide` is its width along y."""
    length = unit(np.subtract(end, start))
    sides = np.array([length, (0.0, 1.0, 0.0), np.cross(length, (0.0, 1.0, 0.0))])
    halves = np.array([np.linalg.norm(np.subtract(end, start)), wide, thick]).astype(np.float32) / np.float32(2)
    center = np.add(start, end) / 2
    reach = np.abs(sides.T) @ halves.astype(np.float64)
    return Solid(partial(_bar, center, sides, halves), center - reach, center + reach)


def _bar(center: FloatArray, sides: FloatArray, halves: Floats, at: Points) -> Floats:
    offset = shifted(at, center)
    inside = [half - np.abs(dot(offset, side)) for half, side in zip(halves, sides, strict=True)]
    distance: Floats = -np.minimum(np.minimum(inside[0], inside[1]), inside[2])
    return distance


def round_cone(start: Vector, end: Vector, start_mm: float, end_mm: float) -> Solid:
    """A rod with round ends, whose radius changes from `start_mm` to `end_mm`; good to a tenth near the surface."""
    a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    axis = b - a
    step = axis / max(float(axis @ axis), 1e-9)
    return Solid(
        partial(_round_cone, a, axis, step, np.float32(start_mm), np.float32(end_mm - start_mm)),
        np.minimum(a - start_mm, b - end_mm),
        np.maximum(a + start_mm, b + end_mm),
    )


def _round_cone(
    start: FloatArray, axis: FloatArray, step: FloatArray, radius: np.float32, grows: np.float32, at: Points
) -> Floats:
    offset = shifted(at, start)
    t = np.clip(dot(offset, step), 0, 1)
    x, y, z = (o - t * np.float32(c) for o, c in zip(offset, axis, strict=True))
    away: Floats = np.sqrt(x * x + y * y + z * z)
    away -= radius + t * grows
    return away


def tube(points: Sequence[Vector] | FloatArray, radii: Sequence[float] | FloatArray) -> list[Solid]:
    """Round cones from point to point, with a radius in mm at each point."""
    pairs = zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True)
    return [round_cone(a, b, first, last) for a, b, first, last in pairs]


def ellipsoid(center: Vector, semi_axes: Vector, turn: FloatArray | None = None) -> Solid:
    """An ellipsoid, by the first-order distance |p/r| (|p/r| - 1) / |p/r^2|, good to a tenth near the surface.

    Args:
        center: (3,) mm.
        semi_axes: (3,) mm.
        turn: 3 x 3, its columns are the axes; None for x, y and z.
    """
    c, r = np.asarray(center, dtype=float), np.asarray(semi_axes, dtype=float)
    axes = np.eye(3) if turn is None else turn
    reach = np.sqrt(((axes * r) ** 2).sum(axis=1))
    return Solid(partial(_ellipsoid, c, r, turn), c - reach, c + reach)


def _ellipsoid(center: FloatArray, semi_axes: FloatArray, turn: FloatArray | None, at: Points) -> Floats:
    offset = shifted(at, center)
    local = offset if turn is None else tuple(dot(offset, axis) for axis in turn.T)
    x, y, z = (p * np.float32(1 / s) for p, s in zip(local, semi_axes, strict=True))
    near = np.sqrt(x * x + y * y + z * z) + np.float32(1e-6)
    x, y, z = (p * np.float32(1 / s) for p, s in zip((x, y, z), semi_axes, strict=True))
    result: Floats = near * (near - 1) / (np.sqrt(x * x + y * y + z * z) + np.float32(1e-6))
    return result


def drum(center: Vector, semi_axes: Vector, turn: FloatArray, *, waist: float = 0.0) -> Solid:
    """An elliptical cylinder with rounded rims along the third column of `turn`; its middle loses the share `waist`."""
    c, r = np.asarray(center, dtype=float), np.asarray(semi_axes, dtype=float)
    reach = np.sqrt(((turn * r) ** 2).sum(axis=1)) * 1.2
    return Solid(partial(_drum, c, r, turn, np.float32(waist)), c - reach, c + reach)


def _drum(center: FloatArray, semi_axes: FloatArray, turn: FloatArray, waist: np.float32, at: Points) -> Floats:
    offset = shifted(at, center)
    x, y, z = (dot(offset, axis) for axis in turn.T)
    narrow = 1 - waist * np.maximum(1 - (z / np.float32(semi_axes[2])) ** 2, 0)
    x, y = x / np.float32(semi_axes[0]), y / np.float32(semi_axes[1])
    side = (np.sqrt(x * x + y * y) - narrow) * np.float32(min(semi_axes[0], semi_axes[1]))
    return smooth_max(side, np.abs(z) - np.float32(semi_axes[2]), 3.0)


def cylinder(radius: float, length: float, *, radius_end: float | None = None) -> Solid:
    """A cylinder, or a cone, with flat ends, from z = 0 to `length`."""
    end = radius if radius_end is None else radius_end
    slope = (end - radius) / length
    return around_z(partial(_cylinder, float(radius), float(slope), float(length)), max(radius, end), 0, length)


def _cylinder(radius: float, slope: float, length: float, at: Points) -> Floats:
    x, y, z = at
    side = (np.hypot(x, y) - (radius + slope * z)) * float(1 / np.hypot(1, slope))
    return between_ends(side, z, 0, length)


def sphere(radius: float) -> Solid:
    """A ball about the origin."""
    return around_z(partial(_shell, 0.0, float(radius), float(radius)), radius, -radius, radius)


def half_shell(inner: float, outer: float, *, top: float = 0.0) -> Solid:
    """What a hollow ball about the origin has below z = `top`; it opens along +z."""
    solid = partial(_shell, (float(inner) + float(outer)) / 2, (float(outer) - float(inner)) / 2, float(top))
    return around_z(solid, outer, -outer, top)


def _shell(middle: float, half: float, top: float, at: Points) -> Floats:
    x, y, z = at
    distance: Floats = np.maximum(np.abs(np.sqrt(x * x + y * y + z * z) - middle) - half, z - top)
    return distance


def ring(radius: float, wire_radius: float) -> Solid:
    """A ring of round wire about the z axis."""
    return around_z(partial(_ring, float(radius), float(wire_radius)), radius + wire_radius, -wire_radius, wire_radius)


def _ring(radius: float, wire_radius: float, at: Points) -> Floats:
    x, y, z = at
    distance: Floats = np.hypot(np.hypot(x, y) - radius, z) - np.float32(wire_radius)
    return distance


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

    Args:
        heights: rising z in mm, between which centre (x, y) and half widths change linearly.
        half_x: half widths along x, mm.
        half_y: half widths along y, mm.
        x: centres along x, mm.
        y: centres along y, mm.
        corner: radius of the corners as a share of the lesser half width, 1 for a circle or a stadium.
        bend_radius: bows the section about an axis along z at (x - bend_radius), as a plate that hugs a round bone, mm.
    """
    z = np.asarray(heights, dtype=np.float64)
    table = np.stack([np.broadcast_to(np.asarray(p, dtype=np.float64), z.shape) for p in (x, y, half_x, half_y)])
    steps = np.abs(np.diff(table, axis=1)) / np.diff(z)
    bow = table[3].max() / bend_radius
    steep = np.hypot(steps[0] + steps[2], (steps[1] + steps[3]) * np.hypot(1, bow)).max()
    scale = float(1 / np.hypot(np.hypot(1, bow), steep))
    low, high = (table[:2] - table[2:]).min(axis=1), (table[:2] + table[2:]).max(axis=1)
    sag = np.max(half_y) ** 2 / (2 * bend_radius)
    return Solid(
        partial(_loft, z, table, float(corner), float(1 / bend_radius), scale),
        np.array([low[0] - sag, low[1], z[0]]),
        np.array([high[0], high[1], z[-1]]),
    )


def _loft(z: FloatArray, table: FloatArray, corner: float, bow: float, scale: float, at: Points) -> Floats:
    x, y, half_x, half_y = (np.interp(at[2], z, row).astype(np.float32) for row in table)
    across = at[1] - y
    along = at[0] - x + np.clip(across, -half_y, half_y) ** 2 * (bow / 2)
    round_off = corner * np.minimum(half_x, half_y)
    dx, dy = np.abs(along) - half_x + round_off, np.abs(across) - half_y + round_off
    section = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - round_off
    return between_ends(section * scale, at[2], float(z[0]), float(z[-1]))


def block(size: Sequence[float] | FloatArray, *, corner: float = 0.2) -> Solid:
    """A bar about the origin with edges along z rounded; `size` is its length along x, y and z in mm."""
    x, y, z = (float(mm) / 2 for mm in size)
    return loft((-z, z), half_x=x, half_y=y, corner=corner)


def lump(half: Sequence[float] | FloatArray, random: np.random.Generator, *, rough: float = 0.25) -> Solid:
    """An irregular ball about the origin.

    Args:
        half: its half widths along x, y and z, mm.
        random: chooses its surface.
        rough: the share by which the half widths vary.
    """
    waves = random.normal(0, 1.6, (5, 3))
    phases = random.uniform(0, 2 * np.pi, 5)
    widths = np.asarray(half, dtype=np.float64)
    reach = widths * (1 + rough)
    return Solid(partial(_lump, widths, waves, phases, rough / 5), -reach, reach)


def _lump(half: FloatArray, waves: FloatArray, phases: FloatArray, share: float, at: Points) -> Floats:
    scaled = [p * np.float32(1 / h) for p, h in zip(at, half, strict=True)]
    far = np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2)
    way = [s / np.maximum(far, np.float32(0.3)) for s in scaled]
    radius = np.ones_like(far)
    for wave, phase in zip(waves, phases, strict=True):
        radius += np.float32(share) * np.sin(
            sum(np.float32(k) * w for k, w in zip(wave, way, strict=True)) + np.float32(phase)
        )
    distance: Floats = (far - radius) * np.float32(0.75 * half.min())
    return distance


def around_z(distance: DistanceFunction, radius: float, low: float, high: float) -> Solid:
    """A solid about the z axis: its largest radius, and the z of its ends, mm."""
    return Solid(distance, np.array([-radius, -radius, low], float), np.array([radius, radius, high], float))


def between_ends(side: Floats | FloatArray, z: Floats, low: float, high: float) -> Floats:
    """The distance to what `side` bounds around z, cut flat at z = `low` and `high`."""
    distance: Floats = np.maximum(side, np.abs(z - (low + high) / 2) - (high - low) / 2)
    return distance
