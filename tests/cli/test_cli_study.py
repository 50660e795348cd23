"""`monai-ctseg study`, from the protocol to the report, with simulated readers."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from monai_ctseg.agreement.study.cases import Case, read_cases
from monai_ctseg.agreement.study.join import join
from monai_ctseg.agreement.study.protocol_file import read_protocol, write_protocol
from monai_ctseg.agreement.study.sections import DataCollection, SampleSize
from monai_ctseg.agreement.study.sheets import SheetOptions, write_sheets
from monai_ctseg.cli.study_draft import first_draft, requirements
from monai_ctseg.errors import ProtocolError

Run = Callable[..., Any]

READER_BIAS = {"R1": 0.30, "R2": -0.10}
READER_SD, PROGRAM_BIAS, PROGRAM_SD = 0.30, -0.60, 0.40
BIAS = PROGRAM_BIAS - 0.10
"""Program minus the mean of the readers."""


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def write_cases(folder: Path, count: int) -> Path:
    rows = [
        {"subject": f"HIP-{n:03}", "side": side, "image": f"{n:03}.nii.gz"}
        for n in range(1, count + 1)
        for side in ("left", "right")
    ]
    for row in rows:
        (folder / row["image"]).write_bytes(b"scan")
    return write_rows(folder / "cases.csv", rows)


class Readers:
    """Truth, and what readers and program make of it."""

    def __init__(self, cases: Path) -> None:
        self.random = np.random.default_rng(5)
        of_subject: dict[str, float] = {}
        self.truth = {}
        for row in read_rows(cases):
            size = of_subject.setdefault(row["subject"], self.random.normal(48, 3))
            self.truth[row["subject"], row["side"]] = size + self.random.normal(0, 0.5)

    def fill(self, study: Path, folder: Path) -> list[Path]:
        """Fills in all sheets of a study as its readers would, from what the key says."""
        folder.mkdir()
        key = {row["code"]: row for row in read_rows(study / "key" / "key.csv")}
        filled = []
        for sheet in sorted((study / "for_readers").rglob("sheet_*.csv")):
            rows = read_rows(sheet)
            for row in rows:
                hip = key[row["code"]]
                size = self.truth[hip["subject"], hip["side"]] + READER_BIAS[hip["rater"]]
                row["value"] = f"{size + self.random.normal(0, READER_SD):.2f}"
            filled.append(write_rows(folder / sheet.name, rows))
        return filled

    def measure(self, path: Path) -> Path:
        """What `monai-ctseg measure` writes, with a quantity more than the study asks for."""
        rows = []
        for (subject, side), size in self.truth.items():
            value = size + PROGRAM_BIAS + self.random.normal(0, PROGRAM_SD)
            row = {"subject": subject, "side": side, "method": "monai-ctseg", "rater": "", "session": "1"}
            row |= {"quantity": "femoral_head_diameter", "value": f"{value:.3f}", "unit": "mm", "low": "", "high": ""}
            rows += [row | {"residual_mm": "0.2", "points": "900", "reason": ""}]
            rows += [rows[-1] | {"quantity": "acetabular_diameter", "value": f"{value + 4:.3f}"}]
        return write_rows(path, rows)


def draft(folder: Path, **collection: Any) -> Path:
    """A protocol as `study plan` writes it."""
    path = folder / "protocol.yaml"
    write_protocol(first_draft(requirements(), SampleSize(), DataCollection(**collection)), path)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of 12 hips with all sheets filled in, and the program's measurements; not to be changed."""
    folder = tmp_path_factory.mktemp("study")
    cases = write_cases(folder, 6)
    (folder / "study").mkdir()
    write_sheets(read_protocol(draft(folder)), read_cases(cases), folder / "study", SheetOptions(seed=7))
    readers = Readers(cases)
    readers.fill(folder / "study", folder / "filled")
    readers.measure(folder / "m.csv")
    return folder


@pytest.fixture
def study(made: Path, tmp_path: Path) -> tuple[Path, list[Path], Path]:
    """The same, to be changed: folder, filled sheets, the program's measurements."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy" / "study", sorted((tmp_path / "copy" / "filled").iterdir()), tmp_path / "copy" / "m.csv"


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without plots: drawing takes most of the time, and other tests check the plots."""
    monkeypatch.setattr("monai_ctseg.agreement.report.report.draw_plots", lambda agreement, table, folder: ())


