"""dataset.json: which scans, labels and slices train, and which validate.

It follows the Medical Segmentation Decathlon's form that MONAI reads: "training" and "validation" are lists
of {"image": path, "label": path, "series": uid, "slices": [k, ...]}; all but "image" may be missing. Without "label"
the metal is found by threshold; without "slices" the whole scan counts. Relative paths start at the file's own folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from monai_ctseg.errors import DatasetError
from monai_ctseg.metal import find_metal
from monai_ctseg.nifti import read_mask
from monai_ctseg.scan import Mask, Scan

FILE_NAME = "dataset.json"


@dataclass(frozen=True)
class Case:
    """One scan, or some slices of it.

    image: folder of a DICOM series, one file, or a NIfTI volume.
    label: NIfTI mask on the same grid; None: metal by threshold.
    series: SeriesInstanceUID where the folder holds several. slices: indices k that count; None: all.
    """

    image: Path
    label: Path | None = None
    series: str | None = None
    slices: tuple[int, ...] | None = None

    def as_item(self) -> dict[str, Any]:
        """The dictionary that MONAI's transforms take; keys without a value are left out."""
        item = {"image": str(self.image), "label": self.label and str(self.label), "series": self.series}
        item = {key: value for key, value in item.items() if value is not None}
        return item if self.slices is None else {**item, "slices": list(self.slices)}


@dataclass(frozen=True)
class DataSplit:
    """What trains and what validates, how that was decided, and what it means for the figures.

    sources: the `provenance` of each scan, where the scans were read to split them.
    """

    training: tuple[Case, ...]
    validation: tuple[Case, ...]
    split: str = "given"
    note: str = ""
    sources: tuple[Mapping[str, Any], ...] = ()

    def items(self, section: Literal["training", "validation"]) -> list[dict[str, Any]]:
        """The section as MONAI takes it, a dictionary a case."""
        return [case.as_item() for case in getattr(self, section)]


def read_label(scan: Scan, label: Path | None, *, threshold_hu: float) -> Mask:
    """The mask file, which has to lie on the scan's grid, or the metal by threshold where there is none."""
    if label is None:
        return find_metal(scan, threshold_hu=threshold_hu).mask
    mask = read_mask(label)
    scan.grid.require(mask.grid)
    return mask


def write_dataset(dataset: DataSplit, path: Path) -> None:
    """Write dataset.json; paths under its folder are written relative to it."""
    content = {
        "name": "metal in CT",
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "metal"},
        "tensorImageSize": "3D",
        "split": dataset.split,
        "note": dataset.note,
        "numTraining": len(dataset.training),
        "numValidation": len(dataset.validation),
        "training": [_relative(item, path.parent) for item in dataset.items("training")],
        "validation": [_relative(item, path.parent) for item in dataset.items("validation")],
    }
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def read_dataset(path: Path) -> DataSplit:
    """Read dataset.json; DatasetError where it is not one, or names files that are not there."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read as a dataset.json: {error}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path} holds no JSON object; it needs the lists 'training' and 'validation'")
    training, validation = (_read_section(content.get(name), name, path) for name in ("training", "validation"))
    _require_apart(training, validation, path)
    _require_files([*training, *validation], path)
    return DataSplit(
        training,
        validation,
        split=str(content.get("split", "given")),
        note=str(content.get("note") or "as given by dataset.json"),
    )


def _read_section(items: Any, name: str, path: Path) -> tuple[Case, ...]:
    if not isinstance(items, list) or not items:
        raise DatasetError(f"{path} lists no scan under '{name}'; it needs at least one")
    return tuple(_read_item(item, f"{path}, {name}[{n}]", path.parent) for n, item in enumerate(items))


def _read_item(item: Any, where: str, folder: Path) -> Case:
    if not isinstance(item, dict) or not isinstance(item.get("image"), str):
        raise DatasetError(f"{where} has no 'image' path")
    slices = item.get("slices")
    if slices is not None and not (isinstance(slices, list) and slices and all(type(k) is int for k in slices)):
        raise DatasetError(f"{where}: 'slices' has to be a list of slice indices, not {str(slices)[:40]}")
    series, label = item.get("series"), item.get("label")
    if not all(value is None or isinstance(value, str) for value in (series, label)):
        raise DatasetError(f"{where}: 'label' and 'series' have to be text")
    return Case(
        image=_resolve(item["image"], folder, where),
        label=None if label is None else _resolve(label, folder, where),
        series=series,
        slices=None if slices is None else tuple(slices),
    )


def _resolve(text: str, folder: Path, where: str) -> Path:
    path = Path(text)
    if path.is_absolute():
        return path
    if ".." in path.parts:
        raise DatasetError(f"{where}: '{text}' climbs out of the folder of dataset.json; write the whole path")
    return folder / path


def _require_apart(training: Sequence[Case], validation: Sequence[Case], path: Path) -> None:
    """No slice of a scan on both sides."""
    for a in training:
        for b in validation:
            same = (a.image.resolve(), a.series) == (b.image.resolve(), b.series)
            if same and (a.slices is None or b.slices is None or set(a.slices) & set(b.slices)):
                raise DatasetError(f"{path} trains and validates on the same slices of {b.image.name}; hold some out")


def _require_files(cases: Sequence[Case], path: Path) -> None:
    named = dict.fromkeys(file for case in cases for file in (case.image, case.label) if file is not None)
    missing = [str(file) for file in named if not file.exists()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise DatasetError(f"{path} names files that are not there: {', '.join(missing[:3])}{more}")


def _relative(item: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Paths absolute, so that the file works from anywhere; under the folder relative, so that it can move."""
    home = Path(os.path.abspath(folder))  # noqa: PTH100 - links stay as they were named
    written = dict(item)
    for key in ("image", "label"):
        if key in written:
            path = Path(os.path.abspath(written[key]))  # noqa: PTH100
            written[key] = path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)
    return written
