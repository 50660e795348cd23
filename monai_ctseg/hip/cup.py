"""Cup: the outer surface and the rim of a metal cup around a ball head.

A cup's wall is hardly thicker than the blur and never reads what its metal would, so it is fitted as a layer
(`layers`), its HU and the blur found by how well they explain the rays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from monai_ctseg.hip.ball import (
    CUT_OFF_CUP,
    FEW,
    MANY,
    METAL_HU,
    SOFT,
    STEP_MM,
    Surface,
    metal_reads,
    noise_hu,
    surface_of,
)
from monai_ctseg.hip.layers import Model, Prior, Profiles, fit_layers
from monai_ctseg.hip.rays import Region, directions
from monai_ctseg.hip.rim import Bowl, Rim, find_rim, meridians
from monai_ctseg.hip.sphere import fit_sphere
from monai_ctseg.simulation.sdf import unit

CUP_MM = (18.0, 36.0)
"""Outer radii of cups."""
WALL_MM = (0.8, 9.0)
LEAST_SHARE, ROUND_MM, OFF_CENTER_MM = 0.15, 0.6, 8.0
BLURS_MM = (0.35, 0.5, 0.7, 1.0)


@dataclass(frozen=True, eq=False)
class Cup:
    """A metal cup: its outer surface, and its rim where that can be told."""

    surface: Surface
    rim: Rim | None


def find_cup(region: Region, ball: Surface) -> Cup | None:
    """The metal cup about a ball head; None where no metal bowl surrounds a seventh of it."""
    start = _trace_cup(region, ball)
    if start is None:
        return None
    ways_to_see = [(1.0, start.blur_mm[0])] if start.cut_off else list(product((1.0, 1.2, 1.5), BLURS_MM))
    tries = [_fit_cup(region, _seen(start, factor, blur), rays=FEW) for factor, blur in ways_to_see]
    best = min((t for t in tries if t), key=lambda t: t.misfit, default=None)
    surface = None if best is None else _fit_cup(region, best, rays=MANY)
    if surface is None or not _holds(surface, ball):
        return None
    return Cup(surface, _find_rim(region, surface))


def _holds(cup: Surface, ball: Surface) -> bool:
    """Whether a surface can be that of the cup about a ball: enough of it, round, and not far off the ball's centre."""
    off = float(np.linalg.norm(cup.sphere.center_lps - ball.sphere.center_lps))
    return cup.share > LEAST_SHARE and cup.sphere.residual_mm < ROUND_MM and off < OFF_CENTER_MM


def _seen(cup: Surface, factor: float, blur_mm: float) -> Surface:
    """A cup whose metal reads `factor` times its peaks behind another blur: thin walls never reach what they are."""
    metal = replace(cup.metal, mean=cup.metal.mean * factor)
    return replace(cup, metal=metal, blur_mm=(blur_mm, cup.blur_mm[1]))


def _trace_cup(region: Region, ball: Surface) -> Surface | None:
    """A bowl about a ball, by half-maximum edges along rays from the ball's centre: where metal beyond it ends."""
    center, radius = ball.ball
    ways, at = directions(MANY), np.arange(radius + 1.5, CUP_MM[1] + 3, STEP_MM)
    hu = np.nan_to_num(region.profiles(center, ways, at), nan=-1000.0)
    peak = hu.max(axis=1)
    level = np.maximum(0.5 * np.minimum(peak, region.cap_hu), METAL_HU / 2)
    on, order = hu > level[:, None], np.arange(len(at))
    first = on.argmax(axis=1)
    last = np.where(~on & (order > first[:, None]), order, len(at) - 1).min(axis=1) - 1
    wall = (last - first + 1) * STEP_MM
    clear = (peak > METAL_HU) & (first > 2) & (wall < WALL_MM[1]) & (last > first) & (at[last] > CUP_MM[0])
    if clear.mean() < 0.15:
        return None
    here, there = hu[clear, last[clear]], hu[clear, last[clear] + 1]
    outer = at[last[clear]] + STEP_MM * np.clip((here - level[clear]) / np.maximum(here - there, 1), 0, 1)
    points = center + ways[clear] * outer[:, None]
    sphere = fit_sphere(points, start=(center, float(np.median(outer))), scale_mm=(0.2, 1.0))
    metal = metal_reads(np.percentile(peak[clear], [80.0]), region.cap_hu, CUT_OFF_CUP)
    if metal is None or not CUP_MM[0] < sphere.radius_mm < CUP_MM[1]:
        return None
    narrow = metal if ball.cut_off else Prior(metal.mean, 0.02 * metal.mean)
    return replace(ball, sphere=sphere, metal=narrow, wall_mm=float(np.median(wall[clear])))


def _fit_cup(region: Region, start: Surface, *, rays: int) -> Surface | None:
    """The cup's outer surface, from a first one."""
    ways, surface = directions(rays), start
    for _ in range(3):
        center, radius = surface.ball
        at = radius + np.arange(-surface.wall_mm - 2.5, 3.01, STEP_MM)
        hu = region.profiles(center, ways, at)
        bowl = np.isfinite(hu).all(axis=1) & (hu.max(axis=1) > 0.4 * min(surface.metal.mean, region.cap_hu))
        if bowl.mean() < 0.15:
            return None
        model = Model(
            levels_hu=(SOFT, surface.metal, Prior(200, 400)),
            edge_mm=Prior(radius - surface.wall_mm, 1.5),
            log_widths_mm=(Prior(float(np.log(surface.wall_mm)), 0.5),),
            cap_hu=region.cap_hu,
        )
        blur = region.blur_mm(ways[bowl], *surface.blur_mm)
        fit = fit_layers(Profiles(hu[bowl], at, blur, noise_hu(surface.metal)), model)
        found = surface_of(fit, ways[bowl], surface.ball, surface)
        if found is None:
            return None
        wall = float(np.clip(np.median(np.diff(fit.edges_mm, axis=1)), *WALL_MM))
        surface = replace(found, share=found.share * float(bowl.mean()), wall_mm=wall)
    return surface


def _find_rim(region: Region, cup: Surface) -> Rim | None:
    """The rim of the wall's middle; pole and rim in turns."""
    center, middle = cup.sphere.center_lps, cup.sphere.radius_mm - cup.wall_mm / 2
    ways = directions(MANY)
    wall = np.nan_to_num(region.sample(center + middle * ways)) > 0.5 * min(cup.metal.mean, region.cap_hu)
    pole, rim = unit(ways[wall].sum(axis=0) + 1e-9), None
    for _ in range(3):
        along = meridians(pole)
        hu = region.sample(center + middle * along)
        if not np.isfinite(hu[:, :25]).any():
            return None
        level = 0.5 * min(float(np.nanmedian(hu[:, :25])), region.cap_hu)
        rim = find_rim(Bowl(center, middle, along, hu, level))
        if rim is None:
            return None
        pole = -rim.opening_lps
    return rim
