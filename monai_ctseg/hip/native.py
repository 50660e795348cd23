"""Native: a femoral head, as a sphere at the edge of compact bone.

Along each ray from the head's centre lie spongy bone, the head's shell, the joint space, the socket's shell and spongy
bone; `layers` finds where they begin. The head's surface is where its shell ends. A sphere is fitted to it; the neck is
left out, and fovea and osteophytes, which lie off the sphere, do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.layers import Fit, Model, Prior, Profiles, fit_layers
from monai_ctseg.hip.rays import Region, directions
from monai_ctseg.hip.search import Candidate
from monai_ctseg.hip.sphere import Sphere, fit_sphere, sphere_through_most
from monai_ctseg.simulation.sdf import unit

AT_MM = np.arange(-7.0, 10.0, 0.5)
"""Samples along a ray, from the sphere expected."""
FEW, SOME, MANY = 150, 300, 1200
"""Rays for the optics, for a first look, and for the figure."""
NOISE_HU = 60.0
OWN_EDGE_MM = 0.25
"""How far a real bone's surface lies off a sphere, beside what the fit of a ray leaves open."""
INLIER_MM = 1.0
AT_REST_MM = 0.01
RADIUS_MM = (16.0, 32.0)
NECK_DEGREES = 70.0
NECK_LPS = np.array((0.65, 0.15, -0.74))
"""Roughly the way of the left femur's neck."""


@dataclass(frozen=True)
class Optics:
    """What blurs: standard deviations in mm within and across slices; HU of compact bone."""

    in_plane_mm: float
    across_mm: float
    bone_hu: float = 1300.0


@dataclass(frozen=True, eq=False)
class Rays:
    """Layers along rays from a head's centre.

    ways: [n, 3] those that lie within the scan; hu: [n, samples] at `at_mm` from the centre. usable: [n] where the
    head's edge can be told.
    """

    center_lps: FloatArray
    radius_mm: float
    ways: FloatArray
    at_mm: FloatArray
    hu: FloatArray
    fit: Fit
    usable: npt.NDArray[np.bool_]

    @cached_property
    def neck_lps(self) -> FloatArray:
        """Unit vector from the head along its neck: the middle of the rays down and sidewards that stay in bone."""
        beyond = (self.at_mm > self.radius_mm - 1) & (self.at_mm < self.radius_mm + 4)
        on = np.clip(self.hu[:, beyond].min(axis=1) - 50, 0, 200)
        guesses = [unit(NECK_LPS * (side, 1, 1)) for side in (-1, 1)]
        sums = [((self.ways @ g > 0.6) * on) @ self.ways for g in guesses]
        axis, total = max(zip(guesses, sums, strict=True), key=lambda pair: float(np.linalg.norm(pair[1])))
        for _ in range(5):
            axis = unit(total) if np.linalg.norm(total) > 1e-6 else axis
            total = ((self.ways @ axis > 0.6) * on) @ self.ways
        return axis

    def beside_neck(self) -> npt.NDArray[np.bool_]:
        """[n] rays about the neck's axis, where the surface leaves the sphere."""
        return np.asarray(self.ways @ self.neck_lps > np.cos(np.radians(NECK_DEGREES)))

    def points(self, edge: int) -> FloatArray:
        """Points [n, 3] where an edge lies: 1 the head's surface, 2 the socket's."""
        return np.asarray(self.center_lps + self.ways * self.fit.edges_mm[:, edge, None])


@dataclass(frozen=True, eq=False)
class Head:
    """A femoral head. share: of all directions but those about the neck, where the edge lies within 1 mm of it."""

    sphere: Sphere
    rays: Rays
    share: float


def layers_of_a_hip(radius_mm: float, bone_hu: float) -> Model:
    """What is known of the layers beforehand.

    Shells of 0.3 to 3 mm, a joint space of 1.5 to 10 mm (the whole of it where no socket covers the head).
    """
    return Model(
        levels_hu=(Prior(300, 150), Prior(bone_hu, 1), Prior(80, 40), Prior(0.9 * bone_hu, 1), Prior(300, 200)),
        edge_mm=Prior(radius_mm - 1, 1.5),
        log_widths_mm=(Prior(0.0, 0.6), Prior(float(np.log(4.0)), 0.5), Prior(0.0, 0.8)),
    )


