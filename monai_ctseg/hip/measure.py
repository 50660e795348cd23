"""Measure: hips found -> measurements with intervals, or the reason why there are none.

Intervals hold what the fit leaves open, and what it does not know of: how well a bone is a sphere, the blur, what metal
reads. The latter is set from drawn hips with known truth (`python -m benchmarks.hip`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.find import Hip, Hips, NativeHip, ReplacedHip, find_hips
from monai_ctseg.hip.records import Measurement, Side
from monai_ctseg.hip.rim import Rim
from monai_ctseg.hip.sphere import Sphere
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Scan

NATIVE = ("femoral_head", "acetabulum")
METAL = ("ball_head", "cup", "stem_axis")
Z_95 = 1.96
NEIGHBOURS = 2.0
"""Rays beside one another err together: standard deviations of fits are so much larger."""
OUT_OF_ROUND = 0.3
"""Share of the residual that a diameter may be off: what is no sphere has no one diameter."""


@dataclass(frozen=True)
class Unknown:
    """Standard deviations of what a fit does not know of: of a diameter, of each coordinate of a centre, of a tilt."""

    diameter_mm: float
    center_mm: float
    tilt_degrees: float = 0.2


BONE, SOCKET = Unknown(0.25, 0.12), Unknown(0.35, 0.25, 0.3)
BALL, CUP = Unknown(0.06, 0.05), Unknown(0.12, 0.08, 0.15)
CUT_OFF, UNEVEN = Unknown(0.5, 0.12, 0.4), Unknown(0.6, 0.15, 0.4)
DEPTH_SD_MM = 0.4


def measure_hips(scan: Scan, *, progress: Progress | None = None) -> tuple[Measurement, ...]:
    """All measurements of a CT scan's hips: each quantity of the left, the right, and of both together.

    What cannot be measured has no value but a reason. Quantities: see `monai_ctseg.hip`.
    """
    return measurements(find_hips(scan, progress=progress))


def measurements(hips: Hips) -> tuple[Measurement, ...]:
    """The measurements of hips found."""
    sides: tuple[tuple[Side, Hip | None], ...] = (("left", hips.left), ("right", hips.right))
    return (*(one for side, hip in sides for one in _of_side(side, hip, hips.reason)), *_of_both(hips))


def _of_side(side: Side, hip: Hip | None, reason: str) -> Iterator[Measurement]:
    if hip is None:
        yield from _missing(
            side, reason or f"no {side} hip was found in this scan; its head has to lie in it whole", *NATIVE, *METAL
        )
    elif isinstance(hip, ReplacedHip):
        yield from _missing(side, "the hip is replaced: a metal ball head was found", *NATIVE)
        yield from _replaced(side, hip)
    else:
        yield from _native(side, hip)
        yield from _missing(side, "the hip is native: no metal ball head was found", *METAL)


QUANTITIES: dict[str, tuple[str, ...]] = {
    "femoral_head": ("diameter", "center_x", "center_y", "center_z"),
    "acetabulum": ("diameter", "center_x", "center_y", "center_z", "depth", "inclination", "anteversion"),
    "ball_head": ("diameter", "center_x", "center_y", "center_z"),
    "cup": ("diameter", "center_x", "center_y", "center_z", "inclination", "anteversion"),
    "stem_axis": ("coronal", "sagittal"),
}
_ANGLES = ("inclination", "anteversion", "coronal", "sagittal")


def _missing(side: Side, reason: str, *parts: str, only: tuple[str, ...] = ()) -> Iterator[Measurement]:
    for part in parts:
        for name in only or QUANTITIES[part]:
            yield Measurement(side, f"{part}_{name}", "degrees" if name in _ANGLES else "mm", reason=reason)


def _native(side: Side, hip: NativeHip) -> Iterator[Measurement]:
    if not hip.whole:
        yield from _missing(side, "the femoral head is cut by the edge of the scan", *NATIVE)
        return
    yield from _sphere(side, "femoral_head", hip.head.sphere, BONE)
    yield from _sphere(side, "acetabulum", hip.socket.sphere, SOCKET)
    rim = hip.socket.rim
    if rim is None:
        reason = "the plane of the socket's rim cannot be told"
        yield from _missing(side, reason, "acetabulum", only=("depth", "inclination", "anteversion"))
        return
    sd = float(np.sqrt(rim.covariance[2, 2] + DEPTH_SD_MM**2))
    depth = hip.socket.sphere.radius_mm + rim.above_mm
    yield _value(Measurement(side, "acetabulum_depth", "mm"), depth, sd, rim)
    yield from _opening(side, "acetabulum", rim, SOCKET)


def _replaced(side: Side, hip: ReplacedHip) -> Iterator[Measurement]:
    if not hip.whole:
        yield from _missing(side, "the ball head is cut by the edge of the scan", *METAL)
        return
    unsure = _unsure(hip)
    cup = CUP if unsure is BALL else unsure
    yield from _sphere(side, "ball_head", hip.ball.sphere, unsure)
    if hip.cup is None:
        yield from _missing(side, "no metal cup surrounds the ball head", "cup")
    else:
        yield from _sphere(side, "cup", hip.cup.surface.sphere, cup)
        if hip.cup.rim is None:
            reason = "the plane of the cup's rim cannot be told"
            yield from _missing(side, reason, "cup", only=("inclination", "anteversion"))
        else:
            yield from _opening(side, "cup", hip.cup.rim, cup)
    yield from _stem(side, hip)


def _unsure(hip: ReplacedHip) -> Unknown:
    """What is not known of a ball head."""
    return CUT_OFF if hip.ball.cut_off else UNEVEN if hip.ball.uneven else BALL


def _sphere(side: Side, part: str, sphere: Sphere, unknown: Unknown) -> Iterator[Measurement]:
    sds = NEIGHBOURS * np.sqrt(np.diag(sphere.covariance))
    blank = Measurement(side, f"{part}_diameter", "mm")
    sd = float(np.linalg.norm((2 * sds[3], unknown.diameter_mm, OUT_OF_ROUND * sphere.residual_mm)))
    yield _value(blank, 2 * sphere.radius_mm, sd, sphere)
    for n, axis in enumerate("xyz"):
        blank = Measurement(side, f"{part}_center_{axis}", "mm")
        yield _value(blank, float(sphere.center_lps[n]), float(np.hypot(sds[n], unknown.center_mm)), sphere)


def _value(blank: Measurement, value: float, sd: float, fit: Sphere | Rim) -> Measurement:
    return replace(
        blank,
        value=value,
        low=value - Z_95 * sd,
        high=value + Z_95 * sd,
        residual_mm=fit.residual_mm,
        points=fit.points,
    )


def _opening(side: Side, part: str, rim: Rim, unknown: Unknown) -> Iterator[Measurement]:
    if rim.opening_lps[2] > 0:
        reason = "its opening points upwards; does the scan's header say which end is the head's?"
        yield from _missing(side, reason, part, only=("inclination", "anteversion"))
        return
    sd = float(np.hypot(rim.tilt_sd_degrees, unknown.tilt_degrees))
    inclination, anteversion = opening_degrees(rim.opening_lps, side)
    swing = sd / max(0.2, float(np.cos(np.radians(anteversion))))
    yield _value(Measurement(side, f"{part}_inclination", "degrees"), inclination, swing, rim)
    yield _value(Measurement(side, f"{part}_anteversion", "degrees"), anteversion, sd, rim)


def opening_degrees(opening_lps: FloatArray, side: Side) -> tuple[float, float]:
    """Radiological inclination and anteversion of an opening's axis (Murray 1993, doi 10.1302/0301-620X.75B2.8444942).

    Inclination: between patient z and the axis projected on the coronal plane, 0 downwards, 90 sidewards. Anteversion:
    between the axis and the coronal plane, positive forwards. The coronal plane is the scanner's (LPS x and z), not
    corrected for how the pelvis lies.
    """
    lateral = opening_lps[0] * (1 if side == "left" else -1)
    inclination = np.degrees(np.arctan2(lateral, -opening_lps[2]))
    return float(inclination), float(np.degrees(np.arcsin(np.clip(-opening_lps[1], -1, 1))))


def _stem(side: Side, hip: ReplacedHip) -> Iterator[Measurement]:
    if hip.stem is None:
        reason = "less than 40 mm of a metal stem lie in the scan, from 60 mm below the ball head"
        yield from _missing(side, reason, "stem_axis")
        return
    x, y, z = hip.stem.axis_lps
    lateral = -x if side == "left" else x
    sd = float(np.hypot(hip.stem.sd_degrees, 0.3))
    for name, degrees in (("coronal", np.arctan2(lateral, z)), ("sagittal", np.arctan2(y, z))):
        value = float(np.degrees(degrees))
        blank = Measurement(side, f"stem_axis_{name}", "degrees", value, value - Z_95 * sd, value + Z_95 * sd)
        yield replace(blank, residual_mm=hip.stem.residual_mm, points=len(hip.stem.middles_lps))


def _of_both(hips: Hips) -> Iterator[Measurement]:
    names = ("hip_center_distance", "hip_center_height_difference")
    left, right = hips.left, hips.right
    if left is None or right is None or not (left.whole and right.whole):
        reason = hips.reason or "it takes both hips, whole"
        yield from (Measurement("both", name, "mm", reason=reason) for name in names)
        return
    between = left.center_lps - right.center_lps
    distance = float(np.linalg.norm(between))
    variance = _center_variance(left) + _center_variance(right)
    along = float(np.sqrt((between / distance) ** 2 @ variance))
    heads = [_head(left)[0], _head(right)[0]]
    residual, points = max(head.residual_mm for head in heads), sum(head.points for head in heads)
    for name, value, sd in zip(names, (distance, float(between[2])), (along, float(np.sqrt(variance[2]))), strict=True):
        yield Measurement("both", name, "mm", value, value - Z_95 * sd, value + Z_95 * sd, residual, points)


def _head(hip: Hip) -> tuple[Sphere, Unknown]:
    """The sphere of a hip's head, of bone or of metal, and what is not known of it."""
    return (hip.head.sphere, BONE) if isinstance(hip, NativeHip) else (hip.ball.sphere, _unsure(hip))


def _center_variance(hip: Hip) -> FloatArray:
    """Of each coordinate of a head's centre, mm2."""
    sphere, unknown = _head(hip)
    return np.asarray(NEIGHBOURS**2 * np.diag(sphere.covariance)[:3] + unknown.center_mm**2)
