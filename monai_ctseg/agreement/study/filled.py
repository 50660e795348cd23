"""Filled sheets: what readers send back, checked against the key."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_ctseg.agreement.statistics.table import NUMBER, Reading
from monai_ctseg.agreement.study.blinding import MARK, TELLING_COLUMNS, is_marked, subject_finder
from monai_ctseg.agreement.study.csv_rows import CsvRow, CsvTable, read_csv
from monai_ctseg.agreement.study.key import Entry, Key
from monai_ctseg.agreement.study.protocol import Requirements, StudyProtocol
from monai_ctseg.agreement.study.sheets import COLUMNS
from monai_ctseg.errors import ProtocolError

HINT = "name the sheets that came back"


@dataclass(frozen=True)
class Gap:
    """A reading that was to be made and is not there, or does not count: whose, by which method, and why."""

    name: str
    method: str
    why: str


@dataclass(frozen=True)
class Filled:
    """All readings that sheets were made for, gaps among them as failures, and the gaps once more."""

    readings: tuple[Reading, ...]
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...]


def read_sheets(paths: Sequence[Path], key: Key, protocol: StudyProtocol) -> Filled:
    """Read and check sheets.

    Raises ProtocolError for unknown, changed and double codes, a sheet of several readers, changed cells, values that
    are no numbers, and sheets that tell who the patient is.
    """
    found: dict[str, tuple[Entry, CsvRow, float | None]] = {}
    by_code = {entry.code: entry for entry in key.entries}
    find = subject_finder(entry.subject for entry in key.entries)
    notes = []
    for path in paths:
        table = read_csv(path, COLUMNS, refusal=ProtocolError, hint=HINT)
        _check_blind(table, by_code, find)
        if table.delimiter == ";":
            notes.append(f"{table.name}: has semicolons, so 48,5 is read as 48.5")
        for row in table.rows:
            entry = _entry(row, by_code, found)
            found[entry.code] = (entry, row, _value(row, entry, protocol.requirements, comma=table.delimiter == ";"))
        _check_one_reader(table, by_code)
    readings, gaps = [], []
    for entry in key.entries:
        reading, gap = _reading(entry, found.get(entry.code), protocol)
        readings.append(reading)
        gaps += [gap] if gap else []
    return Filled(tuple(readings), tuple(gaps), tuple(notes))


def _check_blind(table: CsvTable, by_code: dict[str, Entry], find: Callable[[str], str]) -> None:
    codes = (by_code[row.cells["code"]] for row in table.rows if row.cells["code"] in by_code)
    reader = next((f" of {entry.rater} session {entry.session}" for entry in codes), "")
    end = f"the sheet{reader} is not blind; have it read again by somebody who has only the sheet"
    for column in table.columns:
        if column.casefold() in TELLING_COLUMNS:
            raise ProtocolError(f"{table.name}: has a column {column!r}, which no reader was given: {end}")
    for row in table.rows:
        for column, text in row.cells.items():
            if column not in ("code", "value", "side") and (named := find(text)):
                raise ProtocolError(f"{row.place}: {column} names subject {named}: {end}")


def _entry(row: CsvRow, by_code: dict[str, Entry], found: dict[str, tuple[Entry, CsvRow, float | None]]) -> Entry:
    code = row.cells["code"]
    if code not in by_code:
        near = difflib.get_close_matches(code.upper(), by_code, n=1, cutoff=0.8)
        hint = f"it was perhaps {near[0]}" if near else "take it from the sheet as it was made"
        raise ProtocolError(f"{row.place}: code {code!r} is not in the key; {hint}")
    if code in found:
        raise ProtocolError(f"{row.place}: code {code} is there already ({found[code][1].place}); keep one of them")
    return by_code[code]


def _check_one_reader(table: CsvTable, by_code: dict[str, Entry]) -> None:
    readers: dict[tuple[str, str], str] = {}
    for row in table.rows:
        entry = by_code[row.cells["code"]]
        readers.setdefault((entry.rater, entry.session), row.place)
    if len(readers) > 1:
        (first, second), places = list(readers)[:2], list(readers.values())
        raise ProtocolError(
            f"{places[1]}: is of {second[0]} session {second[1]}, in a sheet of {first[0]} session {first[1]}; "
            "give each sheet as it was made"
        )


def _value(row: CsvRow, entry: Entry, wanted: Requirements, *, comma: bool) -> float | None:
    cells = row.cells
    for column, right in (("side", entry.side), ("quantity", wanted.quantity), ("unit", wanted.unit)):
        if cells[column].casefold() != right.casefold():
            raise ProtocolError(
                f"{row.place}: {column} is {cells[column]!r} where the sheet had {right!r}; measure what was asked for"
            )
    if not cells["value"]:
        return None
    if cells["reason"] and not is_marked(cells["reason"]):
        raise ProtocolError(
            f"{row.place}: has a value and a reason why there is none; keep one, and write remarks into notes"
        )
    value = _number(row, comma=comma)
    require_size(value, wanted.quantity, row.place)
    return value


def require_size(value: float, quantity: str, place: str) -> None:
    """ProtocolError for a diameter that is none."""
    if "diameter" in quantity and value <= 0:
        raise ProtocolError(f"{place}: value {value:g} is no diameter; write the size, or a reason")


def _number(row: CsvRow, *, comma: bool) -> float:
    text = row.cells["value"]
    point = text.replace(",", ".") if comma and text.count(",") == 1 and "." not in text else text
    value = float(point) if NUMBER.fullmatch(point) else math.nan
    if not math.isfinite(value):
        raise ProtocolError(f"{row.place}: value {text!r} is no number; write a number such as 48.5, or a reason")
    return value


def _reading(
    entry: Entry, found: tuple[Entry, CsvRow, float | None] | None, protocol: StudyProtocol
) -> tuple[Reading, Gap | None]:
    cells = found[1].cells if found else {}
    value, reason, why = found[2] if found else None, cells.get("reason", ""), ""
    if found is None:
        why = "not in any sheet"
    elif is_marked(cells["reason"], cells["notes"]):
        value, why = None, MARK
    elif value is None and not reason:
        why = "neither value nor reason"
    wanted = protocol.requirements
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
        place=found[1].place if found else "",
    )
    return reading, Gap(entry.name, wanted.reference_method, why) if why else None
