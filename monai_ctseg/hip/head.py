"""Head: a native femoral head, as a sphere at the outer edge of its cortical shell.

Along each ray from the head's centre lie trabecular bone, the head's cortical shell, the joint space, the socket's
subchondral plate and trabecular bone; `layers` finds where they begin. The head's surface is where its shell ends. A
sphere is fitted to it. The neck is left out; the fovea and osteophytes are outliers, so they do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monai_ctseg.grid import FloatArray, unit
from monai_ctseg.hip.layers import Fit, Model, Prior, Profiles, fit_layers
from monai_ctseg.hip.rays import Region, even_directions, falling_edges
from monai_ctseg.hip.search import Candidate
from monai_ctseg.hip.sphere import Ball, Sphere, consensus_sphere, fit_sphere
from monai_ctseg.scan import BoolArray


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
    """A tenth of what a centre may deviate by (`measure`)."""
    least_rays: float = 0.1
    """With fewer usable rays there is no head."""
    least_inside: float = 0.5
    """With more rays that leave the scan, less than half of the head can be seen."""
    noise_hu: float = 60.0
    """Standard deviation of what the layers do not explain: CT noise and trabeculae."""
    surface_sd_mm: float = 0.25
    """How far the surface of a real bone lies from a sphere, beside the uncertainty of each ray's edge."""
    inlier_mm: float = 1.0
    most_misfit: float = 2.5
    """An edge is usable where the residuals stay below this many times the noise,"""
    most_edge_sd_mm: float = 0.8
    """where its standard deviation stays below this,"""
    most_from_sphere_mm: float = 3.0
    """and where it lies this near the sphere of the round before."""


@dataclass(frozen=True)
class Neck:
    """Constants of the search for the neck's axis, chosen by hand."""

    left_lps: tuple[float, float, float] = (0.65, 0.15, -0.74)
    """Roughly the direction of the left neck from the head: lateral, down, a little backwards."""
    around_mm: tuple[float, float] = (-1.0, 4.0)
    """From the head's surface: bone on all this way is the neck; elsewhere the joint space lies there."""
    soft_hu: float = 50.0
    full_hu: float = 200.0
    """A ray's weight: its least HU on this way above soft tissue, at most so much."""
    least_cosine: float = 0.6
    """Rays within 53 degrees of the axis may belong to the neck."""
    rounds: int = 5
    least_weight: float = 1e-6
    """With less there is no bone, and the axis stays as it is."""
    excluded_degrees: float = 70.0
    """Within so much of the neck's axis the surface leaves the sphere."""


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


@dataclass(frozen=True)
class JointLayers:
    """What is known of the layers of a native hip before the fit: normal distributions."""

    trabecular_head_hu: Prior = Prior(300, 150)
    joint_space_hu: Prior = Prior(80, 40)
    """Cartilage and fluid."""
    plate_of_cortical: float = 0.9
    """The socket's plate, as a share of the HU of cortical bone."""
    cortical_sd_hu: float = 1.0
    """HU of cortical bone is a given here: `imaging` estimates it for a scan."""
    trabecular_pelvis_hu: Prior = Prior(300, 200)
    shell_begins_mm: Prior = Prior(-1.0, 1.5)
    """From the sphere of the round before."""
    log_shell_mm: Prior = Prior(0.0, 0.6)
    """A cortical shell of 1 mm, 0.3 to 3 mm."""
    log_joint_space_mm: Prior = Prior(float(np.log(4.0)), 0.5)
    """A joint space of 4 mm, 1.5 to 10 mm: soft tissue where no socket covers the head."""
    log_plate_mm: Prior = Prior(0.0, 0.8)
    """A plate of 1 mm, 0.2 to 5 mm."""

    def model(self, radius_mm: float, cortical_hu: float) -> Model:
        """The layers around a head of a radius, in a scan that shows cortical bone at `cortical_hu`."""
        return Model(
            levels_hu=(
                self.trabecular_head_hu,
                Prior(cortical_hu, self.cortical_sd_hu),
                self.joint_space_hu,
                Prior(self.plate_of_cortical * cortical_hu, self.cortical_sd_hu),
                self.trabecular_pelvis_hu,
            ),
            edge_mm=Prior(radius_mm + self.shell_begins_mm.mean, self.shell_begins_mm.sd),
            log_widths_mm=(self.log_shell_mm, self.log_joint_space_mm, self.log_plate_mm),
        )


