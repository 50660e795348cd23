"""What the scanner does to an edge: blur by its point spread, and how wide that is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from monai_ctseg.half_maximum.ridges import Floats, Spacing
from monai_ctseg.scan import BoolArray

PLANE_MM2 = 0.42
"""Variance in the plane where the scan does not tell, beside what the pixels add."""
CERTAINTY = 20.0
"""How much that guess weighs, in voxels of a sharp edge."""


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
    return (weights / weights.sum()).astype(np.float32)


def refine_spread(
    spread_mm: tuple[float, float],
    spacing_mm: Spacing,
    blurred: Floats,
    missing: Floats,
    weights: Floats,
    where: BoolArray,
) -> tuple[float, float]:
    """The spread that explains the scan better: one step of weighted least squares.

    blurred: the model. missing: what the scan holds beyond it. A little more variance adds half of the second
    derivative (the heat equation), so that both variances are found without trying values.
    """
    plane = _bend(blurred, 0)[where] / spacing_mm[0] ** 2 + _bend(blurred, 1)[where] / spacing_mm[1] ** 2
    normal = _bend(blurred, 2)[where] / spacing_mm[2] ** 2
    columns = np.stack([plane, normal]).astype(np.float64) / 2
    weighted = columns * weights
    usual = np.square(usual_spread(spacing_mm))
    now = np.square(spread_mm)
    guess = CERTAINTY * np.array([1.0, 0.1])
    more = np.linalg.solve(
        weighted @ columns.T + np.diag(guess),
        weighted @ missing[where].astype(np.float64) + guess * (usual - now),
    )
    least = (0.3 * spacing_mm[0], 0.25 * spacing_mm[2])
    most = (max(1.6, 0.7 * spacing_mm[0]), 0.7 * spacing_mm[2] + 0.5)
    plane_mm, normal_mm = np.sqrt(np.clip(now + more, np.square(least), np.square(most)))
    return float(plane_mm), float(normal_mm)


def _bend(values: Floats, axis: int) -> Floats:
    return np.asarray(ndimage.correlate1d(values, np.array([1, -2, 1], dtype=np.float32), axis=axis, mode="nearest"))


def smooth(values: Floats, sigma_mm: float, spacing_mm: Sequence[float]) -> Floats:
    """A Gaussian filter of a width in mm."""
    return np.asarray(ndimage.gaussian_filter(values, [sigma_mm / mm for mm in spacing_mm], truncate=2.5))
