"""dataset.json: which scans, labels and slices train, and which validate.

It has the form of the Medical Segmentation Decathlon, which MONAI reads: "training", "validation" and "test" are lists
of {"image": path, "label": path, "series": uid, "slices": [k, ...]}. Only "image" is needed, and "test" is optional.
Without "label" the metal is found by threshold; without "slices" the whole scan counts. Relative paths start at the
file's folder and must not leave it by ".."; links in it are followed. By "metal_voxels" and "voxels_sha256", which
`prepare` writes, a cohort that cannot train is refused before it is read. "label_method" distinguishes kinds of labels,
and "weight" is how often training samples a case.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ctseg.datasets.apart import require_apart
from monai_ctseg.datasets.records import SECTIONS, Case, DataSplit, Section
from monai_ctseg.errors import DatasetError
from monai_ctseg.io.walk import exists
from monai_ctseg.output import write_text

if TYPE_CHECKING:
    from monai_ctseg.datasets.schema import Item

FILE_NAME = "dataset.json"


def write_dataset(dataset: DataSplit, path: Path) -> None:
    """Write dataset.json.

    Args:
        dataset: Paths in the folder of the file are written relative to it, others absolute.
        path: Of the file.

    Raises:
        OutputError: The file cannot be written.
    """
    content: dict[str, Any] = {
        "name": "metal in CT",
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "metal"},
        "tensorImageSize": "3D",
        "split": dataset.split,
        "note": dataset.note,
        **({} if dataset.threshold_hu is None else {"threshold_hu": dataset.threshold_hu}),
    }
    content |= {f"num{name.capitalize()}": len(dataset.cases(name)) for name in SECTIONS}
    content |= {name: [_written(case, path.parent) for case in dataset.cases(name)] for name in SECTIONS}
    write_text(path, json.dumps(content, indent=1) + "\n")  # ASCII: a path may hold bytes that are not UTF-8


def read_dataset(path: Path) -> DataSplit:
    """Read dataset.json.

    Raises:
        DatasetError: The file is not one, names files that do not exist, has no metal to train on or to validate on, or
            has a slice in two sections.
    """
    from monai_ctseg.datasets.schema import no_scan, parse_dataset  # pydantic is slow to import

    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} cannot be read as a dataset.json: {error}") from error
    file = parse_dataset(content, path)
    sections: dict[Section, tuple[Case, ...]] = {
        name: tuple(_as_case(item, f"{path}, {name}[{n}]", path.parent) for n, item in enumerate(getattr(file, name)))
        for name in SECTIONS
    }
    for name in ("training", "validation"):
        if not sections[name]:
            raise DatasetError(no_scan(path, name, file.note))
        if not any(case.metal_voxels != 0 for case in sections[name]):
            raise DatasetError(
                f"{path}: no scan of the {len(sections[name])} under '{name}' holds metal in its label; "
                "prepare them with a lower threshold, or add scans with metal"
            )
    for one, other in combinations(sections.values(), 2):
        require_apart(one, other, path)
    _require_files([case for cases in sections.values() for case in cases], path)
    return DataSplit(
        training=sections["training"],
        validation=sections["validation"],
        test=sections["test"],
        split=file.split,
        note=file.note or "as given by dataset.json",
        threshold_hu=file.threshold_hu,
    )


def _as_case(item: Item, where: str, folder: Path) -> Case:
    """The case of an item, with whole paths."""
    values = item.model_dump()
    paths = {key: _resolve(values[key], folder, where) for key in ("image", "label") if values[key] is not None}
    slices = None if item.slices is None else tuple(item.slices)
    return Case(**{**values, **paths, "slices": slices})


def _resolve(text: str, folder: Path, where: str) -> Path:
    path = Path(text)
    if path.is_absolute():
        return path
    if ".." in path.parts:
        raise DatasetError(f"{where}: '{text}' leads out of the folder of dataset.json; write the whole path")
    return folder / path


def _require_files(cases: Sequence[Case], path: Path) -> None:
    named = dict.fromkeys(file for case in cases for file in (case.image, case.label) if file is not None)
    missing = [str(file) for file in named if not exists(file)]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise DatasetError(f"{path} names files that do not exist: {', '.join(missing[:3])}{more}")


def _written(case: Case, folder: Path) -> dict[str, Any]:
    known = {
        "metal_voxels": case.metal_voxels,
        "voxels_sha256": case.voxels_sha256,
        "label_method": case.label_method,
    }
    return {**_relative(case.as_item(), folder), **{key: value for key, value in known.items() if value is not None}}


def _relative(item: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Paths absolute, so that the file works from anywhere; under the folder relative, so that it can move."""
    home = Path(os.path.abspath(folder))  # noqa: PTH100 - links stay as they were named
    written = dict(item)
    for key in ("image", "label"):
        if key in written:
            path = Path(os.path.abspath(written[key]))  # noqa: PTH100
            written[key] = path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)
    return written
