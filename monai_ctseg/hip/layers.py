"""Layers: HU along rays as flat layers behind a blur, fitted to all rays at once.

A ray crosses tissues one after another: trabecular bone, the cortical shell of a femoral head, the joint space, the
subchondral plate of the socket, trabecular bone again. Half-maximum marks an edge only between two layers that are
thicker than the blur; a cortical shell is thinner, and its half-maximum edge lies too far outside. So the layers are
blurred by a Gaussian of known width and fitted to the profile, with the HU of cortical bone known beforehand, as Treece
et al. (2010, doi 10.1016/j.media.2010.01.003) measure the cortex.

Method: maximum a posteriori by Levenberg-Marquardt, batched over the rays. Widths are logarithmic, so never negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from monai_ctseg.grid import FloatArray


@dataclass(frozen=True)
class LevenbergMarquardt:
    """Constants of the fit, chosen by hand."""

    rounds: int = 14
    """Lowered from 25 to make the fits quicker."""
    damping: float = 1e-2
    """At the start, as a share of the normal matrix's diagonal."""
    better: float = 1 / 4
    worse: float = 6.0
    """Factors of the damping after a step that lowers the cost, and after one that does not."""
    damping_limits: tuple[float, float] = (1e-6, 1e6)
    longest_step_sds: float = 1.5
    """In standard deviations of the prior: steps stay where the linearisation holds."""
    smallest_sd: float = 1e-3
    """A prior of less would make the normal matrix singular in float64."""


SOLVER = LevenbergMarquardt()


@dataclass(frozen=True)
class Prior:
    """What is known of a parameter before the fit: a normal distribution."""

    mean: float
    sd: float


@dataclass(frozen=True, eq=False)
class Model:
    """Layers along a ray, from its start outwards.

    Attributes:
        levels_hu: HU of each layer.
        edge_mm: where the second layer begins.
        log_widths_mm: natural logarithms of the widths in mm, of all layers but the first and the last.
        saturation_hu: the level to which HU are clipped; infinite for none.

    """

    levels_hu: Sequence[Prior]
    edge_mm: Prior
    log_widths_mm: Sequence[Prior] = ()
    saturation_hu: float = np.inf

    @property
    def priors(self) -> list[Prior]:
        """Of the fit's parameters: the first edge, logarithms of the widths, levels."""
        return [self.edge_mm, *self.log_widths_mm, *self.levels_hu]


@dataclass(frozen=True, eq=False)
class Profiles:
    """HU along n rays.

    Attributes:
        hu: [n, samples].
        at_mm: [samples] or [n, samples], distances from the start of the rays.
        blur_mm: [n], standard deviation of the blur along each ray.
        noise_hu: standard deviation of what the layers do not explain, with neighbouring samples taken as independent.

    """

    hu: FloatArray
    at_mm: FloatArray
    blur_mm: FloatArray
    noise_hu: float


@dataclass(frozen=True, eq=False)
class Fit:
    """Layers fitted to n rays.

    Attributes:
        edges_mm: [n, edges], distance from the start of the rays.
        edges_sd_mm: [n, edges], standard deviation of it.
        misfit: [n], root mean square of the residuals over the noise; about 1 where the model holds.

    """

    edges_mm: FloatArray
    edges_sd_mm: FloatArray
    misfit: FloatArray


def fit_layers(profiles: Profiles, model: Model) -> Fit:
    """Fit the layers to each of the rays.

    Args:
        profiles: HU along n rays.
        model: the layers, with what is known beforehand.

    Returns:
        Edges of each ray with their standard deviations.

    """
    task = _Task(profiles, model)
    theta = np.tile(task.means, (len(profiles.hu), 1))
    damping, state = np.full(len(theta), SOLVER.damping), task.residuals(theta)
    cost = task.cost(theta, state)
    for _ in range(SOLVER.rounds):
        normal, slope = task.normal(theta, state)
        scaled = normal + damping[:, None, None] * normal * np.eye(normal.shape[-1])
        step = np.linalg.solve(scaled, slope[..., None])[..., 0]
        longest = SOLVER.longest_step_sds * task.sds
        trial = theta - np.clip(step, -longest, longest)
        new = task.residuals(trial)
        new_cost = task.cost(trial, new)
        better = new_cost < cost
        for old, tried in zip((theta, cost, *state), (trial, new_cost, *new), strict=True):
            old[better] = tried[better]
        damping = np.where(better, damping * SOLVER.better, damping * SOLVER.worse).clip(*SOLVER.damping_limits)
    return task.result(theta, state)


