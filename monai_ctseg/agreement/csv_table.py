"""CSV tables as people save them: UTF-8, with commas, semicolons or tabs. Every refusal names file and line."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_ctseg.errors import CtsegError, plural

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class CsvRow:
    """One row: its location ("FILE line N"), and its cells by column, without surrounding blanks."""

    location: str
    cells: Mapping[str, str]


@dataclass(frozen=True)
class CsvTable:
    """A file as it was read, before its columns are checked.

    Attributes:
        name: Name of the file.
        columns: Column names in lower case, in order.
        lines: (location, cells) of each line that is not blank.
        delimiter: Comma, semicolon or tab, whichever the header has most.
        refusal: What `rows` raises.
    """

    name: str
    columns: tuple[str, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    delimiter: str
    refusal: type[CtsegError]

    @property
    def decimal_comma(self) -> bool:
        """Whether numbers may have a decimal comma."""
        return self.delimiter != ","

    def rows(
        self, required: Sequence[str], *, optional: Sequence[str] | None = None, fill_short: bool = False
    ) -> tuple[CsvRow, ...]:
        """Check the columns and give all rows.

        Args:
            required: Columns that must be there.
            optional: Further columns to keep; None keeps all.
            fill_short: Fill rows that lack cells at the end, as spreadsheets save them; else refuse them.

        Raises:
            CtsegError: Of the type `refusal`: a column is missing or there twice, or a row has too many or too few
                cells.
        """
        kept = tuple(filter(None, self.columns)) if optional is None else (*required, *optional)
        self._check_columns(required, kept)
        return tuple(CsvRow(location, self._cells(location, cells, kept, fill_short)) for location, cells in self.lines)

    def _check_columns(self, required: Sequence[str], kept: Sequence[str]) -> None:
        if not any(self.columns):
            raise self.refusal(f"{self.name} is empty; its first line must name the columns {', '.join(required)}")
        if missing := [column for column in required if column not in self.columns]:
            near = difflib.get_close_matches(missing[0], set(self.columns) - set(required), n=1)
            found = f"rename {near[0]!r}" if near else f"its columns are {', '.join(filter(None, self.columns))}"
            raise self.refusal(f"{self.name} has no column {', '.join(missing)}; {found}")
        if twice := [column for column in kept if self.columns.count(column) > 1]:
            raise self.refusal(f"{self.name} has the column {twice[0]} twice; keep one")

    def _cells(self, location: str, cells: Sequence[str], kept: Sequence[str], fill_short: bool) -> dict[str, str]:
        missing = len(self.columns) - len(cells)
        blank_rest = fill_short and not any(cell.strip() for cell in cells[len(self.columns) :])
        if missing and not blank_rest:
            raise self.refusal(
                f"{location} has {plural(len(cells), 'cell')} where the header has {len(self.columns)}; correct that "
                "row, and quote a cell that contains a delimiter"
            )
        found = dict(zip(self.columns, [*cells, *[""] * missing], strict=False))
        return {column: found[column].strip() for column in kept if column in found}


def read_csv(path: Path, *, refusal: type[CtsegError], hint: str) -> CsvTable:
    """Read a table with a header.

    Args:
        path: The file.
        refusal: The type of all refusals.
        hint: What such a file is and where it comes from, for the message where it cannot be read.

    Raises:
        CtsegError: Of the type `refusal`: the file cannot be read, is not UTF-8, or has a quote that is not closed.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise refusal(f"{path}: cannot be read ({error.strerror}); {hint}") from None
    except UnicodeDecodeError:
        raise refusal(f"{path.name} is not UTF-8 text; save it as CSV UTF-8") from None
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = tuple(name.strip().lower() for name in next(reader, []))
        rows = [(f"{path.name} line {reader.line_num}", tuple(cells)) for cells in reader if "".join(cells).strip()]
    except csv.Error as error:
        raise refusal(f"{path.name} line {reader.line_num} cannot be read ({error}); close its quotes") from None
    return CsvTable(path.name, columns, tuple(rows), delimiter, refusal)


def parse_number(text: str, *, decimal_comma: bool) -> float | None:
    """A number in digits, which may be too large for a float (inf); None for any other text."""
    number = text.replace(",", ".") if decimal_comma else text
    return float(number) if NUMBER.fullmatch(number) else None


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table with commas, UTF-8. Raises OSError where `path` cannot be written."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(columns), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
