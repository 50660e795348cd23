"""The wheel: built, unpacked away from the source tree, and used from there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUNDLES = ("metal_unet2d", "metal_unet3d")
NEEDED = (
    "LICENSE",
    "configs/metadata.json",
    "configs/inference.yaml",
    "configs/train.yaml",
    "configs/logging.conf",
    "models/model.pt",
    "docs/README.md",
    "docs/data_license.txt",
)
SETTINGS = ("steps_per_epoch=2", "scans_per_batch=2", "patch=32")
SMALL = ("--kind", "total_hip", "--seed", "3", "--size", "64", "--pixel", "3", "--slice", "4", "--count", "8")
SHORT = ("--epochs", "1", *(word for each in SETTINGS for word in ("--set", each)), "--device", "cpu")

pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="needs the source tree")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = out.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    """Runs the installed package in a folder from where the source tree cannot be seen."""
    home = tmp_path_factory.mktemp("elsewhere")
    site = home / "site"
    install = ["install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *install], check=True)

    def run(*words: str) -> str:
        start = [sys.executable, "-m", "monai_ctseg"] if words[0] != "-c" else [sys.executable]
        environment = {**os.environ, "PYTHONPATH": str(site)}
        done = subprocess.run([*start, *words], cwd=home, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    package = run("-c", "import monai_ctseg; print(monai_ctseg.__file__)")
    assert Path(package.strip()).is_relative_to(site), "the wheel's package is what is tried"
    return run


@pytest.mark.slow
@pytest.mark.parametrize("bundle", BUNDLES)
def test_the_wheel_holds_the_bundles_whole(wheel, bundle):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"monai_ctseg/bundles/{bundle}/{name}" for name in NEEDED} <= names
    tree = ROOT / "bundles" / bundle
    configs = {f"monai_ctseg/bundles/{bundle}/configs/{path.name}" for path in (tree / "configs").iterdir()}
    assert configs <= names


@pytest.mark.slow
def test_the_wheel_holds_no_tests_and_its_license(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"monai_ctseg"}
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)
    assert not [name for name in names if name.endswith(".pyc")]
    templates = {f"monai_ctseg/agreement/report/templates/report.{kind}.jinja" for kind in ("html", "md")}
    assert templates <= set(names)
    assert "monai_ctseg/py.typed" in names


@pytest.mark.slow
def test_it_lists_trains_and_infers_away_from_its_source(run, wheel):
    listed = json.loads(run("bundles", "--json"))
    assert [row["name"] for row in listed] == list(BUNDLES)
    assert all("site" in Path(row["folder"]).parts for row in listed)
    run("simulate", "-o", "scan", *SMALL)
    run("train", "scan/dicom", "-o", "trained", *SHORT)
    run("infer", "scan/dicom", "-o", "mine", "--weights", "trained/model.pt")
    row = json.loads(run("infer", "scan/dicom", "-o", "shipped", "--json"))
    assert row["output"] == "shipped"
