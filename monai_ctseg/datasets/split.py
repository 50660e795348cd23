"""Splits without hidden leaks: which slices of one scan, or which patients, validate."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from monai_ctseg.datasets.dataset_file import (
    FILE_NAME,
    Case,
    DataSplit,
    Section,
    read_dataset,
    read_label,
    require_apart,
)
from monai_ctseg.errors import DatasetError
from monai_ctseg.io.read import read_scan
from monai_ctseg.scan import BoolArray, patient_keys, provenance

SHARE = 0.2
"""Share of the slices, or of the patients, that validates."""

SplitKind = Literal["blocks", "interleaved", "patients"]


@dataclass(frozen=True)
class Facts:
    """What a split needs to know of a scan; nothing in it names the patient.

    metal: voxels of metal in each slice, [k]. keys: hashes; two scans that share one are of one patient.
    source: see `provenance`.
    """

    names: tuple[str, ...]
    spacing_mm: float
    metal: tuple[int, ...]
    keys: frozenset[str]
    source: Mapping[str, Any] = field(default_factory=dict)


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


def read_facts(case: Case, *, threshold_hu: float = 3000.0) -> Facts:
    """Read the scan and its label, and keep what a split needs."""
    scan = read_scan(case.image, series=case.series)
    mask = read_label(scan, case.label, threshold_hu=threshold_hu)
    source = provenance(scan)
    return Facts(
        names=scan.names,
        spacing_mm=scan.grid.spacing_mm[2],
        metal=tuple(int(n) for n in mask.voxels.sum(axis=(0, 1))),
        keys=frozenset([source["voxels_sha256"]]).union(*(patient_keys(header) for header in scan.headers[:1])),
        source=source,
    )


def check_dataset(dataset: DataSplit, *, threshold_hu: float = 3000.0) -> DataSplit:
    """Read the scans of a given dataset whose metal and voxels it does not state; the same dataset, with its sources.

    Raises DatasetError where no label of a section holds metal, or two sections share slices with the same voxels.
    """
    facts: dict[Case, Facts] = {}
    known: dict[Section, tuple[Case, ...]] = {}
    for section in ("training", "validation"):
        cases = dataset.cases(section)
        for case in cases:
            whole = replace(case, slices=None)
            if whole not in facts and (case.metal_voxels is None or case.voxels_sha256 is None):
                facts[whole] = read_facts(whole, threshold_hu=threshold_hu)
        known[section] = tuple(_with_facts(case, facts.get(replace(case, slices=None))) for case in cases)
        if not any(case.metal_voxels for case in known[section]):
            raise DatasetError(
                f"no label of the {len(cases)} scans under '{section}' holds metal; "
                "add scans with metal, or take a lower threshold where labels come from one"
            )
    require_apart(known["training"], known["validation"], "the dataset")
    stated = {case.image: case for cases in known.values() for case in cases if replace(case, slices=None) not in facts}
    sources = [fact.source for fact in facts.values()]
    sources += [
        {"series_instance_uid": case.series, "voxels_sha256": case.voxels_sha256, "notes": []}
        for case in stated.values()
        if case.voxels_sha256 not in {source["voxels_sha256"] for source in sources}
    ]
    used = _used([*dataset.training, *dataset.validation], threshold_hu)
    made_by = used if dataset.threshold_hu is None else dataset.threshold_hu
    return replace(dataset, sources=tuple(sources), threshold_hu=made_by)


def _used(cases: Sequence[Case], threshold_hu: float) -> float | None:
    """The threshold, if any case takes its label from one."""
    return threshold_hu if any(case.label is None for case in cases) else None


def _with_facts(case: Case, facts: Facts | None) -> Case:
    if facts is None:
        return case
    metal = [facts.metal[k] for k in case.slices if 0 <= k < len(facts.metal)] if case.slices else facts.metal
    return replace(case, metal_voxels=sum(metal), voxels_sha256=facts.source["voxels_sha256"])


def open_dataset(place: str | Path, **options: Any) -> DataSplit:
    """The dataset.json in a folder, or that file itself; any other place is a scan for `build_dataset(**options)`."""
    path = Path(place)
    if path.suffix == ".json":
        return read_dataset(path)
    if (path / FILE_NAME).is_file():
        return read_dataset(path / FILE_NAME)
    return build_dataset([Case(path)], **options)


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


def split_patients(
    cases: Sequence[Case],
    facts: Sequence[Facts],
    *,
    seed: int = 0,
    validation: float = SHARE,
    test: float = 0.0,
) -> DataSplit:
    """Whole patients validate. Scans of one PatientID, or with the same voxels, are one patient.

    validation, test: shares of the patients with metal, and of those without; each part gets one with metal at least
    where there are enough, training always. Raises DatasetError where fewer than two patients show metal.
    """
    groups = group_patients([fact.keys for fact in facts])
    with_metal = [group for group in groups if any(sum(facts[n].metal) for n in group)]
    without = [group for group in groups if group not in with_metal]
    if len(with_metal) < 2:
        raise DatasetError(
            f"{len(cases)} scans are of {len(groups)} patients, {len(with_metal)} of them with metal; "
            "a split by patients needs two with metal; give more, or split one scan in blocks, or write a dataset.json"
        )
    rng = np.random.default_rng(seed)
    held: set[int] = set()
    kept: set[int] = set()
    testable = len(with_metal) > 2 or not validation
    for part, least in ((with_metal, 1), (without, 0)):
        validating, testing = _shares(len(part), validation, test if testable else 0.0, least=least)
        order = rng.permutation(len(part))
        held.update(n for group in order[:validating] for n in part[group])
        kept.update(n for group in order[validating : validating + testing] for n in part[group])
    note = f"patients: {len(held)} of {len(cases)} scans validate"
    note += f", {len(kept)} are kept for a test" if kept else ""
    note += "; too few patients with metal for a test part" if test and not testable else ""
    return DataSplit(
        training=tuple(case for n, case in enumerate(cases) if n not in held | kept),
        validation=tuple(case for n, case in enumerate(cases) if n in held),
        split="patients",
        note=note + "; no patient is on both sides",
        test=tuple(case for n, case in enumerate(cases) if n in kept),
    )


def _shares(count: int, validation: float, test: float, *, least: int) -> tuple[int, int]:
    """How many of so many patients validate and test; at least `least` (0 or 1) train."""
    room = count - least
    validating = min(room, max(least, round(validation * count))) if validation else 0
    testing = min(room - validating, max(least, round(test * count))) if test else 0
    return max(0, validating), max(0, testing)


def group_patients(keys: Sequence[frozenset[str]]) -> list[list[int]]:
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
