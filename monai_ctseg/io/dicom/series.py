"""Series: frames -> stacks of parallel slices -> one Scan."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.multival import MultiValue

from monai_ctseg.errors import AmbiguousScan, GeometryError, NoScanFound, PixelDataError
from monai_ctseg.grid import Grid
from monai_ctseg.io.dicom.files import Found, find_frames
from monai_ctseg.io.dicom.frame import REPAIRS, Frame
from monai_ctseg.io.dicom.geometry import (
    SAME_POSITION_MM,
    grid_of,
    has_geometry,
    in_order,
    normal_of,
    positions_of,
    require_geometry,
    same_plane,
)
from monai_ctseg.io.dicom.pixels import hu_volume, stored_values
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Scan

LONGEST_NAME = 200
"""Bytes of a file's name that outputs take over; file systems end at 255."""
_ENDINGS = {".dcm", ".dicom", ".ima", ".img"}


@dataclass(frozen=True)
class Stack:
    """Frames of one series that share matrix, pixel spacing and orientation, in order along the normal."""

    name: str
    """What `--series` takes: the SeriesInstanceUID, with #1, #2 ... behind it where the series has several stacks."""
    frames: tuple[Frame, ...]


@dataclass(frozen=True)
class SeriesRow:
    """One line of the table that `series` prints."""

    series: str
    number: str
    description: str
    slices: int
    matrix: str
    spacing_mm: str
    orientation: str


def find_stacks(place: Path, *, progress: Progress | None = None) -> tuple[tuple[Stack, ...], Found]:
    """Every stack of CT slices below a folder, by series and first file, and what was left out."""
    found = find_frames(place, progress=progress)
    by_series: dict[str, list[Frame]] = {}
    for frame in found.frames:
        by_series.setdefault(frame.series_uid, []).append(frame)
    stacks: list[Stack] = []
    for uid, frames in by_series.items():
        groups = _split(frames)
        several = len(groups) > 1 or not uid
        stacks += [Stack(f"{uid}#{n}" if several else uid, group) for n, group in enumerate(groups, start=1)]
    return tuple(stacks), found


def read_series(place: Path, *, series: str | None = None, progress: Progress | None = None) -> Scan:
    """Read one CT series from a folder or a file.

    series: what the table calls it, where there are several.
    Raises AmbiguousScan with the table where a choice is needed; GeometryError and PixelDataError where the
    slices are no regular stack or cannot be decoded; NoScanFound and NotCT where there is nothing to read.
    """
    stacks, found = find_stacks(place)
    stack = choose(stacks, series, place)
    frames, doubles = _without_doubles(stack.frames)
    grid = grid_of(frames)
    hu = hu_volume(frames, progress=progress)
    notes = tuple(map(_printable, (*found.notes(), *doubles, *_repairs(frames), *_remarks(frames, grid))))
    for note in notes:
        logging.getLogger(__name__).info("%s", note)
    return Scan(
        hu=hu,
        grid=grid,
        names=_names(frames),
        headers=tuple(frame.header for frame in frames),
        padding_hu=_padding_hu(frames[0]),
        notes=notes,
    )


def choose(stacks: Sequence[Stack], series: str | None, place: Path) -> Stack:
    """The stack of that name, or the only one; AmbiguousScan, NoScanFound or GeometryError otherwise."""
    if series is not None:
        wanted = [stack for stack in stacks if series in (stack.name, stack.name.partition("#")[0])]
        if not wanted:
            raise NoScanFound(
                f"{place}: no series {series}; `monai-ctseg series` lists the {len(stacks)} that are there"
            )
    else:
        wanted = list(stacks)
    of_one_series = len({stack.name.partition("#")[0] for stack in wanted}) == 1
    if len(wanted) > 1 and not of_one_series:
        raise _ambiguous(wanted, place)
    for stack in wanted:
        for frame in stack.frames:
            if len(wanted) == 1 or not has_geometry(frame):
                _require(frame, stack.frames[0])
    if len(wanted) > 1:
        raise _ambiguous(wanted, place)
    return wanted[0]


def _require(frame: Frame, first: Frame) -> None:
    """Geometry of a frame; what equals the first frame's is right already."""
    known = has_geometry(frame) and (frame.orientation, frame.spacing) == (first.orientation, first.spacing)
    if frame is first or not known or not all(map(math.isfinite, frame.position or ())):
        require_geometry(frame)


def _ambiguous(stacks: Sequence[Stack], place: Path) -> AmbiguousScan:
    series = {stack.name.partition("#")[0] for stack in stacks}
    if len(series) == 1:
        sizes = ", ".join(_size(stack) for stack in stacks[:4]) + (", ..." if len(stacks) > 4 else "")
        what = f"one series whose slices form {len(stacks)} stacks by matrix, spacing or orientation ({sizes})"
    else:
        what = f"{len(series)} series" + ("" if len(series) == len(stacks) else f" in {len(stacks)} stacks")
    return AmbiguousScan(f"{place}: {what}; name one with --series", series_table(series_rows(stacks)))


def _size(stack: Stack) -> str:
    return f"{len(stack.frames)} slices" if len(stack.frames) > 1 else stack.frames[0].label


def _split(frames: Iterable[Frame]) -> list[tuple[Frame, ...]]:
    """Frames by plane; those without geometry stay together."""
    groups: list[list[Frame]] = []
    for frame in frames:
        for group in groups:
            if same_plane(group[0], frame):
                group.append(frame)
                break
        else:
            groups.append([frame])
    return [tuple(in_order(group) if all(map(has_geometry, group)) else group) for group in groups]


