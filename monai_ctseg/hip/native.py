"""Native: the hips with a femoral head of bone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.ball import METAL
from monai_ctseg.hip.fitness import blur_across_mm
from monai_ctseg.hip.head import Head, find_head
from monai_ctseg.hip.head_rays import Imaging
from monai_ctseg.hip.hips import NativeHip, is_whole
from monai_ctseg.hip.imaging import refine_head
from monai_ctseg.hip.rays import Region
from monai_ctseg.hip.search import Candidate
from monai_ctseg.hip.socket import Socket, find_socket, rays_on_socket
from monai_ctseg.scan import Scan


@dataclass(frozen=True)
class SiteLimits:
    """Which candidates belong to one site, and how many are tried; chosen by hand."""

    most_sites: int = 12
    most_starts: int = 6
    """Candidates of one site."""
    most_candidates: int = 72
    """The most likely ones: as many as the sites can hold."""
    same_site_mm: float = 20.0
    """Candidates this near are one bone: less than the radius of most femoral heads."""
    from_replaced_mm: float = 60.0
    """Nearer to a ball head its cup, its stem and their streaks look like bone."""


@dataclass(frozen=True)
class HeadLimits:
    """Which sites are native hips. "True ones": all native hips of the scans named in `monai_ctseg.hip`."""

    region_mm: float = 65.0
    """Half the side of the region around a site: rays of 42 mm from a centre up to 20 mm away."""
    region_hu: tuple[float, float] = (-200.0, 2000.0)
    """Clipped to soft tissue and bone, so that gas and metal (a screw in the head) draw no edge."""
    least_first_share: float = 0.35
    """Of the first fit's directions; true ones 0.83 to 0.99. Low, as the imaging is not known yet."""
    least_first_socket_share: float = 0.15
    """Of the first fit's rays; true ones 0.30 to 0.50, other bones there 0.17 at most. It drops these early."""
    least_share: float = 0.7
    """Of the final fit's directions; true ones 0.81 to 0.99, others there 0.50 at most."""
    least_socket_share: float = 0.25
    """Of the final fit's rays; true ones 0.36 to 0.47."""
    gap_mm: tuple[float, float] = (0.3, 8.0)
    """Between the spheres of head and socket; true ones 1.9 to 4.3 mm."""
    most_off_center_mm: float = 8.0
    """Between their centres; true ones 0.5 to 3.5 mm."""


SITES, LIMITS = SiteLimits(), HeadLimits()


def find_native(scan: Scan, candidates: list[Candidate], taken_lps: Sequence[FloatArray]) -> Iterator[NativeHip]:
    """The native hips of a scan, the most likely first; each is searched for only when it is asked for.

    Args:
        scan: in HU.
        candidates: from `search.find_balls`, the most likely first.
        taken_lps: centres (3,) in mm of the hips found already.

    Yields:
        One hip per site.

    """
    for site in _sites(candidates, taken_lps):
        hip = _measure_site(scan, site)
        if hip is not None:
            yield hip


def _sites(candidates: list[Candidate], taken_lps: Sequence[FloatArray]) -> list[list[Candidate]]:
    """Candidates by site, the most likely site first, away from what is taken."""
    sites: list[list[Candidate]] = []
    for one in candidates[: SITES.most_candidates]:
        if any(np.linalg.norm(one.center_lps - center) < SITES.from_replaced_mm for center in taken_lps):
            continue
        for site in sites:
            if np.linalg.norm(site[0].center_lps - one.center_lps) < SITES.same_site_mm:
                site.append(one)
                break
        else:
            sites.append([one])
    return [site[: SITES.most_starts] for site in sites[: SITES.most_sites]]


def _measure_site(scan: Scan, site: list[Candidate]) -> NativeHip | None:
    region = Region.around(scan, site[0].center_lps, LIMITS.region_mm).clipped(*LIMITS.region_hu)
    across_mm = blur_across_mm(scan)
    first = find_head(region, site, Imaging(METAL.usual_blur_mm, across_mm))
    if first is None or first.share < LIMITS.least_first_share:
        return None
    if rays_on_socket(first).mean() < LIMITS.least_first_socket_share:
        return None
    refined = refine_head(region, first, across_mm)
    if refined is None or refined[0].share < LIMITS.least_share:
        return None
    head, _ = refined
    socket = find_socket(region, head)
    if socket is None or socket.share < LIMITS.least_socket_share or not _fits(head, socket):
        return None
    return NativeHip(head, socket, is_whole(scan, head.sphere))


def _fits(head: Head, socket: Socket) -> bool:
    """Whether a socket can be that of a head."""
    narrowest, widest = LIMITS.gap_mm
    gap = socket.sphere.radius_mm - head.sphere.radius_mm
    off_center = float(np.linalg.norm(socket.sphere.center_lps - head.sphere.center_lps))
    return narrowest < gap < widest and off_center < LIMITS.most_off_center_mm
