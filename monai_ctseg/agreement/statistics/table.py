"""A table of measurements: one row a reading, checked on the way in."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_ctseg.errors import MeasurementsError

REQUIRED = ("subject", "side", "method", "rater", "session", "value")
OPTIONAL = ("quantity", "unit", "reason")
SIDES = ("left", "right", "both", "")
LARGEST = 1e6
"""No measurement of a patient in any unit is larger."""
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One row: `value` None is a failure, for `reason`. Empty strings where a column is empty or absent.

    `side` is left, right, both or empty; `place` says where the row stands, for messages only.
    """

    subject: str
    side: str
    method: str
    rater: str
    session: str
    value: float | None
    quantity: str = ""
    unit: str = ""
    reason: str = ""
    place: str = ""

    def describe(self) -> str:
        """Where the row stands and whose it is."""
        subject = f"subject {self.subject}" if self.subject else ""
        labels = (subject, self.side, self.method, self.rater, self.session, self.quantity)
        return f"{self.place + ': ' if self.place else ''}{', '.join(filter(None, labels))}"


@dataclass(frozen=True)
class Table:
    """Readings without duplicates, each quantity in one unit. Build it with `make_table` or `read_table`."""

    readings: tuple[Reading, ...]

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of what was measured, in order of first appearance."""
        return tuple(dict.fromkeys(reading.quantity for reading in self.readings))

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of methods, in order of first appearance."""
        return tuple(dict.fromkeys(reading.method for reading in self.readings))


def read_table(*paths: Path) -> Table:
    """One table out of one or more CSV files: UTF-8, comma or semicolon, decimal point (or comma, with semicolons).

    Columns: subject, side, method, rater, session, value; quantity, unit and reason where there are any; others are
    left out. An empty value is a failure. Raises MeasurementsError for anything else.
    """
    return make_table([reading for path in paths for reading in _read(path)])


def make_table(readings: Sequence[Reading]) -> Table:
    """A checked table.

    Raises MeasurementsError for no rows, duplicates, mixed units, unknown sides, values that are not finite or beyond a
    million, a value with a reason why there is none, a missing subject or method, and sides named for a part of a
    subject's rows only.
    """
    if not readings:
        raise MeasurementsError("there are no measurements; a table needs a row for each reading")
    for reading in readings:
        _check(reading)
    _no_duplicates(readings)
    _one_unit(readings)
    _sides_named(readings)
    return Table(tuple(readings))


def _read(path: Path) -> Iterator[Reading]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MeasurementsError(f"{path.name} is not UTF-8 text; save it as CSV UTF-8") from error
    except OSError as error:
        raise MeasurementsError(f"{path} cannot be read: {error.strerror}") from error
    header = text.partition("\n")[0]
    if not header.strip():
        raise MeasurementsError(f"{path.name} is empty; its first line must name the columns {', '.join(REQUIRED)}")
    delimiter = max((",", ";", "\t"), key=header.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = _columns(path, next(rows))
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield _reading(cells, columns, f"{path.name} line {rows.line_num}", decimal_comma=delimiter != ",")
    except csv.Error as error:
        raise MeasurementsError(f"{path.name} line {rows.line_num}: {error}; quotes are not closed") from error


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    names = [name.strip().lower() for name in header]
    if missing := [name for name in REQUIRED if name not in names]:
        raise MeasurementsError(f"{path.name} has no column {', '.join(missing)}; its columns are {', '.join(names)}")
    if twice := [name for name in (*REQUIRED, *OPTIONAL) if names.count(name) > 1]:
        raise MeasurementsError(f"{path.name} has the column {twice[0]} twice; leave one")
    return {"": len(names)} | {name: names.index(name) for name in (*REQUIRED, *OPTIONAL) if name in names}


def _reading(cells: Sequence[str], columns: Mapping[str, int], place: str, *, decimal_comma: bool) -> Reading:
    if len(cells) != columns[""]:
        raise MeasurementsError(f"{place} has {len(cells)} cells where the header has {columns['']}; mend that row")
    texts = {name: cells[at].strip() for name, at in columns.items() if name}
    value = _number(texts.pop("value"), place, decimal_comma=decimal_comma)
    texts["side"] = texts["side"].lower()
    return Reading(**texts, value=value, place=place)


def _number(text: str, place: str, *, decimal_comma: bool) -> float | None:
    if not text:
        return None
    number = text.replace(",", ".") if decimal_comma else text
    if not NUMBER.fullmatch(number):
        raise MeasurementsError(
            f"{place}, column value: {text!r} is no number; write digits only, or leave it empty for a failure"
        )
    return float(number)


def _check(reading: Reading) -> None:
    if not reading.subject or not reading.method:
        missing = "subject" if not reading.subject else "method"
        raise MeasurementsError(f"{reading.describe()}: the {missing} is missing; name it")
    if reading.side not in SIDES:
        raise MeasurementsError(f"{reading.describe()}: side {reading.side!r} is unknown; write left, right or both")
    if reading.value is not None and not math.isfinite(reading.value):
        raise MeasurementsError(f"{reading.describe()}: value {reading.value} is not finite; leave a failure empty")
    if reading.value is not None and abs(reading.value) > LARGEST:
        raise MeasurementsError(
            f"{reading.describe()}: value {reading.value:g} is no measurement; write numbers up to {LARGEST:,.0f}"
        )
    if reading.value is not None and reading.reason:
        raise MeasurementsError(
            f"{reading.describe()}: both a value and a reason why there is none ({reading.reason}); empty one of them"
        )


def _no_duplicates(readings: Sequence[Reading]) -> None:
    seen: dict[tuple[str, ...], Reading] = {}
    for reading in readings:
        key = (reading.subject, reading.side, reading.method, reading.rater, reading.session, reading.quantity)
        if (first := seen.setdefault(key, reading)) is not reading:
            also = f", as {first.place}" if first.place else ""
            raise MeasurementsError(
                f"{reading.describe()} stands there twice{also}; repeats need sessions of their own"
            )


def _one_unit(readings: Sequence[Reading]) -> None:
    units: dict[str, Reading] = {}
    for reading in readings:
        if reading.value is None:
            continue
        first = units.setdefault(reading.quantity, reading)
        if first.unit != reading.unit:
            raise MeasurementsError(
                f"{reading.describe()}: unit {reading.unit or 'none'} where the table has {first.unit or 'none'} "
                "before; use one unit"
            )


def _sides_named(readings: Sequence[Reading]) -> None:
    sides: dict[tuple[str, str], str] = {}
    for reading in readings:
        first = sides.setdefault((reading.subject, reading.quantity), reading.side)
        if (first == "") != (reading.side == ""):
            raise MeasurementsError(f"{reading.describe()}: some rows of this subject name a side and some do not")
