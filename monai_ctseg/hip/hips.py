"""Hips: what is found in a scan, native or replaced, and which side it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.ball import MetalSphere
from monai_ctseg.hip.cup import Cup
from monai_ctseg.hip.head import Head
from monai_ctseg.hip.rays import even_directions
from monai_ctseg.hip.socket import Socket
from monai_ctseg.hip.sphere import Sphere
from monai_ctseg.hip.stem import Stem
from monai_ctseg.scan import Scan


@dataclass(frozen=True)
class PairLimits:
    """What two hips of one patient have in common; chosen by hand."""

    apart_mm: tuple[float, float] = (110.0, 280.0)
    """Between their centres; on the scans named in `monai_ctseg.hip` 158 to 179 mm."""
    most_height_mm: float = 80.0
    """Between their heights along patient z; on those scans 18 mm at most. Patients lie tilted."""
    least_lateral: float = 0.2
    """x of a unit vector that tells left from right; necks and cups of those scans reach 0.22 to 0.78."""


LIMITS = PairLimits()


@dataclass(frozen=True, eq=False)
class NativeHip:
    """A femoral head in its socket.

    Attributes:
        head: the femoral head.
        socket: the acetabulum.
        whole: the edge of the scan does not cut the head.

    """

    head: Head
    socket: Socket
    whole: bool

    @property
    def center_lps(self) -> FloatArray:
        """Of the femoral head, (3,) mm."""
        return self.head.sphere.center_lps

    @property
    def lateral(self) -> float:
        """The neck's unit vector along x in LPS: positive on the left."""
        return float(self.head.rays.neck_lps[0])


@dataclass(frozen=True, eq=False)
class ReplacedHip:
    """A ball head of metal with its cup and stem.

    Attributes:
        ball: the ball head.
        cup: None where none can be found.
        stem: None where none can be found.
        lateral: x of the unit vector of the cup's opening, or of the neck, in LPS: positive on the left.
        whole: the edge of the scan does not cut the ball head.

    """

    ball: MetalSphere
    cup: Cup | None
    stem: Stem | None
    lateral: float
    whole: bool

    @property
    def center_lps(self) -> FloatArray:
        """Of the ball head, (3,) mm."""
        return self.ball.sphere.center_lps


Hip: TypeAlias = NativeHip | ReplacedHip


@dataclass(frozen=True, eq=False)
class Hips:
    """The hips of a scan.

    Attributes:
        left: None where none is found.
        right: None where none is found.
        reason: why neither can be found; empty where a hip was just not there.

    """

    left: Hip | None
    right: Hip | None
    reason: str = ""


def is_whole(scan: Scan, sphere: Sphere) -> bool:
    """Whether the whole surface of a sphere lies in a scan, with 1 mm around it."""
    index = scan.grid.to_index(sphere.center_lps + even_directions(200) * (sphere.radius_mm + 1))
    return bool(((index >= 0) & (index <= np.array(scan.grid.shape) - 1)).all())


def can_be_pair(one_lps: FloatArray, other_lps: FloatArray) -> bool:
    """Whether two centres (3,) in LPS mm can be the hips of one patient: left and right of each other, not too near."""
    near, far = LIMITS.apart_mm
    apart = np.abs(one_lps - other_lps)
    beside = apart[2] < LIMITS.most_height_mm and apart[0] > apart[1]
    return bool(near < np.linalg.norm(apart) < far and beside)


def by_side(hips: list[Hip]) -> Hips:
    """The hips by side.

    Of two hips the left one has the larger x in LPS. A single hip is on the side to which its neck or its cup points.
    """
    sides: dict[Literal["left", "right"], Hip] = {}
    if len(hips) == 2:
        right, left = sorted(hips, key=lambda hip: float(hip.center_lps[0]))
        sides = {"left": left, "right": right}
    elif hips and abs(hips[0].lateral) < LIMITS.least_lateral:
        return Hips(None, None, "one hip was found, but it is unclear whether it is the left or the right")
    elif hips:
        sides["left" if hips[0].lateral > 0 else "right"] = hips[0]
    return Hips(sides.get("left"), sides.get("right"))
