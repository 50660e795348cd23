"""Frames -> stacks of parallel slices, and the choice among several stacks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from monai_ctseg.errors import AmbiguousScan, NoScanFound
from monai_ctseg.io.dicom.files import Found, find_frames
from monai_ctseg.io.dicom.frame import Frame
from monai_ctseg.io.dicom.geometry import has_geometry, in_order, require_geometry, same_plane
from monai_ctseg.io.dicom.stack import Stack
from monai_ctseg.io.dicom.table import series_rows, series_table
from monai_ctseg.parallel import Progress


def find_stacks(path: Path, *, progress: Progress | None = None) -> tuple[tuple[Stack, ...], Found]:
    """Every stack of CT slices in a folder or file.

    Args:
        path: A folder, searched with the folders in it, or a file.
        progress: Called with the number of files done and of all files.

    Returns:
        The stacks, by series and first file, and what was left out.

    Raises:
        NoScanFound: There is no DICOM image.
        NotCT: There are only images of other kinds.
        ScanError: The header of a CT file, or a folder, cannot be read.
    """
    found = find_frames(path, progress=progress)
    by_series: dict[str, list[Frame]] = {}
    for frame in found.frames:
        by_series.setdefault(frame.series_uid, []).append(frame)
    stacks: list[Stack] = []
    for uid, frames in by_series.items():
        groups = _split(frames)
        several = len(groups) > 1 or not uid
        stacks += [Stack(f"{uid}#{n}" if several else uid, group) for n, group in enumerate(groups, start=1)]
    return tuple(stacks), found


def choose(stacks: Sequence[Stack], series: str | None, path: Path) -> Stack:
    """The stack of that name, or the only one.

    Args:
        stacks: From `find_stacks`.
        series: Name of a stack, or SeriesInstanceUID; None: there has to be one only.
        path: Where the stacks were found, for refusals.

    Raises:
        AmbiguousScan: There are several.
        NoScanFound: There is none of that name.
        GeometryError: A slice has no position, orientation or spacing.
    """
    if series is not None:
        wanted = [stack for stack in stacks if series in (stack.name, stack.name.partition("#")[0])]
        if not wanted:
            raise NoScanFound(f"{path}: no series {series}; `monai-ctseg series` lists the {len(stacks)} that exist")
    else:
        wanted = list(stacks)
    of_one_series = len({stack.name.partition("#")[0] for stack in wanted}) == 1
    if len(wanted) > 1 and not of_one_series:
        raise _ambiguous(wanted, path)
    for stack in wanted:
        for frame in stack.frames:
            if len(wanted) == 1 or not has_geometry(frame):
                _require(frame, stack.frames[0])
    if len(wanted) > 1:
        raise _ambiguous(wanted, path)
    return wanted[0]


def _require(frame: Frame, first: Frame) -> None:
    """Check the geometry of a frame; what equals the first frame's has been checked already."""
    known = has_geometry(frame) and (frame.orientation, frame.spacing) == (first.orientation, first.spacing)
    if frame is first or not known or not all(map(math.isfinite, frame.position or ())):
        require_geometry(frame)


def _ambiguous(stacks: Sequence[Stack], path: Path) -> AmbiguousScan:
    series = {stack.name.partition("#")[0] for stack in stacks}
    if len(series) == 1:
        frames = [stack.frames for stack in stacks[:4]]
        sizes = ", ".join(f"{len(one)} slices" if len(one) > 1 else one[0].label for one in frames)
        sizes += ", ..." if len(stacks) > 4 else ""
        what = f"one series whose slices form {len(stacks)} stacks by matrix, spacing or orientation ({sizes})"
    else:
        what = f"{len(series)} series" + ("" if len(series) == len(stacks) else f" in {len(stacks)} stacks")
    return AmbiguousScan(f"{path}: {what}; name one with --series", series_table(series_rows(stacks)))


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
