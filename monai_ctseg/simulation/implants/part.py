"""Parts: solids with a box and a place, so that a union of many measures only those that are near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.sdf import Floats, Points, Solid, cut, dot, unit

REACH_MM = 5.0
"""Beyond this distance from a part's box nothing is measured; more than half the diagonal of any usual voxel."""


@dataclass(frozen=True, eq=False)
class Part:
    """A solid in a frame of its own, the box that holds it there, and where that frame lies in the outer one.

    low, high: corners of the box in mm, in the solid's own frame. outer = rotation @ own + translation, where
    `rotation` is 3 x 3 and orthogonal; it may be a mirror.
    """

    solid: Solid
    low: FloatArray
    high: FloatArray
    rotation: FloatArray = field(default_factory=lambda: np.eye(3))
    translation: FloatArray = field(default_factory=lambda: np.zeros(3))

    def moved(self, translation: npt.ArrayLike, rotation: npt.ArrayLike | None = None) -> Part:
        """The part turned about the outer origin, then shifted by mm."""
        turn = np.eye(3) if rotation is None else np.asarray(rotation, dtype=np.float64)
        shift = turn @ self.translation + np.asarray(translation, dtype=np.float64)
        return replace(self, rotation=turn @ self.rotation, translation=shift)

    def without(self, holes: Sequence[Solid]) -> Part:
        """The part with holes, which are given in its own frame."""
        return replace(self, solid=cut(self.solid, holes)) if holes else self

    @property
    def box(self) -> tuple[FloatArray, FloatArray]:
        """Low and high corner, in mm, of an upright box that holds the part in the outer frame."""
        center = self.rotation @ ((self.low + self.high) / 2) + self.translation
        half = np.abs(self.rotation) @ ((self.high - self.low) / 2)
        return center - half, center + half

    def own(self, at: Points) -> Points:
        """Points of the outer frame in the part's own."""
        offset = [p - np.float32(t) for p, t in zip(at, self.translation, strict=True)]
        x, y, z = (dot(offset, column) for column in self.rotation.T)
        return x, y, z

    def distance(self, at: Points) -> Floats:
        """Distance of points of the outer frame, wherever they are."""
        return self.solid(self.own(at))


def distance_to_parts(parts: Sequence[Part], at: Points, *, reach_mm: float = REACH_MM) -> Floats:
    """Distance to the union of the parts, cut off at `reach_mm`; only parts whose box is that near are measured."""
    nearest = np.full(np.broadcast_shapes(*(p.shape for p in at)), reach_mm, dtype=np.float32)
    for part in parts:
        where = _in_box(at, *part.box, reach_mm)
        if where is None or not where[0].size:
            continue
        x, y, z = (np.broadcast_to(p, nearest.shape)[where] for p in at)
        own = part.own((x, y, z))
        close = _in_box(own, part.low, part.high, reach_mm)
        if close is not None and close[0].size:
            where = tuple(index[close] for index in where)
            x, y, z = (p[close] for p in own)
            nearest[where] = np.minimum(nearest[where], part.solid((x, y, z)))
    return nearest


def _in_box(at: Points, low: FloatArray, high: FloatArray, margin: float) -> tuple[npt.NDArray[np.intp], ...] | None:
    """Indices of the points in the box grown by the margin; None where no coordinate alone can be."""
    inside: npt.NDArray[np.bool_] | None = None
    for p, a, b in zip(at, low, high, strict=True):
        between = (p >= np.float32(a - margin)) & (p <= np.float32(b + margin))
        if not between.any():
            return None
        inside = between if inside is None else inside & between
    assert inside is not None
    return inside.nonzero()


def toward(direction: npt.ArrayLike, side: npt.ArrayLike = (1.0, 0.0, 0.0)) -> FloatArray:
    """A 3 x 3 rotation that turns +z into the direction and +x as near to `side` as it can."""
    z = unit(direction)
    across = np.asarray(side, dtype=np.float64) - np.dot(side, z) * z
    if np.linalg.norm(across) < 1e-3:
        across = np.eye(3)[np.argmin(np.abs(z))]
        across = across - np.dot(across, z) * z
    x = unit(across)
    return np.stack([x, np.cross(z, x), z], axis=1)
