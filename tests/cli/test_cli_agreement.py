"""monai-ctseg agreement: a table in, a report out, or one line that says why not."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEADER = "subject,side,method,rater,session,value"
GOOD = [
    f"S{n},{side},{method},{rater},1,{value}"
    for n in range(6)
    for side in ("left", "right")
    for method, rater, value in (
        ("clinician", "A", 46 + n),
        ("monai-ctseg", "", 46.2 + n + 0.1 * (n % 3) - (0.15 if side == "left" else 0)),
    )
]
WRITTEN = ["agreement.json", "bland_altman.png", "bland_altman.svg", "identity.png", "identity.svg"]
WRITTEN += ["report.html", "report.md", "run.json", "targets.csv"]


@pytest.fixture
def table(tmp_path):
    """Writes rows below a header as CSV."""

    def write(rows=GOOD, header=HEADER, name="readings.csv"):
        path = tmp_path / name
        path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
        return path

    return write


@pytest.fixture
def without_plots(monkeypatch):
    """Reports without plots: drawing takes most of the time, and other tests check the plots."""
    monkeypatch.setattr("monai_ctseg.agreement.report.report.draw_plots", lambda agreement, table, folder: ())


def refused(result, out, *words):
    assert (result.code, result.out) == (1, ""), result
    (line,) = result.err.strip().splitlines()
    assert line.startswith("monai-ctseg: ")
    for word in words:
        assert word in line
    assert not out.exists()
    assert not list(out.parent.glob("*.partial"))


@pytest.mark.slow
def test_a_report_is_written_whole_and_its_summary_printed(run_cli, table, tmp_path):
    out = tmp_path / "out"
    result = run_cli("agreement", table(), "-o", out, "--acceptable-difference", "2")
    assert result.code == 0, result.err
    assert sorted(path.name for path in out.iterdir()) == WRITTEN
    facts = dict(line.split("  ", 1) for line in result.out.splitlines() if "  " in line)
    assert facts["compared"].strip() == "monai-ctseg against clinician"
    assert facts["single readings"].strip().startswith("agreement shown (")
    assert facts["based on"].strip() == "12 targets of 6 subjects, 24 readings, 1 rater"
    assert "GRRAS items 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14" in result.err
    run = json.loads((out / "run.json").read_text("utf-8"))
    assert (run["command"], run["arguments"]["acceptable_difference"]) == ("agreement", 2.0)
    assert len(run["inputs"][0]["measurements_sha256"]) == 64
    assert str(tmp_path) not in (out / "run.json").read_text("utf-8")


@pytest.mark.usefixtures("without_plots")
def test_what_was_attempted_is_told_from_what_was_used(run_cli, table, tmp_path):
    lost = [row.rpartition(",")[0] + "," if row.startswith(("S1,left", "S2,left,mon")) else row for row in GOOD]
    result = run_cli("agreement", table(lost), "-o", tmp_path / "out")
    assert "10 targets of 6 subjects (attempted: 12 targets of 6 subjects)" in result.out
    assert "20 readings (attempted: 24, with a value: 21), 1 target without a value by either method" in result.out


@pytest.mark.usefixtures("without_plots")
def test_json_contains_every_figure_and_what_is_missing(run_cli, table, tmp_path):
    found = run_cli("agreement", table(), "-o", tmp_path / "out", "--json").json
    assert found["bland_altman"]["targets"] == 12
    assert "population" in found["missing_items"]
    assert found["equivalence"]["limits"]["verdict"] == "not judged"


@pytest.mark.usefixtures("without_plots")
def test_an_earlier_report_is_replaced_on_request_only(run_cli, table, tmp_path):
    out = tmp_path / "out"
    assert run_cli("agreement", table(), "-o", out).code == 0
    before = (out / "report.html").read_bytes()
    again = run_cli("agreement", table(), "-o", out)
    assert (again.code, "--overwrite" in again.err) == (1, True)
    assert run_cli("agreement", table(GOOD[:16]), "-o", out, "--overwrite").code == 0
    assert (out / "report.html").read_bytes() != before


ROW = "S1,left,clinician,A,1,50"
BAD = {
    "one subject": ([row for row in GOOD if row.startswith("S1,")], HEADER, "only one subject"),
    "constant values": (
        [",".join([*row.split(",")[:5], "50"]) for row in GOOD],
        HEADER,
        "all differences are the same",
    ),
    "one method": ([row for row in GOOD if "clinician" in row], HEADER, "one method only, clinician"),
    "nothing in common": (
        [row for row in GOOD if ("S1," in row) == ("clinician" in row)],
        HEADER,
        "has a value by both",
    ),
    "nothing but failures": ([row.rpartition(",")[0] + "," for row in GOOD], HEADER, "has a value by both"),
    "a missing cell": ([ROW, "S1,left,monai-ctseg,A,1"], HEADER, "line 3", "5 cells"),
    "no subject": ([*GOOD, ",left,clinician,A,1,50"], HEADER, "line 26", "subject is missing"),
    "a row twice": ([*GOOD, GOOD[0]], HEADER, "line 26", "twice"),
    "text in numbers": ([*GOOD, "S9,left,clinician,A,1,50 mm"], HEADER, "line 26", "'50 mm' is not a number"),
    "NaN": ([*GOOD, "S9,left,clinician,A,1,nan"], HEADER, "line 26", "'nan' is not a number"),
    "units mixed": (
        [f"{row},{'cm' if 'S3' in row else 'mm'}" for row in GOOD],
        f"{HEADER},unit",
        "line 14",
        "cm where the table has mm",
    ),
    "two quantities": (
        [f"{row},{'head' if 'left' in row else 'cup'}" for row in GOOD],
        f"{HEADER},quantity",
        "head, cup",
        "--quantity",
    ),
    "three methods": ([*GOOD, "S1,left,other,A,1,50"], HEADER, "clinician, monai-ctseg, other", "--reference"),
    "missing columns": (["S1,50"], "subject,value", "no column side, method, rater, session"),
    "no rows": ([], HEADER, "no measurements"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_refused_in_one_line_and_leave_nothing(run_cli, table, tmp_path, name):
    rows, header, *words = BAD[name]
    refused(run_cli("agreement", table(rows, header), "-o", tmp_path / "out"), tmp_path / "out", *words)


@pytest.mark.parametrize("content", [b"", b"\n", bytes(range(256)) * 8, b"\x00" * 300, b"\x89PNG\r\n\x1a\n\x00"])
def test_files_that_are_no_table_are_refused(run_cli, tmp_path, content):
    path = tmp_path / "readings.csv"
    path.write_bytes(content)
    refused(run_cli("agreement", path, "-o", tmp_path / "out"), tmp_path / "out", "readings.csv")


def test_a_file_that_is_not_there_is_refused(run_cli, tmp_path):
    refused(run_cli("agreement", tmp_path / "no.csv", "-o", tmp_path / "out"), tmp_path / "out", "no.csv")


@pytest.mark.usefixtures("without_plots")
def test_methods_are_taken_as_named_and_else_never_guessed(run_cli, table, tmp_path):
    third = [row.replace("monai-ctseg", "other") for row in GOOD if "monai-ctseg" in row]
    run = run_cli("agreement", table([*GOOD, *third]), "-o", tmp_path / "a", "--reference", "clinician", "--json")
    assert run.json["protocol"]["test"] == "monai-ctseg"
    two = [row.replace("monai-ctseg", "other") for row in GOOD]
    refused(run_cli("agreement", table(two), "-o", tmp_path / "b"), tmp_path / "b", "clinician, other", "--reference")
    run = run_cli("agreement", table(two), "-o", tmp_path / "c", "--method", "clinician", "--json")
    assert (run.json["protocol"]["reference"], run.json["protocol"]["test"]) == ("other", "clinician")
    refused(
        run_cli("agreement", table(), "-o", tmp_path / "d", "--reference", "nobody"), tmp_path / "d", "no method nobody"
    )


@pytest.mark.parametrize("value", ["0", "-1", "nan"])
def test_an_acceptable_difference_is_above_zero(run_cli, table, tmp_path, value):
    result = run_cli("agreement", table(), "-o", tmp_path / "out", "--acceptable-difference", value)
    refused(result, tmp_path / "out", "acceptable_difference")


def test_ratios_need_an_acceptable_ratio(run_cli, table, tmp_path):
    words = ("agreement", table(), "-o", tmp_path / "out", "--scale", "ratio", "--acceptable-difference", "2")
    refused(run_cli(*words), tmp_path / "out", "fix acceptable_ratio")


@pytest.mark.usefixtures("without_plots")
def test_a_studys_protocol_fixes_and_fills_what_the_table_cannot(run_cli, table, tmp_path):
    from monai_ctseg.agreement.study.protocol_file import write_protocol
    from monai_ctseg.agreement.study.sections import DataCollection, SampleSize
    from monai_ctseg.cli.study_draft import first_draft, requirements

    draft = first_draft(requirements(acceptable_difference=1.5), SampleSize(), DataCollection())
    methods = draft.methods.replaced(population="Adults before a hip replacement.")
    write_protocol(draft.replaced(methods=methods), tmp_path / "protocol.yaml")
    words = ("agreement", table(), "-o", tmp_path / "out", "--protocol", tmp_path / "protocol.yaml", "--json")
    found = run_cli(*words).json
    assert found["protocol"]["acceptable_difference"] == 1.5
    assert "population" not in found["missing_items"]
    assert {"independence", "analysis"} <= set(found["missing_items"])  # a file cannot prove them; a study's key can
    assert "Adults before a hip replacement." in (tmp_path / "out" / "report.md").read_text("utf-8")
    other = table([f"{row},cm" for row in GOOD], f"{HEADER},unit", "cm.csv")
    refused(
        run_cli("agreement", other, "-o", tmp_path / "cm", "--protocol", tmp_path / "protocol.yaml"),
        tmp_path / "cm",
        "unit cm where the protocol has mm",
    )
    result = run_cli(*words, "--acceptable-difference", "2")
    assert (result.code, "--protocol" in result.err) == (2, True)


def test_one_subject_with_two_raters_is_refused(run_cli, tmp_path):
    rows = ["subject,side,method,rater,session,value"]
    for side in ("left", "right"):
        rows += [f"P1,{side},program,,1,50.2", f"P1,{side},clinician,AB,1,49.9", f"P1,{side},clinician,CD,1,50.8"]
    (tmp_path / "one.csv").write_text("\n".join(rows))
    words = ("-o", tmp_path / "out", "--reference", "clinician", "--method", "program")
    result = run_cli("agreement", tmp_path / "one.csv", *words)
    assert result.code == 1
    assert "one subject" in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("package", ["statsmodels", "jinja2"])
def test_a_missing_package_is_named_with_its_extra(run_cli, table, tmp_path, monkeypatch, package):
    for name in [package, *(name for name in sys.modules if name.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    result = run_cli("agreement", table(), "-o", tmp_path / "out")
    refused(result, tmp_path / "out", package, 'pip install "monai_ctseg[agreement]"')


@pytest.mark.slow
def test_help_and_rooms_load_no_statistics_and_no_plots():
    code = (
        "import sys, monai_ctseg.agreement.statistics, monai_ctseg.agreement.report.report\n"
        "import monai_ctseg.agreement.study.analyse, monai_ctseg.cli.agreement, monai_ctseg.cli.study\n"
        "found = {'scipy.stats', 'statsmodels', 'jinja2', 'matplotlib', 'pandas', 'torch'} & set(sys.modules)\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
