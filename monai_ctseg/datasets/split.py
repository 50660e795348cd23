"""Splits without hidden leaks: which slices of one scan, or which patients, validate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from monai_ctseg.datasets.apart import require_apart
from monai_ctseg.datasets.dataset_file import FILE_NAME, read_dataset
from monai_ctseg.datasets.facts import Facts, read_facts
from monai_ctseg.datasets.patient_split import split_patients
from monai_ctseg.datasets.records import Case, DataSplit, Section
from monai_ctseg.datasets.slice_split import split_blocks, split_interleaved
from monai_ctseg.errors import DatasetError
from monai_ctseg.segmentation.intensity import METAL_HU

SplitKind = Literal["blocks", "interleaved", "patients"]


def build_dataset(
    cases: Sequence[Case],
    *,
    split: SplitKind | None = None,
    held_out: Sequence[int | str] | None = None,
    threshold_hu: float = METAL_HU,
    gap_mm: float = 5.0,
    seed: int = 0,
) -> DataSplit:
    """Read each case and split them.

    Args:
        cases: The scans.
        split: "blocks" (one scan; the default there), "interleaved" (one scan), or "patients" (several; the default
            there).
        held_out: First and last slice that validate, both included, as indices k or slice names ("blocks" only).
        threshold_hu: Metal is what lies above, where a case names no label.
        gap_mm: Slices nearer to a held-out block than this are used for neither.
        seed: Of the random order of patients.

    Raises:
        DatasetError: There is nothing to train on or nothing to validate on, or the split does not fit the scans.
        ScanError: A scan cannot be read.
    """
    if not cases:
        raise DatasetError("no scan was given to train on; name at least one")
    kind = split or ("blocks" if len(cases) == 1 else "patients")
    facts = [read_facts(case, threshold_hu=threshold_hu) for case in cases]
    chosen = _split(cases, facts, kind, held_out=held_out, gap_mm=gap_mm, seed=seed)
    return replace(chosen, sources=tuple(fact.source for fact in facts), threshold_hu=_used(cases, threshold_hu))


def _split(
    cases: Sequence[Case],
    facts: Sequence[Facts],
    kind: SplitKind,
    *,
    held_out: Sequence[int | str] | None,
    gap_mm: float,
    seed: int,
) -> DataSplit:
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


def check_dataset(dataset: DataSplit, *, threshold_hu: float = METAL_HU) -> DataSplit:
    """Read the scans of a given dataset whose metal and voxels it does not state.

    Args:
        dataset: From dataset.json.
        threshold_hu: Metal is what lies above, where a case names no label.

    Returns:
        The same dataset with its sources, and with the threshold that made its labels.

    Raises:
        DatasetError: No label of a section holds metal, or two sections share slices with the same voxels.
        ScanError: A scan cannot be read.
    """
    facts: dict[Case, Facts] = {}
    known: dict[Section, tuple[Case, ...]] = {}
    for section in ("training", "validation"):
        cases = dataset.cases(section)
        unknown = [case for case in cases if case.metal_voxels is None or case.voxels_sha256 is None]
        for whole in map(_whole, unknown):
            if whole not in facts:
                facts[whole] = read_facts(whole, threshold_hu=threshold_hu)
        known[section] = tuple(_with_facts(case, facts.get(_whole(case))) for case in cases)
        if not any(case.metal_voxels for case in known[section]):
            raise DatasetError(
                f"no label of the {len(cases)} scans under '{section}' holds metal; "
                "add scans with metal, or take a lower threshold where labels come from one"
            )
    require_apart(known["training"], known["validation"], "the dataset")
    stated = [case for cases in known.values() for case in cases if _whole(case) not in facts]
    made_by = dataset.threshold_hu
    if made_by is None:
        made_by = _used([*dataset.training, *dataset.validation], threshold_hu)
    return replace(dataset, sources=_sources(facts.values(), stated), threshold_hu=made_by)


def _whole(case: Case) -> Case:
    return replace(case, slices=None)


def _sources(read: Iterable[Facts], stated: Sequence[Case]) -> tuple[Mapping[str, Any], ...]:
    """The provenance of the scans that were read, then what dataset.json states of the others."""
    sources = [fact.source for fact in read]
    known = {source["voxels_sha256"] for source in sources}
    others = {case.image: case for case in stated if case.voxels_sha256 not in known}
    sources += [
        {"series_instance_uid": case.series, "voxels_sha256": case.voxels_sha256, "notes": []}
        for case in others.values()
    ]
    return tuple(sources)


def _used(cases: Sequence[Case], threshold_hu: float) -> float | None:
    """The threshold, if any case takes its label from one."""
    return threshold_hu if any(case.label is None for case in cases) else None


def _with_facts(case: Case, facts: Facts | None) -> Case:
    if facts is None:
        return case
    metal = [facts.metal[k] for k in case.slices if 0 <= k < len(facts.metal)] if case.slices else facts.metal
    return replace(case, metal_voxels=sum(metal), voxels_sha256=facts.source["voxels_sha256"])


def open_dataset(path: str | Path, **options: Any) -> DataSplit:
    """Open a dataset, or make one of a single scan.

    Args:
        path: A dataset.json, a folder with one, or a scan.
        options: Of `build_dataset`, for a scan.

    Raises:
        DatasetError: The dataset.json, or the split of the scan, cannot be used.
        ScanError: The scan cannot be read.
    """
    path = Path(path)
    if path.suffix == ".json":
        return read_dataset(path)
    if (path / FILE_NAME).is_file():
        return read_dataset(path / FILE_NAME)
    return build_dataset([Case(path)], **options)
