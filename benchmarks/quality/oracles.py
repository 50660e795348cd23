"""Oracles: the upper bounds that the voxels alone set, so that a figure can be compared with its bound."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from scipy.ndimage import map_coordinates

from monai_ctseg.scan import BoolArray, Mask
from monai_ctseg.simulation.implants import Implant

MOVES_MM = (-0.2, -0.1, 0.0, 0.1, 0.2)
FINE_MM = 0.35


def dice(a: BoolArray, b: BoolArray) -> float:
    """1 where both are empty."""
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2 * int(np.count_nonzero(a & b)) / total if total else 1.0


def moved_surface(implants: Sequence[Implant], truth: Mask) -> dict[str, float]:
    """Dice of the truth with itself when the metal's surface lies so many mm further out.

    What a surface that is wrong by a tenth of a pixel costs; 0 mm checks the count against the simulation's own.
    """
    inside = [implant for implant in implants if implant.inside]
    box = box_around(truth.voxels, (2, 2, 2))
    if box is None:
        return {}
    counts = [np.zeros(truth.voxels[box].shape, dtype=np.int32) for _ in MOVES_MM]
    parts = [max(1, int(np.ceil(mm / FINE_MM))) for mm in truth.grid.spacing_mm]
    corner = np.stack(
        np.meshgrid(
            *[np.arange(s.start, min(s.stop, n)) for s, n in zip(box, truth.grid.shape, strict=True)], indexing="ij"
        ),
        axis=-1,
    )
    for step in product(*[(np.arange(n) + 0.5) / n - 0.5 for n in parts]):
        x, y, z = np.moveaxis(truth.grid.to_lps(corner + step).astype(np.float32), -1, 0)
        distance = np.min([implant.distance((x, y, z)) for implant in inside], axis=0)
        for count, move in zip(counts, MOVES_MM, strict=True):
            count += distance < move
    half = np.prod(parts) / 2
    return {
        f"{move:+.1f}": dice(count >= half, truth.voxels[box]) for count, move in zip(counts, MOVES_MM, strict=True)
    }


def box_around(mask: BoolArray, margin: Sequence[int]) -> tuple[slice, slice, slice] | None:
    """The box of a mask, and so many voxels around it; None of an empty one."""
    lines = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not lines[0].size:
        return None
    i, j, k = (slice(max(0, int(n[0]) - m), int(n[-1]) + m + 1) for n, m in zip(lines, margin, strict=True))
    return i, j, k


def through_grid(truth: Mask, spacing_mm: Sequence[float]) -> BoolArray:
    """The truth as a label on a grid of this spacing, and back: what a network that works there can reach.

    Linear there, cut at one half, linear back, cut at one half.
    """
    shape, own = truth.grid.shape, truth.grid.spacing_mm
    there = [max(1, round(n * mm / new)) for n, mm, new in zip(shape, own, spacing_mm, strict=True)]
    label = _resample(truth.voxels.astype(np.float32), there) >= 0.5
    return np.asarray(_resample(label.astype(np.float32), shape) >= 0.5)


def _resample(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Linear, the same field of view on other voxels."""
    at = [(np.arange(n) + 0.5) * old / n - 0.5 for n, old in zip(shape, values.shape, strict=True)]
    return np.asarray(map_coordinates(values, np.meshgrid(*at, indexing="ij"), order=1, mode="nearest"))


def best_threshold(hu: np.ndarray, truth: BoolArray) -> tuple[float, BoolArray]:
    """The threshold with the highest Dice, chosen with the truth in hand, and its mask."""
    steps = np.unique(np.concatenate([np.arange(500, 4000, 20), np.geomspace(4000, 32000, 300)]))
    above = np.cumsum(np.histogram(hu, bins=[*steps, np.inf])[0][::-1])[::-1]
    shared = np.cumsum(np.histogram(hu[truth], bins=[*steps, np.inf])[0][::-1])[::-1]
    best = steps[int(np.argmax(2 * shared / np.maximum(above + truth.sum(), 1)))]
    return float(best), np.asarray(hu >= best)
