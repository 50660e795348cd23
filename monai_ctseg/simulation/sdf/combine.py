"""Combine: unions, half spaces and rounded seams of solids."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from monai_ctseg.grid import FloatArray, unit
from monai_ctseg.simulation.sdf.solid import Solid
from monai_ctseg.simulation.sdf.vectors import Floats, Points, Vector, dot

FAR_MM = 1e4
"""What a distance reads where nothing is near."""
SKIP_MM = 25.0
"""A union does not compute solids that end further than this above or below all points."""


def union(solids: Sequence[Solid]) -> Solid:
    """The union with sharp seams.

    Solids that end more than 25 mm above or below all points are skipped; where none is left, the distance is FAR_MM.
    """
    return Solid(partial(_union, tuple(solids)), *box_of(solids))


def _union(solids: Sequence[Solid], at: Points) -> Floats:
    low, high = at[2].min() - SKIP_MM, at[2].max() + SKIP_MM
    least: Floats = np.full((1, 1, 1), np.float32(FAR_MM))
    for solid in solids:
        if solid.low[2] < high and solid.high[2] > low:
            least = np.minimum(least, solid.distance(at))
    return least


def cut_by_plane(solid: Solid, point: Vector, normal: Vector) -> Solid:
    """What of the solid lies behind a plane.

    Args:
        solid: what is cut.
        point: a point of the plane, (3,) mm.
        normal: towards what is taken away, (3,), of any length.
    """
    n, p = unit(normal), np.asarray(point, dtype=float)
    return Solid(partial(_cut_by_plane, solid, n, np.float32(n @ p)), solid.low, solid.high)


def _cut_by_plane(solid: Solid, normal: FloatArray, level: np.float32, at: Points) -> Floats:
    distance: Floats = np.maximum(solid.distance(at), dot(at, normal) - level)
    return distance


def box_of(solids: Sequence[Solid]) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest corner, (3,) mm, of a box that holds all of the solids."""
    return np.min([s.low for s in solids], axis=0), np.max([s.high for s in solids], axis=0)


def smooth_min(a: Floats, b: Floats, round_mm: float) -> Floats:
    """Distance to a union whose seam is rounded over `round_mm` (quadratic blend), float32 mm."""
    near = np.maximum(np.float32(round_mm) - np.abs(a - b), 0)
    result: Floats = np.minimum(a, b) - near * near * np.float32(0.25 / round_mm)
    return result


def smooth_max(a: Floats, b: Floats, round_mm: float) -> Floats:
    """Distance to an intersection whose seam is rounded over `round_mm`, float32 mm."""
    return -smooth_min(-a, -b, round_mm)