@pytest.mark.slow
def test_a_worked_example_from_plan_to_report(tmp_path: Path, run_cli: Run) -> None:
    planned = run_cli("study", "plan", "-o", tmp_path / "protocol.yaml", "--limit-width", 0.9, "--json")
    assert planned.code == 0, planned.err
    assert "its interval (ICC(A,1)) may never get as narrow as wanted" in planned.err
    cases = write_cases(tmp_path, planned.json["subjects"])
    made = run_cli(
        *("study", "sheet", tmp_path / "protocol.yaml", cases, "-o", tmp_path / "study"),
        *("--images", "link", "--seed", 11, "--json"),
    )
    assert made.code == 0, made.err
    assert (made.err, made.json["seed"]) == ("", 11)
    assert made.json["readings"] == planned.json["subjects"] * 2 * 2 * 2
    readers = Readers(cases)
    filled, measured = readers.fill(tmp_path / "study", tmp_path / "filled"), readers.measure(tmp_path / "m.csv")
    result = run_cli("study", "analyse", tmp_path / "study", *filled, measured, "-o", tmp_path / "out", "--json")
    assert result.code == 0, result.err
    bias, low, high = result.json["bias"]
    assert low < BIAS < high
    assert bias == pytest.approx(BIAS, abs=0.15)
    of_raters = np.var(list(READER_BIAS.values()), ddof=1)
    sd = np.sqrt(PROGRAM_SD**2 + READER_SD**2 + of_raters)
    assert result.json["sd"][0] == pytest.approx(sd, rel=0.2)
    assert result.json["upper"][0] == pytest.approx(BIAS + 1.96 * sd, abs=0.25)
    assert result.json["limits_acceptable"] == "shown"
    assert (result.json["failed"], result.json["missing"]) == (0, [])
    out = tmp_path / "out"
    assert len(read_rows(out / "measurements.csv")) == made.json["readings"] + made.json["targets"]
    report = (out / "report.md").read_text("utf-8")
    assert made.json["protocol_sha256"] in report
    assert f"Planned: {planned.json['subjects']} subjects" in report
    record = json.loads((out / "run.json").read_text())
    assert record["command"] == "study analyse"
    assert [set(file) for file in record["inputs"]] == [{"measurements_sha256"}] * 5  # names may name readers
    assert {"report.html", "measurements.csv"} <= set(record["files"])


def test_a_sheet_tells_nothing_and_each_session_is_new(study: tuple[Path, list[Path], Path]) -> None:
    key = {row["code"]: row for row in read_rows(study[0] / "key" / "key.csv")}
    orders = []
    for sheet in sorted((study[0] / "for_readers").rglob("sheet_*.csv")):
        rows = read_rows(sheet)
        assert list(rows[0]) == ["code", "image", "side", "quantity", "unit", "value", "reason", "notes"]
        assert "HIP" not in sheet.read_text() + (sheet.parent / "README.txt").read_text()
        assert all(not row["value"] for row in rows)
        orders.append([(key[row["code"]]["subject"], row["side"]) for row in rows])
    assert len(orders) == 4
    assert len(set(map(tuple, orders))) == 4
    assert len({tuple(sorted(order)) for order in orders}) == 1
    assert len(key) == 4 * 12
    assert not list((study[0] / "for_readers").rglob("*key*"))


def test_the_same_seed_makes_the_same_study(tmp_path: Path, run_cli: Run) -> None:
    cases = write_cases(tmp_path, 3)
    options = {"a": ("--seed", 1), "b": ("--seed", 1), "c": ("--seed", 2), "d": (), "e": ()}
    seeds = [
        run_cli("study", "sheet", draft(tmp_path), cases, "-o", tmp_path / name, *option, "--json").json["seed"]
        for name, option in options.items()
    ]
    first, same, *others = ((tmp_path / name / "key" / "key.csv").read_text() for name in options)
    assert first == same
    assert len({first, *others}) == 4
    drawn = [path for path in (tmp_path / "d").rglob("*") if path.is_file() and str(seeds[3]) in path.read_text()]
    assert drawn == [tmp_path / "d" / "key" / "fixed.json"]


def test_images_are_named_by_code(tmp_path: Path, run_cli: Run) -> None:
    cases = write_cases(tmp_path, 2)
    protocol = draft(tmp_path, sessions=1)
    for how in ("link", "copy"):
        assert run_cli("study", "sheet", protocol, cases, "-o", tmp_path / how, "--images", how).code == 0
        folder = tmp_path / how / "for_readers" / "R1" / "session_1"
        for row in read_rows(folder / "sheet_R1_session_1.csv"):
            assert row["image"] == f"images/{row['code']}.nii.gz"
            assert (folder / row["image"]).read_bytes() == b"scan"
            assert (folder / row["image"]).is_symlink() == (how == "link")


def test_no_part_of_a_name_stays_at_an_image(tmp_path: Path, run_cli: Run) -> None:
    (tmp_path / "scan.HIP-1").write_bytes(b"scan")
    cases = write_rows(tmp_path / "c.csv", [{"subject": "HIP-1", "side": "", "image": "scan.HIP-1"}])
    assert run_cli("study", "sheet", draft(tmp_path), cases, "-o", tmp_path / "s", "--images", "copy").code == 0
    assert not list((tmp_path / "s" / "for_readers").rglob("*HIP*"))


def test_an_image_pointer_that_names_its_subject_is_refused(tmp_path: Path, run_cli: Run) -> None:
    cases = write_rows(tmp_path / "c.csv", [{"subject": "7", "side": "left", "image": "scans/7.nii.gz"}])
    result = run_cli("study", "sheet", draft(tmp_path), cases, "-o", tmp_path / "s")
    assert (result.code, "names subject 7" in result.err) == (1, True)
    assert not (tmp_path / "s").exists()


def edit(path: Path, change: Callable[[list[dict[str, str]]], object]) -> None:
    rows = read_rows(path)
    change(rows)
    write_rows(path, rows)


def set_cell(column: str, value: str, at: int = 2) -> Callable[[list[dict[str, str]]], object]:
    return lambda rows: rows[at].update({column: value})


def add_column(name: str, value: str) -> Callable[[list[dict[str, str]]], object]:
    return lambda rows: [row.update({name: value}) for row in rows]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_cell("code", "XXXXXX"), "line 4: code 'XXXXXX' is not in the key"),
        (lambda rows: rows.append(rows[0]), "is there already"),
        (lambda rows: rows.pop(3), "1 reading missing or not blind .R1 session 1 HIP-.* not in any sheet"),
        (set_cell("value", ""), "R1 session 1 HIP-.*: neither value nor reason"),
        (set_cell("value", "48.5 mm"), "line 4: value '48.5 mm' is not a number"),
        (set_cell("value", "-3"), "value -3 is not a diameter"),
        (set_cell("value", "nan"), "is not a number"),
        (set_cell("unit", "cm"), "unit is 'cm' where the sheet had 'mm'"),
        (set_cell("side", "both"), "side is 'both'"),
        (set_cell("reason", "too noisy"), "has a value and a reason"),
        (set_cell("notes", "this is HIP-003 again"), "line 4: notes names subject HIP-003: the sheet of R1 session 1"),
        (set_cell("notes", "Unblinded, I saw the key"), "R1 session 1 HIP-.*: unblinded"),
        (add_column("subject", ""), "has a column 'subject', which no reader was given"),
        (add_column("comment", "hip-002"), "comment names subject HIP-002"),
        (add_column("value ", ""), "has the column value twice"),
    ],
)
def test_a_sheet_with_a_fault_is_refused(
    study: tuple[Path, list[Path], Path], run_cli: Run, change: Callable[[list[dict[str, str]]], object], message: str
) -> None:
    folder, filled, measured = study
    edit(filled[0], change)
    result = run_cli("study", "analyse", folder, *filled, measured, "-o", folder.parent / "out")
    assert result.code == 1
    assert re.search(message, result.err)
    assert len(result.err.splitlines()) == 1
    assert not (folder.parent / "out").exists()


@pytest.mark.usefixtures("without_plots")
def test_what_is_missing_counts_as_failure_on_request(study: tuple[Path, list[Path], Path], run_cli: Run) -> None:
    folder, filled, measured = study
    edit(filled[0], lambda rows: rows.pop(3))
    edit(filled[1], set_cell("reason", "unblinded"))
    edit(measured, lambda rows: [row.update(subject="other") for row in rows if row["subject"] == "HIP-004"])
    arguments = ("study", "analyse", folder, *filled, measured, "-o", folder.parent / "out", "--json")
    refused = run_cli(*arguments)
    assert "4 readings missing or not blind" in refused.err
    assert "monai-ctseg HIP-004 left: not in any table" in refused.err
    result = run_cli(*arguments, "--allow-missing")
    assert result.code == 0, result.err
    assert (result.json["failed"], len(result.json["missing"])) == (0, 4)
    assert "left out: 1 subject not in the study" in result.err
    report = (folder.parent / "out" / "report.md").read_text("utf-8")
    lost = "clinician: 0 of 46 readings made; missing or not blind: 1 not in any sheet, 1 unblinded"
    assert lost in report
    assert "2 of 48 readings by clinician" in report  # in the rates they stay counted
    shown = run_cli(*arguments[:-1], "--allow-missing", "--overwrite")
    assert lost in " ".join(shown.out.split())


@pytest.mark.usefixtures("without_plots")
def test_a_failure_with_a_reason_is_no_gap(study: tuple[Path, list[Path], Path], run_cli: Run) -> None:
    folder, filled, measured = study
    edit(filled[0], lambda rows: rows[2].update(value="", reason="metal artefacts"))
    result = run_cli("study", "analyse", folder, *filled, measured, "-o", folder.parent / "out", "--json")
    assert result.code == 0, result.err
    assert result.json["failed"] == 1
    assert "metal artefacts" in (folder.parent / "out" / "measurements.csv").read_text()


@pytest.mark.usefixtures("without_plots")
def test_a_protocol_that_was_changed_afterwards_is_refused(study: tuple[Path, list[Path], Path], run_cli: Run) -> None:
    folder, filled, measured = study
    protocol = folder / "protocol.yaml"
    arguments = ("study", "analyse", folder, *filled, measured, "-o", folder.parent / "out")
    before = protocol.read_text()
    protocol.write_text(before.replace("acceptable_difference: 2.0", "acceptable_difference: 3"))
    result = run_cli(*arguments)
    assert result.code == 1
    assert "requirements.acceptable_difference was 2.0 and is 3.0" in result.err
    same = before.replace("acceptable_difference: 2.0", "acceptable_difference: 2  # by consensus")
    protocol.write_text(same.replace("relevance: ''", "relevance: Small."))
    assert run_cli(*arguments).code == 0


def test_a_key_that_was_changed_or_lost_is_refused(study: tuple[Path, list[Path], Path], run_cli: Run) -> None:
    folder, filled, measured = study
    arguments = ("study", "analyse", folder, *filled, measured, "-o", folder.parent / "out")
    key = folder / "key" / "key.csv"
    rows = read_rows(key)
    rows[0]["subject"], rows[1]["subject"] = rows[1]["subject"], rows[0]["subject"]
    write_rows(key, rows)
    assert "was changed after the sheets were made" in run_cli(*arguments).err
    shutil.rmtree(folder / "key")
    assert "key.csv: cannot be read" in run_cli(*arguments).err


def test_tables_that_do_not_fit_the_study_are_refused(study: tuple[Path, list[Path], Path], run_cli: Run) -> None:
    folder, filled, measured = study

    def refusal(*files: Path) -> str:
        result = run_cli("study", "analyse", folder, *files, "-o", folder.parent / "out")
        assert result.code == 1
        assert len(result.err.splitlines()) == 1
        return str(result.err)

    assert "no reading of femoral_head_diameter by monai-ctseg is there" in refusal(*filled)
    assert "12 readings missing" in refusal(*filled[1:], measured)
    assert "nowhere.csv: cannot be read" in refusal(*filled, measured, folder / "nowhere.csv")
    assert "is there already" in refusal(*filled, filled[0], measured)
    unblind = write_rows(
        folder.parent / "u.csv",
        [row | {"method": "clinician", "rater": "R3"} for row in read_rows(measured)[:1]],
    )
    assert "(R3, subject HIP-001) that did not come in a blind sheet" in refusal(*filled, measured, unblind)
    mixed = write_rows(folder.parent / "mixed.csv", [*read_rows(filled[0]), *read_rows(filled[1])])
    assert "is of R1 session 2, in a sheet of R1 session 1" in refusal(mixed, *filled[2:], measured)


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (add_column("unit", "cm"), 1, "m.csv line 2: unit is cm where the protocol has mm"),
        (add_column("unit", ""), 0, "12 readings without a unit, taken as mm by the protocol"),
        (set_cell("value", "0", 0), 1, "m.csv line 2: value 0 is not a diameter"),
        (set_cell("value", "-48", 0), 1, "m.csv line 2: value -48 is not a diameter"),
    ],
)
@pytest.mark.usefixtures("without_plots")
def test_rows_of_the_program_need_the_unit_and_a_size(
    study: tuple[Path, list[Path], Path],
    run_cli: Run,
    change: Callable[[list[dict[str, str]]], object],
    code: int,
    message: str,
) -> None:
    folder, filled, measured = study
    rows = [row for row in read_rows(measured) if row["quantity"] == "femoral_head_diameter"]
    change(rows)
    write_rows(measured, rows)
    result = run_cli("study", "analyse", folder, *filled, measured, "-o", folder.parent / "out")
    assert (result.code, message in result.err) == (code, True), result.err


