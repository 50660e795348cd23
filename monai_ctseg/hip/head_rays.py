"""Head rays: the layers along rays from the centre of a femoral head, and its neck.

Along each ray lie trabecular bone, the head's cortical shell, the joint space, the socket's subchondral plate and
trabecular bone; `layers` finds where they begin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monai_ctseg.grid import FloatArray, unit
from monai_ctseg.hip.layers import Fit, Model, Prior, Profiles, fit_layers
from monai_ctseg.hip.rays import Region
from monai_ctseg.hip.sphere import Ball
from monai_ctseg.scan import BoolArray


@dataclass(frozen=True)
class RayLimits:
    """Which rays are usable; where no reason is given, chosen by hand on the scans named in `monai_ctseg.hip`."""

    least_inside: float = 0.5
    """With more rays that leave the scan, less than half of the head can be seen."""
    noise_hu: float = 60.0
    """Standard deviation of what the layers do not explain: CT noise and trabeculae."""
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


LIMITS, NECK, LAYERS = RayLimits(), Neck(), JointLayers()
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


def trace(region: Region, ball: Ball, directions: FloatArray, imaging: Imaging) -> Rays | None:
    """Layers along rays in directions [n, 3] around a ball; None where half of the rays leave the scan."""
    center, radius = ball
    at = radius + AT_MM
    hu = region.profiles(center, directions, at)
    inside = np.isfinite(hu).all(axis=1)
    if inside.mean() < LIMITS.least_inside:
        return None
    blur = region.blur_mm(directions[inside], imaging.in_plane_mm, imaging.across_mm)
    fit = fit_layers(Profiles(hu[inside], at, blur, LIMITS.noise_hu), LAYERS.model(radius, imaging.cortical_hu))
    usable = (fit.misfit < LIMITS.most_misfit) & (fit.edges_sd_mm[:, HEAD_SURFACE] < LIMITS.most_edge_sd_mm)
    usable &= np.abs(fit.edges_mm[:, HEAD_SURFACE] - radius) < LIMITS.most_from_sphere_mm
    return Rays(center, radius, directions[inside], at, hu[inside], fit, usable)
