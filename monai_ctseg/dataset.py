"""Which slices and scans train and which validate: splits without hidden leaks, and dataset.json.

dataset.json follows the Medical Segmentation Decathlon's form that MONAI reads: "training" and "validation" are lists
of {"image": path, "label": path, "series": uid, "slices": [k, ...]}; all but "image" may be missing. Without "label"
the metal is found by threshold; without "slices" the whole scan counts. Relative paths start at the file's own folder.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from monai_ctseg.errors import DatasetError
from monai_ctseg.metal import find_metal
from monai_ctseg.nifti import read_mask
from monai_ctseg.reading import read_scan
from monai_ctseg.scan import BoolArray, Mask, Scan

FILE_NAME = "dataset.json"
SHARE = 0.2
"""Share of the slices, or of the patients, that validates."""

SplitKind = Literal["blocks", "interleaved", "patients"]


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
    """What trains and what validates, how that was decided, and what it means for the figures."""

    training: tuple[Case, ...]
    validation: tuple[Case, ...]
    split: str = "given"
    note: str = ""

    def items(self, section: Literal["training", "validation"]) -> list[dict[str, Any]]:
        """The section as MONAI takes it, a dictionary a case."""
        return [case.as_item() for case in getattr(self, section)]


@dataclass(frozen=True)
class Facts:
    """What a split needs to know of a scan; nothing in it names the patient.

    metal: voxels of metal in each slice, [k]. keys: hashes; two scans that share one are of one patient.
    """

    names: tuple[str, ...]
    spacing_mm: float
    metal: tuple[int, ...]
    keys: frozenset[str]


def build_dataset(
    cases: Sequence[Case],
    *,
    split: SplitKind | None = None,
    held_out: Sequence[int | str] | None = None,
    threshold_hu: float = 3000.0,
    gap_mm: float = 5.0,
    seed: int = 0,
) -> DataSplit:
    """Read each case and split: by default in blocks of one scan, and by patient with several scans.

    held_out: first and last slice that validate, both included, as indices k or slice names ("blocks" only).
    gap_mm: slices nearer to a held-out block than this are used for neither.
    Raises DatasetError where there is nothing to train on or nothing to validate on.
    """
    if not cases:
        raise DatasetError("no scan was given to train on; name at least one")
    kind = split or ("blocks" if len(cases) == 1 else "patients")
    facts = [read_facts(case, threshold_hu=threshold_hu) for case in cases]
    if kind == "patients":
        if held_out is not None:
            raise DatasetError("held-out slices belong to one scan; give one scan, or leave them out")
        return split_patients(cases, facts, seed=seed)
    if kind not in ("blocks", "interleaved"):
        raise DatasetError(f"there is no split '{kind}'; take blocks, interleaved or patients")
    if len(cases) > 1:
        raise DatasetError(f"the split '{kind}' is for one scan, and {len(cases)} were given; split by patients")
    if kind == "interleaved":
        if held_out is not None:
            raise DatasetError("held-out slices go with the split 'blocks', not with 'interleaved'")
        return split_interleaved(cases[0], facts[0])
    return split_blocks(cases[0], facts[0], held_out=held_out, gap_mm=gap_mm)


def read_facts(case: Case, *, threshold_hu: float = 3000.0) -> Facts:
    """Read the scan and its label, and keep what a split needs."""
    scan = read_scan(case.image, series=case.series)
    mask = read_label(scan, case.label, threshold_hu=threshold_hu)
    return Facts(
        names=scan.names,
        spacing_mm=scan.grid.spacing_mm[2],
        metal=tuple(int(n) for n in mask.voxels.sum(axis=(0, 1))),
        keys=_patient_keys(scan),
    )


def read_label(scan: Scan, label: Path | None, *, threshold_hu: float) -> Mask:
    """The mask file, which has to lie on the scan's grid, or the metal by threshold where there is none."""
    if label is None:
        return find_metal(scan, threshold_hu=threshold_hu).mask
    mask = read_mask(label)
    scan.grid.require(mask.grid)
    return mask


