"""Uncertainty: what widens the intervals beyond what the residuals of a fit show."""

from __future__ import annotations

from dataclasses import dataclass

from monai_ctseg.hip.hips import Hip, NativeHip, ReplacedHip
from monai_ctseg.hip.sphere import Sphere

Z_95 = 1.96
"""Standard deviations on each side of a 95 % interval."""


@dataclass(frozen=True)
class Uncertainty:
    """Standard deviations of what a fit cannot know: how spherical a bone is, the blur, the HU of metal.

    Attributes:
        diameter_mm: of a diameter.
        center_mm: of each coordinate of a centre.
        tilt_degrees: of an axis.

    """

    diameter_mm: float
    center_mm: float
    tilt_degrees: float = 0.2


BONE_HEAD, SOCKET = Uncertainty(0.25, 0.12), Uncertainty(0.35, 0.25, 0.3)
BALL, CUP = Uncertainty(0.06, 0.05), Uncertainty(0.12, 0.08, 0.15)
SATURATED, UNEVEN = Uncertainty(0.5, 0.12, 0.4), Uncertainty(0.6, 0.15, 0.4)
"""Set so that intervals hold the truth of sampled cases (`python -m benchmarks.hip`)."""


@dataclass(frozen=True)
class FitUncertainty:
    """How the standard deviations of fits are turned into those of quantities; set as those above."""

    dependence: float = 2.0
    """Factor on the standard deviations of spheres: neighbouring rays have correlated errors."""
    out_of_round: float = 0.3
    """Share of a sphere's residual in the deviation of its diameter: what is no sphere has no single diameter."""
    depth_sd_mm: float = 0.4
    """Of an acetabulum's depth, beside that of its rim's plane."""
    stem_sd_degrees: float = 0.3
    """Of a stem's axis, beside that of the line through its sections."""
    least_cosine: float = 0.2
    """Of the anteversion: near 90 degrees the inclination is undetermined, and its interval must stay finite."""


FITS = FitUncertainty()


def head_of(hip: Hip) -> tuple[Sphere, Uncertainty]:
    """The sphere of a hip's head, of bone or of metal, with its uncertainty."""
    if isinstance(hip, NativeHip):
        return hip.head.sphere, BONE_HEAD
    return hip.ball.sphere, ball_uncertainty(hip)


def ball_uncertainty(hip: ReplacedHip) -> Uncertainty:
    """Of a ball head; larger where the scan is saturated, or where too few photons came through the metal."""
    return SATURATED if hip.ball.saturated else UNEVEN if hip.ball.uneven else BALL


def cup_uncertainty(hip: ReplacedHip) -> Uncertainty:
    """Of the cup around a ball head."""
    ball = ball_uncertainty(hip)
    return CUP if ball is BALL else ball
