"""Join: readers' sheets and the program's measurements -> one table; what is missing is named, never dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from monai_ctseg.agreement.csv_table import CsvTable, read_csv, write_csv
from monai_ctseg.agreement.statistics.table import Reading, Table, make_table, readings_of
from monai_ctseg.agreement.study.filled import Gap, read_sheets, require_size
from monai_ctseg.agreement.study.key import Key
from monai_ctseg.agreement.study.protocol import StudyProtocol
from monai_ctseg.agreement.study.sections import Requirements
from monai_ctseg.errors import MeasurementsError, ProtocolError, plural

COLUMNS = ("subject", "side", "method", "rater", "session", "quantity", "value", "unit", "reason")
NAMED = 5
"""So many missing readings are named; the rest is counted."""


@dataclass(frozen=True)
class Joined:
    """The table, the gaps that became failures in it, and notes for the user."""

    table: Table
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Losses:
    """A method's readings without a value.

    Attributes:
        made: Readings that were tried, `failed` of them without a value.
        gaps: (why, count) of readings that are missing or not blind; they count as failures too.
    """

    method: str
    made: int
    failed: int
    gaps: tuple[tuple[str, int], ...]

    @property
    def text(self) -> str:
        """In words."""
        besides = ", ".join(f"{n} {why}" for why, n in self.gaps)
        return f"{self.method}: {self.failed} of {plural(self.made, 'reading')} made" + (
            f"; missing or not blind: {besides}" if besides else ""
        )


def join(paths: Sequence[Path], key: Key, protocol: StudyProtocol, *, allow_missing: bool = False) -> Joined:
    """Put readers' sheets and measurements together.

    Args:
        paths: CSV files; those with a column `code` are sheets.
        key: Which code stands for which reading.
        protocol: What the study compares.
        allow_missing: Count readings that are missing, or marked as not blind, as failures.

    Raises:
        ProtocolError: Readings are missing or not blind without `allow_missing`, or `read_sheets` refuses a sheet.
        MeasurementsError: A table of measurements cannot be used.
    """
    hint = "name the sheets that came back, and measurements.csv of the program"
    tables = [read_csv(path, refusal=ProtocolError, hint=hint) for path in paths]
    filled = read_sheets([table for table in tables if "code" in table.columns], key, protocol)
    measured, lacking, notes = _measured(
        [table for table in tables if "code" not in table.columns], key, protocol.requirements
    )
    gaps = (*filled.gaps, *lacking)
    if gaps and not allow_missing:
        raise ProtocolError(_gap_message(gaps))
    return Joined(make_table([*filled.readings, *measured]), gaps, (*filled.notes, *notes))


def losses(joined: Joined) -> tuple[Losses, ...]:
    """The losses of each method, in order of first appearance."""
    found = []
    for method in joined.table.methods:
        gaps = Counter(gap.why for gap in joined.gaps if gap.method == method)
        own = [reading.value for reading in joined.table.readings if reading.method == method]
        made, failed = len(own) - gaps.total(), own.count(None) - gaps.total()
        found.append(Losses(method, made, failed, tuple(gaps.most_common())))
    return tuple(found)


def write_table(table: Table, path: Path) -> None:
    """Write measurements.csv. Raises OSError where `path` cannot be written."""
    write_csv(path, COLUMNS, ({name: getattr(reading, name) for name in COLUMNS} for reading in table.readings))


def _measured(
    tables: Sequence[CsvTable], key: Key, wanted: Requirements
) -> tuple[list[Reading], list[Gap], tuple[str, ...]]:
    """The program's readings of all cases, the cases without any, and notes."""
    rows = make_table([row for table in tables for row in readings_of(table)]).readings if tables else ()
    _refuse_unblinded(rows, wanted)
    own = [row for row in rows if row.method == wanted.test_method and row.quantity in (wanted.quantity, "")]
    if not own:
        there = ", ".join(sorted({f"{row.method} {row.quantity}".strip() for row in rows})) or "no measurements"
        raise MeasurementsError(
            f"no reading of {wanted.quantity} by {wanted.test_method} is there, but {there}; give the measurements.csv "
            "of `monai-ctseg measure`"
        )
    readings, gaps = [], []
    for subject, side in key.cases:
        of_case = _of_case(own, subject, side, wanted)
        readings += of_case
        if not of_case:
            name = f"{wanted.test_method} {subject} {side}".rstrip()
            gaps.append(Gap(name, wanted.test_method, "not in any table"))
            readings.append(_failure(subject, side, wanted))
    return readings, gaps, (*_left_over(rows, own, key), *_without_unit(readings, own, wanted.unit))


def _refuse_unblinded(rows: Sequence[Reading], wanted: Requirements) -> None:
    for row in rows:
        if row.method == wanted.reference_method:
            reader = row.rater or "a reader"
            raise ProtocolError(
                f"{row.location}: is a reading by {row.method} ({reader}, subject {row.subject}) that did not come in "
                "a blind sheet; have it read by a sheet of this study"
            )


def _of_case(own: Sequence[Reading], subject: str, side: str, wanted: Requirements) -> list[Reading]:
    """The program's readings of a case; a case without a side takes the only side that there is."""
    rows = [row for row in own if row.subject == subject and (not side or row.side == side)]
    if not side and len({row.side for row in rows}) > 1:
        raise ProtocolError(
            f"{rows[0].location}: subject {subject} has two sides here and none in the study; name the side"
        )
    for row in rows:
        if row.value is None:
            continue
        if row.unit not in (wanted.unit, ""):
            raise MeasurementsError(
                f"{row.location}: unit is {row.unit} where the protocol has {wanted.unit}; use one unit"
            )
        require_size(row.value, wanted.quantity, row.location)
    return [
        replace(
            row,
            side=side,
            quantity=wanted.quantity,
            unit=wanted.unit,
            reason=row.reason or ("no reason given" if row.value is None else ""),
        )
        for row in rows
    ]


def _failure(subject: str, side: str, wanted: Requirements) -> Reading:
    return Reading(
        subject=subject,
        side=side,
        method=wanted.test_method,
        rater="",
        session="1",
        value=None,
        quantity=wanted.quantity,
        unit=wanted.unit,
        reason="not in any table",
    )


def _left_over(rows: Sequence[Reading], own: Sequence[Reading], key: Key) -> tuple[str, ...]:
    """Notes on rows that have no part in the study."""
    methods = sorted({row.method for row in rows} - {row.method for row in own})
    subjects = {subject for subject, _ in key.cases}
    strangers = sorted({row.subject for row in own} - subjects)
    notes = [f"left out: readings by {', '.join(methods)}, which the protocol does not compare"] if methods else []
    if strangers:
        notes.append(f"left out: {plural(len(strangers), 'subject')} not in the study ({strangers[0]} ...)")
    return tuple(notes)


def _without_unit(readings: Sequence[Reading], own: Sequence[Reading], unit: str) -> tuple[str, ...]:
    """A note on values of the study's cases that name no unit: the protocol's is taken."""
    cases = {reading.subject for reading in readings}
    bare = sum(row.value is not None and not row.unit and row.subject in cases for row in own)
    return (f"{plural(bare, 'reading')} without a unit, taken as {unit} by the protocol",) if bare else ()


def _gap_message(gaps: Sequence[Gap]) -> str:
    named = "; ".join(f"{gap.name}: {gap.why}" for gap in gaps[:NAMED])
    more = f"; and {len(gaps) - NAMED} more" if len(gaps) > NAMED else ""
    return (
        f"{plural(len(gaps), 'reading')} missing or not blind ({named}{more}); complete them, or give --allow-missing "
        "to count them as failures"
    )
