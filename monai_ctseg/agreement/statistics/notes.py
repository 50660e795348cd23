"""Notes on what the data leave open: readers, names, slips of the decimal point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from monai_ctseg.agreement.statistics.records import Protocol, Scale
from monai_ctseg.agreement.statistics.table import Reading, Table
from monai_ctseg.errors import plural

TENFOLD = (8.0, 12.5)
"""A reading so many times its partner, or so many times smaller, looks like a slip of the decimal point."""
FAR = 4.0
NAMED = 3


def listed(names: Sequence[str]) -> str:
    """Names in a row; an empty one is said to be none."""
    return ", ".join(name or "(no name)" for name in names)


def readers_note(raters: Sequence[str]) -> tuple[str, ...]:
    """That bias, limits and verdict are for these readers, where there are several."""
    if len(raters) < 2:
        return ()
    return (
        f"Bias, limits of agreement and verdict are for these {plural(len(raters), 'reader')}, taken as fixed: few "
        "readers cannot say how far others would differ. The ICC between raters takes them as drawn at random, and "
        "its interval of absolute agreement is as wide as that.",
    )


def data_notes(readings: Sequence[Reading]) -> tuple[str, ...]:
    """Subjects that differ in case only, and readings ten times off from the other method's."""
    return (*_case_notes(readings), *_tenfold_notes(readings))


def _case_notes(readings: Sequence[Reading]) -> list[str]:
    spelled: dict[str, dict[str, None]] = {}
    for reading in readings:
        spelled.setdefault(reading.subject.casefold(), {})[reading.subject] = None
    same = [" and ".join(names) for names in spelled.values() if len(names) > 1]
    return [f"Subjects that differ in case only were taken as different: {_some(same)}."] if same else []


def _tenfold_notes(readings: Sequence[Reading]) -> list[str]:
    hips: dict[tuple[str, str], list[tuple[Reading, float]]] = {}
    for reading in readings:
        if reading.value is not None:
            hips.setdefault((reading.subject, reading.side), []).append((reading, reading.value))
    usual = median([value for hip in hips.values() for _, value in hip] or [0.0])
    odd = []
    for hip in hips.values():
        for reading, value in hip:
            others = [other for partner, other in hip if partner.method != reading.method]
            # Of the two the slip is the one that is far from all else.
            if others and TENFOLD[0] <= _times(value, median(others)) <= TENFOLD[1] and _times(value, usual) > FAR:
                odd.append(f"{reading.describe()} ({value:g} against {median(others):g})")
    return [f"Ten times off from the other method, perhaps a slip of the decimal point: {_some(odd)}."] if odd else []


def _times(value: float, other: float) -> float:
    """How many times the larger of two is the smaller; 1 where they have no ratio."""
    return math.exp(abs(math.log(value / other))) if value * other > 0 else 1.0


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return "; ".join(names[:NAMED]) + more


def table_notes(table: Table, quantity: str, protocol: Protocol, scale: Scale) -> tuple[str, ...]:
    """What is judged on another scale than it is shown, and what else the table holds."""
    notes = []
    if scale == "ratio" and protocol.scale == "auto" and protocol.acceptable_difference is not None:
        notes.append("Equivalence is judged on differences, as the protocol's figure is one, though ratios fit better.")
    others = [name for name in table.methods if name not in (protocol.reference, protocol.test)]
    if others:
        notes.append(f"Further methods in the table have no part in this but in failure rates: {listed(others)}.")
    if len(table.quantities) > 1:
        notes.append(f"Further quantities in the table: {listed([q for q in table.quantities if q != quantity])}.")
    return tuple(notes)
