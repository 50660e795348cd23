"""Fitness: whether hips can be measured in a scan at all, and how thick its slices are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.hip.rays import slice_normal
from monai_ctseg.scan import Scan, header_text


@dataclass(frozen=True)
class FitnessLimits:
    """What a scan must be like."""

    largest_voxel_mm: tuple[float, float, float] = (1.6, 1.6, 4.0)
    """Edges of a voxel, the largest last: larger ones hide the joint space, and no accuracy is known for them."""
    smallest_extent_mm: float = 30.0
    """Along each axis: less than any femoral head (38 mm and more), or any cup, measures."""
    kernel_sd_mm: float = 0.2
    """Blur across slices beside that of their thickness; chosen by hand."""


LIMITS = FitnessLimits()


def why_unfit(scan: Scan) -> str:
    """Why nothing can be measured in a scan, in one sentence; empty where something may be."""
    steps = scan.grid.spacing_mm
    voxel = sorted((*sorted(steps)[:2], max(*steps, slice_thickness_mm(scan))))
    if any(mm > most for mm, most in zip(voxel, LIMITS.largest_voxel_mm, strict=True)):
        most = _by(LIMITS.largest_voxel_mm)
        return f"the scan's voxels of {_by(voxel)} mm are too coarse; at most {most} mm can be measured"
    extent = [count * step for count, step in zip(scan.grid.shape, steps, strict=True)]
    if min(extent) < LIMITS.smallest_extent_mm:
        least = f"at least {LIMITS.smallest_extent_mm:g} mm are needed along each axis"
        return f"the scan of {_by(extent)} mm is too small to hold a hip; {least}"
    return ""


def _by(three_mm: tuple[float, ...] | list[float]) -> str:
    return " x ".join(f"{mm:.3g}" for mm in three_mm)


def blur_across_mm(scan: Scan) -> float:
    """Standard deviation of the blur across slices: that of a rectangle as wide as a slice, and the kernel's."""
    return float(np.hypot(slice_thickness_mm(scan) / np.sqrt(12), LIMITS.kernel_sd_mm))


def slice_thickness_mm(scan: Scan) -> float:
    """The distance to the next slice, or the header's SliceThickness where that is more (overlapping slices)."""
    step = slice_normal(scan.grid)[1]
    try:
        named = float(header_text(scan.headers[0], "SliceThickness") or 0) if scan.headers else 0.0
    except ValueError:
        named = 0.0
    return max(step, named)
