"""Measure: hips found -> measurements with intervals, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.find import find_hips
from monai_ctseg.hip.hips import Hip, Hips, NativeHip, ReplacedHip
from monai_ctseg.hip.records import ANGLES, OF_BOTH, QUANTITIES, Measurement, Side
from monai_ctseg.hip.rim import Rim
from monai_ctseg.hip.sphere import Sphere
from monai_ctseg.hip.uncertainty import (
    BONE_HEAD,
    FITS,
    SOCKET,
    Z_95,
    Uncertainty,
    ball_uncertainty,
    cup_uncertainty,
    head_of,
)
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Scan

NATIVE = ("femoral_head", "acetabulum")
METAL = ("ball_head", "cup", "stem_axis")
"""Parts of a native and of a replaced hip."""


def measure_hips(scan: Scan, *, progress: Progress | None = None) -> tuple[Measurement, ...]:
    """Measure the hips of a CT scan.

    Args:
        scan: in HU, any orientation.
        progress: called with the steps done and their number.

    Returns:
        Each quantity (see `monai_ctseg.hip`) of the left hip, of the right, and of both together. What cannot be
        measured has no value but a reason.

    """
    return measurements(find_hips(scan, progress=progress))


def measurements(hips: Hips) -> tuple[Measurement, ...]:
    """The measurements of hips found, as `measure_hips` returns them."""
    sides: tuple[tuple[Side, Hip | None], ...] = (("left", hips.left), ("right", hips.right))
    return (*(one for side, hip in sides for one in _of_side(side, hip, hips.reason)), *_of_both(hips))


def opening_degrees(opening_lps: FloatArray, side: Side) -> tuple[float, float]:
    """Radiological inclination and anteversion of an opening (Murray 1993, doi 10.1302/0301-620X.75B2.8444942).

    The coronal plane is the scanner's (LPS x and z), not corrected for how the pelvis lies.

    Args:
        opening_lps: (3,) unit vector out of the cup or socket.
        side: of the patient.

    Returns:
        Inclination: between patient z and the axis projected on the coronal plane; 0 degrees down, 90 lateral.
        Anteversion: between the axis and the coronal plane; positive forwards.

    """
    lateral = opening_lps[0] * (1 if side == "left" else -1)
    inclination = np.degrees(np.arctan2(lateral, -opening_lps[2]))
    return float(inclination), float(np.degrees(np.arcsin(np.clip(-opening_lps[1], -1, 1))))


def _of_side(side: Side, hip: Hip | None, reason: str) -> Iterator[Measurement]:
    if hip is None:
        not_found = f"no {side} hip was found in this scan; the whole femoral or ball head must lie in it"
        yield from _missing(side, reason or not_found, *NATIVE, *METAL)
    elif isinstance(hip, ReplacedHip):
        yield from _missing(side, "the hip is replaced: a metal ball head was found", *NATIVE)
        yield from _replaced(side, hip)
    else:
        yield from _native(side, hip)
        yield from _missing(side, "the hip is native: no metal ball head was found", *METAL)


def _missing(side: Side, reason: str, *parts: str, only: tuple[str, ...] = ()) -> Iterator[Measurement]:
    for part in parts:
        for name in only or QUANTITIES[part]:
            yield Measurement(side, f"{part}_{name}", "degrees" if name in ANGLES else "mm", reason=reason)


def _native(side: Side, hip: NativeHip) -> Iterator[Measurement]:
    if not hip.whole:
        yield from _missing(side, "the femoral head is cut by the edge of the scan", *NATIVE)
        return
    yield from _sphere(side, "femoral_head", hip.head.sphere, BONE_HEAD)
    yield from _sphere(side, "acetabulum", hip.socket.sphere, SOCKET)
    rim = hip.socket.rim
    if rim is None:
        reason = "the plane of the socket's rim cannot be determined"
        yield from _missing(side, reason, "acetabulum", only=("depth", "inclination", "anteversion"))
        return
    sd = float(np.sqrt(rim.covariance[2, 2] + FITS.depth_sd_mm**2))
    depth = hip.socket.sphere.radius_mm + rim.above_mm
    yield _value(Measurement(side, "acetabulum_depth", "mm"), depth, sd, rim)
    yield from _opening(side, "acetabulum", rim, SOCKET)


def _replaced(side: Side, hip: ReplacedHip) -> Iterator[Measurement]:
    if not hip.whole:
        yield from _missing(side, "the ball head is cut by the edge of the scan", *METAL)
        return
    yield from _sphere(side, "ball_head", hip.ball.sphere, ball_uncertainty(hip))
    if hip.cup is None:
        yield from _missing(side, "no metal cup surrounds the ball head", "cup")
    else:
        yield from _sphere(side, "cup", hip.cup.surface.sphere, cup_uncertainty(hip))
        if hip.cup.rim is None:
            reason = "the plane of the cup's rim cannot be determined"
            yield from _missing(side, reason, "cup", only=("inclination", "anteversion"))
        else:
            yield from _opening(side, "cup", hip.cup.rim, cup_uncertainty(hip))
    yield from _stem(side, hip)


def _sphere(side: Side, part: str, sphere: Sphere, uncertainty: Uncertainty) -> Iterator[Measurement]:
    sds = FITS.dependence * np.sqrt(np.diag(sphere.covariance))
    blank = Measurement(side, f"{part}_diameter", "mm")
    deviations = (2 * sds[3], uncertainty.diameter_mm, FITS.out_of_round * sphere.residual_mm)
    yield _value(blank, 2 * sphere.radius_mm, float(np.linalg.norm(deviations)), sphere)
    for n, axis in enumerate("xyz"):
        blank = Measurement(side, f"{part}_center_{axis}", "mm")
        yield _value(blank, float(sphere.center_lps[n]), float(np.hypot(sds[n], uncertainty.center_mm)), sphere)


def _value(blank: Measurement, value: float, sd: float, fit: Sphere | Rim) -> Measurement:
    low, high = value - Z_95 * sd, value + Z_95 * sd
    return replace(blank, value=value, low=low, high=high, residual_mm=fit.residual_mm, points=fit.points)


def _opening(side: Side, part: str, rim: Rim, uncertainty: Uncertainty) -> Iterator[Measurement]:
    if rim.opening_lps[2] > 0:
        reason = "its opening points upwards; does the scan's header say which end is the head's?"
        yield from _missing(side, reason, part, only=("inclination", "anteversion"))
        return
    sd = float(np.hypot(rim.tilt_sd_degrees, uncertainty.tilt_degrees))
    inclination, anteversion = opening_degrees(rim.opening_lps, side)
    inclination_sd = sd / max(FITS.least_cosine, float(np.cos(np.radians(anteversion))))
    yield _value(Measurement(side, f"{part}_inclination", "degrees"), inclination, inclination_sd, rim)
    yield _value(Measurement(side, f"{part}_anteversion", "degrees"), anteversion, sd, rim)


def _stem(side: Side, hip: ReplacedHip) -> Iterator[Measurement]:
    if hip.stem is None:
        reason = "less than 40 mm of a metal stem lie in the scan, from 60 mm below the ball head"
        yield from _missing(side, reason, "stem_axis")
        return
    x, y, z = hip.stem.axis_lps
    lateral = -x if side == "left" else x
    sd = float(np.hypot(hip.stem.sd_degrees, FITS.stem_sd_degrees))
    for name, degrees in (("coronal", np.arctan2(lateral, z)), ("sagittal", np.arctan2(y, z))):
        value = float(np.degrees(degrees))
        blank = Measurement(side, f"stem_axis_{name}", "degrees", value, value - Z_95 * sd, value + Z_95 * sd)
        yield replace(blank, residual_mm=hip.stem.residual_mm, points=len(hip.stem.centers_lps))


def _of_both(hips: Hips) -> Iterator[Measurement]:
    left, right = hips.left, hips.right
    if left is None or right is None or not (left.whole and right.whole):
        reason = hips.reason or "both hips are needed, each with its whole head in the scan"
        yield from (Measurement("both", name, "mm", reason=reason) for name in OF_BOTH)
        return
    between = left.center_lps - right.center_lps
    distance = float(np.linalg.norm(between))
    variance = _center_variance(left) + _center_variance(right)
    along = float(np.sqrt((between / distance) ** 2 @ variance))
    heads = [head_of(hip)[0] for hip in (left, right)]
    residual, points = max(head.residual_mm for head in heads), sum(head.points for head in heads)
    values, sds = (distance, float(between[2])), (along, float(np.sqrt(variance[2])))
    for name, value, sd in zip(OF_BOTH, values, sds, strict=True):
        yield Measurement("both", name, "mm", value, value - Z_95 * sd, value + Z_95 * sd, residual, points)


def _center_variance(hip: Hip) -> FloatArray:
    """Of each coordinate of a head's centre, [3] mm2."""
    sphere, uncertainty = head_of(hip)
    return np.asarray(FITS.dependence**2 * np.diag(sphere.covariance)[:3] + uncertainty.center_mm**2)
