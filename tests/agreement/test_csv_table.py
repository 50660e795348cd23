"""The one CSV reader of the room: what it takes, and each refusal with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_ctseg.agreement.csv_table import CsvTable, parse_number, read_csv, write_csv
from monai_ctseg.errors import ProtocolError


def read(folder: Path, text: str) -> CsvTable:
    (folder / "t.csv").write_text(text, "utf-8")
    return read_csv(folder / "t.csv", refusal=ProtocolError, hint="name the list")


@pytest.mark.parametrize(("delimiter", "decimal_comma"), [(",", False), (";", True), ("\t", True)])
def test_the_delimiter_is_the_one_that_the_header_has_most(tmp_path, delimiter, decimal_comma):
    table = read(tmp_path, f"\ufeffA{delimiter}b{delimiter}c\r\n\r\n1{delimiter} x {delimiter}\r\n")
    (row,) = table.rows(("a", "b"))
    assert (row.location, row.cells) == ("t.csv line 3", {"a": "1", "b": "x", "c": ""})
    assert table.decimal_comma == decimal_comma


def test_columns_that_nobody_asked_for_are_left_out(tmp_path):
    (row,) = read(tmp_path, "a,other,other\n1,2,3\n").rows(("a",), optional=("b",))
    assert row.cells == {"a": "1"}


def test_short_rows_are_filled_on_request_only(tmp_path):
    table = read(tmp_path, "a,b,c\n1\n")
    assert table.rows(("a",), fill_short=True)[0].cells == {"a": "1", "b": "", "c": ""}
    with pytest.raises(ProtocolError, match="line 2 has 1 cell where the header has 3"):
        table.rows(("a",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.csv is empty; its first line must name the columns subject, image"),
        ("subject,imag\n", "t.csv has no column image; rename 'imag'"),
        ("x,y\n", "t.csv has no column subject, image; its columns are x, y"),
        ("subject,image,note,note\n", "t.csv has the column note twice"),
        ("subject,image\n1,2,3\n", "t.csv line 2 has 3 cells where the header has 2"),
        ('subject,image\n1,"2\n', "t.csv line 2 cannot be read"),
    ],
)
def test_a_fault_is_named_with_file_and_line(tmp_path, text, message):
    with pytest.raises(ProtocolError) as refusal:
        read(tmp_path, text).rows(("subject", "image"), fill_short=True)
    assert str(refusal.value).startswith(message)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_named_with_what_it_should_be(tmp_path):
    with pytest.raises(ProtocolError, match=r"none\.csv: cannot be read .*; name the list"):
        read_csv(tmp_path / "none.csv", refusal=ProtocolError, hint="name the list")


@pytest.mark.parametrize(
    ("text", "comma", "number"),
    [("48.5", False, 48.5), ("48,5", True, 48.5), ("48,5", False, None), ("1,234.5", True, None), ("nan", True, None)],
)
def test_numbers_are_digits_with_one_decimal_sign(text, comma, number):
    assert parse_number(text, decimal_comma=comma) == number


def test_what_is_written_is_read_again(tmp_path):
    write_csv(tmp_path / "t.csv", ("a", "b"), [{"a": 'x, "y"', "b": None}])
    (row,) = read_csv(tmp_path / "t.csv", refusal=ProtocolError, hint="").rows(("a", "b"))
    assert row.cells == {"a": 'x, "y"', "b": ""}
