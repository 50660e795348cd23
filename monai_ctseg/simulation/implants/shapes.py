"""Shapes: parts from which implants are put together, each with its box; they run along +z unless said otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.implants.part import Part
from monai_ctseg.simulation.sdf import Floats, Points, Profile, Solid, chain, common, cone, helix, loft, ring, shell

SEGMENTS = 6
"""Segments of a wire that share one box."""


def boxed(solid: Solid, low: npt.ArrayLike, high: npt.ArrayLike) -> Part:
    """A solid with its box."""
    return Part(solid, np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64))


def _around(solid: Solid, radius: float, low: float, high: float) -> Part:
    return boxed(solid, (-radius, -radius, low), (radius, radius, high))


def cylinder(radius: float, length: float, *, radius_end: float | None = None) -> Part:
    """A cylinder or cone from z = 0 to `length`."""
    end = radius if radius_end is None else radius_end
    return _around(cone(radius, end, length), max(radius, end), 0, length)


def sphere(radius: float) -> Part:
    """A ball about the origin."""
    return _around(shell(-radius, radius, top=radius), radius, -radius, radius)


def half_shell(inner: float, outer: float, *, top: float = 0.0) -> Part:
    """A hollow ball below z = `top`."""
    return _around(shell(inner, outer, top=top), outer, -outer, top)


def wire_ring(radius: float, wire_radius: float) -> Part:
    """A ring of wire about z."""
    return _around(ring(radius, wire_radius), radius + wire_radius, -wire_radius, wire_radius)


def spiral(radius: float, pitch: float, wire_radius: float, length: float, *, radius_end: float | None = None) -> Part:
    """A helix of wire from z = 0 to `length`."""
    end = radius if radius_end is None else radius_end
    solid = helix(radius, pitch, wire_radius, length, radius_end=end)
    return _around(solid, max(radius, end) + 1.5 * wire_radius, 0, length)


def wire(points: npt.ArrayLike, wire_radius: float) -> tuple[Part, ...]:
    """A wire through points (n x 3), in pieces that have boxes of their own."""
    at = np.asarray(points, dtype=np.float64)
    pieces = [at[n : n + SEGMENTS + 1] for n in range(0, len(at) - 1, SEGMENTS)]
    return tuple(
        boxed(chain(piece, wire_radius), piece.min(axis=0) - wire_radius, piece.max(axis=0) + wire_radius)
        for piece in pieces
    )


def stack(
    heights: Sequence[float] | FloatArray,
    *,
    half_x: Profile,
    half_y: Profile,
    x: Profile = 0.0,
    y: Profile = 0.0,
    corner: float = 1.0,
    bend_radius: float = np.inf,
) -> Part:
    """A loft with its box."""
    solid = loft(heights, half_x=half_x, half_y=half_y, x=x, y=y, corner=corner, bend_radius=bend_radius)
    center = np.array([np.asarray(x) * np.ones(len(heights)), np.asarray(y) * np.ones(len(heights))])
    half = np.array([np.asarray(half_x) * np.ones(len(heights)), np.asarray(half_y) * np.ones(len(heights))])
    low, high = (center - half).min(axis=1), (center + half).max(axis=1)
    sag = np.max(half_y) ** 2 / (2 * bend_radius)
    return boxed(solid, (low[0] - sag, low[1], heights[0]), (high[0], high[1], heights[-1]))


def block(size: Sequence[float] | FloatArray, *, corner: float = 0.2) -> Part:
    """A bar with rounded edges along z, about the origin; `size` along x, y and z."""
    x, y, z = (float(mm) / 2 for mm in size)
    return stack((-z, z), half_x=x, half_y=y, corner=corner)


def thread(core: float, outer: float, pitch: float, length: float, *, tip: float = 0.0, valley: float = 0.4) -> Part:
    """A threaded shank: radii of core and crest; over the last `tip` mm, if any, it narrows to a third.

    The crest winds by a radius that depends on z and angle; `valley` is the share of the pitch at core radius.
    """
    slope = (outer - core) / (pitch / 2 * (1 - valley)) * np.hypot(1, pitch / (2 * np.pi * core))
    scale = 1 / np.hypot(1, slope + (outer * 0.67 / tip if tip else 0))
    solid = partial(_thread, float(core), float(outer), float(pitch), float(length), float(tip), valley, float(scale))
    return _around(solid, outer, 0, length)


def _thread(
    core: float, outer: float, pitch: float, length: float, tip: float, valley: float, scale: float, at: Points
) -> Floats:
    x, y, z = at
    turns = z * (1 / pitch) - np.arctan2(y, x) * (1 / (2 * np.pi))
    ridge = np.abs(2 * (turns - np.floor(turns)) - 1)
    radial = np.hypot(x, y)
    narrow = 0.33 + 0.67 * np.clip((length - z) * (1 / tip), 0, 1) if tip else np.float32(1)
    # Deep inside the core the crest fades, as the angle means nothing near the axis.
    fade = np.clip(radial / (core * narrow) * 2 - 1, 0, 1)
    crest = (outer - core) / (1 - valley) * np.maximum(ridge - valley, 0) * fade
    side = (radial - (core + crest) * narrow) * scale
    distance: Floats = np.maximum(side, np.abs(z - length / 2) - length / 2)
    return distance


def mesh(radius: float, length: float, wire_radius: float, *, crossings: int, pitch: float, waist: float = 1.0) -> Part:
    """A tube of crossing helices; `waist` is the radius half-way as a share of that at the ends."""
    solid = partial(_mesh, float(radius), float(length), float(wire_radius), crossings, float(pitch), float(waist))
    widest = radius * max(1.0, waist) + wire_radius
    return _around(solid, widest, -length / 2, length / 2)


def _mesh(
    radius: float, length: float, wire_radius: float, crossings: int, pitch: float, waist: float, at: Points
) -> Floats:
    x, y, z = at
    middle = radius * (1 + (waist - 1) * (1 - np.minimum(np.abs(z) * (2 / length), 1)))
    turn, rise = np.arctan2(y, x) * (crossings / (2 * np.pi)), z * (crossings / pitch)
    nearest = np.minimum(*(np.abs(phase - np.round(phase)) for phase in (turn + rise, turn - rise)))
    steep = np.hypot(crossings / (2 * np.pi * radius * min(1.0, waist)), crossings / pitch)
    wires = np.hypot(np.hypot(x, y) - middle, nearest * float(1 / steep)) - wire_radius
    scale = float(1 / np.hypot(1, 2 * radius * abs(waist - 1) / length))
    distance: Floats = np.maximum(wires * scale, np.abs(z) - length / 2)
    return distance


def zigzag(radius: float, height: float, wire_radius: float, *, peaks: int) -> Part:
    """A ring of wire about z that goes up and down between z = -height / 2 and height / 2."""
    angle = np.linspace(0, 2 * np.pi, 2 * peaks + 1)
    up = height / 2 * (1 - 2 * (np.arange(2 * peaks + 1) % 2))
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), up], axis=1)
    reach = radius + wire_radius
    return boxed(
        chain(points, wire_radius),
        (-reach, -reach, -height / 2 - wire_radius),
        (reach, reach, height / 2 + wire_radius),
    )


def lump(half: Sequence[float] | FloatArray, random: np.random.Generator, *, rough: float = 0.25) -> Part:
    """An irregular ball about the origin with these half widths; `rough` is the share by which they vary."""
    waves = random.normal(0, 1.6, (5, 3))
    phases = random.uniform(0, 2 * np.pi, 5)
    solid = partial(_lump, np.asarray(half, dtype=np.float64), waves, phases, rough / 5)
    reach = np.asarray(half, dtype=np.float64) * (1 + rough)
    return boxed(solid, -reach, reach)


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


def within(part: Part, solid: Solid) -> Part:
    """What of the part lies in the solid, which is given in the outer frame."""
    return boxed(common(part.distance, solid), *part.box)
