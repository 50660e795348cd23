"""A table of measurements: one row a reading, checked on the way in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_ctseg.agreement.csv_table import CsvRow, CsvTable, parse_number, read_csv
from monai_ctseg.errors import MeasurementsError

REQUIRED = ("subject", "side", "method", "rater", "session", "value")
OPTIONAL = ("quantity", "unit", "reason")
SIDES = ("left", "right", "both", "")
LARGEST = 1e6
"""No measurement is larger, in any unit; a larger value is a typing error."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One row of a table; text is empty where a column is empty or absent.

    Attributes:
        subject: The subject's name in the study.
        side: left, right, both or empty.
        method: The method's name.
        rater: Who measured; empty for a program.
        session: Which of the rater's repeated readings it is.
        value: The measurement, in `unit`; None for a failure.
        quantity: What was measured.
        unit: Such as mm or degrees.
        reason: Why there is no value.
        location: File and line, for messages.
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
    location: str = ""

    def describe(self) -> str:
        """Location and labels, for messages."""
        subject = f"subject {self.subject}" if self.subject else ""
        labels = (subject, self.side, self.method, self.rater, self.session, self.quantity)
        return f"{self.location + ': ' if self.location else ''}{', '.join(filter(None, labels))}"


@dataclass(frozen=True)
class Table:
    """Readings without duplicates, each quantity in one unit. Build it with `make_table` or `read_table`.

    Attributes:
        readings: In the order of the rows.
    """

    readings: tuple[Reading, ...]

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the quantities, in order of first appearance."""
        return tuple(dict.fromkeys(reading.quantity for reading in self.readings))

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of methods, in order of first appearance."""
        return tuple(dict.fromkeys(reading.method for reading in self.readings))


def read_table(*paths: Path) -> Table:
    """One table from one or more CSV files.

    Files are UTF-8 with commas, semicolons or tabs; with the latter two, numbers may have a decimal comma. Columns:
    subject, side, method, rater, session, value, and optionally quantity, unit, reason; others are ignored. An empty
    value is a failure.

    Args:
        paths: The files; their rows are joined in this order.

    Returns:
        The checked table, a reading for each row.

    Raises:
        MeasurementsError: A file cannot be read, or its rows are refused by `make_table`.
    """
    tables = (read_csv(path, refusal=MeasurementsError, hint="name a CSV file of measurements") for path in paths)
    return make_table([reading for table in tables for reading in readings_of(table)])


def make_table(readings: Sequence[Reading]) -> Table:
    """A checked table.

    Args:
        readings: Its rows.

    Returns:
        The table, with the readings as they were given.

    Raises:
        MeasurementsError: No rows, duplicates, mixed units, unknown sides, values that are not finite or beyond a
            million, a value together with a reason for a failure, a missing subject or method, or a subject with a
            side in some of its rows only.
    """
    if not readings:
        raise MeasurementsError("there are no measurements; a table needs a row for each reading")
    for reading in readings:
        _check(reading)
    _no_duplicates(readings)
    _one_unit(readings)
    _sides_named(readings)
    return Table(tuple(readings))


def readings_of(table: CsvTable) -> list[Reading]:
    """The readings of one file.

    Raises:
        MeasurementsError: A column is missing, a row is incomplete, or a value is not a number.
    """
    return [_reading(row, table.decimal_comma) for row in table.rows(REQUIRED, optional=OPTIONAL)]


def _reading(row: CsvRow, decimal_comma: bool) -> Reading:
    texts = dict(row.cells)
    text = texts.pop("value")
    value = parse_number(text, decimal_comma=decimal_comma)
    if text and value is None:
        raise MeasurementsError(
            f"{row.location}, column value: {text!r} is not a number; write digits, or leave it empty for a failure"
        )
    texts["side"] = texts["side"].lower()
    return Reading(**texts, value=value, location=row.location)


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
            f"{reading.describe()}: value {reading.value:g} is not a measurement; write numbers up to {LARGEST:,.0f}"
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
            also = f", as {first.location}" if first.location else ""
            raise MeasurementsError(f"{reading.describe()} is there twice{also}; give repeats different sessions")


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
