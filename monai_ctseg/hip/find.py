"""Find: the hips of a scan, native or replaced, left and right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.ball import USUAL_BLUR_MM, Surface, find_ball, metal_goes_on
from monai_ctseg.hip.cup import Cup, find_cup
from monai_ctseg.hip.native import Head, Optics, find_head
from monai_ctseg.hip.optics import refine_head
from monai_ctseg.hip.rays import Region, directions, slice_normal
from monai_ctseg.hip.search import Candidate, find_balls
from monai_ctseg.hip.socket import Socket, find_socket, socket_met
from monai_ctseg.hip.sphere import Sphere
from monai_ctseg.hip.stem import Stem, find_stem
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Scan, header_text
from monai_ctseg.segmentation.intensity import judge_intensity

REACH_MM = 65.0
SOFT_AND_BONE_HU = (-200.0, 2000.0)
METAL_WINDOW_HU, METAL_RADIUS_MM = (1000.0, 2900.0), (10.0, 31.0)
METAL_EDGE_HU_PER_MM, METAL_PLACES = 150.0, 15
BALL_START_SHARE, BALL_SHARE = 0.55, 0.7
FIRST_SHARE, FIRST_SOCKET_SHARE = 0.35, 0.15
HEAD_SHARE, SOCKET_SHARE = 0.7, 0.25
"""Heads, real and drawn, reach 0.8, and 0.35 of their rays meet the socket; other bones reach the one or the other."""
SITES, STARTS = 12, 6
GAP_MM, OFF_CENTER_MM = (0.3, 8.0), 8.0
"""Between the spheres of head and socket, and their centres."""
COARSEST_MM = (1.6, 1.6, 4.0)
"""Larger voxels hide the joint space; no accuracy is known for them."""
SMALLEST_MM = 30.0
BONE_HU = (250.0, 1900.0)
CLEARLY = 0.2
"""How far to one side a unit vector points that tells left from right."""
APART_MM, HEIGHTS_MM = (110.0, 280.0), 80.0
"""Two hips lie so far apart, and their heights differ by so much at most."""


@dataclass(frozen=True, eq=False)
class NativeHip:
    """A femoral head in its socket. whole: the scan's edge does not cut the head."""

    head: Head
    socket: Socket
    whole: bool

    @property
    def center_lps(self) -> FloatArray:
        """Of the femoral head."""
        return self.head.sphere.center_lps

    @property
    def lateral(self) -> float:
        """The way of the neck along patient x: positive on the left."""
        return float(self.head.rays.neck_lps[0])


@dataclass(frozen=True, eq=False)
class ReplacedHip:
    """A ball head with its cup and stem; either is None where it cannot be found.

    lateral: the way of the cup's opening, or of the neck, along patient x: positive on the left. whole: as above.
    """

    ball: Surface
    cup: Cup | None
    stem: Stem | None
    lateral: float
    whole: bool

    @property
    def center_lps(self) -> FloatArray:
        """Of the ball head."""
        return self.ball.sphere.center_lps


Hip = NativeHip | ReplacedHip


@dataclass(frozen=True, eq=False)
class Hips:
    """The hips of a scan; None where there is none, for a reason common to both or because none was found."""

    left: Hip | None
    right: Hip | None
    reason: str = ""


def find_hips(scan: Scan, *, progress: Progress | None = None) -> Hips:
    """Search a scan for hips: first for ball heads of metal, then, away from them, for femoral heads."""
    say = progress or (lambda done, of: None)
    if reason := _unfit(scan):
        return Hips(None, None, reason)
    verdict = judge_intensity(scan.hu, padding_hu=scan.padding_hu)
    cap = verdict.ceiling_hu if verdict.saturated else np.inf
    say(0, 4)
    replaced = _replaced(scan, cap) if verdict.ceiling_hu > METAL_WINDOW_HU[1] or verdict.saturated else []
    say(1, 4)
    balls = [hip.center_lps for hip in replaced]
    candidates = find_balls(scan) if len(replaced) < 2 else []
    say(2, 4)
    hips: list[Hip] = [*replaced]
    for starts in _sites(candidates, balls):
        if len(hips) == 2:
            break
        native = _native(scan, starts)
        if native is not None and all(_pair(native, other) for other in hips):
            hips.append(native)
    say(4, 4)
    return _by_side(hips)


def _unfit(scan: Scan) -> str:
    """Why nothing can be measured on a scan; empty where something might."""
    steps = scan.grid.spacing_mm
    sizes = sorted((*sorted(steps)[:2], max(*steps, _thickness_mm(scan))))
    if any(step > most for step, most in zip(sizes, COARSEST_MM, strict=True)):
        shown, most_mm = (" x ".join(f"{mm:.3g}" for mm in three) for three in (sizes, COARSEST_MM))
        return f"the scan's voxels of {shown} mm are too coarse; at most {most_mm} mm can be measured"
    extent = [count * step for count, step in zip(scan.grid.shape, steps, strict=True)]
    if min(extent) < SMALLEST_MM:
        shown = " x ".join(f"{mm:.3g}" for mm in extent)
        return f"the scan of {shown} mm is too small to hold a hip; it takes {SMALLEST_MM:g} mm each way"
    return ""


def across_mm(scan: Scan) -> float:
    """Standard deviation of the blur across slices: their thickness, and some kernel."""
    return float(np.hypot(_thickness_mm(scan) / np.sqrt(12), 0.2))


def _thickness_mm(scan: Scan) -> float:
    """Of a slice: the step to the next, or what the header says where that is more (overlapping slices)."""
    step = slice_normal(scan.grid)[1]
    try:
        named = float(header_text(scan.headers[0], "SliceThickness") or 0) if scan.headers else 0.0
    except ValueError:
        named = 0.0
    return max(step, named)


