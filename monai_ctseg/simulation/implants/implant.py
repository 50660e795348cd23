"""Implant: its kind, metal and shape; and implants turned and shifted as one."""

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
"""Which shapes are sampled: "unseen" ones never occur in "training", they measure quality."""


@dataclass(frozen=True, eq=False)
class Implant:
    """Solids of one metal, in a frame of their own until they are posed.

    Attributes:
        kind: name of the kind, see the catalogue.
        metal: "titanium", "steel", "cobalt_chromium", "gold" or "amalgam".
        solids: the implant is their union.
        inside: False for what lies outside the body (ECG lead, buckle, marker, table rail), which is not in the truth.
    """

    kind: str
    metal: str
    solids: tuple[Solid, ...]
    inside: bool = True

    def distance(self, at: Points, *, reach_mm: float = REACH_MM) -> Floats:
        """Signed distance, never more than the true one near the surface.

        Args:
            at: points in the implant's frame.
            reach_mm: what the distance reads where no solid's box is so near.

        Returns:
            mm, float32, negative inside.
        """
        return distance_to_nearest(self.solids, at, reach_mm=reach_mm)

    @cached_property
    def low(self) -> FloatArray:
        """Lowest corner of a box that holds it, (3,) mm."""
        return np.asarray(np.min([solid.low for solid in self.solids], axis=0))

    @cached_property
    def high(self) -> FloatArray:
        """Highest corner of a box that holds it, (3,) mm."""
        return np.asarray(np.max([solid.high for solid in self.solids], axis=0))


def pose_implants(
    implants: Sequence[Implant], rotation: npt.ArrayLike, translation: npt.ArrayLike
) -> tuple[Implant, ...]:
    """The implants turned about the origin of their frame, then shifted.

    Args:
        implants: in one frame.
        rotation: 3 x 3, orthogonal; a mirror makes the implant of the other side.
        translation: (3,) mm, where the origin comes to lie.

    Raises:
        ValueError: the rotation is not orthogonal.
    """
    turn = np.asarray(rotation, dtype=np.float64)
    if turn.shape != (3, 3) or not np.allclose(turn @ turn.T, np.eye(3), atol=1e-4):
        raise ValueError(f"rotation must be an orthogonal 3 x 3 matrix, not {turn.tolist()}")
    return tuple(replace(i, solids=tuple(solid.moved(translation, turn) for solid in i.solids)) for i in implants)


def choose_metal(random: np.random.Generator, **weights: float) -> str:
    """One of the metals at random; `weights` say how often each is chosen."""
    shares = np.array(list(weights.values()))
    return str(random.choice(list(weights), p=shares / shares.sum()))
