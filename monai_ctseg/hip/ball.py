"""Ball: the ball head of a hip prosthesis, by the half-maximum edges of metal.

Across the edge of metal, HU fall from the metal's to those around it. The edge lies at half-maximum, which no blur
moves on an object as thick as a ball. In a saturated scan (12 bits) only the lower part of the flank is left; it is
fitted behind a usual blur (`layers`), and the metal's HU are known only roughly, which widens the interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from monai_ctseg.grid import FloatArray, unit
from monai_ctseg.hip.layers import Fit, Model, Prior, Profiles, fit_layers
from monai_ctseg.hip.rays import Region, crossing, even_directions
from monai_ctseg.hip.search import Candidate
from monai_ctseg.hip.sphere import Ball, Sphere, fit_sphere


@dataclass(frozen=True)
class Metal:
    """What metal looks like; where no reason is given, chosen by hand."""

    least_hu: float = 2000.0
    """Denser than a hip's cortical bone (1050 to 1900 HU in `imaging`)."""
    saturated_share: float = 0.97
    """HU this near the saturation level, as a share of it, count as saturated: kernels undershoot."""
    ball_hu: Prior = Prior(11_000, 6000)
    cup_hu: Prior = Prior(9000, 4000)
    """HU of metal in a saturated scan: balls are cobalt-chromium or steel, cups mostly titanium."""
    sd_share: float = 0.25
    """Standard deviation of the HU of metal that are read, as a share of them: cupping."""
    beside_hu: Prior = Prior(0, 400)
    """HU of soft tissue, liner and streaks beside metal."""
    noise_share: float = 0.03
    noise_hu: float = 40.0
    """Standard deviation of what layers do not explain: a share of the metal's HU (cupping, streaks), and CT noise."""
    usual_blur_mm: float = 0.45
    """Standard deviation. In a saturated scan, blur and HU of the metal cannot be distinguished, so this is assumed."""
    present_share: float = 0.4
    """Of the metal's HU, where metal is present: less than half, as thin parts are blurred."""

    def noise_for(self, metal: Prior) -> float:
        """Standard deviation in HU of what layers of this metal do not explain."""
        return self.noise_share * metal.mean + self.noise_hu

    def present_hu(self, metal: Prior, region: Region) -> float:
        """HU above which this metal is present in a region."""
        return self.present_share * min(metal.mean, region.saturation_hu)


@dataclass(frozen=True)
class BallFit:
    """Constants of the fit; where no reason is given, chosen by hand."""

    first_rays: int = 250
    final_rays: int = 1000
    rounds: int = 3
    step_mm: float = 0.4
    """Between samples along a ray: finer than the finest pixels (0.5 mm)."""
    inside_mm: float = 4.0
    outside_mm: float = 3.01
    """Samples reach so far from the sphere of the round before; 0.01 mm include the last."""
    core_samples: int = 4
    """The first samples of each ray are metal, 2.8 to 4 mm inside."""
    least_inside: float = 0.7
    """Share of the rays that stay in the scan."""
    radius_sd_mm: float = 1.5
    """Standard deviation of the edge before the fit, in a saturated scan."""
    even: float = 1.25
    """Where metal 4 mm inside is more or less than 2 mm inside by this factor, photon starvation hides the edge."""
    deep_samples: tuple[int, int] = (0, 3)
    shallow_samples: tuple[int, int] = (5, 8)
    """First and end of the samples compared for that: 3.2 to 4 mm and 1.2 to 2 mm inside."""


@dataclass(frozen=True)
class HalfMaximum:
    """Constants of the half-maximum edges, chosen by hand."""

    metal_samples: tuple[int, int] = (2, 7)
    """First and end of the samples for the metal's HU: 1.6 to 3.2 mm inside, clear of the blur."""
    most_outside: float = 0.4
    """HU beside the metal, as a share of the metal's: where more is left, other metal touches (neck, cup)."""
    sd_mm: float = 0.2
    """Standard deviation of one ray's edge."""


