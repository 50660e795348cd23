"""Stack: slices of a series that form one volume."""

from __future__ import annotations

from dataclasses import dataclass

from monai_ctseg.io.dicom.frame import Frame


@dataclass(frozen=True)
class Stack:
    """Frames of one series that share matrix, pixel spacing and orientation, in order along the normal."""

    name: str
    """What `--series` takes: the SeriesInstanceUID, with #1, #2 ... behind it where the series has several stacks."""
    frames: tuple[Frame, ...]
