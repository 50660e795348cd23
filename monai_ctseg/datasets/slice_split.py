"""Part of the slices of one scan validates: a block, or every fifth slice."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from monai_ctseg.datasets.facts import SHARE, Facts
from monai_ctseg.datasets.records import Case, DataSplit
from monai_ctseg.errors import DatasetError
from monai_ctseg.scan import BoolArray


def split_interleaved(case: Case, facts: Facts) -> DataSplit:
    """Every fifth slice validates, counted by the numbers in the slice names where they have them, else by position.

    Raises:
        DatasetError: The scan has one slice only, or a section would have no metal.
    """
    _require_splittable(facts)
    held = np.zeros(len(facts.names), dtype=np.bool_)
    held[_count_slices(facts.names)[4::5]] = True
    note = (
        "interleaved: every fifth slice validates, and each has training slices on both sides "
        f"({facts.spacing_mm:.3g} mm away), so the figure flatters the network"
    )
    return _split_slices(case, facts, held, ~held, kind="interleaved", note=note)


def split_blocks(case: Case, facts: Facts, *, held_out: Sequence[int | str] | None, gap_mm: float = 5.0) -> DataSplit:
    """A run of slices validates; those near it are left out of both sections.

    Args:
        case: The scan.
        facts: Of the scan.
        held_out: First and last slice of the run, both included, as indices k or slice names; None: a fifth of the
            slices, chosen so that their share of the metal is nearest to a fifth.
        gap_mm: Slices nearer to the run than this are left out.

    Raises:
        DatasetError: The scan has one slice only, there is no such slice, or a section would have no metal.
    """
    _require_splittable(facts)
    gap = math.ceil(gap_mm / facts.spacing_mm - 1e-6)
    first, last = _choose_block(facts, gap) if held_out is None else _find_block(facts, held_out)
    k = np.arange(len(facts.names))
    held = (k >= first) & (k <= last)
    near = (k >= first - gap) & (k <= last + gap)
    note = (
        f"blocks: slices {facts.names[first]} to {facts.names[last]} (k = {first} to {last}) validate; "
        f"{int((near & ~held).sum())} slices within {gap_mm:g} mm of them are left out"
    )
    return _split_slices(case, facts, held, ~near, kind="blocks", note=note)


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
