"""Filled sheets: what readers send back, checked against the key."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from monai_ctseg.agreement.csv_table import CsvRow, CsvTable, parse_number
from monai_ctseg.agreement.statistics.table import Reading
from monai_ctseg.agreement.study.blinding import MARK, TELLING_COLUMNS, is_marked, subject_finder
from monai_ctseg.agreement.study.key import Entry, Key
from monai_ctseg.agreement.study.protocol import StudyProtocol
from monai_ctseg.agreement.study.sections import Requirements
from monai_ctseg.agreement.study.sheets import COLUMNS
from monai_ctseg.errors import ProtocolError


@dataclass(frozen=True)
class Gap:
    """A planned reading that is missing or does not count: its name, its method, and why."""

    name: str
    method: str
    why: str


@dataclass(frozen=True)
class Filled:
    """All readings that sheets were made for, with the gaps as failures; and the gaps by themselves."""

    readings: tuple[Reading, ...]
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Row:
    """A row of a sheet, with the reading that the key planned for it."""

    entry: Entry
    row: CsvRow
    value: float | None


def read_sheets(tables: Sequence[CsvTable], key: Key, protocol: StudyProtocol) -> Filled:
    """The readings of all sheets.

    Args:
        tables: The sheets as they came back.
        key: Which code stands for which reading.
        protocol: Quantity and unit that the sheets ask for.

    Raises:
        ProtocolError: A code that is unknown, changed or there twice; a sheet of several readers; a changed cell; a
            value that is not a number; or a sheet that reveals a subject.
    """
    found: dict[str, _Row] = {}
    by_code = {entry.code: entry for entry in key.entries}
    find = subject_finder(entry.subject for entry in key.entries)
    notes = []
    for table in tables:
        rows = table.rows(COLUMNS, fill_short=True)
        _check_blind(table, rows, by_code, find)
        if table.decimal_comma:
            notes.append(f"{table.name}: has no commas between cells, so 48,5 is read as 48.5")
        for row in rows:
            entry = _entry(row, by_code, found)
            value = _value(row, entry, protocol.requirements, decimal_comma=table.decimal_comma)
            found[entry.code] = _Row(entry, row, value)
        _check_one_reader(rows, by_code)
    readings, gaps = [], []
    for entry in key.entries:
        reading, gap = _reading(entry, found.get(entry.code), protocol.requirements)
        readings.append(reading)
        gaps += [gap] if gap else []
    return Filled(tuple(readings), tuple(gaps), tuple(notes))


def require_size(value: float, quantity: str, location: str) -> None:
    """ProtocolError for a diameter that is not above 0."""
    if "diameter" in quantity and value <= 0:
        raise ProtocolError(f"{location}: value {value:g} is not a diameter; write the size, or a reason")


def _check_blind(
    table: CsvTable, rows: Sequence[CsvRow], by_code: Mapping[str, Entry], find: Callable[[str], str]
) -> None:
    known = (by_code[row.cells["code"]] for row in rows if row.cells["code"] in by_code)
    reader = next((f" of {entry.rater} session {entry.session}" for entry in known), "")
    end = f"the sheet{reader} is not blind; have it read again by somebody who has only the sheet"
    for column in table.columns:
        if column in TELLING_COLUMNS:
            raise ProtocolError(f"{table.name}: has a column {column!r}, which no reader was given: {end}")
    for row in rows:
        for column, text in row.cells.items():
            if column not in ("code", "value", "side") and (named := find(text)):
                raise ProtocolError(f"{row.location}: {column} names subject {named}: {end}")


def _entry(row: CsvRow, by_code: Mapping[str, Entry], found: Mapping[str, _Row]) -> Entry:
    code = row.cells["code"]
    if code not in by_code:
        near = difflib.get_close_matches(code.upper(), by_code, n=1, cutoff=0.8)
        hint = f"perhaps {near[0]} was meant" if near else "copy it from the sheet as it was made"
        raise ProtocolError(f"{row.location}: code {code!r} is not in the key; {hint}")
    if code in found:
        first = found[code].row.location
        raise ProtocolError(f"{row.location}: code {code} is there already ({first}); keep one of them")
    return by_code[code]


def _check_one_reader(rows: Sequence[CsvRow], by_code: Mapping[str, Entry]) -> None:
    readers: dict[tuple[str, str], str] = {}
    for row in rows:
        entry = by_code[row.cells["code"]]
        readers.setdefault((entry.rater, entry.session), row.location)
    if len(readers) > 1:
        (first, second), locations = list(readers)[:2], list(readers.values())
        raise ProtocolError(
            f"{locations[1]}: is of {second[0]} session {second[1]}, in a sheet of {first[0]} session {first[1]}; "
            "give each sheet as it was made"
        )


def _value(row: CsvRow, entry: Entry, wanted: Requirements, *, decimal_comma: bool) -> float | None:
    cells, text = row.cells, row.cells["value"]
    for column, right in (("side", entry.side), ("quantity", wanted.quantity), ("unit", wanted.unit)):
        if cells[column].casefold() != right.casefold():
            raise ProtocolError(
                f"{row.location}: {column} is {cells[column]!r} where the sheet had {right!r}; measure what the sheet "
                "asks for"
            )
    if not text:
        return None
    if cells["reason"] and not is_marked(cells["reason"]):
        raise ProtocolError(
            f"{row.location}: has a value and a reason for a failure; keep one, and write remarks into notes"
        )
    value = parse_number(text, decimal_comma=decimal_comma)
    if value is None or not math.isfinite(value):
        raise ProtocolError(f"{row.location}: value {text!r} is not a number; write a number such as 48.5, or a reason")
    require_size(value, wanted.quantity, row.location)
    return value


def _reading(entry: Entry, found: _Row | None, wanted: Requirements) -> tuple[Reading, Gap | None]:
    """The reading that an entry planned, and the gap where it is missing or does not count."""
    cells = found.row.cells if found else {}
    value, reason, why = found.value if found else None, cells.get("reason", ""), ""
    if found is None:
        why = "not in any sheet"
    elif is_marked(cells["reason"], cells["notes"]):
        value, why = None, MARK
    elif value is None and not reason:
        why = "neither value nor reason"
    reading = Reading(
        subject=entry.subject,
        side=entry.side,
        method=wanted.reference_method,
        rater=entry.rater,
        session=entry.session,
        value=value,
        quantity=wanted.quantity,
        unit=wanted.unit,
        reason=why or reason,
        location=found.row.location if found else "",
    )
    return reading, Gap(entry.name, wanted.reference_method, why) if why else None
