"""Socket: the acetabulum's sphere, its opening plane and its depth, from the rays of its femoral head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.grid import FloatArray, unit
from monai_ctseg.hip.head import FIT, Head
from monai_ctseg.hip.head_rays import HEAD_SURFACE, SOCKET_SURFACE
from monai_ctseg.hip.rays import Region
from monai_ctseg.hip.rim import POLAR_DEGREES, Bowl, Rim, find_rim_from
from monai_ctseg.hip.sphere import Ball, Sphere, fit_sphere
from monai_ctseg.scan import BoolArray


@dataclass(frozen=True)
class SocketSearch:
    """Constants of the search; where no reason is given, chosen by hand on the scans named in `monai_ctseg.hip`."""

    least_share: float = 1 / 6
    """With fewer of the head's rays on it there is no socket."""
    widest_gap_mm: float = 9.0
    """Between head and socket along a ray: a joint space of 2 to 5 mm, and more in the fossa."""
    least_contrast_hu: float = 150.0
    """Between the joint space and the bone behind it."""
    least_bone_hu: float = 250.0
    """The bone behind the joint space is at least so dense."""
    edge_margin_mm: float = 0.5
    """The joint space is sampled from so far behind each edge: one sample."""
    behind_mm: float = 4.0
    """The bone is looked for so far behind the socket's surface."""
    most_edge_sd_mm: float = 0.6
    most_misfit: float = 2.5
    """As for the head's edge: the residuals over the noise."""
    neck_degrees: float = 50.0
    """Within so much of the neck's axis the socket cannot be seen."""
    rim_behind_mm: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0)
    """For the rim, the densest of so far behind the surface is taken: the plate is thin and no exact sphere."""
    soft_hu: float = 80.0
    """HU of the soft tissue beside the rim; half-way to the bone's lies the level."""
    pole_degrees: float = 50.0
    """The socket's own HU are the median up to this far from its pole."""


SEARCH = SocketSearch()


@dataclass(frozen=True, eq=False)
class Socket:
    """A native hip socket.

    Attributes:
        sphere: of its subchondral bone.
        share: of the rays of its head, those that meet it.
        rim: its bony rim; None where it cannot be determined.

    """

    sphere: Sphere
    share: float
    rim: Rim | None


def find_socket(region: Region, head: Head) -> Socket | None:
    """The socket around a head.

    Args:
        region: around the head.
        head: with its rays.

    Returns:
        The socket; None where fewer than one in six rays meets it.

    """
    rays, met = head.rays, rays_on_socket(head)
    if met.sum() < len(met) * SEARCH.least_share:
        return None
    pole = unit(rays.directions[met].sum(axis=0))
    met &= rays.directions @ pole > 0
    points = rays.points(SOCKET_SURFACE)[met]
    center = head.sphere.center_lps
    start = Ball(center, float(np.median(np.linalg.norm(points - center, axis=1))))
    sd = np.hypot(rays.fit.edges_sd_mm[met, SOCKET_SURFACE], FIT.surface_sd_mm)
    sphere = fit_sphere(points, sd_mm=sd, start=start)
    return Socket(sphere, float(met.mean()), _find_rim(region, sphere, pole, rays.neck_lps))


def rays_on_socket(head: Head) -> BoolArray:
    """[n] of the head's rays, those that leave the head, cross a gap and enter bone."""
    rays, margin = head.rays, SEARCH.edge_margin_mm
    leaves, enters = rays.fit.edges_mm[:, HEAD_SURFACE, None], rays.fit.edges_mm[:, SOCKET_SURFACE, None]
    gap = (rays.at_mm > leaves + margin) & (rays.at_mm < enters + margin)
    behind = (rays.at_mm > enters) & (rays.at_mm < enters + SEARCH.behind_mm)
    low, high = np.where(gap, rays.hu, np.inf).min(axis=1), np.where(behind, rays.hu, -np.inf).max(axis=1)
    clear = (high - low > SEARCH.least_contrast_hu) & (high > SEARCH.least_bone_hu)
    clear &= rays.fit.edges_sd_mm[:, SOCKET_SURFACE] < SEARCH.most_edge_sd_mm
    clear &= enters[:, 0] - head.sphere.radius_mm < SEARCH.widest_gap_mm
    hidden = rays.directions @ rays.neck_lps >= np.cos(np.radians(SEARCH.neck_degrees))
    return np.asarray(clear & (rays.fit.misfit < SEARCH.most_misfit) & ~hidden)


def _find_rim(region: Region, sphere: Sphere, pole: FloatArray, neck: FloatArray) -> Rim | None:
    at = sphere.radius_mm + np.array(SEARCH.rim_behind_mm)
    near_pole = slice(int(np.searchsorted(POLAR_DEGREES, SEARCH.pole_degrees)))

    def sample(directions: FloatArray) -> Bowl:
        hu = region.sample(sphere.center_lps + directions[..., None, :] * at[:, None]).max(axis=2)
        level = (float(np.nanmedian(hu[:, near_pole])) + SEARCH.soft_hu) / 2
        hu = np.where(directions @ neck > np.cos(np.radians(SEARCH.neck_degrees)), np.nan, hu)
        return Bowl(sphere.center_lps, float(at.mean()), directions, hu, level)

    return find_rim_from(pole, sample)
