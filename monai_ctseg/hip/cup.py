"""Cup: the outer surface and the rim of a metal cup around a ball head.

The wall of a cup is hardly thicker than the blur, so its HU never reach those of its metal. It is fitted as a layer
(`layers`) whose HU and blur are those that explain the rays best.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from monai_ctseg.grid import FloatArray, unit
from monai_ctseg.hip.ball import FIT as BALL_FIT
from monai_ctseg.hip.ball import METAL, MetalSphere, metal_hu, outer_sphere
from monai_ctseg.hip.layers import Model, Prior, Profiles, fit_layers
from monai_ctseg.hip.rays import Region, crossing, even_directions
from monai_ctseg.hip.rim import POLAR_DEGREES, Bowl, Rim, find_rim_from
from monai_ctseg.hip.sphere import Ball, fit_sphere


@dataclass(frozen=True)
class CupLimits:
    """Which bowls of metal are cups. "True cups": the nine of the scans named in `monai_ctseg.hip`."""

    radius_mm: tuple[float, float] = (18.0, 36.0)
    """Outer radius: cups measure some 40 to 70 mm across."""
    wall_mm: tuple[float, float] = (0.8, 9.0)
    """Thickness of the wall; in CT it looks as thick as the blur at least."""
    least_share: float = 0.15
    """Of all directions, those in which the wall shows; true cups 0.43 to 0.53."""
    most_residual_mm: float = 0.6
    """True cups 0.08 to 0.46 mm."""
    most_off_center_mm: float = 8.0
    """Between the centres of cup and ball; true cups 1.0 mm at most, more with a worn liner."""


@dataclass(frozen=True)
class CupFit:
    """Constants of the fit, chosen by hand."""

    from_ball_mm: float = 1.5
    """The wall is looked for from so far outside the ball,"""
    beyond_mm: float = 3.0
    """to so far beyond the largest cup."""
    clear_samples: int = 2
    """More samples than this lie between ball and wall: the ball's own blur is no wall."""
    half: float = 0.5
    least_level_share: float = 0.5
    """A wall is metal above half of its peak, and above half of the least HU of metal."""
    first_scale_mm: tuple[float, float] = (0.2, 1.0)
    """Of the first sphere's residuals: half-maximum edges of a thin wall lie too far outside."""
    peak_percentile: float = 80.0
    """The wall's HU: high among the peaks, as the blur lowers most of them."""
    factors: tuple[float, ...] = (1.0, 1.2, 1.5)
    blurs_mm: tuple[float, ...] = (0.35, 0.5, 0.7, 1.0)
    """Tried with each other: how far the metal's HU exceed the peaks, and the blur (standard deviation)."""
    metal_sd_share: float = 0.02
    """Standard deviation of the metal's HU as a share, so that each try keeps to its factor."""
    inside_mm: float = 2.5
    outside_mm: float = 3.01
    """Samples reach so far from the wall; 0.01 mm include the last."""
    edge_sd_mm: float = 1.5
    log_wall_sd: float = 0.5
    """Of the wall before the fit: standard deviation of where it begins, and of its thickness (a factor of 1.6)."""
    outside_hu: Prior = Prior(200, 400)
    """Bone, screws, soft tissue and streaks around the cup."""
    rounds: int = 3
    pole_degrees: float = 55.0
    """HU of the wall's middle are the median up to this far from its pole."""


LIMITS, FIT = CupLimits(), CupFit()


@dataclass(frozen=True, eq=False)
class Cup:
    """A metal cup.

    Attributes:
        surface: its outer sphere.
        rim: None where it cannot be determined.

    """

    surface: MetalSphere
    rim: Rim | None


def find_cup(region: Region, ball: MetalSphere) -> Cup | None:
    """The metal cup around a ball head.

    Args:
        region: around the ball.
        ball: the ball head.

    Returns:
        The cup; None where no metal bowl surrounds a seventh of the ball.

    """
    start = _trace_cup(region, ball)
    if start is None:
        return None
    tries = [(1.0, start.blur_mm[0])] if start.saturated else list(product(FIT.factors, FIT.blurs_mm))
    fits = [_fit_cup(region, _assume(start, factor, blur), count=BALL_FIT.first_rays) for factor, blur in tries]
    best = min((fit for fit in fits if fit), key=lambda fit: fit.misfit, default=None)
    surface = None if best is None else _fit_cup(region, best, count=BALL_FIT.final_rays)
    if surface is None or not _belongs(surface, ball):
        return None
    return Cup(surface, _find_rim(region, surface))


def _belongs(cup: MetalSphere, ball: MetalSphere) -> bool:
    """Whether a surface can be the cup of a ball: enough of it, round, and nearly concentric."""
    off_center = float(np.linalg.norm(cup.sphere.center_lps - ball.sphere.center_lps))
    round_enough = cup.sphere.residual_mm < LIMITS.most_residual_mm
    return cup.share > LIMITS.least_share and round_enough and off_center < LIMITS.most_off_center_mm