def trace(region: Region, ball: tuple[FloatArray, float], ways: FloatArray, optics: Optics) -> Rays | None:
    """Layers along rays about a ball (centre, radius); None if half of them leave the scan."""
    center, radius = ball
    at = radius + AT_MM
    hu = region.profiles(center, ways, at)
    within = np.isfinite(hu).all(axis=1)
    if within.mean() < 0.5:
        return None
    blur = region.blur_mm(ways[within], optics.in_plane_mm, optics.across_mm)
    fit = fit_layers(Profiles(hu[within], at, blur, NOISE_HU), layers_of_a_hip(radius, optics.bone_hu))
    edge = fit.edges_mm[:, 1]
    usable = (fit.misfit < 2.5) & (fit.edges_sd_mm[:, 1] < 0.8) & (np.abs(edge - radius) < 3)
    return Rays(center, radius, ways[within], at, hu[within], fit, usable)


def fit_head(region: Region, ball: tuple[FloatArray, float], optics: Optics, *, rays: int, rounds: int) -> Head | None:
    """Sphere and rays in turns until it rests, from a ball (centre, radius); None where the rays lead nowhere."""
    ways, head = directions(rays), None
    for _ in range(rounds):
        traced = trace(region, ball, ways, optics)
        if traced is None:
            return None
        aside = traced.beside_neck()
        chosen = traced.usable & ~aside
        if chosen.sum() < rays // 10:
            return None
        points = traced.points(1)[chosen]
        sd = np.hypot(traced.fit.edges_sd_mm[chosen, 1], OWN_EDGE_MM)
        sphere = fit_sphere(points, sd_mm=sd, start=ball)
        if not _plausible(sphere, ball[0]):
            return None
        tested = rays - aside.sum()
        head = Head(sphere, traced, float((np.abs(sphere.off_mm(points)) < INLIER_MM).sum() / tested))
        moved = float(np.abs(sphere.center_lps - ball[0]).max())
        ball = sphere.center_lps, sphere.radius_mm
        if moved < AT_REST_MM:
            break
    return head


def _plausible(sphere: Sphere, before_lps: FloatArray) -> bool:
    moved = float(np.linalg.norm(sphere.center_lps - before_lps))
    return bool(np.isfinite(sphere.residual_mm) and RADIUS_MM[0] < sphere.radius_mm < RADIUS_MM[1] and moved < 6)


def find_head(region: Region, starts: list[Candidate], optics: Optics) -> Head | None:
    """The best of the heads that the candidates of one place lead to; None where there is none."""
    balls = [(one.center_lps, one.radius_mm) for one in starts[:2]]
    balls += [ball for one in starts[:3] if (ball := _through_edges(region, one)) is not None]
    heads = [fit_head(region, ball, optics, rays=FEW, rounds=4) for ball in balls]
    return max((head for head in heads if head), key=lambda head: head.share, default=None)


def _through_edges(region: Region, start: Candidate) -> tuple[FloatArray, float] | None:
    """The ball with most falling edges on it, of all those that rays from a candidate's centre meet."""
    ways, at = directions(SOME), np.arange(RADIUS_MM[0] - 4, RADIUS_MM[1] + 4, 0.7)
    hu = region.profiles(start.center_lps, ways, at)
    fall = (hu[:, :-2] - hu[:, 2:]) / 1.4
    middle = fall[:, 1:-1]
    edges = (middle > 60) & (middle >= fall[:, :-2]) & (middle >= fall[:, 2:])
    rows, columns = np.nonzero(edges)
    if len(rows) < SOME // 3:
        return None
    return sphere_through_most(start.center_lps + ways[rows] * at[columns + 2, None], RADIUS_MM)
