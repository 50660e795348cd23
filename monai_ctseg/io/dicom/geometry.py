"""Frames that share a plane -> their order along the normal, and the Grid.

Positions alone count; SliceThickness, SpacingBetweenSlices, SliceLocation and InstanceNumber are not used
(DICOM PS3.3 C.7.6.2.1.1: the position is that of the first voxel's centre).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from monai_ctseg.errors import GeometryError
from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.io.dicom.frame import Frame

SAME_DIRECTION = 1e-3
"""Cosines that differ by less are one orientation (0.06 degrees)."""
SAME_SPACING = 1e-3
"""Pixel spacings that differ by less, in proportion, are one spacing."""
SAME_POSITION_MM = 0.01
"""Slices closer than this lie at one position."""
MAX_DEVIATION_MM = 0.1
"""A slice may deviate this far from the regular stack: twice the rounding of positions with one decimal ..."""
MAX_DEVIATION_FRACTION = 0.02
"""... or this fraction of the slice spacing, whichever is larger."""
GAP = 1.6
"""A step this many times the usual one is a missing slice: positions with one decimal step by 0.3 and 0.4 mm."""


def require_geometry(frame: Frame) -> None:
    """Raise GeometryError unless position, orientation and spacing exist and make sense."""
    for name, value in _elements(frame).items():
        if value is None:
            raise GeometryError(
                f"{frame.label}: no {name}, so its position in the patient is unknown; export it with geometry"
            )
        if not all(map(math.isfinite, value)):
            raise GeometryError(f"{frame.label}: {name} is {list(value)}; export it with geometry")
    _, orientation, spacing = _elements(frame).values()
    if min(spacing or (0.0,)) <= 0:
        raise GeometryError(f"{frame.label}: PixelSpacing is {list(spacing or ())}, not above 0; export it again")
    row, column = np.reshape(orientation or (), (2, 3))
    lengths = np.linalg.norm([row, column], axis=1)
    if np.abs(lengths - 1).max() > SAME_DIRECTION or abs(row @ column) > SAME_DIRECTION:
        raise GeometryError(
            f"{frame.label}: ImageOrientationPatient is {list(orientation or ())}, "
            "not two unit vectors at right angles; export it again"
        )


def has_geometry(frame: Frame) -> bool:
    """Whether position, orientation and spacing all exist."""
    return None not in (frame.position, frame.orientation, frame.spacing)


def _elements(frame: Frame) -> dict[str, tuple[float, ...] | None]:
    return {
        "ImagePositionPatient": frame.position,
        "ImageOrientationPatient": frame.orientation,
        "PixelSpacing": frame.spacing,
    }


def normal_of(frame: Frame) -> FloatArray:
    """Unit normal of the slice: the row's direction x the column's direction."""
    row, column = np.reshape(frame.orientation or (), (2, 3))
    return np.asarray(np.cross(row, column), dtype=np.float64)


def same_plane(a: Frame, b: Frame) -> bool:
    """Whether two frames share matrix, pixel spacing and orientation, within the tolerances above."""
    if (a.rows, a.columns) != (b.rows, b.columns):
        return False
    if a.orientation == b.orientation and a.spacing == b.spacing:
        return True
    return _close(a.spacing, b.spacing, 0.0, SAME_SPACING) and _close(a.orientation, b.orientation, SAME_DIRECTION, 0.0)


def _close(a: tuple[float, ...] | None, b: tuple[float, ...] | None, absolute: float, relative: float) -> bool:
    return a is not None and b is not None and bool(np.allclose(a, b, rtol=relative, atol=absolute))


def in_order(frames: Sequence[Frame]) -> list[Frame]:
    """The frames sorted by position along the slice normal; in the order given where two positions are equal."""
    along = positions_of(frames) @ normal_of(frames[0])
    return [frame for _, _, frame in sorted(zip(along.tolist(), range(len(frames)), frames, strict=True))]


def positions_of(frames: Sequence[Frame]) -> FloatArray:
    """(n, 3) LPS millimetres."""
    return np.array([frame.position for frame in frames], dtype=np.float64)


def grid_of(frames: Sequence[Frame]) -> Grid:
    """The Grid of frames in order, without duplicates.

    The slice step is the vector from the first to the last position, divided: a tilted stack keeps its shear.

    Raises:
        GeometryError: A slice is missing or deviates from the regular stack.
    """
    first = frames[0]
    row, column = np.reshape(first.orientation or (), (2, 3))
    between_rows, between_columns = first.spacing or ()
    step = _slice_step(frames)
    matrix = np.eye(4)
    matrix[:3, 0] = row * between_columns
    matrix[:3, 1] = column * between_rows
    matrix[:3, 2] = step
    matrix[:3, 3] = first.position
    return Grid((first.columns, first.rows, len(frames)), matrix)


def _slice_step(frames: Sequence[Frame]) -> FloatArray:
    if len(frames) == 1:
        return _step_of_one(frames[0])
    positions = positions_of(frames)
    step = (positions[-1] - positions[0]) / (len(frames) - 1)
    deviation = np.linalg.norm(positions - positions[0] - np.arange(len(frames))[:, None] * step, axis=1)
    spacing = float(np.linalg.norm(step))
    steps = np.diff(positions @ normal_of(frames[0]))
    usual = np.sort(steps)[[(len(steps) - 1) // 2, len(steps) // 2]].mean()  # np.median imports numpy.ma: 15 ms
    if deviation.max() > max(MAX_DEVIATION_MM, MAX_DEVIATION_FRACTION * spacing) or steps.max() >= GAP * usual:
        raise GeometryError(_irregular(frames, positions, deviation))
    return np.asarray(step, dtype=np.float64)


def _step_of_one(frame: Frame) -> FloatArray:
    """One slice has no spacing; its thickness replaces it, and the reader says so."""
    try:
        thickness = float(frame.header.get("SliceThickness") or "nan")
    except (TypeError, ValueError):
        thickness = math.nan
    if not 0 < thickness < math.inf:
        raise GeometryError(
            f"{frame.label}: one slice without a SliceThickness has no extent along its normal; add the other slices"
        )
    return normal_of(frame) * thickness


def _irregular(frames: Sequence[Frame], positions: FloatArray, deviation: FloatArray) -> str:
    """One line that names the gap, or else the slice with the largest deviation."""
    steps = np.diff(positions @ normal_of(frames[0]))
    usual = float(np.median(steps))
    widest = int(steps.argmax())
    if steps[widest] >= GAP * usual:
        gaps = int((steps >= GAP * usual).sum())
        more = f" and at {gaps - 1} other positions" if gaps > 1 else ""
        return (
            f"a slice is missing between {frames[widest].label} and {frames[widest + 1].label}{more}: "
            f"{steps[widest]:.3f} mm apart where the others are {usual:.3f} mm; add the missing files"
        )
    odd = int(np.abs(steps - usual).argmax())
    if abs(steps[odd] - usual) > MAX_DEVIATION_FRACTION * usual:
        return (
            f"the slice spacing is not uniform: {steps[odd]:.3f} mm between {frames[odd].label} and "
            f"{frames[odd + 1].label}, {usual:.3f} mm elsewhere; resample or export the series again"
        )
    worst = int(deviation.argmax())
    return (
        f"{frames[worst].label} deviates by {deviation[worst]:.2f} mm from the regular stack, at "
        f"LPS {positions[worst].round(2).tolist()}; export the series again"
    )
