"""The table of measurements: what it reads, and each refusal in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_ctseg.agreement.statistics import read_table
from monai_ctseg.errors import MeasurementsError

HEADER = "subject,side,method,rater,session,value,quantity,unit,reason\n"
GOOD = "p1,left,ct,,1,48.2,head,mm,\n"


def write(folder: Path, text: str, name: str = "m.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_what_the_measure_command_writes(tmp_path):
    text = (
        "subject,side,method,rater,session,quantity,value,unit,low,high,residual_mm,points,reason\n"
        "p1,left,monai-ctseg,,,femoral_head_diameter,48.25,mm,47.9,48.6,0.2,900,\n"
        "p1,right,monai-ctseg,,,femoral_head_diameter,,mm,,,,,half a head\n"
    )
    left, right = read_table(write(tmp_path, text)).readings
    assert (left.value, left.unit, left.side, left.rater) == (48.25, "mm", "left", "")
    assert (right.value, right.reason) == (None, "half a head")


def test_reads_byte_order_mark_semicolons_and_decimal_commas(tmp_path):
    text = "\ufeffSubject;Side;Method;Rater;Session;Value\r\np1;Left;ruler;A;1;48,25\r\np1;left;ruler;A;2;48.5\r\n\r\n"
    table = read_table(write(tmp_path, text))
    assert [reading.value for reading in table.readings] == [48.25, 48.5]
    assert table.quantities == ("",)


def test_several_files_are_one_table(tmp_path):
    first = write(tmp_path, HEADER + GOOD, "1.csv")
    second = write(tmp_path, HEADER + GOOD.replace("p1", "p2"), "2.csv")
    assert len(read_table(first, second).readings) == 2
    with pytest.raises(MeasurementsError, match=r"1\.csv line 2.* is there twice, as 1\.csv line 2"):
        read_table(first, first)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "m.csv is empty"),
        (HEADER, "there are no measurements"),
        ("subject,side,value\n1,left,2\n", "no column method, rater, session"),
        (HEADER.replace("unit", "value"), "column value twice"),
        (HEADER + GOOD.replace("48.2", "48 mm"), "line 2, column value: '48 mm' is not a number"),
        (HEADER + GOOD.replace("48.2", '"48,2"'), "'48,2' is not a number"),
        (HEADER + GOOD.replace("48.2", "nan"), "'nan' is not a number"),
        (HEADER + GOOD.replace("48.2", "inf"), "'inf' is not a number"),
        (HEADER + GOOD.replace("48.2", "4_8"), "'4_8' is not a number"),
        (HEADER + GOOD.replace("48.2", "1e999"), "value inf is not finite"),
        (HEADER + GOOD + GOOD, "line 3: subject p1, left, ct, 1, head is there twice, as m.csv line 2"),
        (HEADER + GOOD + GOOD.replace("left", "right").replace("mm", "cm"), "line 3.* unit cm where the table has mm"),
        (HEADER + GOOD.replace("left", "L"), "side 'l' is unknown"),
        (HEADER + GOOD.replace("p1", ""), "line 2: left, ct, 1, head: the subject is missing|the subject is missing"),
        (HEADER + GOOD.replace("ct", ""), "the method is missing"),
        (HEADER + "p1,left,ct\n", "line 2 has 3 cells where the header has 9"),
        (HEADER + GOOD.replace("mm,\n", "mm,blurred\n"), "both a value and a reason"),
        (HEADER + GOOD + GOOD.replace("left", "").replace("ct", "ruler"), "some rows of this subject name a side"),
        (HEADER + 'p1,"left,ct\n', "line 2"),
    ],
)
def test_refuses_in_one_line(tmp_path, text, match):
    with pytest.raises(MeasurementsError, match=match) as refusal:
        read_table(write(tmp_path, text))
    assert "\n" not in str(refusal.value)


def test_refuses_what_is_no_text_or_not_there(tmp_path):
    binary = tmp_path / "m.xlsx"
    binary.write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(MeasurementsError, match="not UTF-8"):
        read_table(binary)
    with pytest.raises(MeasurementsError, match="cannot be read"):
        read_table(tmp_path / "none.csv")
