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


STOP = 0.2
"""A way ends where the slope has fallen to so much of its steepest: on the first plateau, not on the highest."""


@dataclass(frozen=True, eq=False)
class Ridges:
    """Bright voxels of a box and, for each of them, the voxel at the end of its way uphill.

    at, ends: flat indices (C order) into the box, one a bright voxel. shape: of the box.
    steepest: HU per mm, the steepest step of the ways that lead to the voxel's end.
    """

    at: Ints
    ends: Ints
    steepest: Floats
    shape: tuple[int, ...]

    def spread(self, values: Floats, *, rest: float = 0.0) -> Floats:
        """Values of the bright voxels as a box; the other voxels hold `rest`."""
        box = np.full(self.shape, rest, dtype=np.float32)
        box.ravel()[self.at] = values
        return box


def climb(hu: Floats, bright: BoolArray, spacing_mm: Spacing, length_mm: float) -> Ridges:
    """Steepest ascent among 26 neighbours from each bright voxel of `hu` [i, j, k], to the first plateau.

    A way is no longer than `length_mm`, and follows the slope, so that the edge of a thin part finds the part's own
    ridge, where a maximum in a ball would find the thick neighbour's.
    """
    padded = np.ascontiguousarray(np.pad(hu, 1, constant_values=-np.inf))
    inside = np.flatnonzero(np.pad(bright, 1))
    number = np.full(padded.size, -1, dtype=np.int64)
    number[inside] = np.arange(len(inside))
    following, steps, slopes = _steepest(padded, inside, spacing_mm)
    following = number[following]
    ends = np.arange(len(inside))
    gone = np.zeros(len(inside), dtype=np.float32)
    steepest = slopes.copy()
    onward = np.flatnonzero(following != ends)
    while len(onward):
        here = ends[onward]
        gone[onward] += steps[here]
        there = following[here]
        ends[onward] = there
        steepest[onward] = np.maximum(steepest[onward], slopes[there])
        on = (gone[onward] < length_mm) & (slopes[there] > STOP * steepest[onward]) & (following[there] != there)
        onward = onward[on]
    arriving = steepest.copy()
    np.maximum.at(arriving, ends, steepest)
    at = np.flatnonzero(bright)
    return Ridges(at, at[ends], arriving[ends], hu.shape)


def _steepest(padded: Floats, inside: Ints, spacing_mm: Spacing) -> tuple[Ints, Floats, Floats]:
    """The steepest of 26 neighbours uphill (itself on a summit), the way there in mm and the slope, for `inside`."""
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
    return following, steps, best