class _State(NamedTuple):
    """What the parameters predict.

    residual: over the noise, [n, samples]. z: distances from the edges over the blur, [n, edges, samples]. share: of
    the layer behind each edge, [n, edges, samples].
    """

    residual: FloatArray
    z: FloatArray
    share: FloatArray


class _Task:
    """Rays, model and the arithmetic of the fit; theta is [n, parameters]."""

    def __init__(self, profiles: Profiles, model: Model) -> None:
        self.data, self.saturation_hu, self.widths = profiles, model.saturation_hu, len(model.log_widths_mm)
        self.at = np.broadcast_to(profiles.at_mm, profiles.hu.shape)[:, None, :]
        self.blur = profiles.blur_mm[:, None, None]
        self.means = np.array([prior.mean for prior in model.priors])
        self.sds = np.maximum([prior.sd for prior in model.priors], SOLVER.smallest_sd)

    def edges(self, theta: FloatArray) -> FloatArray:
        """[n, edges] mm."""
        beyond = np.cumsum(np.exp(theta[:, 1 : self.widths + 1]), axis=1)
        return np.asarray(theta[:, :1] + np.concatenate([np.zeros((len(theta), 1)), beyond], axis=1))

    def residuals(self, theta: FloatArray) -> _State:
        """Of the rays at these parameters; 0 where both the data and the prediction are saturated."""
        levels = theta[:, self.widths + 1 :]
        z = (self.at - self.edges(theta)[..., None]) / self.blur
        share = ndtr(z)
        predicted = levels[:, :1] + np.einsum("nes,ne->ns", share, np.diff(levels, axis=1))
        hu, saturation = self.data.hu, self.saturation_hu
        clipped = np.minimum(predicted, saturation) - hu
        residual = np.where(hu >= saturation, np.minimum(predicted - hu, 0), clipped)
        return _State(residual / self.data.noise_hu, z, share)

    def cost(self, theta: FloatArray, state: _State) -> FloatArray:
        """[n], twice the negative logarithm of the posterior."""
        prior = (theta - self.means) / self.sds
        return np.asarray((state.residual**2).sum(axis=1) + (prior**2).sum(axis=1))

    def normal(self, theta: FloatArray, state: _State) -> tuple[FloatArray, FloatArray]:
        """Normal matrix [n, p, p] and gradient [n, p] of half the cost."""
        residual, z, share = state
        jump = np.diff(theta[:, self.widths + 1 :], axis=1)[..., None]
        by_edge = -jump * np.exp(-0.5 * z * z) / (np.sqrt(2 * np.pi) * self.blur)
        moved = np.cumsum(by_edge[:, ::-1], axis=1)[:, ::-1]
        by_width = moved[:, 1:] * np.exp(theta[:, 1 : self.widths + 1, None])
        before = np.concatenate([np.ones_like(share[:, :1]), share], axis=1)
        by_level = before - np.concatenate([share, np.zeros_like(share[:, :1])], axis=1)
        jacobian = np.concatenate([moved[:, :1], by_width, by_level], axis=1) / self.data.noise_hu
        jacobian *= (residual != 0)[:, None, :]
        normal = jacobian @ jacobian.transpose(0, 2, 1) + np.diag(self.sds**-2.0)
        slope = (jacobian @ residual[..., None])[..., 0] + (theta - self.means) / self.sds**2
        return normal, slope

    def result(self, theta: FloatArray, state: _State) -> Fit:
        """The fit with the standard deviations of the edges, from the curvature at its end."""
        edges, count = self.edges(theta), self.widths + 1
        normal, _ = self.normal(theta, state)
        weights = np.zeros((len(theta), count, theta.shape[1]))
        weights[:, :, 0] = 1
        for n in range(1, count):
            weights[:, n:, n] = np.exp(theta[:, n, None])
        variance = np.einsum("nep,npq,neq->ne", weights, np.linalg.inv(normal), weights)
        return Fit(edges, np.sqrt(np.maximum(variance, 0)), np.sqrt((state.residual**2).mean(axis=1)))
