"""Replaced: the hips with a ball head of metal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.hip.ball import MetalSphere, find_ball, neck_direction
from monai_ctseg.hip.cup import Cup, find_cup
from monai_ctseg.hip.fitness import blur_across_mm
from monai_ctseg.hip.hips import ReplacedHip, can_be_pair, is_whole
from monai_ctseg.hip.rays import Region, even_directions
from monai_ctseg.hip.search import METAL_BALL, find_balls
from monai_ctseg.hip.stem import find_stem
from monai_ctseg.scan import Scan


@dataclass(frozen=True)
class BallLimits:
    """Which candidates are ball heads. "True ones": the nine of the scans named in `monai_ctseg.hip`."""

    most_candidates: int = 12
    """The most likely ones; chosen by hand, as there are two hips at most."""
    least_start_share: float = 0.55
    """Of a candidate's directions; true ones 0.87 to 0.98, others there 0.52 at most. Raised to refuse false balls."""
    least_share: float = 0.7
    """Of the fitted ball's directions; true ones 0.86 to 1.00. Raised to refuse false balls."""
    region_mm: float = 65.0
    """Half the side of the region around a candidate: the largest cup (36 mm), its bone (25 mm) and 4 mm to spare."""
    same_ball_mm: float = 40.0
    """Candidates this near a ball found are parts of it or of its cup (outer radius 36 mm)."""


@dataclass(frozen=True)
class BoneAround:
    """Bone lies around a ball head and its cup, as in a hip and not in a phantom; chosen by hand."""

    rays: int = 300
    from_mm: float = 5.0
    to_mm: float = 25.0
    step_mm: float = 1.0
    """Samples beyond the outer surface, clear of the metal's blur."""
    hu: tuple[float, float] = (250.0, 1900.0)
    """Bone; less is soft tissue, more is metal."""
    least_samples: int = 3
    """Of one ray, so that streaks do not count."""
    least_share: float = 1 / 7
    """Of the rays; true ones 0.43 to 0.65."""


LIMITS, BONE = BallLimits(), BoneAround()


def find_replaced(scan: Scan, saturation_hu: float) -> list[ReplacedHip]:
    """The hips of a scan with a ball head of metal.

    Args:
        scan: in HU.
        saturation_hu: its saturation level; infinite where it is not saturated.

    Returns:
        Two at most, the more likely first.

    """
    found: list[ReplacedHip] = []
    for region, ball in _find_balls(scan, saturation_hu)[:2]:
        cup, neck = find_cup(region, ball), neck_direction(region, ball)
        if not _in_bone(region, ball, cup) or (cup is None and neck is None):
            continue
        outwards = cup.rim.opening_lps if cup and cup.rim else neck
        lateral = 0.0 if outwards is None else float(outwards[0])
        found.append(ReplacedHip(ball, cup, find_stem(scan, ball.sphere), lateral, is_whole(scan, ball.sphere)))
    return found


def _find_balls(scan: Scan, saturation_hu: float) -> list[tuple[Region, MetalSphere]]:
    balls: list[tuple[Region, MetalSphere]] = []
    (smallest, largest), across_mm = METAL_BALL.radius_mm, blur_across_mm(scan)
    for candidate in find_balls(scan, METAL_BALL)[: LIMITS.most_candidates]:
        centers = [ball.sphere.center_lps for _, ball in balls]
        distances = [np.linalg.norm(candidate.center_lps - center) for center in centers]
        if candidate.share < LIMITS.least_start_share or any(mm < LIMITS.same_ball_mm for mm in distances):
            continue
        region = Region.around(scan, candidate.center_lps, LIMITS.region_mm, saturation_hu=saturation_hu)
        ball = find_ball(region, candidate, across_mm)
        if ball is None or ball.share < LIMITS.least_share or not smallest <= ball.sphere.radius_mm <= largest:
            continue
        if all(can_be_pair(ball.sphere.center_lps, center) for center in centers):
            balls.append((region, ball))
    return balls


def _in_bone(region: Region, ball: MetalSphere, cup: Cup | None) -> bool:
    center, radius = (cup.surface if cup else ball).sphere.ball
    at = radius + np.arange(BONE.from_mm, BONE.to_mm, BONE.step_mm)
    hu = np.nan_to_num(region.profiles(center, even_directions(BONE.rays), at), nan=-1000)
    bone = ((hu > BONE.hu[0]) & (hu < BONE.hu[1])).sum(axis=1) >= BONE.least_samples
    return bool(bone.mean() > BONE.least_share)