def _without_doubles(frames: Sequence[Frame]) -> tuple[list[Frame], tuple[str, ...]]:
    """The frames without identical doubles, and a note of what was dropped.

    Raises GeometryError where two slices at one position differ.
    """
    gaps = np.linalg.norm(np.diff(positions_of(frames), axis=0), axis=1)
    along = np.abs(np.diff(positions_of(frames) @ normal_of(frames[0])))
    kept, dropped = [frames[0]], []
    for frame, gap, step in zip(frames[1:], gaps, along, strict=True):
        if step > SAME_POSITION_MM:
            kept.append(frame)
        elif gap <= SAME_POSITION_MM and _same_voxels(kept[-1], frame):
            dropped.append(frame.label)
        else:
            place = [round(mm, 3) for mm in frame.position or ()]
            raise GeometryError(
                f"{kept[-1].label} and {frame.label} are two different slices at one position, LPS {place}; "
                "remove one of them, or one of the phases"
            )
    if not dropped:
        return kept, ()
    listed = ", ".join(dropped[:3]) + (", ..." if len(dropped) > 3 else "")
    return kept, (f"dropped identical doubles: {len(dropped)} ({listed})",)


def _same_voxels(a: Frame, b: Frame) -> bool:
    return (a.slope, a.intercept) == (b.slope, b.intercept) and np.array_equal(stored_values(a), stored_values(b))


def _repairs(frames: Sequence[Frame]) -> tuple[str, ...]:
    """A note for each rule of REPAIRS that stood in for a missing element."""
    counts = {name: sum(name in frame.missing for frame in frames) for name in REPAIRS}
    for name in ("RescaleSlope", "RescaleIntercept"):
        if 0 < counts[name] < len(frames):
            odd = next(frame for frame in frames if name in frame.missing)
            raise PixelDataError(f"{odd.label}: no {name}, which other slices have; export the series again")
    return tuple(
        f"repaired {'all' if count == len(frames) else count} slices: {name} is missing, {REPAIRS[name]}"
        for name, count in counts.items()
        if count
    )


def _remarks(frames: Sequence[Frame], grid: Grid) -> tuple[str, ...]:
    remarks = []
    if len(frames) == 1:
        remarks.append(f"one slice: its SliceThickness, {grid.spacing_mm[2]:g} mm, stands for the spacing")
    step = grid.index_to_lps[:3, 2] / grid.spacing_mm[2]
    tilt = float(np.degrees(np.arccos(np.clip(step @ normal_of(frames[0]), -1, 1))))
    if tilt > 0.1:
        remarks.append(f"the stack is sheared by {tilt:.1f} degrees (tilted gantry); the shear is kept in the matrix")
    return tuple(remarks)


def _printable(text: str) -> str:
    """Bytes of a file name that are no UTF-8, written out."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def _names(frames: Sequence[Frame]) -> tuple[str, ...]:
    """Names for outputs: the file's, without a DICOM ending, made unique where folders or frames repeat it."""
    names = [f.path.stem if f.path.suffix.lower() in _ENDINGS else f.path.name for f in frames]
    stems = [_printable(name).encode()[:LONGEST_NAME].decode(errors="ignore") for name in names]
    if len(set(stems)) == len(stems):
        return tuple(stems)
    return tuple(f"{stem}_{k:04d}" for k, stem in enumerate(stems))


def _padding_hu(frame: Frame) -> float | None:
    """PixelPaddingValue in HU; None where the header has none."""
    try:
        value = frame.header.get("PixelPaddingValue")
    except Exception:  # damaged bytes in an element that nobody needs
        return None
    if not isinstance(value, int):
        return None
    if frame.layout.signed:  # and often written as unsigned, of the bits stored or allocated
        for bits in (frame.layout.stored, frame.layout.allocated):
            if 1 << (bits - 1) <= value < 1 << bits:
                value -= 1 << bits
    return value * frame.slope + frame.intercept


def series_rows(stacks: Iterable[Stack]) -> tuple[SeriesRow, ...]:
    """The table's rows, one a stack."""
    return tuple(_row(stack) for stack in stacks)


def _row(stack: Stack) -> SeriesRow:
    first = stack.frames[0]
    spacing, orientation = "unknown", "unknown"
    if all(map(has_geometry, stack.frames)):
        between_rows, between_columns = first.spacing or ()
        steps = np.linalg.norm(np.diff(positions_of(stack.frames), axis=0), axis=1)
        between_slices = f"{float(np.median(steps)):.4g}" if steps.size else "-"
        spacing = f"{between_columns:.4g} x {between_rows:.4g} x {between_slices}"
        row, column = np.reshape(first.orientation or (), (2, 3))
        turn = np.eye(4)
        turn[:3, :3] = np.stack([row, column, normal_of(first)], axis=1)
        orientation = Grid((1, 1, 1), turn).orientation
    return SeriesRow(
        series=stack.name,
        number=_text(first.header, "SeriesNumber"),
        description=_text(first.header, "SeriesDescription"),
        slices=len(stack.frames),
        matrix=f"{first.columns} x {first.rows}",
        spacing_mm=spacing,
        orientation=orientation,
    )


def _text(header: Dataset, name: str) -> str:
    """A value to show: one line, whatever the element holds; "-" where it holds nothing that can be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = header.get(name)
    except Exception:  # damaged bytes in an element that nobody needs
        return "-"
    words = value if isinstance(value, (list, MultiValue)) else [value]
    return " ".join(" ".join(str(word) for word in words if word is not None).split()) or "-"


def series_table(rows: Sequence[SeriesRow]) -> str:
    """The rows as aligned text under the names of their fields."""
    cells = [[field.name.replace("_mm", " mm") for field in fields(SeriesRow)]]
    cells += [[str(getattr(row, field.name)) for field in fields(SeriesRow)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )
