"""Sphere: robust fits of a sphere to points on its surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from monai_ctseg.grid import FloatArray


@dataclass(frozen=True)
class RobustFit:
    """Constants of iteratively reweighted fits, of spheres and of planes."""

    tukey_sds: float = 4.685
    """Residuals beyond this many standard deviations count nothing: 95 % efficiency (Beaton & Tukey 1974)."""
    sds_per_median: float = 1.4826
    """Of a normal distribution, the standard deviation over the median absolute deviation."""
    rounds: int = 30
    """At most; spheres mostly converge in fewer."""
    converged: float = 1e-5
    """A step below this, in mm, changes no digit that is written (a thousandth)."""


@dataclass(frozen=True)
class SphereConsensus:
    """Constants of random sample consensus."""

    samples: int = 3000
    """Spheres tried; chosen by hand. With 30 % of the points on the sphere, 24 samples of four hold only those."""
    inlier_mm: float = 1.0
    """A point this near is on the sphere; chosen by hand."""
    least_determinant_mm3: float = 1e-3
    """Four points that nearly lie in a plane or on a circle determine no sphere."""
    furthest_center_mm: float = 20.0
    """From the points' mean: the points surround the sphere's centre."""


ROBUST, CONSENSUS = RobustFit(), SphereConsensus()


class Ball(NamedTuple):
    """A sphere by its centre (3,) in LPS mm and its radius in mm."""

    center_lps: FloatArray
    radius_mm: float


@dataclass(frozen=True, eq=False)
class Sphere:
    """A fitted sphere.

    Attributes:
        center_lps: (3,) mm.
        radius_mm: its radius.
        weights: [n] from 0 to 1, how much each point counted.
        residual_mm: root mean square distance from the surface, of the points that counted.
        covariance: 4 x 4 mm2, of the centre and the radius, with points taken as independent.

    """

    center_lps: FloatArray
    radius_mm: float
    weights: FloatArray
    residual_mm: float
    covariance: FloatArray

    @property
    def ball(self) -> Ball:
        """Centre and radius."""
        return Ball(self.center_lps, self.radius_mm)

    @property
    def points(self) -> int:
        """How many points counted."""
        return int((self.weights > 0).sum())

    def distances_mm(self, points_lps: FloatArray) -> FloatArray:
        """Distance [n] of points [n, 3] from the surface, positive outside."""
        return np.asarray(np.linalg.norm(points_lps - self.center_lps, axis=1) - self.radius_mm)


def robust_weights(residuals: FloatArray, scale_limits: tuple[float, float]) -> FloatArray:
    """Tukey's biweight [n], from 1 to 0, of residuals [n].

    Args:
        residuals: of the last round.
        scale_limits: least and greatest standard deviation to assume, in the residuals' unit; between them it follows
            from the median absolute residual.

    Returns:
        [n] weights.

    """
    scale = np.clip(ROBUST.sds_per_median * np.median(np.abs(residuals)), *scale_limits)
    return np.asarray(np.clip(1 - (residuals / (ROBUST.tukey_sds * float(scale))) ** 2, 0, None) ** 2)


def algebraic_sphere(points_lps: FloatArray) -> Ball:
    """The sphere through points [n, 3] by linear least squares (Kasa 1976, doi 10.1109/TIM.1976.6312298): a start."""
    middle = points_lps.mean(axis=0)
    p = points_lps - middle
    solution = np.linalg.lstsq(np.c_[2 * p, np.ones(len(p))], (p**2).sum(axis=1), rcond=None)[0]
    radius = np.sqrt(max(0.0, solution[3] + (solution[:3] ** 2).sum()))
    return Ball(solution[:3] + middle, float(radius))


def consensus_sphere(points_lps: FloatArray, radius_mm: tuple[float, float]) -> Ball | None:
    """The sphere near which most points lie, by random sample consensus, seed 0.

    Source: Fischler & Bolles 1981, doi 10.1145/358669.358692.

    Args:
        points_lps: [n, 3] mm.
        radius_mm: least and greatest radius allowed.

    Returns:
        The sphere; None where no sample gives an allowed one.

    """
    samples = CONSENSUS.samples
    random = np.random.default_rng(0)
    four = points_lps[random.integers(0, len(points_lps), (samples, 4))]
    design, squares = np.concatenate([2 * four, np.ones((samples, 4, 1))], axis=2), (four**2).sum(axis=2)
    solvable = np.abs(np.linalg.det(design)) > CONSENSUS.least_determinant_mm3
    solution = np.linalg.solve(design[solvable], squares[solvable][..., None])[..., 0]
    center = solution[:, :3]
    radius = np.sqrt(np.maximum(solution[:, 3] + (center**2).sum(axis=1), 0))
    allowed = (radius > radius_mm[0]) & (radius < radius_mm[1])
    allowed &= np.linalg.norm(center - points_lps.mean(axis=0), axis=1) < CONSENSUS.furthest_center_mm
    center, radius = center[allowed], radius[allowed]
    if len(radius) == 0:
        return None
    squared = (center**2).sum(axis=1)[:, None] - 2 * center @ points_lps.T + (points_lps**2).sum(axis=1)
    distance = np.abs(np.sqrt(np.maximum(squared, 0)) - radius[:, None])
    best = int((distance < CONSENSUS.inlier_mm).sum(axis=1).argmax())
    return Ball(center[best], float(radius[best]))


def fit_sphere(
    points_lps: FloatArray,
    *,
    start: Ball | None = None,
    sd_mm: FloatArray | None = None,
    scale_mm: tuple[float, float] = (0.1, 0.4),
) -> Sphere:
    """The sphere with the least squared distances, with outliers weighted down by Tukey's biweight.

    Args:
        points_lps: [n, 3] mm, n >= 4.
        start: where the fit begins; None: `algebraic_sphere`.
        sd_mm: [n] standard deviation of each point along the radius; None: equal.
        scale_mm: least and greatest standard deviation of the residuals to assume.

    Returns:
        The sphere with the weight of each point.

    """
    sd = np.ones(len(points_lps)) if sd_mm is None else sd_mm
    center, radius = start or algebraic_sphere(points_lps)
    weights = np.ones(len(points_lps))
    for _ in range(ROBUST.rounds):
        offset = points_lps - center
        length = np.linalg.norm(offset, axis=1)
        residuals = length - radius
        weights = robust_weights(residuals, scale_mm)
        design = np.c_[offset / length[:, None], np.ones(len(residuals))]
        root = np.sqrt(weights) / sd
        step = np.linalg.lstsq(design * root[:, None], residuals * root, rcond=None)[0]
        center, radius = center + step[:3], radius + step[3]
        if np.abs(step).max() < ROBUST.converged:
            break
    normal = (design * (weights / sd**2)[:, None]).T @ design
    kept = weights > 0
    residual = float(np.sqrt((residuals[kept] ** 2).mean())) if kept.any() else np.inf
    variance = float((weights * (residuals / sd) ** 2).sum() / max(1, kept.sum() - 4))
    return Sphere(center, float(radius), weights, residual, np.linalg.pinv(normal) * variance)
