"""Imaging: the blur of a scan and the HU of its cortical bone, from the rays of a femoral head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.hip.head import FIT, Head, fit_head
from monai_ctseg.hip.head_rays import AT_MM, Imaging, trace
from monai_ctseg.hip.rays import Region, even_directions
from monai_ctseg.hip.sphere import Ball


@dataclass(frozen=True)
class ImagingSearch:
    """Constants of the search over blur and cortical HU; where no reason is given, chosen by hand."""

    blurs_mm: tuple[float, ...] = (0.3, 0.42, 0.55, 0.7, 0.9, 1.15, 1.45)
    """Standard deviations, each about 1.3 times the one before."""
    corticals_hu: tuple[float, ...] = (1050.0, 1200.0, 1350.0, 1500.0, 1700.0, 1900.0)
    """Lower values make shells too thick, so heads too large and sockets too small (`python -m benchmarks.hip`)."""
    start: tuple[int, int] = (2, 2)
    """Indices of the blur and the cortical HU nearest to the prior's means."""
    blur_mean_mm: float = 0.5
    blur_log_sd: float = 0.4
    """The prior of the blur: a factor of 1.5 either way."""
    cortical_mean_hu: float = 1300.0
    cortical_sd_hu: float = 300.0
    """The prior of the cortical HU."""
    most_misfit: float = 2.5
    """Rays that fit worse, which cross other tissues, weigh no more."""
    dependent_samples: int = 4
    """Samples along a ray whose errors are one: 2 mm, about the width of the blur."""
    final_rays: int = 1200
    final_rounds: int = 8
    """Of the fit with the imaging found."""


SEARCH = ImagingSearch()


def refine_head(region: Region, head: Head, across_mm: float) -> tuple[Head, Imaging] | None:
    """Fit a head again with all rays and with the imaging that explains its rays best.

    Args:
        region: around the head.
        head: of a first fit.
        across_mm: standard deviation of the blur across slices.

    Returns:
        The head and the imaging; None where the rays show no head.

    """
    imaging = estimate_imaging(region, head.sphere.ball, across_mm)
    refined = fit_head(region, head.sphere.ball, imaging, count=SEARCH.final_rays, rounds=SEARCH.final_rounds)
    return None if refined is None else (refined, imaging)


def estimate_imaging(region: Region, ball: Ball, across_mm: float) -> Imaging:
    """Blur within slices and HU of cortical bone with which the layers explain the rays best.

    The search moves to the better neighbour on a grid of both until there is none, then to the minimum of a parabola.

    Args:
        region: around the head.
        ball: the head.
        across_mm: standard deviation of the blur across slices.

    Returns:
        The most likely imaging, given the priors of `ImagingSearch`.

    """
    directions, seen = even_directions(FIT.first_rays), dict[tuple[int, int], float]()
    blurs, corticals = SEARCH.blurs_mm, SEARCH.corticals_hu

    def cost(b: int, h: int) -> float:
        if not (0 <= b < len(blurs) and 0 <= h < len(corticals)):
            return np.inf
        if (b, h) not in seen:
            rays = trace(region, ball, directions, Imaging(blurs[b], across_mm, corticals[h]))
            misfit = np.full(1, np.inf) if rays is None else np.minimum(rays.fit.misfit, SEARCH.most_misfit)
            prior = ((corticals[h] - SEARCH.cortical_mean_hu) / SEARCH.cortical_sd_hu) ** 2
            prior += (np.log(blurs[b] / SEARCH.blur_mean_mm) / SEARCH.blur_log_sd) ** 2
            seen[b, h] = float((misfit**2).sum() * len(AT_MM) / SEARCH.dependent_samples + prior)
        return seen[b, h]

    at, before = SEARCH.start, None
    while at != before:
        b, h = before = at
        at = min((at, (b, h + 1), (b, h - 1), (b + 1, h), (b - 1, h)), key=lambda indices: cost(*indices))
    b, h = at
    blur = _parabola_minimum(blurs, b, [cost(b + n, h) for n in (-1, 0, 1)])
    return Imaging(blur, across_mm, _parabola_minimum(corticals, h, [cost(b, h + n) for n in (-1, 0, 1)]))


def _parabola_minimum(values: tuple[float, ...], n: int, costs: list[float]) -> float:
    """The minimum of the parabola through three costs around values[n]; values[n] itself at the ends."""
    before, here, after = costs
    bend = before - 2 * here + after
    if not np.isfinite(bend) or bend <= 0:
        return values[n]
    return values[n] + (before - after) / (2 * bend) * (values[n + 1] - values[n - 1]) / 2