def split_interleaved(case: Case, facts: Facts) -> DataSplit:
    """Every fifth slice validates, counted by the numbers in the slice names where they have them, else by position."""
    _require_splittable(facts)
    held = np.zeros(len(facts.names), dtype=np.bool_)
    held[_count_slices(facts.names)[4::5]] = True
    note = (
        "interleaved: every fifth slice validates, and each has training slices on both sides "
        f"({facts.spacing_mm:.3g} mm away), so the figure flatters the network"
    )
    return _split_slices(case, facts, held, ~held, kind="interleaved", note=note)


def split_blocks(case: Case, facts: Facts, *, held_out: Sequence[int | str] | None, gap_mm: float = 5.0) -> DataSplit:
    """A run of slices validates; those within `gap_mm` of it are left out of both sides."""
    _require_splittable(facts)
    gap = math.ceil(gap_mm / facts.spacing_mm - 1e-6)
    first, last = _choose_block(facts, gap) if held_out is None else _find_block(facts, held_out)
    k = np.arange(len(facts.names))
    held = (k >= first) & (k <= last)
    near = (k >= first - gap) & (k <= last + gap)
    left_out = int((near & ~held).sum())
    note = (
        f"blocks: slices {facts.names[first]} to {facts.names[last]} (k = {first} to {last}) validate; "
        f"{left_out} slices within {gap_mm:g} mm of them are left out"
    )
    return _split_slices(case, facts, held, ~near, kind="blocks", note=note)


def split_patients(cases: Sequence[Case], facts: Sequence[Facts], *, seed: int = 0) -> DataSplit:
    """Whole patients validate. Scans of one PatientID, or with the same voxels, are one patient."""
    groups = _group_patients([fact.keys for fact in facts])
    with_metal = [group for group in groups if any(sum(facts[n].metal) for n in group)]
    without = [group for group in groups if group not in with_metal]
    if len(with_metal) < 2:
        raise DatasetError(
            f"{len(cases)} scans are of {len(groups)} patients, {len(with_metal)} of them with metal; "
            "a split by patients needs two with metal, or give one scan and split it in blocks"
        )
    rng = np.random.default_rng(seed)
    held: set[int] = set()
    for part, least in ((with_metal, 1), (without, 0)):
        chosen = rng.permutation(len(part))[: max(least, round(SHARE * len(part)))]
        held.update(n for group in chosen for n in part[group])
    note = f"patients: {len(held)} of {len(cases)} scans validate; no patient is on both sides"
    return DataSplit(
        training=tuple(case for n, case in enumerate(cases) if n not in held),
        validation=tuple(case for n, case in enumerate(cases) if n in held),
        split="patients",
        note=note,
    )


def open_dataset(place: str | Path, **options: Any) -> DataSplit:
    """The dataset.json in a folder, or that file itself; any other place is a scan for `build_dataset(**options)`."""
    path = Path(place)
    if path.suffix == ".json":
        return read_dataset(path)
    if (path / FILE_NAME).is_file():
        return read_dataset(path / FILE_NAME)
    return build_dataset([Case(path)], **options)


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
    sections = {name: _read_section(content.get(name), name, path) for name in ("training", "validation")}
    _require_files([case for cases in sections.values() for case in cases], path)
    return DataSplit(**sections, split=str(content.get("split", "given")), note=str(content.get("note", "")))


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


def _patient_keys(scan: Scan) -> frozenset[str]:
    voxels = hashlib.blake2b(str(scan.hu.shape).encode())
    for k in range(scan.hu.shape[2]):
        voxels.update(np.ascontiguousarray(scan.hu[:, :, k].T).tobytes())
    keys = {voxels.hexdigest()}
    patient = str(scan.headers[0].get("PatientID", "")).strip() if scan.headers else ""
    if patient:
        keys.add(hashlib.blake2b(patient.encode()).hexdigest())
    return frozenset(keys)


