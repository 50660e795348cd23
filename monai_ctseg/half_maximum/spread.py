"""What the scanner does to an edge: blur by its point spread, and how wide that is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from scipy.special import ndtri

from monai_ctseg.half_maximum.ridges import Floats, Spacing

PLANE_MM2 = 0.42
"""Variance in the plane where the scan does not tell, beside what the pixels add."""
CERTAINTY = 20.0
"""How much that guess weighs, in steps across an edge."""
PERCENTILE = 75
FROM_USUAL = (0.7, 1.4)
"""What a scan tells counts so far from the usual."""


def usual_spread(spacing_mm: Spacing) -> tuple[float, float]:
    """Sigma of the point spread in the plane and along k, in mm: what is usual for such voxels."""
    pixel = (spacing_mm[0] + spacing_mm[1]) / 2
    return float(np.sqrt(PLANE_MM2 + 0.07 * pixel**2)), float(np.sqrt(0.1 + (0.3 * spacing_mm[2]) ** 2))


def blur(shares: Floats, spread_mm: tuple[float, float], spacing_mm: Spacing) -> Floats:
    """What a scanner makes of shares of voxels; the voxel's own width is part of both."""
    for axis, (sigma, mm) in enumerate(zip((spread_mm[0], *spread_mm), spacing_mm, strict=True)):
        variance = (sigma / mm) ** 2 - 1 / 12
        if variance > 1e-6:
            shares = ndimage.correlate1d(shares, _kernel(variance), axis=axis, mode="nearest")
    return shares


def _kernel(variance: float) -> Floats:
    """Weights of exactly this variance, in voxels squared: a Gaussian, or three weights where it is narrow."""
    if variance < 0.45:
        return np.array([variance / 2, 1 - variance, variance / 2], dtype=np.float32)
    reach = int(np.ceil(3.2 * np.sqrt(variance)))
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * variance))
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def refine_spread(
    spread_mm: tuple[float, float], spacing_mm: Spacing, scan: Floats, model: Floats
) -> tuple[float, float]:
    """The spread in the plane that makes the model's edges as steep as the scan's; both are 1 on ridges.

    Steps between neighbouring voxels are compared, where an edge runs between them square to the axis, by a high
    percentile: what else the scan holds (dim middles, streaks, bevels) makes steps smaller, and hardly one larger.
    Along k edges are too few to tell; there the usual spread stays.
    """
    usual, normal = usual_spread(spacing_mm)
    steps = np.concatenate([_steps(scan, model, axis, spacing_mm) for axis in (0, 1)], axis=1)
    return _follow(steps, (spacing_mm[0] + spacing_mm[1]) / 2, spread_mm[0], usual), normal


def _steps(scan: Floats, model: Floats, axis: int, spacing_mm: Spacing) -> Floats:
    """Steps along an axis of scan and model, (2, n), where both have an edge that is square to it."""
    first = tuple(slice(None, -1) if n == axis else slice(None) for n in range(3))
    second = tuple(slice(1, None) if n == axis else slice(None) for n in range(3))
    step = model[second] - model[first]
    aside = np.zeros_like(step)
    for other in (n for n in range(3) if n != axis):
        slope = ndimage.correlate1d(model, _SLOPE, axis=other, mode="nearest") / np.float32(spacing_mm[other])
        aside += (slope[first] + slope[second]) ** 2 / 4
    square = np.abs(step) / spacing_mm[axis] > 2 * np.sqrt(aside)
    middle = (np.abs(scan[first] + scan[second] - 1) < 0.4) & (np.abs(model[first] + model[second] - 1) < 0.4)
    there = square & middle & (np.sign(scan[second] - scan[first]) == np.sign(step))
    return np.asarray(np.abs(np.stack([(scan[second] - scan[first])[there], step[there]])))


_SLOPE = np.array([-0.5, 0.0, 0.5], dtype=np.float32)


def _follow(steps: Floats, mm: float, sigma: float, usual: float) -> float:
    """Sigma moved by as much as the scan's steps are flatter than the model's; few steps leave it near the usual."""
    count = steps.shape[1]
    if count < 5:
        return usual
    of_scan, of_model = (_sigma_of_step(float(np.percentile(s, PERCENTILE)), mm) for s in steps)
    weight = count / (count + CERTAINTY)
    least, most = FROM_USUAL
    told = float(np.clip(sigma * (of_scan / of_model), least * usual, most * usual))
    return float(told**weight * usual ** (1 - weight))


def _sigma_of_step(step: float, mm: float) -> float:
    """Of the Gaussian that makes this step, from -mm/2 to mm/2, of a sharp edge."""
    return mm / (2 * float(ndtri((1 + min(max(step, 0.05), 0.995)) / 2)))


def smooth(values: Floats, sigma_mm: float, spacing_mm: Sequence[float]) -> Floats:
    """A Gaussian filter of a width in mm."""
    return np.asarray(ndimage.gaussian_filter(values, [sigma_mm / mm for mm in spacing_mm], truncate=2.5))
