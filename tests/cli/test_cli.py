"""The command line, as a user types it: output, exit codes, one line a refusal, nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image

import monai_ctseg
from monai_ctseg.cli.commands import COMMANDS, load_command
from monai_ctseg.io.nifti import write_mask, write_scan
from monai_ctseg.scan import Scan

NAMES = [entry.name for entry in COMMANDS]


def refused(result, *words: str) -> None:
    """Exit 1, nothing on stdout, one line on stderr that holds these words, and no traceback."""
    assert (result.code, result.out) == (1, ""), result
    first, *rest = result.err.strip().splitlines()
    assert first.startswith("monai-ctseg: ")
    assert not any("Traceback" in line for line in rest)
    for word in words:
        assert word in first


def test_every_command_is_in_the_table():
    files = (Path(monai_ctseg.__file__).parent / "cli").glob("[a-z]*.py")
    assert {path.stem for path in files if "app = typer.Typer(" in path.read_text()} == set(NAMES)


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_the_table_says_what_the_command_says(entry):
    command = load_command(entry.name)
    assert command.help.split("\n")[0] == entry.help
    for each in getattr(command, "commands", {"": command}).values():
        assert each.help
        assert all(parameter.help for parameter in each.params)
    panels = getattr(import_module(f"monai_ctseg.cli.{entry.name}"), "PANELS", {})
    commands = getattr(command, "commands", {"": command}).values()
    known = {parameter.name for each in commands for parameter in each.params}
    assert {name for names in panels.values() for name in names} <= known


@pytest.mark.parametrize("words", [*NAMES, "study plan", "study sheet", "study analyse"])
def test_help_shows_a_worked_example(run_cli, words):
    result = run_cli(*words.split(), "--help")
    assert result.code == 0
    if words != "study":
        assert f"Example:  monai-ctseg {words}" in result.out


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    ["--help", "train --help", "stats {scan}", "labels {scan} -o {out}", "series {scan}", "evaluate {mask} {mask}"],
)
def test_these_never_import_torch(words, phantom, phantom_folder, tmp_path):
    write_mask(phantom.truth, tmp_path / "mask.nii.gz")
    words = words.format(scan=phantom_folder, out=tmp_path / "out", mask=tmp_path / "mask.nii.gz")
    code = (
        "import sys\nfrom monai_ctseg.cli import main\n"
        f"try:\n    main({words.split()!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "assert not {'torch', 'monai', 'ignite'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)


@pytest.mark.parametrize(
    "words", [["labels"], ["stats"], ["nonsense"], ["labels", "x"], ["simulate", "-o", "x", "--seed", "a"]]
)
def test_wrong_usage_is_2(run_cli, words):
    result = run_cli(*words)
    assert result.code == 2
    assert "Traceback" not in result.err


def test_stats(run_cli, phantom, phantom_folder, tmp_path):
    result = run_cli("stats", phantom_folder, "--plot", tmp_path / "p.png", "--csv", tmp_path / "s.csv", "--json")
    hu = phantom.scan.hu
    assert (result.json["maximum_hu"], result.json["minimum_hu"]) == (hu.max(), hu.min())
    assert result.json["mean_hu"] == pytest.approx(hu.mean(), abs=1e-9)
    assert result.json["center_lps"] == pytest.approx(phantom.scan.grid.center_lps.tolist())
    assert Image.open(tmp_path / "p.png").width > 600
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 31
    text = run_cli("stats", phantom_folder)
    assert text.code == 0
    for name in ("maximum", "centre, LPS", "centre, RAS", "padding", "intensity"):
        assert name in text.out


def test_stats_does_not_replace_files_unasked(run_cli, phantom_folder, tmp_path):
    (tmp_path / "s.csv").write_text("mine")
    refused(run_cli("stats", phantom_folder, "--csv", tmp_path / "s.csv"), "s.csv", "--overwrite")
    assert (tmp_path / "s.csv").read_text() == "mine"


def test_labels(run_cli, phantom, phantom_folder, tmp_path):
    out = tmp_path / "out"
    result = run_cli("labels", phantom_folder, "-o", out, "--image", "--json")
    mask = np.asarray(nib.load(out / "mask.nii.gz").dataobj) > 0
    assert result.json["voxels"] == mask.sum() > 0
    assert not (mask & phantom.marker.voxels).any()
    assert [component["kept"] for component in result.json["components"]].count(False) == 1
    assert np.array_equal(np.asarray(nib.load(out / "image.nii.gz").dataobj), phantom.scan.hu)
    for folder in ("masks", "images"):
        assert sorted(p.stem for p in (out / folder).iterdir()) == list(phantom.scan.names)
    run = json.loads((out / "run.json").read_text())
    assert run["command"] == "labels"
    assert run["inputs"][0]["series_instance_uid"]
    refused(run_cli("labels", phantom_folder, "-o", out), "--overwrite")
    again = run_cli("labels", phantom_folder, "-o", out, "--overwrite", "--no-body-mask")
    assert again.code == 0
    assert "outside" not in again.out


def test_no_metal_is_an_answer(run_cli, phantom, tmp_path):
    write_scan(
        Scan(np.minimum(phantom.scan.hu, 1500 + phantom.scan.hu // 64), phantom.scan.grid), tmp_path / "scan.nii.gz"
    )
    result = run_cli("labels", tmp_path / "scan.nii.gz", "-o", tmp_path / "out")
    assert result.code == 0
    assert "no metal was found" in result.err
    assert not np.asarray(nib.load(tmp_path / "out" / "mask.nii.gz").dataobj).any()


def test_a_saturated_scan_names_the_threshold_that_works(run_cli, phantom, tmp_path):
    write_scan(Scan(np.minimum(phantom.scan.hu, np.int16(2976)), phantom.scan.grid), tmp_path / "scan.nii.gz")
    result = run_cli("labels", tmp_path / "scan.nii.gz", "-o", tmp_path / "out")
    refused(result, "saturated at 2976 HU", "2500")
    assert not (tmp_path / "out").exists()
    assert "saturated" in run_cli("stats", tmp_path / "scan.nii.gz").out
    assert run_cli("labels", tmp_path / "scan.nii.gz", "-o", tmp_path / "out", "--threshold", 2500, "--json").json[
        "voxels"
    ]


def test_series_and_the_choice_among_them(run_cli, make_series, tmp_path):
    make_series(name="a")
    make_series(name="b")
    listed = run_cli("series", tmp_path, "--json").json["series"]
    assert [row["description"] for row in listed] == ["a", "b"]
    result = run_cli("stats", tmp_path)
    refused(result, "2 series", "--series")
    assert all(row["series"] in result.err for row in listed)
    assert run_cli("stats", tmp_path, "--series", listed[0]["series"]).code == 0


def test_evaluate(run_cli, phantom, tmp_path):
    write_mask(phantom.truth, tmp_path / "a.nii.gz")
    write_mask(phantom.marker, tmp_path / "b.nii.gz")
    assert run_cli("evaluate", tmp_path / "a.nii.gz", tmp_path / "a.nii.gz", "--json").json["dice"] == 1.0
    assert run_cli("evaluate", tmp_path / "a.nii.gz", tmp_path / "b.nii.gz", "--json").json["dice"] == 0.0
    assert "Dice" in run_cli("evaluate", tmp_path / "a.nii.gz", tmp_path / "a.nii.gz").out


def test_evaluate_refuses_another_grid(run_cli, phantom, tmp_path):
    write_mask(phantom.truth, tmp_path / "a.nii.gz")
    image = nib.load(tmp_path / "a.nii.gz")
    nib.Nifti1Image(np.asarray(image.dataobj), image.affine + np.eye(4) * 0.01).to_filename(tmp_path / "b.nii.gz")
    refused(run_cli("evaluate", tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"), "grids differ")


@pytest.mark.slow
def test_a_patients_name_goes_nowhere(run_cli, make_series, phantom, tmp_path):
    def name(dataset, k):
        dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Sekret^Person", "ID-4711", "19550101"

    folder = make_series(name, scan=phantom.scan)
    said = [
        run_cli("-v", *words)
        for words in (["series", folder], ["stats", folder, "--json"], ["labels", folder, "-o", tmp_path / "out"])
    ]
    path = folder / "slice_0003.dcm"
    path.write_bytes(path.read_bytes()[:-50])
    said.append(run_cli("-v", "stats", folder))
    texts = [result.out + result.err for result in said]
    texts += [p.read_text("latin-1") for p in (tmp_path / "out").rglob("*") if p.is_file() and p.suffix != ".png"]
    for text in texts:
        assert not any(word in text for word in ("Sekret", "4711", "19550101"))


@pytest.mark.parametrize("command", ["stats", "labels"])
def test_bad_scans_are_one_line_and_leave_nothing(run_cli, make_series, tmp_path, command):
    out = tmp_path / "out"
    more = ["-o", out] if command == "labels" else []
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.dcm").write_text("text")
    missing, doubled, truncated, mri = (make_series(name=name) for name in ("missing", "doubled", "truncated", "mri"))
    (missing / "slice_0003.dcm").unlink()
    other = pydicom.dcmread(doubled / "slice_0003.dcm")
    other.PixelData = bytes(len(other.PixelData))
    other.save_as(doubled / "other.dcm")
    (truncated / "slice_0003.dcm").write_bytes((truncated / "slice_0003.dcm").read_bytes()[:-10])
    for path in mri.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.Modality = "MR"
        dataset.save_as(path)
    nib.Nifti1Image(np.full((4, 4, 4), np.nan, np.float32), np.eye(4)).to_filename(tmp_path / "nan.nii.gz")
    nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), None).to_filename(tmp_path / "affine.nii.gz")
    for name, word in {
        "none": "no such file",
        "empty": "empty folder",
        "text": "no DICOM image among",
        "missing": "slice is missing",
        "doubled": "two different slices",
        "truncated": "truncated",
        "mri": "MR",
        "nan.nii.gz": "nan",
        "affine.nii.gz": "no affine",
    }.items():
        refused(run_cli(command, tmp_path / name, *more), word)
        assert not out.exists()
        assert not list(tmp_path.glob(".*"))


def test_a_bug_is_3_and_shows_its_traceback(run_cli, monkeypatch, phantom_folder):
    monkeypatch.setattr("monai_ctseg.cli.stats.scan_stats", lambda scan: 1 / 0)
    result = run_cli("stats", phantom_folder)
    assert result.code == 3
    assert "ZeroDivisionError" in result.err


HEAVY = {
    "torch", "monai", "ignite", "scipy", "matplotlib", "pandas", "gdcm", "pydicom", "nibabel", "PIL", "psutil", "numpy",
    "pydantic", "rich",
}  # fmt: skip


@pytest.mark.parametrize("code", ["import monai_ctseg.cli", "from monai_ctseg.cli import main\nmain(['--version'])"])
def test_starting_imports_no_library(code):
    ended = f"try:\n    exec({code!r})\nexcept SystemExit:\n    pass\n"
    code = f"import sys\n{ended}found = {HEAVY!r} & set(sys.modules)\nassert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_help_imports_no_command():
    code = "import sys\nfrom monai_ctseg.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
    code += (
        f"found = ({HEAVY!r} - {{'rich'}} | {{f'monai_ctseg.cli.{{name}}' for name in {NAMES!r}}}) & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", f"{code}assert not found, found"], check=True, capture_output=True)


@pytest.mark.slow
def test_without_fcntl_every_command_imports():
    code = "import sys\nsys.modules['fcntl'] = None\nfrom monai_ctseg.cli.commands import COMMANDS, load_command\n"
    code += "for entry in COMMANDS:\n    load_command(entry.name)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("monai-ctseg st", {"stats", "study"}),
        ("monai-ctseg --ver", {"--verbose", "--version"}),
        ("monai-ctseg labels --met", {"--method"}),
        ("monai-ctseg labels --method h", {"half-maximum"}),
        ("monai-ctseg study s", {"sheet"}),
        ("monai-ctseg study sheet --im", {"--images"}),
    ],
)
def test_the_shell_completes(run_cli, monkeypatch, typed, offered):
    monkeypatch.setenv("_MONAI_CTSEG_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
    result = run_cli()
    assert (result.code, set(result.out.split())) == (0, offered)


def test_completion_is_installed_and_shown(run_cli, monkeypatch, tmp_path):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    shown = run_cli("--show-completion", "bash")
    assert "_MONAI_CTSEG_COMPLETE=complete_bash" in shown.out
    assert run_cli("--install-completion", "bash").code == 0
    [script] = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".bashrc"]
    assert script.read_text().strip() == shown.out.strip()
    assert script.name in (tmp_path / ".bashrc").read_text()


@pytest.mark.parametrize("columns", [60, 120])
def test_help_fills_the_width(run_cli, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    paragraph = load_command("labels").help.split("\n\n")[1].split()
    prose = run_cli("labels", "--help").out.split("Options")[0].splitlines()
    start = next(n for n, line in enumerate(prose) if line.split()[:3] == paragraph[:3])
    assert len(prose[start].rstrip()) + len(" " + prose[start + 1].split()[0]) > columns - 2


def test_the_module_is_the_command_line():
    done = subprocess.run([sys.executable, "-m", "monai_ctseg", "--help"], capture_output=True, text=True, check=True)
    assert "Not a medical device" in done.stdout
    assert "Usage: monai-ctseg [OPTIONS] COMMAND" in done.stdout


def test_the_front_door():
    assert {"read_scan", "scan_stats", "segment", "load_network"} <= set(monai_ctseg.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        monai_ctseg.nonsense  # noqa: B018
    assert set(monai_ctseg.__all__) <= set(dir(monai_ctseg))
    assert all(getattr(monai_ctseg, name) for name in set(monai_ctseg.__all__) - {"predict", "train"})


@pytest.mark.parametrize(
    "words",
    [
        ["labels", "-o", "{out}", "--threshold", "nan"],
        ["labels", "-o", "{out}", "--threshold", "inf"],
        ["stats", "--plot", "a.xyz"],
    ],
)
def test_values_that_mean_nothing_are_wrong_usage(run_cli, phantom_folder, tmp_path, words):
    result = run_cli(words[0], phantom_folder, *(word.format(out=tmp_path / "out") for word in words[1:]))
    assert result.code == 2
    assert list(tmp_path.iterdir()) == []


def test_stats_writes_both_files_or_none(run_cli, phantom_folder, tmp_path):
    (tmp_path / "s.csv").write_text("mine")
    refused(run_cli("stats", phantom_folder, "--plot", tmp_path / "p.png", "--csv", tmp_path / "s.csv"), "s.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["s.csv"]


def test_what_was_left_out_is_said(run_cli, make_series, phantom, tmp_path):
    folder = make_series(scan=phantom.scan)
    (folder / "slice_0000.dcm").write_bytes(b"")
    assert "left out 1 file (slice_0000.dcm)" in run_cli("labels", folder, "-o", tmp_path / "out").err


def test_ctrl_c_is_one_line(run_cli, phantom_folder, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("monai_ctseg.cli.labels.segment", interrupt)
    result = run_cli("labels", phantom_folder, "-o", tmp_path / "out")
    assert (result.code, result.err.strip()) == (130, "monai-ctseg: stopped")
    assert list(tmp_path.iterdir()) == []


def test_version(run_cli):
    result = run_cli("--version")
    assert (result.code, result.out.strip()) == (0, monai_ctseg.__version__)


def test_a_csv_is_only_written_to_a_csv(run_cli, phantom_folder, tmp_path):
    (tmp_path / "slice.dcm").write_text("mine")
    assert run_cli("stats", phantom_folder, "--csv", tmp_path / "slice.dcm", "--overwrite").code == 2
    assert (tmp_path / "slice.dcm").read_text() == "mine"


def test_evaluate_names_the_mask_in_a_folder(run_cli, tmp_path):
    refused(run_cli("evaluate", tmp_path, tmp_path), "mask.nii.gz")
