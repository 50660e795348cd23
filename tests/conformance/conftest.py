"""Fixtures: each bundle, weights that fit it, MONAI's command line in this process, and a cohort of random volumes."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy import ndimage

from benchmarks.quick_phantom import Phantom
from monai_ctseg.bundles import find_bundle
from monai_ctseg.grid import Grid
from monai_ctseg.io.dicom import write_series
from monai_ctseg.networks.config import read_config
from monai_ctseg.networks.guards import quiet

HOME = find_bundle().parent
NAMES = sorted(path.name for path in HOME.iterdir() if (path / "configs").is_dir())


@pytest.fixture(scope="session", params=NAMES)
def bundle(request: pytest.FixtureRequest) -> Path:
    """The folder of a bundle, each in turn; not to be changed."""
    return HOME / str(request.param)


@pytest.fixture(scope="session")
def weights(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare state dict of the bundle's network, untrained."""
    file = tmp_path_factory.mktemp(bundle.name) / "model.pt"
    torch.manual_seed(0)
    torch.save(read_config(bundle, "inference").get_parsed_content("network_def").state_dict(), file)
    return file


@pytest.fixture
def bundle_copy(bundle: Path, weights: Path, tmp_path: Path) -> Path:
    """The bundle with untrained weights, to be changed at will."""
    copy = tmp_path / bundle.name
    shutil.copytree(bundle, copy)
    (copy / "models").mkdir(exist_ok=True)
    shutil.copy(weights, copy / "models" / "model.pt")
    return copy


@pytest.fixture
def readme(bundle: Path) -> list[list[str]]:
    """The words of each command in the bundle's README, without "python -m monai.bundle"."""
    text = (bundle / "docs" / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^    (?:python|torchrun .*) -m monai\.bundle (.*)$", text, flags=re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.fixture
def monai_bundle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """`python -m monai.bundle WORDS` in this process, which has imported MONAI already, from a folder of its own."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run(*words: object, cwd: Path = elsewhere) -> None:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["monai.bundle", *map(str, words)])
        with quiet():
            runpy.run_module("monai.bundle", run_name="__main__")

    return run


@pytest.fixture(scope="session")
def scan_folder(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small phantom as a DICOM series with voxels of 0.9 x 0.9 x 1.2 mm, for a 3D network in a second."""
    folder = tmp_path_factory.mktemp("scan")
    grid = phantom.scan.grid
    matrix = grid.index_to_lps @ np.diag([*np.array([0.9, 0.9, 1.2]) / grid.spacing_mm, 1.0])
    write_series(replace(phantom.scan, grid=Grid(grid.shape, matrix)), folder)
    return folder


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten random volumes of 32 x 32 x 24 voxels with random blobs as labels, and their dataset.json."""
    folder = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(0)
    items = []
    for n in range(10):
        blobs = ndimage.gaussian_filter(rng.standard_normal((32, 32, 24)), 2.0) > 0.12
        hu = rng.normal(40.0, 200.0, blobs.shape) + 4000.0 * blobs
        for name, values in (("image", hu.astype(np.int16)), ("label", blobs.astype(np.uint8))):
            nib.save(nib.Nifti1Image(values, np.diag([1.0, 1.0, 1.5, 1.0])), folder / f"{name}_{n}.nii.gz")
        items.append({"image": f"image_{n}.nii.gz", "label": f"label_{n}.nii.gz"})
    (folder / "dataset.json").write_text(json.dumps({"training": items[:8], "validation": items[8:]}))
    return folder