@pytest.mark.usefixtures("without_plots")
def test_the_verdict_comes_first_and_failures_of_a_named_program_count(
    study: tuple[Path, list[Path], Path], run_cli: Run
) -> None:
    folder, filled, measured = study
    edit(measured, add_column("rater", "version 1"))
    edit(measured, lambda rows: rows[0].update(value="", reason="metal"))
    arguments = ("study", "analyse", folder, *filled, measured, "-o", folder.parent / "out")
    shown = run_cli(*arguments)
    assert shown.code == 0, shown.err
    names = [line.split("  ")[0] for line in shown.out.splitlines() if not line.startswith(" ")]
    assert names[:3] == ["compared", "single readings", "on average"]
    assert "agreement not shown" in shown.out.splitlines()[1]
    assert "monai-ctseg: 1 of 12 readings made" in shown.out
    assert run_cli(*arguments, "--overwrite", "--json").json["failed"] == 1


@pytest.mark.usefixtures("without_plots")
def test_a_sheet_saved_with_semicolons_and_decimal_commas_is_read(
    study: tuple[Path, list[Path], Path], run_cli: Run
) -> None:
    folder, filled, measured = study
    rows = read_rows(filled[0])
    lines = [";".join(row.values()).replace(".", ",") for row in rows]
    filled[0].write_bytes(b"\xef\xbb\xbf" + "\r\n".join([";".join(rows[0]), *lines, ";;;;;;;"]).encode())
    result = run_cli("study", "analyse", folder, *filled, measured, "-o", folder.parent / "out")
    assert result.code == 0, result.err
    assert "48,5 is read as 48.5" in result.err
    assert f",{float(rows[0]['value'])!r},mm," in (folder.parent / "out" / "measurements.csv").read_text()


def test_a_key_in_a_readers_folder_is_refused(study: tuple[Path, list[Path], Path], run_cli: Run) -> None:
    folder, filled, measured = study
    shutil.copy(folder / "key" / "key.csv", folder / "for_readers" / "R2" / "session_1")
    result = run_cli("study", "analyse", folder, *filled, measured, "-o", folder.parent / "out")
    assert (result.code, "folder of R2, who is not blind" in result.err) == (1, True)


def test_a_study_is_never_replaced(study: tuple[Path, list[Path], Path], run_cli: Run) -> None:
    key = (study[0] / "key" / "key.csv").read_text()
    cases = study[0].parent / "cases.csv"
    result = run_cli("study", "sheet", draft(study[0].parent), cases, "-o", study[0])
    assert (result.code, "key must not be lost" in result.err) == (1, True)
    assert (study[0] / "key" / "key.csv").read_text() == key


