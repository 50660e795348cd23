"""Solid: a shape with its box and its pose; and the distance to the nearest of many, of which only near ones count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial, reduce
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.sdf.vectors import Floats, Points, Vector, dot, shifted

DistanceFunction: TypeAlias = Callable[[Points], Floats]
"""Points -> distance in mm, float32, negative inside. A partial of a module's function can be pickled."""
REACH_MM = 5.0
"""Distances are not computed further than this from a solid's box: more than half the diagonal of any usual voxel."""


@dataclass(frozen=True, eq=False)
class Solid:
    """A shape in a frame of its own, a box that holds it there, and its pose in the outer frame.

    outer = rotation @ own + translation. Until a solid is moved, both frames are the same.

    Attributes:
        own_distance: signed distance of points in the own frame.
        own_low: lowest corner of the box in the own frame, (3,) mm.
        own_high: highest corner of the box in the own frame, (3,) mm.
        rotation: 3 x 3, orthogonal, may be a mirror; None until the solid is moved.
        translation: (3,) mm.
    """

    own_distance: DistanceFunction
    own_low: FloatArray
    own_high: FloatArray
    rotation: FloatArray | None = None
    translation: FloatArray = field(default_factory=lambda: np.zeros(3))

    def distance(self, at: Points) -> Floats:
        """Signed distance of points in the outer frame, mm, float32."""
        return self.own_distance(self.to_own(at))

    def to_own(self, at: Points) -> Points:
        """Points of the outer frame in the own frame."""
        if self.rotation is None:
            return at
        offset = shifted(at, self.translation)
        x, y, z = (dot(offset, column) for column in self.rotation.T)
        return x, y, z

    def moved(self, translation: Vector, rotation: npt.ArrayLike | None = None) -> Solid:
        """The solid turned about the outer origin, then shifted.

        Args:
            translation: (3,) mm.
            rotation: 3 x 3, orthogonal; None for no turn.
        """
        turn = np.eye(3) if rotation is None else np.asarray(rotation, dtype=np.float64)
        shift = turn @ self.translation + np.asarray(translation, dtype=np.float64)
        return replace(self, rotation=turn if self.rotation is None else turn @ self.rotation, translation=shift)

    def without(self, holes: Sequence[Solid]) -> Solid:
        """The solid with holes, which are given in its own frame."""
        if not holes:
            return self
        return replace(self, own_distance=partial(_without, self.own_distance, tuple(holes)))

    def within(self, other: Solid) -> Solid:
        """What of the solid lies in another one, which is given in the outer frame."""
        return Solid(partial(_within, self, other), self.low, self.high)

    def grown(self, mm: float) -> Solid:
        """The solid, larger by some mm everywhere."""
        return Solid(partial(_grown, self, mm), self.low - mm, self.high + mm)

    @cached_property
    def low(self) -> FloatArray:
        """Lowest corner of an upright box that holds the solid in the outer frame, (3,) mm."""
        return self._box[0]

    @cached_property
    def high(self) -> FloatArray:
        """Highest corner of an upright box that holds the solid in the outer frame, (3,) mm."""
        return self._box[1]

    @property
    def _box(self) -> tuple[FloatArray, FloatArray]:
        if self.rotation is None:
            return self.own_low, self.own_high
        center = self.rotation @ ((self.own_low + self.own_high) / 2) + self.translation
        half = np.abs(self.rotation) @ ((self.own_high - self.own_low) / 2)
        return center - half, center + half


def _without(distance: DistanceFunction, holes: Sequence[Solid], at: Points) -> Floats:
    nearest_hole = reduce(np.minimum, [hole.distance(at) for hole in holes])
    result: Floats = np.maximum(distance(at), -nearest_hole)
    return result


def _within(solid: Solid, other: Solid, at: Points) -> Floats:
    distance: Floats = np.maximum(solid.distance(at), other.distance(at))
    return distance


def _grown(solid: Solid, mm: float, at: Points) -> Floats:
    return solid.distance(at) - mm


def distance_to_nearest(solids: Sequence[Solid], at: Points, *, reach_mm: float = REACH_MM) -> Floats:
    """Distance to the union of solids; only those whose box is near a point are computed there.

    Args:
        solids: any number of them.
        at: points of the outer frame.
        reach_mm: the largest distance that is returned.

    Returns:
        mm, float32, of the shape to which the points broadcast.
    """
    nearest = np.full(np.broadcast_shapes(*(p.shape for p in at)), reach_mm, dtype=np.float32)
    for solid in solids:
        where = _in_box(at, solid.low, solid.high, reach_mm)
        if where is None or not where[0].size:
            continue
        x, y, z = (np.broadcast_to(p, nearest.shape)[where] for p in at)
        own = solid.to_own((x, y, z))
        close = _in_box(own, solid.own_low, solid.own_high, reach_mm)
        if close is not None and close[0].size:
            where = tuple(index[close] for index in where)
            x, y, z = (p[close] for p in own)
            nearest[where] = np.minimum(nearest[where], solid.own_distance((x, y, z)))
    return nearest


def _in_box(at: Points, low: FloatArray, high: FloatArray, margin: float) -> tuple[npt.NDArray[np.intp], ...] | None:
    """Indices of the points in the box grown by the margin; None where one coordinate alone excludes all points."""
    inside: npt.NDArray[np.bool_] | None = None
    for p, a, b in zip(at, low, high, strict=True):
        between = (p >= np.float32(a - margin)) & (p <= np.float32(b + margin))
        if not between.any():
            return None
        inside = between if inside is None else inside & between
    assert inside is not None
    return inside.nonzero()
