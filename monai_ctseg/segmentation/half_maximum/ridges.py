"""To which plateau each voxel belongs: the end of a short way uphill."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from monai_ctseg.scan import BoolArray

Floats: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.int64]
Spacing: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Ridges:
    """Bright voxels of a box and, for each of them, the voxel at the end of its way uphill.

    Attributes:
        at: flat indices (C order) into the box, one a bright voxel.
        ends: where their ways end, as `at`.
        shape: of the box.
    """

    at: Ints
    ends: Ints
    shape: tuple[int, ...]

    def spread(self, values: Floats, *, rest: float = 0.0) -> Floats:
        """Values of the bright voxels as a box; the other voxels hold `rest`."""
        box = np.full(self.shape, rest, dtype=np.float32)
        box.ravel()[self.at] = values
        return box


def climb(hu: Floats, bright: BoolArray, spacing_mm: Spacing, length_mm: float) -> Ridges:
    """Steepest ascent among 26 neighbours from each bright voxel, to a summit or for a length.

    A way is short and follows the slope, so that the edge of a thin part finds the part's own ridge, where a maximum
    in a ball would find the thick neighbour's.

    Args:
        hu: [i, j, k], float32.
        bright: where to start; same shape.
        spacing_mm: of the voxels along i, j and k.
        length_mm: the longest way.
    """
    padded = np.ascontiguousarray(np.pad(hu, 1, constant_values=-np.inf))
    inside = np.flatnonzero(np.pad(bright, 1))
    number = np.full(padded.size, -1, dtype=np.int64)
    number[inside] = np.arange(len(inside))
    following, steps = _steepest(padded, inside, spacing_mm)
    following = number[following]
    ends = np.arange(len(inside))
    gone = np.zeros(len(inside), dtype=np.float32)
    onward = np.flatnonzero(following != ends)
    while len(onward):
        gone[onward] += steps[ends[onward]]
        ends[onward] = following[ends[onward]]
        onward = onward[(gone[onward] < length_mm) & (following[ends[onward]] != ends[onward])]
    at = np.flatnonzero(bright)
    return Ridges(at, at[ends], hu.shape)


def _steepest(padded: Floats, inside: Ints, spacing_mm: Spacing) -> tuple[Ints, Floats]:
    """The steepest of 26 neighbours uphill (itself on a summit), and the way there in mm, for `inside`."""
    flat = padded.ravel()
    here = flat[inside]
    best = np.zeros(len(inside), dtype=np.float32)
    following, steps = inside.copy(), np.zeros(len(inside), dtype=np.float32)
    strides = np.array(padded.strides) // padded.itemsize
    for step in product((-1, 0, 1), repeat=3):
        if not any(step):
            continue
        way = np.float32(np.linalg.norm(np.multiply(step, spacing_mm)))
        there = inside + int(np.dot(step, strides))
        slope = (flat[there] - here) / way
        better = slope > best
        best[better], steps[better], following[better] = slope[better], way, there[better]
    return following, steps
