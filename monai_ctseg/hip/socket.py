"""Socket: the acetabulum's sphere, its opening plane and its depth, from the rays of its femoral head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.native import OWN_EDGE_MM, Head
from monai_ctseg.hip.rays import Region
from monai_ctseg.hip.rim import Bowl, Rim, find_rim, meridians
from monai_ctseg.hip.sphere import Sphere, fit_sphere
from monai_ctseg.simulation.sdf import unit

WIDEST_GAP_MM = 9.0
CONTRAST_HU = 150.0
SOFT_HU = 80.0
BEHIND_MM = np.array((0.5, 1.0, 1.5, 2.0))
"""How far behind the socket's surface its bone is looked for."""
HIDDEN_DEGREES = 50.0
"""About the neck's axis nothing is seen of the socket."""


@dataclass(frozen=True, eq=False)
class Socket:
    """A hip socket. share: of the rays of its head, those that meet it. rim: None where it cannot be told."""

    sphere: Sphere
    share: float
    rim: Rim | None


def find_socket(region: Region, head: Head) -> Socket | None:
    """The socket about a head; None where fewer than one in six rays meets it."""
    rays, met = head.rays, socket_met(head)
    if met.sum() < len(rays.ways) / 6:
        return None
    pole = unit(rays.ways[met].sum(axis=0))
    met &= rays.ways @ pole > 0
    points = rays.points(2)[met]
    radius = float(np.median(np.linalg.norm(points - head.sphere.center_lps, axis=1)))
    sd = np.hypot(rays.fit.edges_sd_mm[met, 2], OWN_EDGE_MM)
    sphere = fit_sphere(points, sd_mm=sd, start=(head.sphere.center_lps, radius))
    return Socket(sphere, float(met.mean()), _find_rim(region, sphere, pole, rays.neck_lps))


def socket_met(head: Head) -> npt.NDArray[np.bool_]:
    """[n] rays that leave a head, cross a gap and enter bone."""
    rays, head_mm = head.rays, head.sphere.radius_mm
    edges, sd = rays.fit.edges_mm, rays.fit.edges_sd_mm[:, 2]
    gap = (rays.at_mm > edges[:, 1, None] + 0.5) & (rays.at_mm < edges[:, 2, None] + 0.5)
    beyond = (rays.at_mm > edges[:, 2, None]) & (rays.at_mm < edges[:, 2, None] + 4)
    low, high = np.where(gap, rays.hu, np.inf).min(axis=1), np.where(beyond, rays.hu, -np.inf).max(axis=1)
    clear = (high - low > CONTRAST_HU) & (high > 250) & (sd < 0.6) & (edges[:, 2] - head_mm < WIDEST_GAP_MM)
    return np.asarray(
        clear & (rays.fit.misfit < 2.5) & (rays.ways @ rays.neck_lps < np.cos(np.radians(HIDDEN_DEGREES)))
    )


def _find_rim(region: Region, sphere: Sphere, pole: FloatArray, neck: FloatArray) -> Rim | None:
    """The bony rim; its poles are found in turns, since the one of the rays met is only roughly in the middle."""
    rim = None
    for _ in range(3):
        ways = meridians(pole)
        at = sphere.radius_mm + BEHIND_MM
        hu = region.sample(sphere.center_lps + ways[..., None, :] * at[:, None]).max(axis=2)
        level = (float(np.nanmedian(hu[:, :20])) + SOFT_HU) / 2
        hu = np.where(ways @ neck > np.cos(np.radians(HIDDEN_DEGREES)), np.nan, hu)
        rim = find_rim(Bowl(sphere.center_lps, float(at.mean()), ways, hu, level))
        if rim is None:
            return None
        pole = -rim.opening_lps
    return rim