@dataclass(frozen=True)
class EdgeLimits:
    """Which edges of metal count, and which spheres through them; chosen by hand."""

    most_misfit: float = 3.0
    """Residuals over the noise."""
    most_sd_mm: float = 0.8
    most_from_sphere_mm: float = 2.5
    """From the sphere of the round before: further out lies other metal."""
    least_points: int = 30
    sphere_sd_mm: float = 0.1
    """How far a metal surface lies from a sphere, beside the uncertainty of each ray's edge."""
    scale_mm: tuple[float, float] = (0.05, 0.3)
    """Least and greatest standard deviation of the residuals: metal is machined round."""
    longest_move_mm: float = 8.0
    """From one round to the next: a fit that moves further follows other metal."""
    inlier_mm: float = 0.7


@dataclass(frozen=True)
class NeckSearch:
    """Constants of the search for the neck of the prosthesis, chosen by hand."""

    from_mm: float = 1.0
    to_mm: float = 3.1
    step_mm: float = 0.5
    """Metal on all this way beyond the ball's surface is the neck: the blur ends before, a liner is wider."""


METAL, FIT, HALF, LIMITS, NECK = Metal(), BallFit(), HalfMaximum(), EdgeLimits(), NeckSearch()


@dataclass(frozen=True, eq=False)
class MetalSphere:
    """The sphere of a metal surface.

    Attributes:
        sphere: the fit.
        share: of all directions, those whose edge lies within 0.7 mm of the sphere.
        metal_hu: HU of the metal.
        blur_mm: standard deviation within and across slices.
        misfit: mean over the rays.
        saturated: the scan's saturation level lies below the metal.
        uneven: HU 4 mm inside the edge differ from those 2 mm inside: too few photons came through.
        wall_mm: thickness of a cup; 0 for a ball.

    """

    sphere: Sphere
    share: float
    metal_hu: Prior
    blur_mm: tuple[float, float]
    misfit: float
    saturated: bool
    uneven: bool = False
    wall_mm: float = 0.0


class OuterSphere(NamedTuple):
    """The sphere of the outermost edges, the share of the rays whose edge lies on it, and their mean misfit."""

    sphere: Sphere
    share: float
    misfit: float


def find_ball(region: Region, start: Candidate, across_mm: float) -> MetalSphere | None:
    """The ball head to which a candidate leads.

    Args:
        region: around the candidate.
        start: the candidate.
        across_mm: standard deviation of the blur across slices.

    Returns:
        The ball; None where there is none.

    """
    first = _fit_ball(region, start.ball, (METAL.usual_blur_mm, across_mm), count=FIT.first_rays)
    return None if first is None else _fit_ball(region, first.sphere.ball, first.blur_mm, count=FIT.final_rays)


def _fit_ball(region: Region, ball: Ball, blur_mm: tuple[float, float], *, count: int) -> MetalSphere | None:
    directions, surface, saturated = even_directions(count), None, region.saturation_hu < np.inf
    for _ in range(FIT.rounds):
        center, radius = ball
        at = radius + np.arange(-FIT.inside_mm, FIT.outside_mm, FIT.step_mm)
        hu = region.profiles(center, directions, at)
        inside = np.isfinite(hu).all(axis=1)
        metal = metal_hu(hu[inside, : FIT.core_samples], region.saturation_hu, METAL.ball_hu)
        if inside.mean() < FIT.least_inside or metal is None:
            return None
        if saturated:
            levels = (metal, METAL.beside_hu)
            model = Model(levels, Prior(radius, FIT.radius_sd_mm), saturation_hu=region.saturation_hu)
            blur = region.blur_mm(directions[inside], *blur_mm)
            fit = fit_layers(Profiles(hu[inside], at, blur, METAL.noise_for(metal)), model)
        else:
            fit = half_maximum(hu[inside], at)
        outer = outer_sphere(fit, directions[inside], ball)
        if outer is None:
            return None
        share = outer.share * float(inside.mean())
        uneven = not saturated and _is_uneven(hu[inside])
        surface = MetalSphere(outer.sphere, share, metal, blur_mm, outer.misfit, saturated, uneven)
        ball = outer.sphere.ball
    return surface


