"""Sphere: robust fit of a ball to points on its surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.grid import FloatArray

TUKEY = 4.685
"""Residuals beyond this many standard deviations count nothing (Beaton & Tukey 1974): 95 % efficiency."""
STEPS = 30
DRAWS = 3000


@dataclass(frozen=True, eq=False)
class Sphere:
    """A fitted sphere.

    center_lps: (3,) mm. weights: [n] from 0 to 1, how much each point counted. residual_mm: root mean square distance
    of the points that counted. covariance: 4 x 4 mm2, of the centre and the radius, points taken as independent.
    """

    center_lps: FloatArray
    radius_mm: float
    weights: FloatArray
    residual_mm: float
    covariance: FloatArray

    @property
    def points(self) -> int:
        """How many points counted."""
        return int((self.weights > 0).sum())

    def off_mm(self, points_lps: FloatArray) -> FloatArray:
        """Distance of points [n, 3] from the surface, positive outside."""
        return np.asarray(np.linalg.norm(points_lps - self.center_lps, axis=1) - self.radius_mm)


def biweight(off: FloatArray, scale: float) -> FloatArray:
    """Tukey's weights, from 1 to 0, of residuals of a scale."""
    return np.asarray(np.clip(1 - (off / (TUKEY * scale)) ** 2, 0, None) ** 2)


def algebraic_sphere(points_lps: FloatArray) -> tuple[FloatArray, float]:
    """Centre and radius by linear least squares (Kasa 1976): a start."""
    middle = points_lps.mean(axis=0)
    p = points_lps - middle
    solution = np.linalg.lstsq(np.c_[2 * p, np.ones(len(p))], (p**2).sum(axis=1), rcond=None)[0]
    radius = np.sqrt(max(0.0, solution[3] + (solution[:3] ** 2).sum()))
    return solution[:3] + middle, float(radius)


def sphere_through_most(points_lps: FloatArray, radius_mm: tuple[float, float]) -> tuple[FloatArray, float] | None:
    """Centre and radius of the sphere of an allowed radius within 1 mm of which most points [n, 3] lie; None for none.

    Random sample consensus (Fischler & Bolles 1981, doi 10.1145/358669.358692), seed 0.
    """
    random = np.random.default_rng(0)
    four = points_lps[random.integers(0, len(points_lps), (DRAWS, 4))]
    design, squares = np.concatenate([2 * four, np.ones((DRAWS, 4, 1))], axis=2), (four**2).sum(axis=2)
    sound = np.abs(np.linalg.det(design)) > 1e-3
    solution = np.linalg.solve(design[sound], squares[sound][..., None])[..., 0]
    center = solution[:, :3]
    radius = np.sqrt(np.maximum(solution[:, 3] + (center**2).sum(axis=1), 0))
    allowed = (radius > radius_mm[0]) & (radius < radius_mm[1])
    allowed &= np.linalg.norm(center - points_lps.mean(axis=0), axis=1) < 20
    center, radius = center[allowed], radius[allowed]
    if len(radius) == 0:
        return None
    squared = (center**2).sum(axis=1)[:, None] - 2 * center @ points_lps.T + (points_lps**2).sum(axis=1)
    votes = (np.abs(np.sqrt(np.maximum(squared, 0)) - radius[:, None]) < 1).sum(axis=1)
    best = int(votes.argmax())
    return center[best], float(radius[best])


def fit_sphere(
    points_lps: FloatArray,
    *,
    sd_mm: FloatArray | None = None,
    start: tuple[FloatArray, float] | None = None,
    scale_mm: tuple[float, float] = (0.1, 0.4),
) -> Sphere:
    """The sphere with the least distances from its surface, far points left out (Tukey's biweight).

    points_lps: [n, 3], n >= 4. sd_mm: [n] of each point along the radius; a point's weight. scale_mm: least and
    most of what a point may well be off, as the median distance says; at 4.7 times that it counts nothing.
    """
    sd = np.ones(len(points_lps)) if sd_mm is None else sd_mm
    center, radius = start or algebraic_sphere(points_lps)
    weights = np.ones(len(points_lps))
    for _ in range(STEPS):
        way = points_lps - center
        length = np.linalg.norm(way, axis=1)
        off = length - radius
        scale = np.clip(1.4826 * np.median(np.abs(off)), *scale_mm)
        weights = biweight(off, float(scale))
        design = np.c_[way / length[:, None], np.ones(len(off))]
        root = np.sqrt(weights) / sd
        step = np.linalg.lstsq(design * root[:, None], off * root, rcond=None)[0]
        center, radius = center + step[:3], radius + step[3]
        if np.abs(step).max() < 1e-5:
            break
    normal = (design * (weights / sd**2)[:, None]).T @ design
    kept = weights > 0
    residual = float(np.sqrt((off[kept] ** 2).mean())) if kept.any() else np.inf
    variance = float((weights * (off / sd) ** 2).sum() / max(1, kept.sum() - 4))
    return Sphere(center, float(radius), weights, residual, np.linalg.pinv(normal) * variance)
