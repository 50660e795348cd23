"""Each bundle under `python -m monai.bundle run`: from any folder, and nothing is left but in the output folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from monai_ctseg.bundles import find_bundle
from monai_ctseg.io.nifti import read_mask
from monai_ctseg.networks.predict import predict

Command = Callable[..., None]


def listing(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if "__pycache__" not in file.parts}


def configs(bundle: Path, *names: str) -> list[str]:
    return [str(bundle / "configs" / f"{name}.yaml") for name in names]


@pytest.mark.slow
def test_a_process_of_its_own_runs_from_another_folder(scan_folder: Path, tmp_path: Path) -> None:
    """As a user starts it; once, since it imports for seconds."""
    bundle = find_bundle("metal_unet2d")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    places = ("--bundle_root", bundle, "--dataset_dir", scan_folder, "--output_dir", tmp_path / "out")
    words = ("run", "--config_file", configs(bundle, "inference", "labels"), *places)
    command = [sys.executable, "-m", "monai.bundle", *map(str, words)]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert listing(tmp_path) == {"elsewhere", "out", "out/scan_label.nii.gz"}


@pytest.mark.slow
def test_inference_writes_the_mask_that_predict_gives(
    bundle: Path, weights: Path, scan_folder: Path, monai_bundle: Command, tmp_path: Path
) -> None:
    before = listing(bundle)
    out = tmp_path / "out"
    places = ("--bundle_root", bundle, "--dataset_dir", scan_folder, "--output_dir", out, "--checkpoint", weights)
    monai_bundle("run", "--config_file", configs(bundle, "inference"), *places, "--device", "$torch.device('cpu')")
    (file,) = out.iterdir()
    mask, ours = read_mask(file), predict(scan_folder, bundle=bundle, weights=weights, device="cpu").mask
    assert mask.grid.matches(ours.grid)
    assert np.array_equal(mask.voxels, ours.voxels)
    assert mask.voxels.any()
    assert listing(tmp_path / "elsewhere") == set()
    assert listing(bundle) == before


@pytest.mark.slow
def test_the_bundles_own_folder_is_the_default_root(
    bundle_copy: Path, scan_folder: Path, monai_bundle: Command
) -> None:
    before = listing(bundle_copy)
    monai_bundle("run", "--config_file", "configs/inference.yaml", "--dataset_dir", scan_folder, cwd=bundle_copy)
    assert listing(bundle_copy) - before == {"eval", "eval/scan_metal.nii.gz"}


@pytest.mark.parametrize("threshold_hu", [3000, 2500])
def test_labels_are_those_of_the_command_line(
    threshold_hu: int, bundle: Path, scan_folder: Path, monai_bundle: Command, run_cli: Command, tmp_path: Path
) -> None:
    run_cli("labels", scan_folder, "-o", tmp_path / "ours", "--threshold", threshold_hu)
    places = ("--bundle_root", bundle, "--dataset_dir", scan_folder, "--output_dir", tmp_path / "out")
    files = configs(bundle, "inference", "labels")
    monai_bundle("run", "--config_file", files, *places, "--threshold_hu", threshold_hu)
    mask, ours = read_mask(tmp_path / "out" / "scan_label.nii.gz"), read_mask(tmp_path / "ours" / "mask.nii.gz")
    assert mask.grid.matches(ours.grid)
    assert np.array_equal(mask.voxels, ours.voxels)
    assert mask.voxels.any()
    assert listing(tmp_path / "elsewhere") == set()
