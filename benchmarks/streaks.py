"""Streaks: what metal does to a slice, roughly; no physics."""

from __future__ import annotations

import numpy as np
from scipy import fft

from monai_ctseg.simulation.sdf import Floats, Points


def streaks(metal: Floats, on_table: Points, random: np.random.Generator) -> Floats:
    """HU to add [i, j, k]: in each slice dark along the metal's long axis, bright across it, and thin rays around."""
    x, y, _ = on_table
    area_mm2 = float(np.ptp(x) * np.ptp(y) / max(1, (x.size - 1) * (y.size - 1)))
    size = [fft.next_fast_len(2 * p.size, real=True) for p in (x, y)]
    steps = [np.ptp(p) / max(1, p.size - 1) for p in (x, y)]
    dx, dy = np.meshgrid(*(np.fft.fftfreq(n, 1 / n) * mm for n, mm in zip(size, steps, strict=True)), indexing="ij")
    angle, fall = np.arctan2(dy, dx), area_mm2 / (np.hypot(dx, dy) + 8)
    ray = sum(np.cos(n * angle + phase) for n, phase in zip(range(6, 40, 2), random.uniform(0, 6.3, 17), strict=True))
    along, across, rays = (fft.rfft2(k * fall) for k in (np.cos(2 * angle), np.sin(2 * angle), ray))
    added = np.zeros_like(metal)
    for k in np.flatnonzero(metal.any(axis=(0, 1))):
        cos, sin = _long_axis(metal[:, :, k], x[:, :, 0], y[:, :, 0])
        kernel = 12 * rays - 110 * (cos * along + sin * across)
        streak = fft.irfft2(fft.rfft2(metal[:, :, k], size) * kernel, size)
        added[:, :, k] = streak[: x.size, : y.size]
    return added


def _long_axis(metal: Floats, x: Floats, y: Floats) -> tuple[float, float]:
    """Cosine and sine of twice the angle of the metal's long axis, times its elongation from 0 to 1."""
    total = metal.sum()
    dx, dy = x - (metal * x).sum() / total, y - (metal * y).sum() / total
    xx, yy, xy = ((metal * p).sum() / total + o for p, o in ((dx * dx, 1), (dy * dy, 1), (dx * dy, 0)))
    return float((xx - yy) / (xx + yy)), float(2 * xy / (xx + yy))
