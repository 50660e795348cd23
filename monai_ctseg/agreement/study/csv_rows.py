"""CSV rows: tables as people save them, with commas, semicolons or tabs; every refusal names file and line."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_ctseg.errors import CtsegError


@dataclass(frozen=True)
class CsvRow:
    """One row: cells by column, stripped of blanks; `place` is "FILE line N"."""

    place: str
    cells: Mapping[str, str]


@dataclass(frozen=True)
class CsvTable:
    """Columns in order, the rows that are not empty, and the delimiter that was found."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[CsvRow, ...]
    delimiter: str


def read_csv(path: Path, needed: Sequence[str], *, refusal: type[CtsegError], hint: str) -> CsvTable:
    """Read a table with a header. Raises `refusal` where a file, a needed column or a cell is not there.

    hint: what such a file is and who writes it, for the message of a missing file.
    """
    text = _text(path, refusal, hint)
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    lines = csv.reader(io.StringIO(text), delimiter=delimiter)
    columns = tuple(name.strip() for name in next(lines, []))
    _check_columns(path.name, columns, needed, refusal)
    rows = []
    try:
        for cells in lines:
            place = f"{path.name} line {lines.line_num}"
            if any(cell.strip() for cell in cells):
                rows.append(CsvRow(place, _cells(place, columns, cells, refusal)))
    except csv.Error as error:
        raise refusal(f"{path.name} line {lines.line_num}: is no CSV ({error})") from None
    return CsvTable(path.name, columns, tuple(rows), delimiter)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table with commas, UTF-8. Raises OSError."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(columns), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def _text(path: Path, refusal: type[CtsegError], hint: str) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise refusal(f"{path.name}: cannot be read ({error.strerror}); {hint}") from None
    except UnicodeDecodeError:
        raise refusal(f"{path.name}: is not UTF-8 text; save it as CSV UTF-8") from None


def _check_columns(name: str, columns: Sequence[str], needed: Sequence[str], refusal: type[CtsegError]) -> None:
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    if twice:
        raise refusal(f"{name}: column {twice[0]!r} is there twice; keep one")
    for column in needed:
        if column not in columns:
            near = difflib.get_close_matches(column, columns, n=1)
            found = f"rename {near[0]!r}" if near else f"it has {', '.join(filter(None, columns)) or 'no columns'}"
            raise refusal(f"{name}: column {column!r} is missing; {found}")


def _cells(place: str, columns: Sequence[str], cells: Sequence[str], refusal: type[CtsegError]) -> dict[str, str]:
    if any(cell.strip() for cell in cells[len(columns) :]):
        raise refusal(
            f"{place}: has {len(cells)} cells for {len(columns)} columns; quote a cell that holds a delimiter"
        )
    padded = [*cells, *[""] * (len(columns) - len(cells))]
    return {column: cell.strip() for column, cell in zip(columns, padded, strict=False)}
