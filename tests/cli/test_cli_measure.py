"""`monai-ctseg measure`: files, facts and refusals."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks.hip_cases import sample_hip_case
from monai_ctseg.grid import Grid
from monai_ctseg.hip.table import COLUMNS
from monai_ctseg.io.dicom import write_series
from monai_ctseg.scan import Scan


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A native pelvis as a DICOM series."""
    path = tmp_path_factory.mktemp("hips")
    write_series(sample_hip_case(7, "native", spacing_mm=(1.0, 3.0)).scan, path)
    return path


@pytest.mark.slow
def test_it_writes_rows_pictures_and_a_record(run_cli, folder, tmp_path):
    out = tmp_path / "measured"
    result = run_cli("measure", folder, "-o", out, "--subject", "HIP-007", "--session", "2")
    assert result.code == 0, result.err
    assert {path.name for path in out.iterdir()} == {
        "measurements.csv", "measurements.json", "left.png", "right.png", "run.json",
    }  # fmt: skip
    with (out / "measurements.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert {(row["subject"], row["method"], row["session"]) for row in rows} == {("HIP-007", "monai-ctseg", "2")}
    (row,) = (r for r in rows if (r["side"], r["quantity"]) == ("left", "femoral_head_diameter"))
    assert float(row["low"]) < float(row["value"]) < float(row["high"])
    assert all(bool(row["value"]) != bool(row["reason"]) for row in rows)
    for side in ("left", "right"):
        colors = np.asarray(Image.open(out / f"{side}.png").convert("RGB")).reshape(-1, 3)
        assert any((colors == (255, 109, 0)).all(axis=1)), "the fitted circle is drawn"
    assert "left femoral head diameter" in result.out
    again = run_cli("measure", folder, "-o", out)
    assert again.code == 1
    assert "overwrite" in again.err


@pytest.mark.slow
def test_json_holds_every_quantity_once(run_cli, folder):
    found = json.loads(run_cli("measure", folder, "--json").out)
    assert {one["side"] for one in found} == {"left", "right", "both"}
    assert len({(one["side"], one["quantity"]) for one in found}) == len(found)


def test_a_scan_without_hips_says_so(run_cli, tmp_path):
    hu = np.full((60, 60, 40), -1000, dtype=np.int16)
    hu[15:45, 15:45] = 40
    (tmp_path / "scan").mkdir()
    write_series(Scan(hu, Grid(hu.shape, np.diag([1.5, 1.5, 3.0, 1.0]))), tmp_path / "scan")
    result = run_cli("measure", tmp_path / "scan", "-o", tmp_path / "out")
    assert result.code == 0
    assert "no left hip was found" in result.out
    assert not (tmp_path / "out" / "left.png").exists()


def test_without_a_scan_nothing_is_written(run_cli, tmp_path):
    result = run_cli("measure", tmp_path / "none", "-o", tmp_path / "out")
    assert result.code == 1
    assert not (tmp_path / "out").exists()
    for words in (("--subject", " "), ("--session", ""), ("--subject", "=1+1")):
        assert run_cli("measure", tmp_path, *words).code == 2


@pytest.mark.slow
def test_it_never_imports_torch(tmp_path):
    hu = np.zeros((20, 20, 20), dtype=np.int16)
    (tmp_path / "scan").mkdir()
    write_series(Scan(hu, Grid(hu.shape, np.diag([4.0, 4.0, 3.0, 1.0]))), tmp_path / "scan")
    code = (
        f"import sys\nfrom monai_ctseg.cli import main\n"
        f"try:\n    main(['measure', {str(tmp_path / 'scan')!r}])\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert not {'torch', 'monai', 'ignite'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