def _assume(cup: MetalSphere, factor: float, blur_mm: float) -> MetalSphere:
    """A cup whose metal has `factor` times the HU of its peaks, behind another blur."""
    metal = replace(cup.metal_hu, mean=cup.metal_hu.mean * factor)
    return replace(cup, metal_hu=metal, blur_mm=(blur_mm, cup.blur_mm[1]))


def _trace_cup(region: Region, ball: MetalSphere) -> MetalSphere | None:
    """A bowl around a ball, by half-maximum edges along rays from the ball's centre: where metal beyond it ends."""
    step_mm, (smallest, largest) = BALL_FIT.step_mm, LIMITS.radius_mm
    center, radius = ball.sphere.ball
    directions = even_directions(BALL_FIT.final_rays)
    at = np.arange(radius + FIT.from_ball_mm, largest + FIT.beyond_mm, step_mm)
    hu = np.nan_to_num(region.profiles(center, directions, at), nan=-1000.0)
    peak = hu.max(axis=1)
    level = np.maximum(FIT.half * np.minimum(peak, region.saturation_hu), METAL.least_hu * FIT.least_level_share)
    on, order = hu > level[:, None], np.arange(len(at))
    first = on.argmax(axis=1)
    last = np.where(~on & (order > first[:, None]), order, len(at) - 1).min(axis=1) - 1
    wall = (last - first + 1) * step_mm
    clear = (peak > METAL.least_hu) & (first > FIT.clear_samples) & (wall < LIMITS.wall_mm[1])
    clear &= (last > first) & (at[last] > smallest)
    if clear.mean() < LIMITS.least_share:
        return None
    share = crossing(hu[clear, last[clear]], hu[clear, last[clear] + 1], level[clear])
    outer = at[last[clear]] + step_mm * share
    points = center + directions[clear] * outer[:, None]
    sphere = fit_sphere(points, start=Ball(center, float(np.median(outer))), scale_mm=FIT.first_scale_mm)
    percentile = np.percentile(peak[clear], [FIT.peak_percentile])
    metal = metal_hu(percentile, region.saturation_hu, METAL.cup_hu)
    if metal is None or not smallest < sphere.radius_mm < largest:
        return None
    narrow = metal if ball.saturated else Prior(metal.mean, FIT.metal_sd_share * metal.mean)
    return replace(ball, sphere=sphere, metal_hu=narrow, wall_mm=float(np.median(wall[clear])))


def _fit_cup(region: Region, start: MetalSphere, *, count: int) -> MetalSphere | None:
    """The cup's outer surface, from a first one."""
    directions, surface = even_directions(count), start
    for _ in range(FIT.rounds):
        center, radius = surface.sphere.ball
        at = radius + np.arange(-surface.wall_mm - FIT.inside_mm, FIT.outside_mm, BALL_FIT.step_mm)
        hu = region.profiles(center, directions, at)
        bowl = np.isfinite(hu).all(axis=1) & (hu.max(axis=1) > METAL.present_hu(surface.metal_hu, region))
        if bowl.mean() < LIMITS.least_share:
            return None
        model = Model(
            levels_hu=(METAL.beside_hu, surface.metal_hu, FIT.outside_hu),
            edge_mm=Prior(radius - surface.wall_mm, FIT.edge_sd_mm),
            log_widths_mm=(Prior(float(np.log(surface.wall_mm)), FIT.log_wall_sd),),
            saturation_hu=region.saturation_hu,
        )
        blur = region.blur_mm(directions[bowl], *surface.blur_mm)
        fit = fit_layers(Profiles(hu[bowl], at, blur, METAL.noise_for(surface.metal_hu)), model)
        outer = outer_sphere(fit, directions[bowl], surface.sphere.ball)
        if outer is None:
            return None
        wall = float(np.clip(np.median(np.diff(fit.edges_mm, axis=1)), *LIMITS.wall_mm))
        share = outer.share * float(bowl.mean())
        surface = replace(surface, sphere=outer.sphere, share=share, misfit=outer.misfit, wall_mm=wall)
    return surface


def _find_rim(region: Region, cup: MetalSphere) -> Rim | None:
    """The rim of the middle of the wall."""
    center, middle = cup.sphere.center_lps, cup.sphere.radius_mm - cup.wall_mm / 2
    directions = even_directions(BALL_FIT.final_rays)
    half_hu = FIT.half * min(cup.metal_hu.mean, region.saturation_hu)
    wall = np.nan_to_num(region.sample(center + middle * directions)) > half_hu
    near_pole = slice(int(np.searchsorted(POLAR_DEGREES, FIT.pole_degrees)))

    def sample(along: FloatArray) -> Bowl | None:
        hu = region.sample(center + middle * along)
        if not np.isfinite(hu[:, near_pole]).any():
            return None
        level = FIT.half * min(float(np.nanmedian(hu[:, near_pole])), region.saturation_hu)
        return Bowl(center, middle, along, hu, level)

    return find_rim_from(unit(directions[wall].sum(axis=0) + 1e-9), sample)
