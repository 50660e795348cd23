"""What one slice of a file says of itself, checked and with the listed repairs.

A single-frame file is one frame; an enhanced multi-frame file is as many as it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import Dataset

from monai_ctseg.errors import PixelDataError, ScanError
from monai_ctseg.io.dicom.header import first_item, number_of, numbers_of, transfer_syntax
from monai_ctseg.io.dicom.repairs import missing_elements

_PER_FRAME = 0x52009230
HIGHEST_RESCALE = 1e6
HU_RESCALE_TYPES = {"", "HU", "HU_MOD", "US"}


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How the stored values of a frame are coded."""

    transfer_syntax: str
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    offset: int
    """Byte in the file at which the pixel data element begins."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One slice before its pixels are read. Lengths in mm, directions as cosines, frame LPS."""

    path: Path
    number: int
    header: Dataset
    series_uid: str
    rows: int
    columns: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    """Between rows, between columns: DICOM's own order."""
    slope: float
    intercept: float
    layout: PixelLayout
    missing: tuple[str, ...]

    @property
    def label(self) -> str:
        """The file's name, with the frame's number where the file holds several."""
        frames = self.header.get("NumberOfFrames")
        return f"{self.path.name}[{self.number + 1}]" if frames and int(frames) > 1 else self.path.name


def frames_of(path: Path, header: Dataset, offset: int) -> Iterator[Frame]:
    """The frames of one CT file, from its header without pixels.

    Args:
        path: Of the file.
        header: Without the pixel data.
        offset: Byte in the file at which the pixel data element begins.

    Raises:
        ScanError: An element without a repair is missing or not readable.
    """
    count = number_of(header, "NumberOfFrames", int, path, default=1)
    shared = first_item(header, "SharedFunctionalGroupsSequence")
    own = header.get("PerFrameFunctionalGroupsSequence") or [] if _PER_FRAME in header else []
    if count < 1 or (count > 1 and len(own) != count):
        raise ScanError(f"{path.name}: {count} frames, but {len(own)} frame descriptions; export the series again")
    common = _common(path, header, offset)
    for n in range(count):
        groups = [group for group in (own[n] if n < len(own) else None, shared, header) if group is not None]
        yield Frame(path=path, number=n, header=header, **common, **_of_frame(path, header, groups))


def _common(path: Path, header: Dataset, offset: int) -> dict[str, Any]:
    """What all frames of a file share."""
    signed = number_of(header, "PixelRepresentation", int, path)
    allocated = number_of(header, "BitsAllocated", int, path)
    stored = number_of(header, "BitsStored", int, path, default=allocated)
    high_bit = number_of(header, "HighBit", int, path, default=stored - 1)
    rows, columns = number_of(header, "Rows", int, path), number_of(header, "Columns", int, path)
    if min(rows, columns) < 1:
        raise PixelDataError(f"{path.name}: {rows} rows and {columns} columns: not an image; export the series again")
    if (
        signed not in (0, 1)
        or allocated not in (8, 16, 32)
        or not 0 < stored <= allocated
        or not stored - 1 <= high_bit < allocated
    ):
        raise PixelDataError(
            f"{path.name}: {allocated} bits allocated, {stored} stored, high bit {high_bit}: not a pixel layout of CT"
        )
    return {
        "series_uid": str(header.get("SeriesInstanceUID") or ""),
        "rows": rows,
        "columns": columns,
        "layout": PixelLayout(transfer_syntax(header), allocated, stored, high_bit, bool(signed), offset),
    }


def _of_frame(path: Path, header: Dataset, groups: list[Dataset]) -> dict[str, Any]:
    """What differs between frames: from the header, or from the functional groups of an enhanced file."""
    if not groups:
        return {
            **_geometry(path, header, header, header),
            **_rescale(path, header, header),
            "missing": missing_elements(header),
        }
    position = _group(groups, "PlanePositionSequence")
    orientation = _group(groups, "PlaneOrientationSequence")
    measures = _group(groups, "PixelMeasuresSequence")
    scale = _group(groups, "PixelValueTransformationSequence")
    missing = missing_elements(header, scale)
    return {**_geometry(path, position, orientation, measures), **_rescale(path, scale, header), "missing": missing}


def _geometry(path: Path, position: Dataset, orientation: Dataset, measures: Dataset) -> dict[str, Any]:
    return {
        "position": numbers_of(position, "ImagePositionPatient", 3, path),
        "orientation": numbers_of(orientation, "ImageOrientationPatient", 6, path),
        "spacing": numbers_of(measures, "PixelSpacing", 2, path),
    }


def _rescale(path: Path, scale: Dataset, header: Dataset) -> dict[str, float]:
    """Slope and intercept to HU; a missing pair is the identity where the pixels are signed, else refused."""
    if header.get("ModalityLUTSequence"):
        raise PixelDataError(f"{path.name}: HU by a lookup table (ModalityLUTSequence), which CT does not use")
    kind = str(scale.get("RescaleType") or "")
    if kind.upper() not in HU_RESCALE_TYPES and not kind.upper().startswith("HOUNSFIELD"):
        raise PixelDataError(f"{path.name}: RescaleType is {kind}, so its values are not HU; choose another series")
    if "RescaleIntercept" not in scale and not header.get("PixelRepresentation"):
        raise PixelDataError(
            f"{path.name}: unsigned pixels without RescaleIntercept, so their HU are unknown; export the series again"
        )
    slope = number_of(scale, "RescaleSlope", float, path, default=1.0)
    intercept = number_of(scale, "RescaleIntercept", float, path, default=0.0)
    if slope == 0.0 or not max(abs(slope), abs(intercept)) < HIGHEST_RESCALE:
        raise PixelDataError(
            f"{path.name}: RescaleSlope is {slope:g} and RescaleIntercept {intercept:g}: "
            "not a rescale to HU; export it again"
        )
    return {"slope": slope, "intercept": intercept}


def _group(groups: list[Dataset], name: str) -> Dataset:
    """The first item of a functional group, the frame's own before the shared one; the header where there is none."""
    return next((item for item in (first_item(group, name) for group in groups) if item is not None), groups[-1])
