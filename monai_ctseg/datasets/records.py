"""Case and DataSplit: one scan of a dataset, and what trains, validates and tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from monai_ctseg.errors import DatasetError

if TYPE_CHECKING:
    pass


Section: TypeAlias = Literal["training", "validation", "test"]
SECTIONS: tuple[Section, ...] = ("training", "validation", "test")


@dataclass(frozen=True)
class Case:
    """One scan, or some slices of it.

    image: Folder of a DICOM series, one file, or a NIfTI volume.
    label: NIfTI mask on the same grid; None: metal by threshold.
    series: SeriesInstanceUID where the folder holds several.
    slices: Indices k that count; None: all.
    metal_voxels: Voxels set in the label, where known.
    voxels_sha256: Hash of the scan's HU, where known.
    label_method: What made the label, such as "truth" (of a simulation) or "half-maximum", where known.
    weight: How often training samples the case, relative to others that have 1; None: 1.
    """

    image: Path
    label: Path | None = None
    series: str | None = None
    slices: tuple[int, ...] | None = None
    metal_voxels: int | None = None
    voxels_sha256: str | None = None
    label_method: str | None = None
    weight: float | None = None

    def as_item(self) -> dict[str, Any]:
        """The dictionary that MONAI's transforms take; keys without a value are left out."""
        item = {
            "image": str(self.image),
            "label": self.label and str(self.label),
            "series": self.series,
            "slices": self.slices and list(self.slices),
            "weight": self.weight,
        }
        return {key: value for key, value in item.items() if value is not None}


@dataclass(frozen=True)
class DataSplit:
    """What trains, what validates and what is kept for a last test.

    split: How that was decided: "blocks", "interleaved", "patients" or "given".
    note: What the split means, in one line.
    sources: The `provenance` of each scan, where the scans were read to split them.
    threshold_hu: Of the labels of cases that name no mask, where known.
    """

    training: tuple[Case, ...]
    validation: tuple[Case, ...]
    split: str = "given"
    note: str = ""
    sources: tuple[Mapping[str, Any], ...] = ()
    threshold_hu: float | None = None
    test: tuple[Case, ...] = ()

    def items(self, section: Section) -> list[dict[str, Any]]:
        """The section as MONAI takes it, one dictionary for each case."""
        return [case.as_item() for case in self.cases(section)]

    def cases(self, section: Section) -> tuple[Case, ...]:
        """The section; DatasetError where there is none of that name."""
        if section not in SECTIONS:
            raise DatasetError(f"a dataset.json has no section '{section}'; take {', '.join(SECTIONS)}")
        cases: tuple[Case, ...] = getattr(self, section)
        return cases
