"""Ball: the ball head of a hip prosthesis, by the half-maximum edges of metal.

Across the edge of metal HU fall from the metal's to those around it; the edge lies where half of the way is done, which
no blur moves on a piece as thick as a ball. Where the scale is cut off (12 bits), the flank that is left is fitted
behind a usual blur (`layers`), and what the metal reads is known only roughly: the interval says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.layers import Fit, Model, Prior, Profiles, fit_layers
from monai_ctseg.hip.rays import Region, directions
from monai_ctseg.hip.search import Candidate
from monai_ctseg.hip.sphere import Sphere, fit_sphere
from monai_ctseg.simulation.sdf import unit

METAL_HU = 2000.0
FEW, MANY = 250, 1000
"""Rays for a first look, and for the figure."""
STEP_MM = 0.4
USUAL_BLUR_MM = 0.45
"""Where the scale is cut off the blur cannot be told from the metal's HU."""
SCALE_MM = (0.05, 0.3)
CUT_OFF_BALL = Prior(11_000, 6000)
CUT_OFF_CUP = Prior(9000, 4000)
"""What metal reads that a scale of 12 bits cuts off: balls are of cobalt-chromium or steel, cups mostly of titanium."""
SOFT = Prior(0, 400)
INLIER_MM = 0.7
NOISE_SHARE = 0.03
EDGE_SD_MM = 0.2
EVEN = 1.25


@dataclass(frozen=True, eq=False)
class Surface:
    """A metal sphere. share: of all directions, those in which its edge lies within 0.7 mm of it.

    metal: what it reads, HU. blur_mm: within and across slices. misfit: of its rays, mean.
    cut_off: the scale ends below the metal. uneven: it reads otherwise 4 mm before its edge than 2 mm before: too few
    photons came through, and the edge is washed out. wall_mm: of a cup.
    """

    sphere: Sphere
    share: float
    metal: Prior
    blur_mm: tuple[float, float]
    misfit: float
    cut_off: bool
    uneven: bool = False
    wall_mm: float = 0.0

    @property
    def ball(self) -> tuple[FloatArray, float]:
        """Centre and radius."""
        return self.sphere.center_lps, self.sphere.radius_mm


def find_ball(region: Region, start: Candidate, across_mm: float) -> Surface | None:
    """The ball head that a candidate leads to; None where there is none."""
    first = _fit_ball(region, (start.center_lps, start.radius_mm), (USUAL_BLUR_MM, across_mm), rays=FEW)
    return None if first is None else _fit_ball(region, first.ball, first.blur_mm, rays=MANY)


def _fit_ball(
    region: Region, ball: tuple[FloatArray, float], blur_mm: tuple[float, float], *, rays: int
) -> Surface | None:
    ways, surface, cut_off = directions(rays), None, region.cap_hu < np.inf
    for _ in range(3):
        center, radius = ball
        at = radius + np.arange(-4.0, 3.01, STEP_MM)
        hu = region.profiles(center, ways, at)
        within = np.isfinite(hu).all(axis=1)
        metal = metal_reads(hu[within, :4], region.cap_hu, CUT_OFF_BALL)
        if within.mean() < 0.7 or metal is None:
            return None
        if cut_off:
            model = Model((metal, SOFT), Prior(radius, 1.5), cap_hu=region.cap_hu)
            blur = region.blur_mm(ways[within], *blur_mm)
            fit = fit_layers(Profiles(hu[within], at, blur, noise_hu(metal)), model)
        else:
            fit = half_maximum(hu[within], at)
        surface = surface_of(fit, ways[within], ball, Surface(_none(ball), 0, metal, blur_mm, 0, cut_off))
        if surface is None:
            return None
        uneven = not cut_off and not 1 / EVEN < np.median(hu[within, :3]) / np.median(hu[within, 5:8]) < EVEN
        surface = replace(surface, share=surface.share * float(within.mean()), uneven=uneven)
        ball = surface.ball
    return surface


def half_maximum(hu: FloatArray, at_mm: FloatArray) -> Fit:
    """Where HU [n, samples] fall half-way from what each ray reads 1.6 to 3.2 mm before to the least that it reads."""
    inside, outside = np.median(hu[:, 2:7], axis=1), hu.min(axis=1)
    below = hu < ((inside + outside) / 2)[:, None]
    first = np.clip(below.argmax(axis=1), 1, None)
    rows = np.arange(len(hu))
    here, there = hu[rows, first - 1], hu[rows, first]
    share = (here - (inside + outside) / 2) / np.where(here > there, here - there, 1)
    edge = at_mm[first - 1] + np.clip(share, 0, 1) * (at_mm[1] - at_mm[0])
    clear = (outside < 0.4 * inside) & below.any(axis=1) & (inside > METAL_HU)
    sd = np.full((len(hu), 1), EDGE_SD_MM)
    return Fit(edge[:, None], sd, np.where(clear, 1.0, np.inf))


def _none(ball: tuple[FloatArray, float]) -> Sphere:
    return Sphere(ball[0], ball[1], np.zeros(0), np.inf, np.zeros((4, 4)))


def metal_reads(hu: FloatArray, cap_hu: float, cut_off: Prior) -> Prior | None:
    """What the metal reads, from HU within it; None where there is none."""
    value = float(np.median(hu)) if hu.size else 0.0
    if value >= 0.97 * cap_hu:
        return cut_off
    return Prior(value, 0.25 * value) if value > METAL_HU else None


def noise_hu(metal: Prior) -> float:
    """What layers do not explain: cupping and streaks."""
    return NOISE_SHARE * metal.mean + 40


def surface_of(fit: Fit, ways: FloatArray, ball: tuple[FloatArray, float], surface: Surface) -> Surface | None:
    """The sphere of the outermost edges, from rays of a ball (centre, radius); None where there is none."""
    at, sd = fit.edges_mm[:, -1], fit.edges_sd_mm[:, -1]
    usable = (fit.misfit < 3) & (sd < 0.8) & (np.abs(at - ball[1]) < 2.5)
    if usable.sum() < 30:
        return None
    points = ball[0] + ways[usable] * at[usable, None]
    sphere = fit_sphere(points, sd_mm=np.hypot(sd[usable], 0.1), start=ball, scale_mm=SCALE_MM)
    if not np.isfinite(sphere.residual_mm) or np.linalg.norm(sphere.center_lps - ball[0]) > 8:
        return None
    share = float((np.abs(sphere.off_mm(points)) < INLIER_MM).sum() / len(ways))
    return replace(surface, sphere=sphere, share=share, misfit=float(np.minimum(fit.misfit, 3).mean()))


def metal_goes_on(region: Region, ball: Surface) -> npt.NDArray[np.float64]:
    """Unit vector from a ball to where its neck leaves it; zeros where no metal does."""
    ways, (center, radius) = directions(MANY), ball.ball
    hu = region.profiles(center, ways, radius + np.arange(1.0, 3.1, 0.5))
    on = np.nan_to_num(hu, nan=-1000.0).min(axis=1) > 0.4 * min(ball.metal.mean, region.cap_hu)
    total = ways[on].sum(axis=0)
    return np.asarray(unit(total) if np.linalg.norm(total) > 0 else np.zeros(3))
