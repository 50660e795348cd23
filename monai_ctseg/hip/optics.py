"""Optics: the blur of a scan and the HU of its compact bone, from the rays of a femoral head."""

from __future__ import annotations

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.native import AT_MM, FEW, MANY, Head, Optics, fit_head, trace
from monai_ctseg.hip.rays import Region, directions

BLURS_MM = (0.3, 0.42, 0.55, 0.7, 0.9, 1.15, 1.45)
BONES_HU = (1050.0, 1200.0, 1350.0, 1500.0, 1700.0, 1900.0)
"""Lower values make shells too thick, and so heads too large and sockets too small (`python -m benchmarks.hip`)."""


def refine_head(region: Region, head: Head, across_mm: float) -> tuple[Head, Optics] | None:
    """The head with the optics that explain its rays best, and all rays."""
    ball = head.sphere.center_lps, head.sphere.radius_mm
    optics = estimate_optics(region, ball, across_mm)
    refined = fit_head(region, ball, optics, rays=MANY, rounds=8)
    return None if refined is None else (refined, optics)


def estimate_optics(region: Region, ball: tuple[FloatArray, float], across_mm: float) -> Optics:
    """Blur within slices and HU of compact bone with which the layers explain the rays best.

    Beforehand a blur of 0.5 mm, give or take a factor of 1.5, and bone of 1300 HU +- 300. The better neighbour on a
    grid of both is gone to until there is none; then the least of a parabola.
    """
    ways, seen = directions(FEW), dict[tuple[int, int], float]()

    def cost(b: int, h: int) -> float:
        if not (0 <= b < len(BLURS_MM) and 0 <= h < len(BONES_HU)):
            return np.inf
        if (b, h) not in seen:
            traced = trace(region, ball, ways, Optics(BLURS_MM[b], across_mm, BONES_HU[h]))
            misfit = np.full(1, np.inf) if traced is None else np.minimum(traced.fit.misfit, 2.5)
            prior = ((BONES_HU[h] - 1300) / 300) ** 2 + (np.log(BLURS_MM[b] / 0.5) / 0.4) ** 2
            seen[b, h] = float((misfit**2).sum() * len(AT_MM) / 4 + prior)
        return seen[b, h]

    at, before = (2, 2), None
    while at != before:
        b, h = before = at
        at = min((at, (b, h + 1), (b, h - 1), (b + 1, h), (b - 1, h)), key=lambda place: cost(*place))
    b, h = at
    blur = _least(BLURS_MM, b, [cost(b + n, h) for n in (-1, 0, 1)])
    return Optics(blur, across_mm, _least(BONES_HU, h, [cost(b, h + n) for n in (-1, 0, 1)]))


def _least(values: tuple[float, ...], n: int, costs: list[float]) -> float:
    """The least of the parabola through three costs about values[n]; values[n] at the ends."""
    before, here, after = costs
    bend = before - 2 * here + after
    if not np.isfinite(bend) or bend <= 0:
        return values[n]
    return values[n] + (before - after) / (2 * bend) * (values[n + 1] - values[n - 1]) / 2
