"""Elements of a DICOM header: their values, and what they say the file is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue
from pydicom.uid import UID

from monai_ctseg.errors import PixelDataError, ScanError

CT_SOP_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT Image Storage",
}

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""How the UIDs of secondary captures begin (DICOM PS3.6): dose reports and the like."""


def modality_of(header: Dataset) -> str:
    """Modality in capitals; where the header lacks it, CT unless the SOP class names something else."""
    modality = str(header.get("Modality") or "").strip().upper()
    uid = header.get("SOPClassUID") or sop_class_of_meta(header)
    return modality or ("CT" if not uid or uid in CT_SOP_CLASSES else str(UID(uid).name))


def why_not_ct(header: Dataset) -> str:
    """Why an image is not a CT slice: "localizer", "colour image", "screen capture", its modality; "" if it is one."""
    modality = modality_of(header)
    if (raw_value(header, "SamplesPerPixel") or 1) != 1:
        return "colour image"
    if "LOCALIZER" in (header.get("ImageType") or []):
        return "localizer"
    if str(header.get("SOPClassUID") or "").startswith(SECONDARY_CAPTURE) and "ImagePositionPatient" not in header:
        return "screen capture"
    return "" if modality == "CT" else modality


def transfer_syntax(header: Dataset) -> str:
    """Transfer syntax UID; "" in old files without meta information, which are little endian."""
    return str(header.file_meta.get("TransferSyntaxUID", "")) if hasattr(header, "file_meta") else ""


def sop_class_of_meta(header: Dataset) -> str:
    """SOP class in the file meta information, which most anonymizers keep; "" where it has none."""
    return str(header.file_meta.get("MediaStorageSOPClassUID", "")) if hasattr(header, "file_meta") else ""


def first_item(header: Dataset, name: str) -> Dataset | None:
    """The first item of a sequence; None where there is none."""
    sequence = header.get(name) if (tag_for_keyword(name) or 0) in header else None
    return sequence[0] if sequence else None


def number_of(header: Dataset, name: str, kind: Callable[[Any], Any], path: Path, *, default: Any = None) -> Any:
    """The number in an element.

    Args:
        header: Of one file.
        name: Keyword of the element.
        kind: int or float.
        path: Of the file, for refusals.
        default: Where the element is missing or empty.

    Raises:
        PixelDataError: It is missing, and there is no default.
        ScanError: It is not a number.
    """
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
    """A value, without pydicom's conversion where it is a number or decimal string: that halves the reading time."""
    element = header.get_item(tag_for_keyword(name) or 0)
    if element is None:
        return None
    if not isinstance(element, RawDataElement) or not element.value or element.VR not in ("US", "DS", "IS"):
        return header.get(name)
    if element.VR == "US":
        return int.from_bytes(element.value[:2], "little" if element.is_little_endian else "big")
    return element.value.decode("ascii", "replace").strip(" \0")


def numbers_of(header: Dataset, name: str, count: int, path: Path) -> tuple[float, ...] | None:
    """The numbers in an element; None where it is missing or empty, ScanError where there are not `count` of them."""
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


def text_of(header: Dataset, name: str) -> str:
    """A value to show, in one line whatever the element holds; "-" where it holds nothing that can be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = header.get(name)
    except Exception:  # damaged bytes in an element that nobody needs
        return "-"
    words = value if isinstance(value, (list, MultiValue)) else [value]
    return " ".join(" ".join(str(word) for word in words if word is not None).split()) or "-"
