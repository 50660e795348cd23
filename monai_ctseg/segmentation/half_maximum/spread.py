"""What scanners do to an edge: blur by their point spread, and how wide that usually is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from monai_ctseg.segmentation.half_maximum.ridges import Floats, Spacing

PLANE_MM2 = 0.42
"""Variance in the plane, beside what the pixels add."""


def usual_spread(spacing_mm: Spacing) -> tuple[float, float]:
    """The point spread that is usual for such voxels.

    Args:
        spacing_mm: of the voxels along i, j and k.

    Returns:
        Sigma in the plane and along k, mm.
    """
    pixel = (spacing_mm[0] + spacing_mm[1]) / 2
    return float(np.sqrt(PLANE_MM2 + 0.07 * pixel**2)), float(np.sqrt(0.1 + (0.3 * spacing_mm[2]) ** 2))


def blur(shares: Floats, spread_mm: tuple[float, float], spacing_mm: Spacing) -> Floats:
    """What a scanner makes of shares of voxels; the voxel's own width is part of both.

    Args:
        shares: [i, j, k], 0 to 1, float32.
        spread_mm: sigma in the plane and along k.
        spacing_mm: of the voxels along i, j and k.
    """
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


def smooth(values: Floats, sigma_mm: float, spacing_mm: Sequence[float]) -> Floats:
    """A Gaussian filter of a width in mm."""
    return np.asarray(ndimage.gaussian_filter(values, [sigma_mm / mm for mm in spacing_mm], truncate=2.5))
