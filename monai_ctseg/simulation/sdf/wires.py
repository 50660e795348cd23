"""Wires: chains, helices, threads, meshes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial, reduce
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from monai_ctseg.simulation.sdf.primitives import around_z, between_ends
from monai_ctseg.simulation.sdf.solid import Solid
from monai_ctseg.simulation.sdf.vectors import Floats, Points, dot, shifted

SEGMENTS = 6
"""Segments of a wire that share one box."""


def chain(points: npt.ArrayLike, radius: float) -> Solid:
    """A round wire through the points (n x 3, mm), with round joints and ends, as one solid."""
    path = np.asarray(points, dtype=np.float64)
    distance = partial(_chain, path.astype(np.float32), float(radius))
    return Solid(distance, path.min(axis=0) - radius, path.max(axis=0) + radius)


def _chain(points: Floats, radius: float, at: Points) -> Floats:
    squared: list[Floats] = []
    for start, end in pairwise(points):
        offset, length = shifted(at, start), end - start
        share = np.clip(dot(offset, length.astype(np.float64)) / np.dot(length, length), 0, 1)
        rest = [o - share * side for o, side in zip(offset, length, strict=True)]
        squared.append(dot(rest, rest))
    nearest: Floats = np.sqrt(reduce(np.minimum, squared)) - np.float32(radius)
    return nearest


def wire(points: npt.ArrayLike, radius: float) -> tuple[Solid, ...]:
    """A round wire through the points (n x 3, mm), in chains that have boxes of their own, so that few are computed."""
    at = np.asarray(points, dtype=np.float64)
    return tuple(chain(at[n : n + SEGMENTS + 1], radius) for n in range(0, len(at) - 1, SEGMENTS))


def zigzag(radius: float, height: float, wire_radius: float, *, peaks: int) -> Solid:
    """A ring of wire about z that goes up and down between z = -height / 2 and height / 2."""
    angle = np.linspace(0, 2 * np.pi, 2 * peaks + 1)
    up = height / 2 * (1 - 2 * (np.arange(2 * peaks + 1) % 2))
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), up], axis=1)
    reach = np.array([radius + wire_radius, radius + wire_radius, height / 2 + wire_radius])
    return replace(chain(points, wire_radius), own_low=-reach, own_high=reach)


def helix(radius: float, pitch: float, wire_radius: float, length: float, *, radius_end: float | None = None) -> Solid:
    """A round wire wound about z from 0 to `length`, cut flat; `radius_end` makes a cone of it."""
    end = radius if radius_end is None else radius_end
    slope = (end - radius) / length
    distance = partial(_helix, float(radius), float(slope), float(pitch), float(wire_radius), float(length))
    return around_z(distance, max(radius, end) + 1.5 * wire_radius, 0, length)


def _helix(radius: float, slope: float, pitch: float, wire_radius: float, length: float, at: Points) -> Floats:
    x, y, z = at
    middle = radius + slope * z
    turns = z / pitch - np.arctan2(y, x) / (2 * np.pi)
    steep = 1 / np.sqrt(1 + (pitch / (2 * np.pi * min(radius, radius + slope * length))) ** 2)
    across = (turns - np.round(turns)) * float(pitch * steep)
    side = (np.hypot(np.hypot(x, y) - middle, across) - wire_radius) * float(1 / (1 + abs(slope)))
    return between_ends(side, z, 0, length)


def thread(core: float, outer: float, pitch: float, length: float, *, tip: float = 0.0, valley: float = 0.4) -> Solid:
    """A threaded shank along z from 0 to `length`, whose crest winds by a radius that depends on z and angle.

    Args:
        core: radius between the crests, mm.
        outer: radius of the crest, mm.
        pitch: mm for one turn.
        length: mm.
        tip: over the last `tip` mm, if any, the shank narrows to a third.
        valley: share of the pitch at core radius.
    """
    slope = (outer - core) / (pitch / 2 * (1 - valley)) * np.hypot(1, pitch / (2 * np.pi * core))
    scale = 1 / np.hypot(1, slope + (outer * 0.67 / tip if tip else 0))
    sizes = (float(core), float(outer), float(pitch), float(length), float(tip))
    return around_z(partial(_thread, *sizes, valley, float(scale)), outer, 0, length)


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
    return between_ends((radial - (core + crest) * narrow) * scale, z, 0, length)


def mesh(
    radius: float, length: float, wire_radius: float, *, crossings: int, pitch: float, waist: float = 1.0
) -> Solid:
    """A tube of crossing helices about z; `waist` is the radius half-way as a share of that at the ends."""
    distance = partial(_mesh, float(radius), float(length), float(wire_radius), crossings, float(pitch), float(waist))
    return around_z(distance, radius * max(1.0, waist) + wire_radius, -length / 2, length / 2)


def _mesh(
    radius: float, length: float, wire_radius: float, crossings: int, pitch: float, waist: float, at: Points
) -> Floats:
    x, y, z = at
    middle = radius * (1 + (waist - 1) * (1 - np.minimum(np.abs(z) * (2 / length), 1)))
    turn, rise = np.arctan2(y, x) * (crossings / (2 * np.pi)), z * (crossings / pitch)
    nearest = np.minimum(*(np.abs(phase - np.round(phase)) for phase in (turn + rise, turn - rise)))
    steep = np.hypot(crossings / (2 * np.pi * radius * min(1.0, waist)), crossings / pitch)
    side = (np.hypot(np.hypot(x, y) - middle, nearest * float(1 / steep)) - wire_radius) * float(
        1 / np.hypot(1, 2 * radius * abs(waist - 1) / length)
    )
    return between_ends(side, z, -length / 2, length / 2)
