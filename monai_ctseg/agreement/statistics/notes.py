"""Notes on what the data leave open: readers, names, misplaced decimal points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from monai_ctseg.agreement.statistics.protocol import Protocol, Scale
from monai_ctseg.agreement.statistics.table import Reading, Table
from monai_ctseg.errors import plural

TENFOLD = (8.0, 12.5)
"""A reading larger or smaller than its partner by such a factor looks like a misplaced decimal point."""
FAR = 4.0
"""And it is further than this factor from the median of all readings."""
NAMED = 3
"""So many examples are named; the rest is counted."""


def listed(names: Sequence[str]) -> str:
    """Names with commas; an empty one reads (no name)."""
    return ", ".join(name or "(no name)" for name in names)


def readers_note(raters: Sequence[str]) -> tuple[str, ...]:
    """Where there are several readers: that bias, limits and verdict hold for these."""
    if len(raters) < 2:
        return ()
    return (
        f"Bias, limits of agreement and verdict are for these {plural(len(raters), 'reader')}, taken as fixed: few "
        "readers cannot show how much others would differ. The ICC between raters takes them as drawn at random; its "
        "interval of absolute agreement is wide accordingly.",
    )


def data_notes(readings: Sequence[Reading]) -> tuple[str, ...]:
    """Subjects that differ in case only, and readings that differ tenfold from those of the other method."""
    return (*_case_notes(readings), *_tenfold_notes(readings))


def _case_notes(readings: Sequence[Reading]) -> list[str]:
    spelled: dict[str, dict[str, None]] = {}
    for reading in readings:
        spelled.setdefault(reading.subject.casefold(), {})[reading.subject] = None
    same = [" and ".join(names) for names in spelled.values() if len(names) > 1]
    return [f"Subjects that differ in case only were taken as different: {_some(same)}."] if same else []


def _tenfold_notes(readings: Sequence[Reading]) -> list[str]:
    targets: dict[tuple[str, str], list[tuple[Reading, float]]] = {}
    for reading in readings:
        if reading.value is not None:
            targets.setdefault((reading.subject, reading.side), []).append((reading, reading.value))
    usual = median([value for target in targets.values() for _, value in target] or [0.0])
    odd = []
    for target in targets.values():
        for reading, value in target:
            others = [other for partner, other in target if partner.method != reading.method]
            # Of the two, the error is the one that is far from all others.
            if others and TENFOLD[0] <= _times(value, median(others)) <= TENFOLD[1] and _times(value, usual) > FAR:
                odd.append(f"{reading.describe()} ({value:g} against {median(others):g})")
    return [f"Tenfold different from the other method, a misplaced decimal point? {_some(odd)}."] if odd else []


def _times(value: float, other: float) -> float:
    """The larger of two over the smaller; 1 where they have no ratio."""
    return math.exp(abs(math.log(value / other))) if value * other > 0 else 1.0


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return "; ".join(names[:NAMED]) + more


def table_notes(table: Table, quantity: str, protocol: Protocol, scale: Scale) -> tuple[str, ...]:
    """Whether equivalence is judged on another scale than shown, and what else the table contains."""
    notes = []
    if scale == "ratio" and protocol.scale == "auto" and protocol.acceptable_difference is not None:
        notes.append("Equivalence is judged on differences, as the protocol fixed one, although ratios fit better.")
    others = [name for name in table.methods if name not in (protocol.reference, protocol.test)]
    if others:
        notes.append(f"Further methods in the table count in the failure rates only: {listed(others)}.")
    if len(table.quantities) > 1:
        notes.append(f"Further quantities in the table: {listed([q for q in table.quantities if q != quantity])}.")
    return tuple(notes)