def test_subjects_with_one_target_need_no_side(study: tuple[Path, list[Path], Path], tmp_path: Path) -> None:
    cases = tuple(Case(f"HIP-{n:03}", "", "x") for n in range(1, 7))
    protocol = read_protocol(study[0] / "protocol.yaml")
    (tmp_path / "one").mkdir()
    key = write_sheets(protocol, cases, tmp_path / "one", SheetOptions(seed=7))
    with pytest.raises(ProtocolError, match="subject HIP-001 has two sides here and none in the study"):
        join([study[2]], key, protocol)
    edit(study[2], lambda rows: rows.__setitem__(slice(None), [row for row in rows if row["side"] == "left"]))
    joined = join([study[2]], key, protocol, allow_missing=True)
    assert {reading.side for reading in joined.table.readings} == {""}
    assert sum(reading.value is not None for reading in joined.table.readings) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--expected-sd", -1), "sample_size.expected_sd is -1.0; give a number above 0"),
        (("--acceptable-difference", 0), "requirements.acceptable_difference is 0.0; give a number above 0"),
        (("--raters", 1), "data_collection.raters has 1; give at least 2"),
        (("--sessions", 0), "data_collection.sessions is 0; give a number at least 1"),
        (("--dropout", 1), "sample_size.dropout_share is 1.0; give a number below 1"),
        (("--expected-icc", 1.2), "expected_icc is 1.2"),
        (("--sides", 3), "sides_per_subject is 3; give a number at most 2"),
        (("--unit", "cm"), "choose one of mm, degrees"),
        (("--expected-bias", "nan"), "expected_bias is nan; give a number"),
    ],
)
def test_a_plan_with_impossible_figures_is_refused(
    tmp_path: Path, run_cli: Run, options: tuple[object, ...], message: str
) -> None:
    result = run_cli("study", "plan", "-o", tmp_path / "p.yaml", *options)
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert message in result.err
    assert not (tmp_path / "p.yaml").exists()


def test_a_plan_that_cannot_succeed_says_so(tmp_path: Path, run_cli: Run) -> None:
    result = run_cli("study", "plan", "-o", tmp_path / "p.yaml", "--expected-sd", 1.2, "--sessions", 1)
    assert result.code == 0
    assert "not reachable: limits shown to lie within 2 mm" in result.err
    assert "no test-retest reliability" in result.err
    again = run_cli("study", "plan", "-o", tmp_path / "p.yaml")
    assert (again.code, "exists already" in again.err) == (1, True)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("subject,side,image\n", "has no cases"),
        ("subject,side\nA,left\n", "c.csv has no column image"),
        ("subject,side,image\nA,left,1\nA,left,2\n", "line 3: A left is there already (c.csv line 2)"),
        ("subject,side,image\nA,up,1\n", "line 2: side 'up' is unknown"),
        ("subject,side,image\nA,left,\n", "line 2: image is empty"),
        ("subject,side,image\nA,left,1\nA,,2\n", "rows with and without a side"),
        ("subject,side,image\nA,left,1,2\n", "line 2 has 4 cells where the header has 3"),
        ("subject,side,image\nA,left,there.nii\n", "image of A left is not there"),
    ],
)
def test_a_list_of_cases_with_a_fault_is_refused(tmp_path: Path, run_cli: Run, rows: str, message: str) -> None:
    (tmp_path / "c.csv").write_text(rows)
    result = run_cli("study", "sheet", draft(tmp_path), tmp_path / "c.csv", "-o", tmp_path / "s", "--images", "link")
    assert result.code == 1
    assert message in result.err
    assert not (tmp_path / "s").exists()


def documented() -> list[list[str]]:
    """The commands of the page on validation studies, as words."""
    page = (Path(__file__).parents[2] / "docs" / "validation-study.md").read_text("utf-8")
    return [line.split()[1:] for line in page.splitlines() if line.startswith("monai-ctseg ")]


@pytest.mark.slow
def test_commands_in_the_documentation_run(tmp_path: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    readers = Readers(write_cases(tmp_path, 4))
    Path("measured/001").mkdir(parents=True)
    readers.measure(Path("measured/001/measurements.csv"))
    commands = [command for command in documented() if command[0] == "study"]
    assert [command[1] for command in commands] == ["plan", "sheet", "analyse"]
    for command in commands:
        files = [name for word in command for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]
        result = run_cli(*files)
        assert result.code == 0, result.err
        if command[1] == "sheet":
            readers.fill(Path("hips"), Path("filled"))
    assert Path("result/report.html").exists()
    assert yaml.safe_load(Path("protocol.yaml").read_text())["sample_size"]["limit_width"] == 0.5


def test_measure_has_the_options_of_the_documentation(run_cli: Run) -> None:
    """It needs a scan to run; its own tests run it."""
    (command,) = (command for command in documented() if command[0] == "measure")
    shown = run_cli("measure", "--help")
    assert shown.code == 0
    assert all(word in shown.out for word in command if word.startswith("-"))
