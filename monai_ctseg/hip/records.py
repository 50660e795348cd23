"""Records: what a measurement of hips is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["left", "right", "both"]


@dataclass(frozen=True)
class Measurement:
    """One quantity of one hip, or of both together, or why there is none.

    quantity: such as femoral_head_diameter; see `monai_ctseg.hip` for all.
    value, low, high: in `unit`; low and high bound a 95 % interval. None where it is not measurable.
    residual_mm: root mean square distance of the edge points used from the fitted shape; the larger of two shapes.
    points: how many edge points the fit rests on; the sum of two shapes.
    reason: why there is no value; empty where there is one.
    """

    side: Side
    quantity: str
    unit: Literal["mm", "degrees"]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    residual_mm: float | None = None
    points: int | None = None
    reason: str = ""
