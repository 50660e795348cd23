"""The bundle under MONAI's own commands, from another working directory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_ctseg.bundle import find_bundle
from monai_ctseg.inference import predict
from monai_ctseg.nifti import read_mask

BUNDLE = find_bundle("metal_unet2d")
CONFIGS = BUNDLE / "configs"


def monai_bundle(cwd: Path, *words: object) -> None:
    command = [sys.executable, "-m", "monai.bundle", *map(str, words)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def weights(phantom_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a training of a few steps."""
    out = tmp_path_factory.mktemp("monai")
    both = f"['{CONFIGS / 'inference.yaml'}','{CONFIGS / 'train.yaml'}']"
    places = ("--bundle_root", BUNDLE, "--dataset_dir", phantom_folder, "--output_dir", out / "run")
    short = ("--max_epochs", 1, "--steps_per_epoch", 5, "--patch", 48)
    monai_bundle(out, "run", "--config_file", both, *places, *short)
    return out / "run" / "model.pt"


def test_train_leaves_a_bare_state_dict(weights: Path) -> None:
    state = torch.load(weights, weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())


def test_inference_writes_the_mask_that_predict_gives(weights: Path, phantom_folder: Path, tmp_path: Path) -> None:
    places = ("--bundle_root", BUNDLE, "--dataset_dir", phantom_folder, "--output_dir", tmp_path)
    monai_bundle(tmp_path, "run", "--config_file", CONFIGS / "inference.yaml", *places, "--checkpoint", weights)
    (file,) = tmp_path.glob("*.nii.gz")
    mask, ours = read_mask(file), predict(phantom_folder, weights=weights)
    assert mask.grid.matches(ours.grid)
    assert np.array_equal(mask.voxels, ours.voxels)


def test_the_network_takes_and_gives_what_the_metadata_says(tmp_path: Path) -> None:
    files = ("--config_file", CONFIGS / "inference.yaml", "--meta_file", CONFIGS / "metadata.json")
    monai_bundle(tmp_path, "verify_net_in_out", "network_def", *files, "--bundle_root", BUNDLE, "--device", "cpu")


def test_the_network_exports_as_torchscript(weights: Path, tmp_path: Path) -> None:
    files = (
        "--config_file",
        CONFIGS / "inference.yaml",
        "--meta_file",
        CONFIGS / "metadata.json",
        "--ckpt_file",
        weights,
    )
    out = ("--filepath", tmp_path / "model.ts", "--bundle_root", BUNDLE)
    monai_bundle(tmp_path, "ckpt_export", "network_def", *files, *out)
    assert torch.jit.load(tmp_path / "model.ts")(torch.zeros(1, 1, 32, 32)).shape == (1, 1, 32, 32)