FIT, NECK, EDGES, LAYERS = HeadFit(), Neck(), EdgeSearch(), JointLayers()
AT_MM = np.arange(-7.0, 10.0, 0.5)
"""Samples along a ray, from the sphere of the round before: across shell, joint space and plate, as fine as pixels."""
HEAD_SURFACE, SOCKET_SURFACE = 1, 2
"""Numbers of edges along a ray: where the head's shell ends, and where the socket's plate begins."""


@dataclass(frozen=True)
class Imaging:
    """How a scan shows bone.

    Attributes:
        in_plane_mm: standard deviation of the blur within slices.
        across_mm: standard deviation of the blur across slices.
        cortical_hu: HU of cortical bone.

    """

    in_plane_mm: float
    across_mm: float
    cortical_hu: float = 1300.0


@dataclass(frozen=True, eq=False)
class Rays:
    """Layers along rays from a head's centre.

    Attributes:
        center_lps: (3,) mm, where the rays start.
        radius_mm: of the sphere of the round before.
        directions: [n, 3] unit vectors of the rays that lie within the scan.
        at_mm: [samples], distances from the centre.
        hu: [n, samples].
        fit: the layers of each ray.
        usable: [n], where the head's edge is clear.

    """

    center_lps: FloatArray
    radius_mm: float
    directions: FloatArray
    at_mm: FloatArray
    hu: FloatArray
    fit: Fit
    usable: BoolArray

    @cached_property
    def neck_lps(self) -> FloatArray:
        """Unit vector from the head along its neck: the mean of the rays, down and lateral, that stay in bone."""
        near, far = NECK.around_mm
        beyond = (self.at_mm > self.radius_mm + near) & (self.at_mm < self.radius_mm + far)
        bone = np.clip(self.hu[:, beyond].min(axis=1) - NECK.soft_hu, 0, NECK.full_hu)
        axes = [unit(np.array(NECK.left_lps) * (side, 1, 1)) for side in (-1, 1)]
        sums = [self._sum_around(axis, bone) for axis in axes]
        axis, total = max(zip(axes, sums, strict=True), key=lambda pair: float(np.linalg.norm(pair[1])))
        for _ in range(NECK.rounds):
            axis = unit(total) if np.linalg.norm(total) > NECK.least_weight else axis
            total = self._sum_around(axis, bone)
        return axis

    def _sum_around(self, axis_lps: FloatArray, weights: FloatArray) -> FloatArray:
        return np.asarray(((self.directions @ axis_lps > NECK.least_cosine) * weights) @ self.directions)

    def around_neck(self, degrees: float) -> BoolArray:
        """[n] rays within an angle of the neck's axis."""
        return np.asarray(self.directions @ self.neck_lps > np.cos(np.radians(degrees)))

    def points(self, edge: int) -> FloatArray:
        """Points [n, 3] in LPS where an edge lies: HEAD_SURFACE or SOCKET_SURFACE."""
        return np.asarray(self.center_lps + self.directions * self.fit.edges_mm[:, edge, None])


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


def trace(region: Region, ball: Ball, directions: FloatArray, imaging: Imaging) -> Rays | None:
    """Layers along rays in directions [n, 3] around a ball; None where half of the rays leave the scan."""
    center, radius = ball
    at = radius + AT_MM
    hu = region.profiles(center, directions, at)
    inside = np.isfinite(hu).all(axis=1)
    if inside.mean() < FIT.least_inside:
        return None
    blur = region.blur_mm(directions[inside], imaging.in_plane_mm, imaging.across_mm)
    fit = fit_layers(Profiles(hu[inside], at, blur, FIT.noise_hu), LAYERS.model(radius, imaging.cortical_hu))
    usable = (fit.misfit < FIT.most_misfit) & (fit.edges_sd_mm[:, HEAD_SURFACE] < FIT.most_edge_sd_mm)
    usable &= np.abs(fit.edges_mm[:, HEAD_SURFACE] - radius) < FIT.most_from_sphere_mm
    return Rays(center, radius, directions[inside], at, hu[inside], fit, usable)


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
