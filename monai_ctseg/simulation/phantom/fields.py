"""Fields: what varies smoothly over the body: profiles along it, and random waves for texture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from monai_ctseg.simulation.sdf import Floats, Points, dot


class Profile:
    """A curve through knots (z mm, value), looked up in steps of 1 mm; constant beyond its ends."""

    def __init__(self, knots: Sequence[tuple[float, float]]) -> None:
        self.start, self.table = _table(tuple(sorted((float(z), float(value)) for z, value in knots)))

    def __call__(self, z: Floats) -> Floats:
        """The curve's values at z."""
        step = np.rint(z - self.start).astype(np.int32)
        values: Floats = np.take(self.table, step, mode="clip")
        return values

    def at(self, z: float) -> float:
        """The curve's value at one z."""
        return float(self(np.array([z], dtype=np.float32))[0])


@lru_cache(256)
def _table(knots: tuple[tuple[float, float], ...]) -> tuple[np.float32, Floats]:
    z, values = np.array(knots).T
    return np.float32(z[0]), PchipInterpolator(z, values)(np.arange(z[0], z[-1] + 1.0)).astype(np.float32)


def waves(
    random: np.random.Generator, *, shortest_mm: float, longest_mm: float, count: int = 7, flat: float = 1.0
) -> Callable[[Points], Floats]:
    """A random field of deviation 1 about 0, as a sum of plane waves; `flat` under 1 draws it out along z."""
    directions = random.normal(size=(count, 3)) * (1.0, 1.0, flat)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    steps = 2 * np.pi * directions / random.uniform(shortest_mm, longest_mm, (count, 1))
    phases = random.uniform(0, 2 * np.pi, count)
    scale = np.float32(np.sqrt(2 / count))

    def field(at: Points) -> Floats:
        total = np.zeros((), dtype=np.float32)
        for step, phase in zip(steps, phases, strict=True):
            total = total + np.sin(dot(at, step) + np.float32(phase))
        result: Floats = total * scale
        return result

    return field