def _group_patients(keys: Sequence[frozenset[str]]) -> list[list[int]]:
    """Indices of scans, grouped so that scans that share a key are together."""
    groups: list[tuple[frozenset[str], list[int]]] = []
    for n, own in enumerate(keys):
        joined = [group for group in groups if group[0] & own]
        groups = [group for group in groups if not group[0] & own]
        groups.append((own.union(*(group[0] for group in joined)), [*(i for group in joined for i in group[1]), n]))
    return sorted(sorted(members) for _, members in groups)


def _require_splittable(facts: Facts) -> None:
    if len(facts.names) < 2:
        raise DatasetError(
            "the scan has one slice, which cannot both train and validate; give a series or several scans"
        )
    if not any(facts.metal):
        raise DatasetError("the scan holds no metal at this threshold, so there is nothing to train on")


def _split_slices(case: Case, facts: Facts, held: BoolArray, train: BoolArray, *, kind: str, note: str) -> DataSplit:
    metal = np.array(facts.metal)
    for name, chosen in (("training", train), ("validation", held)):
        if not metal[chosen].any():
            raise DatasetError(
                f"the split '{kind}' leaves {int(chosen.sum())} slices for {name} and no metal on them; "
                "hold out other slices, part of those with metal"
            )
    return DataSplit(
        training=(replace(case, slices=tuple(np.flatnonzero(train).tolist())),),
        validation=(replace(case, slices=tuple(np.flatnonzero(held).tolist())),),
        split=kind,
        note=note,
    )


def _count_slices(names: Sequence[str]) -> npt.NDArray[np.intp]:
    """The indices k in the order of the numbers that end the names, or as they are where names differ otherwise."""
    found = [match for name in names if (match := re.fullmatch(r"(.*?)(\d+)", name))]
    if len(found) < len(names) or len({match[1] for match in found}) > 1:
        return np.arange(len(names))
    return np.argsort([int(match[2]) for match in found], kind="stable")


def _choose_block(facts: Facts, gap: int) -> tuple[int, int]:
    """The run of a fifth of the slices whose share of the metal is nearest to a fifth; some stays for training."""
    metal = np.array(facts.metal, dtype=np.float64)
    count = len(metal)
    length = max(1, round(SHARE * count))
    before = np.concatenate([[0.0], metal.cumsum()])
    first = np.arange(count - length + 1)
    held = before[first + length] - before[first]
    near = before[np.minimum(first + length + gap, count)] - before[np.maximum(first - gap, 0)]
    usable = (held > 0) & (near < before[-1])
    if not usable.any():
        raise DatasetError(
            f"the metal spans {int((metal > 0).sum())} of {count} slices, too few to hold some out in a block; "
            "split 'interleaved', or give several scans"
        )
    badness = np.where(usable, np.abs(held / before[-1] - SHARE), np.inf)
    start = int(badness.argmin())
    return start, start + length - 1


def _find_block(facts: Facts, held_out: Sequence[int | str]) -> tuple[int, int]:
    if len(held_out) != 2:
        raise DatasetError(f"held-out slices are a first and a last one, not {len(held_out)} values")
    first, last = sorted(_find_slice(facts, slice_) for slice_ in held_out)
    return first, last


def _find_slice(facts: Facts, wanted: int | str) -> int:
    """Index k of a slice name, or of an index; names win, as a name may be a number."""
    if str(wanted) in facts.names:
        return facts.names.index(str(wanted))
    k = int(wanted) if str(wanted).isdecimal() else -1
    if not 0 <= k < len(facts.names):
        raise DatasetError(
            f"there is no slice '{wanted}'; the scan has slices {facts.names[0]} to {facts.names[-1]} "
            f"(k = 0 to {len(facts.names) - 1})"
        )
    return k
