"""One stack of frames -> a Scan."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from monai_ctseg.errors import GeometryError, PixelDataError
from monai_ctseg.grid import Grid
from monai_ctseg.io.dicom.frame import Frame
from monai_ctseg.io.dicom.geometry import SAME_POSITION_MM, grid_of, normal_of, positions_of
from monai_ctseg.io.dicom.pixels import hu_volume, stored_values
from monai_ctseg.io.dicom.repairs import REPAIRS
from monai_ctseg.io.dicom.stacks import choose, find_stacks
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Scan

LONGEST_NAME = 200
"""Longest name of a slice in outputs, in bytes; file systems allow 255 with the ending."""
_ENDINGS = {".dcm", ".dicom", ".ima", ".img"}


def read_series(path: Path, *, series: str | None = None, progress: Progress | None = None) -> Scan:
    """Read one CT series from a folder or a file.

    Args:
        path: A folder, searched with the folders in it, or a file.
        series: Its name in the table of `monai-ctseg series`, where there are several.
        progress: Called with the number of slices done and of all slices.

    Raises:
        AmbiguousScan: A choice is needed; it carries the table.
        GeometryError: The slices do not form a regular stack.
        PixelDataError: Pixels are missing, truncated or cannot be decoded.
        NoScanFound: There is nothing to read.
        NotCT: There are only images of other kinds.
    """
    stacks, found = find_stacks(path)
    stack = choose(stacks, series, path)
    frames, dropped = _without_duplicates(stack.frames)
    grid = grid_of(frames)
    hu = hu_volume(frames, progress=progress)
    notes = tuple(map(_printable, (*found.notes(), *dropped, *_repairs(frames), *_remarks(frames, grid))))
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


def _without_duplicates(frames: Sequence[Frame]) -> tuple[list[Frame], tuple[str, ...]]:
    """The frames without identical duplicates, and a note of what was dropped; GeometryError where two differ."""
    gaps = np.linalg.norm(np.diff(positions_of(frames), axis=0), axis=1)
    along = np.abs(np.diff(positions_of(frames) @ normal_of(frames[0])))
    kept, dropped = [frames[0]], []
    for frame, gap, step in zip(frames[1:], gaps, along, strict=True):
        last = kept[-1]
        if step > SAME_POSITION_MM:
            kept.append(frame)
        elif (
            gap <= SAME_POSITION_MM
            and (last.slope, last.intercept) == (frame.slope, frame.intercept)
            and np.array_equal(stored_values(last), stored_values(frame))
        ):
            dropped.append(frame.label)
        else:
            position = [round(mm, 3) for mm in frame.position or ()]
            raise GeometryError(
                f"{last.label} and {frame.label} are two different slices at one position, LPS {position}; "
                "remove one of them, or one of the phases"
            )
    if not dropped:
        return kept, ()
    listed = ", ".join(dropped[:3]) + (", ..." if len(dropped) > 3 else "")
    return kept, (f"dropped identical duplicates: {len(dropped)} ({listed})",)


def _repairs(frames: Sequence[Frame]) -> tuple[str, ...]:
    """A note for each rule of REPAIRS that replaced a missing element."""
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
        remarks.append(f"one slice: its SliceThickness, {grid.spacing_mm[2]:g} mm, is taken as the spacing")
    step = grid.index_to_lps[:3, 2] / grid.spacing_mm[2]
    tilt = float(np.degrees(np.arccos(np.clip(step @ normal_of(frames[0]), -1, 1))))
    if tilt > 0.1:
        remarks.append(f"the stack is sheared by {tilt:.1f} degrees (tilted gantry); the shear is kept in the matrix")
    return tuple(remarks)


def _printable(text: str) -> str:
    """The text with bytes that are not UTF-8, as file names may have them, as escapes."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def _names(frames: Sequence[Frame]) -> tuple[str, ...]:
    """Names of the slices: the file's, without a DICOM ending, and with a number where folders or frames repeat it."""
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
