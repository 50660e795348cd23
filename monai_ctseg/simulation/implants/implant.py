"""Place: an implant, what it is made of, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.sdf import REACH_MM, Floats, Points, Solid, distance_to_nearest

Family: TypeAlias = Literal["training", "unseen"]
"""Which shapes may be drawn: "unseen" ones are never drawn for "training", they measure quality."""


@dataclass(frozen=True, eq=False)
class Implant:
    """One piece of one metal; in a frame of its own until it is placed.

    metal: "titanium", "steel", "cobalt_chromium", "gold" or "amalgam".
    inside: False for what lies outside the body (ECG lead, buckle, marker, table rail), which is no part of the truth.
    """

    kind: str
    metal: str
    solids: tuple[Solid, ...]
    inside: bool = True

    def distance(self, at: Points, *, reach_mm: float = REACH_MM) -> Floats:
        """Signed distance in mm, float32, negative inside; never more than the true one near the surface.

        Where no solid's box is within `reach_mm`, it reads `reach_mm`.
        """
        return distance_to_nearest(self.solids, at, reach_mm=reach_mm)

    @cached_property
    def low(self) -> FloatArray:
        """Lowest x, y and z, in mm, of a box that holds it."""
        return np.asarray(np.min([solid.low for solid in self.solids], axis=0))

    @cached_property
    def high(self) -> FloatArray:
        """Highest x, y and z, in mm, of a box that holds it."""
        return np.asarray(np.max([solid.high for solid in self.solids], axis=0))


def place(implants: Sequence[Implant], rotation: npt.ArrayLike, translation: npt.ArrayLike) -> tuple[Implant, ...]:
    """The implants turned about the origin of their frame, which then comes to lie at `translation` (mm).

    rotation: 3 x 3, orthogonal; a mirror makes the implant of the other side.
    """
    turn = np.asarray(rotation, dtype=np.float64)
    if turn.shape != (3, 3) or not np.allclose(turn @ turn.T, np.eye(3), atol=1e-4):
        raise ValueError(f"rotation must be an orthogonal 3 x 3 matrix, not {turn.tolist()}")
    return tuple(replace(i, solids=tuple(solid.moved(translation, turn) for solid in i.solids)) for i in implants)


def choose_metal(random: np.random.Generator, **weights: float) -> str:
    """One of the metals, by weight."""
    shares = np.array(list(weights.values()))
    return str(random.choice(list(weights), p=shares / shares.sum()))
