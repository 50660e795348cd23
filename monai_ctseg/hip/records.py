"""Records: what a measurement of hips is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Side: TypeAlias = Literal["left", "right", "both"]
Unit: TypeAlias = Literal["mm", "degrees"]


@dataclass(frozen=True)
class Measurement:
    """One quantity of one hip, or of both together, or why there is none.

    Attributes:
        side: of the patient.
        quantity: such as femoral_head_diameter; `monai_ctseg.hip` lists all.
        unit: of value, low and high.
        value: None where the quantity is not measurable.
        low: lower end of the 95 % interval; None without a value.
        high: upper end of the 95 % interval; None without a value.
        residual_mm: root mean square distance of the edge points used from the fitted shape; the larger of two shapes.
        points: how many edge points the fit rests on; the sum of two shapes.
        reason: why there is no value; empty where there is one.

    """

    side: Side
    quantity: str
    unit: Unit
    value: float | None = None
    low: float | None = None
    high: float | None = None
    residual_mm: float | None = None
    points: int | None = None
    reason: str = ""


QUANTITIES: dict[str, tuple[str, ...]] = {
    "femoral_head": ("diameter", "center_x", "center_y", "center_z"),
    "acetabulum": ("diameter", "center_x", "center_y", "center_z", "depth", "inclination", "anteversion"),
    "ball_head": ("diameter", "center_x", "center_y", "center_z"),
    "cup": ("diameter", "center_x", "center_y", "center_z", "inclination", "anteversion"),
    "stem_axis": ("coronal", "sagittal"),
}
"""By part of a hip, what is measured of it; the quantity is called part_name, such as cup_diameter."""
OF_BOTH = ("hip_center_distance", "hip_center_height_difference")
"""Quantities of both hips together."""
ANGLES = ("inclination", "anteversion", "coronal", "sagittal")
"""Those in degrees; all others are in mm."""
