"""Frame: what one slice of a file says of itself, checked and with the listed repairs.

A single-frame file is one frame; an enhanced multi-frame file is as many as it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.uid import UID

from monai_ctseg.errors import PixelDataError, ScanError

CT_SOP_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT Image Storage",
}

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""Where the UIDs of secondary captures begin (DICOM PS3.6): dose reports and the like."""

REPAIRS: dict[str, str] = {
    "Modality": "taken as CT",
    "SOPClassUID": "taken as CT Image Storage",
    "PhotometricInterpretation": "taken as MONOCHROME2",
    "SamplesPerPixel": "taken as 1",
    "BitsStored": "taken as BitsAllocated",
    "HighBit": "taken as BitsStored - 1",
    "RescaleSlope": "taken as 1",
    "RescaleIntercept": "taken as 0, the pixels being signed",
}
"""Elements that a stripped header may lack, and the rule that stands in for each. Nothing else is repaired."""

_PER_FRAME = 0x52009230
_REPAIRED_TAGS = {name: tag_for_keyword(name) or 0 for name in REPAIRS}
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

    Raises ScanError where an element that nothing can stand in for is missing or not readable.
    """
    count = _number(header, "NumberOfFrames", int, path, default=1)
    shared = _first(header, "SharedFunctionalGroupsSequence")
    own = header.get("PerFrameFunctionalGroupsSequence") or [] if _PER_FRAME in header else []
    if count < 1 or (count > 1 and len(own) != count):
        raise ScanError(f"{path.name}: {count} frames, but {len(own)} frame descriptions; export the series again")
    common = _common(path, header, offset)
    for n in range(count):
        groups = [group for group in (own[n] if n < len(own) else None, shared, header) if group is not None]
        yield Frame(path=path, number=n, header=header, **common, **_of_frame(path, header, groups))


def _common(path: Path, header: Dataset, offset: int) -> dict[str, Any]:
    """What all frames of a file share."""
    signed = _number(header, "PixelRepresentation", int, path)
    allocated = _number(header, "BitsAllocated", int, path)
    stored = _number(header, "BitsStored", int, path, default=allocated)
    high_bit = _number(header, "HighBit", int, path, default=stored - 1)
    rows, columns = _number(header, "Rows", int, path), _number(header, "Columns", int, path)
    if min(rows, columns) < 1:
        raise PixelDataError(f"{path.name}: {rows} rows and {columns} columns: no picture; export the series again")
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
    """What a frame has for itself: in the header, or in the functional groups of an enhanced file."""
    if not groups:
        return {
            **_geometry(path, header, header, header),
            **_rescale(path, header, header),
            "missing": _missing(header),
        }
    position = _group(groups, "PlanePositionSequence")
    orientation = _group(groups, "PlaneOrientationSequence")
    measures = _group(groups, "PixelMeasuresSequence")
    scale = _group(groups, "PixelValueTransformationSequence")
    missing = _missing(header, scale)
    return {**_geometry(path, position, orientation, measures), **_rescale(path, scale, header), "missing": missing}


def _geometry(path: Path, position: Dataset, orientation: Dataset, measures: Dataset) -> dict[str, Any]:
    return {
        "position": _numbers(position, "ImagePositionPatient", 3, path),
        "orientation": _numbers(orientation, "ImageOrientationPatient", 6, path),
        "spacing": _numbers(measures, "PixelSpacing", 2, path),
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
    slope = _number(scale, "RescaleSlope", float, path, default=1.0)
    intercept = _number(scale, "RescaleIntercept", float, path, default=0.0)
    if slope == 0.0 or not max(abs(slope), abs(intercept)) < HIGHEST_RESCALE:
        raise PixelDataError(
            f"{path.name}: RescaleSlope is {slope:g} and RescaleIntercept {intercept:g}, no way to HU; export it again"
        )
    return {"slope": slope, "intercept": intercept}


def modality_of(header: Dataset) -> str:
    """Modality in capitals; where it is stripped, CT unless the SOP class names something else."""
    modality = str(header.get("Modality") or "").strip().upper()
    uid = header.get("SOPClassUID") or sop_class_of_meta(header)
    return modality or ("CT" if not uid or uid in CT_SOP_CLASSES else str(UID(uid).name))


def why_no_ct_slice(header: Dataset) -> str:
    """Why an image is no CT slice: "localizer", "colour image", "screen capture", its modality; "" if it is one."""
    modality = modality_of(header)
    if (raw_value(header, "SamplesPerPixel") or 1) != 1:
        return "colour image"
    if "LOCALIZER" in (header.get("ImageType") or []):
        return "localizer"
    if str(header.get("SOPClassUID") or "").startswith(SECONDARY_CAPTURE) and "ImagePositionPatient" not in header:
        return "screen capture"
    return "" if modality == "CT" else modality


def _missing(*places: Dataset) -> tuple[str, ...]:
    """The elements of REPAIRS that none of these datasets has."""
    return tuple(name for name, tag in _REPAIRED_TAGS.items() if not any(tag in place for place in places))


def transfer_syntax(header: Dataset) -> str:
    """Transfer syntax UID; "" in old files without meta information, which are little endian."""
    return str(header.file_meta.get("TransferSyntaxUID", "")) if hasattr(header, "file_meta") else ""


def sop_class_of_meta(header: Dataset) -> str:
    """SOP class as the file meta information has it, which survives most strippers; "" where it has none."""
    return str(header.file_meta.get("MediaStorageSOPClassUID", "")) if hasattr(header, "file_meta") else ""


def _first(header: Dataset, name: str) -> Dataset | None:
    sequence = header.get(name) if (tag_for_keyword(name) or 0) in header else None
    return sequence[0] if sequence else None


def _group(groups: list[Dataset], name: str) -> Dataset:
    """The first item of a functional group, the frame's own before the shared one; the header where there is none."""
    return next((item for item in (_first(group, name) for group in groups) if item is not None), groups[-1])


def _number(header: Dataset, name: str, kind: Callable[[Any], Any], path: Path, *, default: Any = None) -> Any:
    value = raw_value(header, name)
    if value is None or value == "":
        if default is None:
            raise PixelDataError(f"{path.name}: the header lacks {name}, without which its pixels cannot be read")
        return default
    try:
        return kind(value)
    except (TypeError, ValueError):
        raise ScanError(f"{path.name}: {name} is {str(value)[:40]!r}, not a number; export the series again") from None


def raw_value(header: Dataset, name: str) -> Any:
    """A value without pydicom's conversion, where it is a plain number or decimal string: half the reading time."""
    element = header.get_item(tag_for_keyword(name) or 0)
    if element is None:
        return None
    if not isinstance(element, RawDataElement) or not element.value or element.VR not in ("US", "DS", "IS"):
        return header.get(name)
    if element.VR == "US":
        return int.from_bytes(element.value[:2], "little" if element.is_little_endian else "big")
    return element.value.decode("ascii", "replace").strip(" \0")


def _numbers(header: Dataset, name: str, count: int, path: Path) -> tuple[float, ...] | None:
    """A decimal string of several values."""
    value = raw_value(header, name)
    if value is None or value == "":
        return None
    parts = value.split("\\") if isinstance(value, str) else value
    try:
        numbers = tuple(map(float, parts))
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != count:
        raise ScanError(f"{path.name}: {name} is {str(parts)[:60]}, not {count} numbers; export the series again")
    return numbers