def _is_uneven(hu: FloatArray) -> bool:
    deep, shallow = (np.median(hu[:, slice(*samples)]) for samples in (FIT.deep_samples, FIT.shallow_samples))
    return not 1 / FIT.even < deep / shallow < FIT.even


def half_maximum(hu: FloatArray, at_mm: FloatArray) -> Fit:
    """Where HU fall half-way from those of the metal to the lowest of the ray.

    Args:
        hu: [n, samples] along n rays out of metal.
        at_mm: [samples], evenly spaced distances.

    Returns:
        One edge a ray, with infinite misfit where it is not clear.

    """
    inside, outside = np.median(hu[:, slice(*HALF.metal_samples)], axis=1), hu.min(axis=1)
    level = (inside + outside) / 2
    below = hu < level[:, None]
    first = np.clip(below.argmax(axis=1), 1, None)
    rows = np.arange(len(hu))
    edge = at_mm[first - 1] + crossing(hu[rows, first - 1], hu[rows, first], level) * (at_mm[1] - at_mm[0])
    clear = (outside < HALF.most_outside * inside) & below.any(axis=1) & (inside > METAL.least_hu)
    return Fit(edge[:, None], np.full((len(hu), 1), HALF.sd_mm), np.where(clear, 1.0, np.inf))


def metal_hu(hu: FloatArray, saturation_hu: float, if_saturated: Prior) -> Prior | None:
    """HU of the metal, from samples in it of any shape; `if_saturated` in a saturated scan, None where it is none."""
    value = float(np.median(hu)) if hu.size else 0.0
    if value >= METAL.saturated_share * saturation_hu:
        return if_saturated
    return Prior(value, METAL.sd_share * value) if value > METAL.least_hu else None


def outer_sphere(fit: Fit, directions: FloatArray, start: Ball) -> OuterSphere | None:
    """The sphere of the outermost edges along rays.

    Args:
        fit: edges along n rays from the centre of `start`.
        directions: [n, 3] of the rays.
        start: the sphere of the round before.

    Returns:
        The sphere; None where too few edges are clear or it moved too far.

    """
    at, sd = fit.edges_mm[:, -1], fit.edges_sd_mm[:, -1]
    usable = (fit.misfit < LIMITS.most_misfit) & (sd < LIMITS.most_sd_mm)
    usable &= np.abs(at - start.radius_mm) < LIMITS.most_from_sphere_mm
    if usable.sum() < LIMITS.least_points:
        return None
    points = start.center_lps + directions[usable] * at[usable, None]
    sd = np.hypot(sd[usable], LIMITS.sphere_sd_mm)
    sphere = fit_sphere(points, sd_mm=sd, start=start, scale_mm=LIMITS.scale_mm)
    moved = np.linalg.norm(sphere.center_lps - start.center_lps)
    if not np.isfinite(sphere.residual_mm) or moved > LIMITS.longest_move_mm:
        return None
    share = float((np.abs(sphere.distances_mm(points)) < LIMITS.inlier_mm).sum() / len(directions))
    return OuterSphere(sphere, share, float(np.minimum(fit.misfit, LIMITS.most_misfit).mean()))


def neck_direction(region: Region, ball: MetalSphere) -> FloatArray | None:
    """Unit vector (3,) in LPS from a ball head along the neck of the prosthesis; None where no metal leaves it."""
    directions, (center, radius) = even_directions(FIT.final_rays), ball.sphere.ball
    hu = region.profiles(center, directions, radius + np.arange(NECK.from_mm, NECK.to_mm, NECK.step_mm))
    on = np.nan_to_num(hu, nan=-1000.0).min(axis=1) > METAL.present_hu(ball.metal_hu, region)
    total = directions[on].sum(axis=0)
    return unit(total) if np.linalg.norm(total) > 0 else None
