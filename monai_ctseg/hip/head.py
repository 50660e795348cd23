"""Head: a native femoral head, as a sphere at the outer edge of its cortical shell.

The head's surface is where its shell ends along rays from its centre (`head_rays`). A sphere is fitted to it. The neck
is left out; the fovea and osteophytes are outliers, so they do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.hip.head_rays import HEAD_SURFACE, NECK, Imaging, Rays, trace
from monai_ctseg.hip.rays import Region, even_directions, falling_edges
from monai_ctseg.hip.search import Candidate
from monai_ctseg.hip.sphere import Ball, Sphere, consensus_sphere, fit_sphere


@dataclass(frozen=True)
class HeadFit:
    """Constants of the fit; where no reason is given, chosen by hand on the scans named in `monai_ctseg.hip`."""

    first_rays: int = 150
    """For a first fit, and for the imaging."""
    first_rounds: int = 4
    from_centers: int = 2
    through_edges: int = 3
    """A first fit starts at so many candidates of a site, and at spheres through the edges around so many."""
    radius_mm: tuple[float, float] = (16.0, 32.0)
    """Femoral heads measure 38 to 58 mm across; a little more on both sides, so that a limit is no result."""
    longest_move_mm: float = 6.0
    """From one round to the next: a fit that moves further follows another bone."""
    converged_mm: float = 0.01
    """A tenth of the standard deviation of a centre (`uncertainty`)."""
    least_rays: float = 0.1
    """With fewer usable rays there is no head."""
    surface_sd_mm: float = 0.25
    """How far the surface of a real bone lies from a sphere, beside the uncertainty of each ray's edge."""
    inlier_mm: float = 1.0


@dataclass(frozen=True)
class EdgeSearch:
    """Constants of the sphere through the edges around a candidate, chosen by hand."""

    rays: int = 300
    step_mm: float = 0.7
    beyond_mm: float = 4.0
    """Rays reach this far beyond the radii of heads: candidates are not centred."""
    edge_hu_per_mm: float = 60.0
    """Steeper than the search's 40, as HU are not smoothed here."""
    least_edges: float = 1 / 3
    """Per ray; with fewer there is no head."""


FIT, EDGES = HeadFit(), EdgeSearch()


@dataclass(frozen=True, eq=False)
class Head:
    """A native femoral head.

    Attributes:
        sphere: at the outer edge of its cortical shell.
        rays: that it was fitted to.
        share: of all directions except those around the neck, those whose edge lies within 1 mm of the sphere.

    """

    sphere: Sphere
    rays: Rays
    share: float


def find_head(region: Region, site: list[Candidate], imaging: Imaging) -> Head | None:
    """The best of the heads to which the candidates of a site lead.

    Args:
        region: around the site.
        site: candidates near one another, the most likely first.
        imaging: how the scan shows bone, so far as is known.

    Returns:
        The head with the largest share; None where there is none.

    """
    balls = [one.ball for one in site[: FIT.from_centers]]
    balls += [ball for one in site[: FIT.through_edges] if (ball := _through_edges(region, one)) is not None]
    heads = [fit_head(region, ball, imaging, count=FIT.first_rays, rounds=FIT.first_rounds) for ball in balls]
    return max((head for head in heads if head), key=lambda head: head.share, default=None)


def fit_head(region: Region, start: Ball, imaging: Imaging, *, count: int, rounds: int) -> Head | None:
    """Fit sphere and rays in turns until the sphere stays where it is.

    Args:
        region: around the head.
        start: a first sphere.
        imaging: how the scan shows bone.
        count: of rays.
        rounds: at most.

    Returns:
        The head; None where the rays show none.

    """
    directions, ball, head = even_directions(count), start, None
    for _ in range(rounds):
        rays = trace(region, ball, directions, imaging)
        if rays is None:
            return None
        neck = rays.around_neck(NECK.excluded_degrees)
        chosen = rays.usable & ~neck
        if chosen.sum() < count * FIT.least_rays:
            return None
        points = rays.points(HEAD_SURFACE)[chosen]
        sd = np.hypot(rays.fit.edges_sd_mm[chosen, HEAD_SURFACE], FIT.surface_sd_mm)
        sphere = fit_sphere(points, sd_mm=sd, start=ball)
        if not _plausible(sphere, ball):
            return None
        inliers = np.abs(sphere.distances_mm(points)) < FIT.inlier_mm
        head = Head(sphere, rays, float(inliers.sum() / (count - neck.sum())))
        moved = float(np.abs(sphere.center_lps - ball.center_lps).max())
        ball = sphere.ball
        if moved < FIT.converged_mm:
            break
    return head


def _plausible(sphere: Sphere, before: Ball) -> bool:
    low, high = FIT.radius_mm
    moved = float(np.linalg.norm(sphere.center_lps - before.center_lps))
    return bool(np.isfinite(sphere.residual_mm) and low < sphere.radius_mm < high and moved < FIT.longest_move_mm)


def _through_edges(region: Region, start: Candidate) -> Ball | None:
    """The ball with most falling edges on it, of all edges along rays from a candidate's centre."""
    low, high = FIT.radius_mm
    directions = even_directions(EDGES.rays)
    at = np.arange(low - EDGES.beyond_mm, high + EDGES.beyond_mm, EDGES.step_mm)
    hu = region.profiles(start.center_lps, directions, at)
    edges = falling_edges(hu, EDGES.step_mm, EDGES.edge_hu_per_mm)[:, 1:-1]
    rows, columns = np.nonzero(edges)
    if len(rows) < EDGES.rays * EDGES.least_edges:
        return None
    return consensus_sphere(start.center_lps + directions[rows] * at[columns + 2, None], FIT.radius_mm)
