"""The repairs of stripped headers: which elements may be missing, and what each is taken as. Nothing else is repaired.

This list is what the notes of a scan tell. The value itself is put in where the element is read: modality and SOP
class in `header`, the layout of the pixels and the rescale in `frame`, the photometric interpretation in `decode`.
A new repair needs both.
"""

from __future__ import annotations

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

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
"""Elements that an anonymized header may lack, and the rule that replaces each."""

_TAGS = {name: tag_for_keyword(name) or 0 for name in REPAIRS}


def missing_elements(*datasets: Dataset) -> tuple[str, ...]:
    """The elements of `REPAIRS` that none of these datasets has."""
    return tuple(name for name, tag in _TAGS.items() if not any(tag in dataset for dataset in datasets))
