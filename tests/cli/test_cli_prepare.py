"""`monai-ctseg prepare`: what it prints, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.quick_phantom import Phantom
from monai_ctseg.io.nifti import write_scan
from monai_ctseg.scan import Scan


@pytest.fixture
def scans(phantom: Phantom, tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(3):
        hu = phantom.scan.hu.copy(order="K")
        hu[0, 0, 0] = n
        write_scan(Scan(hu, phantom.scan.grid), folder / f"{n}.nii")
    return folder


@pytest.mark.slow
def test_facts_as_text_and_failures_by_path(scans: Path, tmp_path: Path, run_cli: Callable[..., Any]) -> None:
    (scans / "torn.nii").write_bytes(b"x")
    result = run_cli("prepare", scans, "-o", tmp_path / "out", "--jobs", 1)
    assert result.code == 0
    assert "3 of 3 patients" in result.out
    assert f"left out {scans / 'torn.nii'}" in result.err
    assert "1 scans were left out" in result.err
    assert "3 cases name no patient" in result.err
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (record["finished"], record["found"]["failures"]) == (True, 1)
    assert len(record["inputs"]) == 3


@pytest.mark.slow
def test_facts_as_json(scans: Path, tmp_path: Path, run_cli: Callable[..., Any]) -> None:
    facts = run_cli("prepare", scans, "-o", tmp_path / "out", "--jobs", 1, "--test", 0, "--json").json
    assert (facts["training"], facts["validation"], facts["test"], facts["with_metal"]) == (2, 1, 0, 3)


def test_no_metal_is_said(phantom: Phantom, tmp_path: Path, run_cli: Callable[..., Any]) -> None:
    write_scan(Scan(phantom.scan.hu.clip(max=900), phantom.scan.grid), tmp_path / "scan.nii")
    result = run_cli("prepare", tmp_path / "scan.nii", "-o", tmp_path / "out", "--jobs", 1, "--threshold", 2000)
    assert result.code == 0, result.err
    assert "no case holds metal at this threshold" in result.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["gone"], 1, "no such file"),
        (["in", "--validation", "0.6", "--test", "0.4"], 2, "nothing to train on"),
        (["in", "--jobs", "0"], 2, "jobs"),
    ],
)
def test_refusals(
    arguments: list[str], code: int, words: str, scans: Path, tmp_path: Path, run_cli: Callable[..., Any]
) -> None:
    result = run_cli("prepare", tmp_path / arguments[0], *arguments[1:], "-o", tmp_path / "out")
    assert result.code == code
    assert words in " ".join(result.err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_second_run_names_overwrite(scans: Path, tmp_path: Path, run_cli: Callable[..., Any]) -> None:
    run_cli("prepare", scans, "-o", tmp_path / "out", "--jobs", 1)
    result = run_cli("prepare", scans, "-o", tmp_path / "out", "--jobs", 1)
    assert (result.code, "--overwrite" in result.err) == (1, True)
    again = run_cli("prepare", scans, "-o", tmp_path / "out", "--jobs", 1, "--overwrite", "--json")
    assert again.json["kept"] == 3


@pytest.mark.slow
def test_torch_stays_unloaded() -> None:
    code = "import sys, monai_ctseg.datasets, monai_ctseg.cli.prepare; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.slow
def test_the_command_line_works_on_a_system_without_fcntl(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['fcntl'] = None\n"
        "from pathlib import Path\n"
        "import monai_ctseg.cli, monai_ctseg.cli.train, monai_ctseg.cli.prepare\n"
        "from monai_ctseg.output import new_folder, new_file\n"
        "with new_folder(Path(sys.argv[1])) as folder, new_file(folder / 'a') as path:\n    path.write_text('x')"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=True)
    assert (tmp_path / "out" / "a").read_text() == "x"