def _replaced(scan: Scan, cap_hu: float) -> list[ReplacedHip]:
    """Up to two hips with a ball head, of those the fullest."""
    candidates = find_balls(
        scan,
        window_hu=METAL_WINDOW_HU,
        radius_mm=METAL_RADIUS_MM,
        edge_hu_per_mm=METAL_EDGE_HU_PER_MM,
        places=METAL_PLACES,
    )
    balls: list[tuple[Region, Surface]] = []
    for candidate in candidates[:SITES]:
        if candidate.share < BALL_START_SHARE or any(_near(candidate.center_lps, b, 40) for _, b in balls):
            continue
        region = Region.around(scan, candidate.center_lps, REACH_MM, cap_hu=cap_hu)
        ball = find_ball(region, candidate, across_mm(scan))
        if ball is not None and _is_ball(ball) and all(_apart(ball, other) for _, other in balls):
            balls.append((region, ball))
    found: list[ReplacedHip] = []
    for region, ball in balls[:2]:
        cup, neck = find_cup(region, ball), metal_goes_on(region, ball)
        if not _in_bone(region, ball, cup) or (cup is None and not neck.any()):
            continue
        lateral = float(neck[0]) if cup is None or cup.rim is None else float(cup.rim.opening_lps[0])
        found.append(ReplacedHip(ball, cup, find_stem(scan, ball), lateral, _whole(scan, ball.sphere)))
    return found


def _in_bone(region: Region, ball: Surface, cup: Cup | None) -> bool:
    """Whether bone lies about a ball head and its cup, as it does in a hip: 5 to 25 mm off, along one ray in seven."""
    center, radius = (cup.surface if cup else ball).ball
    hu = np.nan_to_num(region.profiles(center, directions(300), radius + np.arange(5.0, 25.0, 1.0)), nan=-1000)
    bone = ((hu > BONE_HU[0]) & (hu < BONE_HU[1])).sum(axis=1) >= 3
    return bool(bone.mean() > 1 / 7)


def _whole(scan: Scan, sphere: Sphere) -> bool:
    """Whether the scan holds all of a sphere's surface."""
    index = scan.grid.to_index(sphere.center_lps + directions(200) * (sphere.radius_mm + 1))
    return bool(((index >= 0) & (index <= np.array(scan.grid.shape) - 1)).all())


def _is_ball(ball: Surface) -> bool:
    return ball.share >= BALL_SHARE and METAL_RADIUS_MM[0] <= ball.sphere.radius_mm <= METAL_RADIUS_MM[1]


def _apart(one: Surface, other: Surface) -> bool:
    return _are_two(one.sphere.center_lps, other.sphere.center_lps)


def _near(center: FloatArray, ball: Surface, distance_mm: float) -> bool:
    return bool(np.linalg.norm(center - ball.sphere.center_lps) < distance_mm)


def _sites(candidates: list[Candidate], taken_lps: list[FloatArray]) -> Iterator[list[Candidate]]:
    """Candidates by place, the likeliest place first, away from what is taken."""
    sites: list[list[Candidate]] = []
    for one in candidates[: 6 * SITES]:
        if any(np.linalg.norm(one.center_lps - center) < 60 for center in taken_lps):
            continue
        for site in sites:
            if np.linalg.norm(site[0].center_lps - one.center_lps) < 20:
                site.append(one)
                break
        else:
            sites.append([one])
    yield from (site[:STARTS] for site in sites[:SITES])


def _native(scan: Scan, starts: list[Candidate]) -> NativeHip | None:
    region = Region.around(scan, starts[0].center_lps, REACH_MM).clipped(*SOFT_AND_BONE_HU)
    across = across_mm(scan)
    first = find_head(region, starts, Optics(USUAL_BLUR_MM, across))
    if first is None or first.share < FIRST_SHARE or socket_met(first).mean() < FIRST_SOCKET_SHARE:
        return None
    refined = refine_head(region, first, across)
    if refined is None or refined[0].share < HEAD_SHARE:
        return None
    head, _ = refined
    socket = find_socket(region, head)
    if socket is None or socket.share < SOCKET_SHARE or not _fits(head, socket):
        return None
    return NativeHip(head, socket, _whole(scan, head.sphere))


def _fits(head: Head, socket: Socket) -> bool:
    """Whether a socket can be that of a head."""
    gap = socket.sphere.radius_mm - head.sphere.radius_mm
    off = float(np.linalg.norm(socket.sphere.center_lps - head.sphere.center_lps))
    return GAP_MM[0] < gap < GAP_MM[1] and off < OFF_CENTER_MM


def _pair(one: Hip, other: Hip) -> bool:
    """Whether two hips can be those of one patient."""
    return _are_two(one.center_lps, other.center_lps)


def _are_two(one_lps: FloatArray, other_lps: FloatArray) -> bool:
    apart = np.abs(one_lps - other_lps)
    return bool(APART_MM[0] < np.linalg.norm(apart) < APART_MM[1] and apart[2] < HEIGHTS_MM and apart[0] > apart[1])


def _by_side(hips: list[Hip]) -> Hips:
    """Left is where patient x is larger; of one hip alone, where its neck or its cup's opening points."""
    sides: dict[Literal["left", "right"], Hip] = {}
    if len(hips) == 2:
        right, left = sorted(hips, key=lambda hip: float(hip.center_lps[0]))
        sides = {"left": left, "right": right}
    elif hips and abs(hips[0].lateral) < CLEARLY:
        return Hips(None, None, "one hip was found, but whether it is the left or the right cannot be told")
    elif hips:
        sides["left" if hips[0].lateral > 0 else "right"] = hips[0]
    return Hips(sides.get("left"), sides.get("right"))
