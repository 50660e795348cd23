"""Several processes over gloo train and validate together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import monai
import pytest
import torch

from benchmarks.quick_phantom import make_phantom
from monai_ctseg.bundles import find_bundle
from monai_ctseg.io.nifti import write_mask, write_scan
from monai_ctseg.networks.distributed import share

SETTINGS = {
    "steps_per_epoch": 20,
    "val_interval": 3,
    "patch": 48,
    "learning_rate": 0.02,
    "network_def::channels": [8, 16, 32, 64, 128],
}
EPOCHS = 3
BUNDLES = ("metal_unet2d", "metal_unet3d")
TOLERANCE = 0.15


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small phantoms with their truth; two train, one validates."""
    folder = tmp_path_factory.mktemp("cohort")
    for seed in range(3):
        phantom = make_phantom(shape=(64, 64, 20), seed=seed)
        write_scan(phantom.scan, folder / f"scan{seed}.nii.gz")
        write_mask(phantom.truth, folder / f"mask{seed}.nii.gz")
    items = [{"image": f"scan{n}.nii.gz", "label": f"mask{n}.nii.gz"} for n in range(3)]
    (folder / "dataset.json").write_text(json.dumps({"training": items[:2], "validation": items[2:]}))
    return folder / "dataset.json"


def train_words(dataset: Path, output: Path, **settings: object) -> list[str]:
    words = [word for name, value in {**SETTINGS, **settings}.items() for word in ("--set", f"{name}={value}")]
    command = ["train", dataset, "-o", output, "--epochs", EPOCHS, "--device", "cpu", *words, "--json"]
    return list(map(str, command))


def launch(*command: object) -> subprocess.CompletedProcess[str]:
    """Two processes by torchrun, with a thread each."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [*torchrun, *map(str, command)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=300, env=environment)


@pytest.mark.slow
def test_two_processes_reach_the_dice_of_one(dataset: Path, tmp_path: Path, run_cli: Callable[..., Any]) -> None:
    """Together they draw twice as many patches a step: not the same weights, but as good ones."""
    alone = run_cli(*train_words(dataset, tmp_path / "run1", scans_per_batch=4))
    two = launch("-m", "monai_ctseg", *train_words(dataset, tmp_path / "run2", scans_per_batch=2))
    assert alone.code == two.returncode == 0, alone.err + two.stderr
    dice = [alone.json["dice"], json.loads(two.stdout)["dice"]]
    assert min(dice) > 0.5
    assert abs(dice[0] - dice[1]) < TOLERANCE
    left = [sorted(path.name for path in (tmp_path / f"run{n}").iterdir()) for n in (1, 2)]
    assert left[0] == left[1]
    assert len(list((tmp_path / "run2" / "tensorboard").iterdir())) == 1
    state = torch.load(tmp_path / "run2" / "last.pt", weights_only=True)
    assert state["settings"]["processes"] == "2"
    assert not any(name.startswith("module.") for name in state["model"])


@pytest.mark.slow
@pytest.mark.parametrize("bundle", BUNDLES)
def test_monais_own_command_trains_and_evaluates_in_two_processes(bundle: str, dataset: Path, tmp_path: Path) -> None:
    """Both bundles' multi_gpu_*.yaml over gloo; the scores are those of one process."""

    def configs(*names: str) -> list[str]:
        return [str(find_bundle(bundle) / "configs" / f"{name}.yaml") for name in names]

    def in_two(*names: str, **settings: object) -> None:
        words = [word for name, value in {**given, **settings}.items() for word in (f"--{name}", value)]
        done = launch("-m", "monai.bundle", "run", "--config_file", configs(*names), *words)
        assert done.returncode == 0, done.stderr

    given: dict[str, Any] = {"bundle_root": str(find_bundle(bundle)), "dataset_dir": str(dataset)}
    if bundle == "metal_unet3d":  # at the phantom's own spacing, which is coarse
        given |= {"spacing_mm": [4.0, 4.0, 6.0], "window": [32, 32, 16]}
    short = {"max_epochs": 1, "steps_per_epoch": 2, "scans_per_batch": 1}
    in_two("inference", "train", "multi_gpu_train", output_dir=tmp_path / "run", **short)
    assert torch.load(tmp_path / "run" / "last.pt", weights_only=True)["settings"]["processes"] == "2"
    weights = {"checkpoint": str(tmp_path / "run" / "model.pt"), "section": "training"}
    in_two("inference", "evaluate", "multi_gpu_evaluate", output_dir=tmp_path / "two", **weights)
    monai.bundle.run(config_file=configs("inference", "evaluate"), output_dir=str(tmp_path / "one"), **given, **weights)
    for name in ("cases.csv", "scores.json", "sheet.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.slow
def test_a_refusal_ends_all_processes(tmp_path: Path) -> None:
    done = launch("-m", "monai_ctseg", *train_words(tmp_path / "none.json", tmp_path / "run"))
    assert done.returncode != 0
    assert "none.json" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("items", "processes"), [(7, 3), (3, 3), (8, 2)])
def test_each_item_goes_to_one_process(items: int, processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idist, "get_world_size", lambda: processes)
    parts = []
    for rank in range(processes):
        monkeypatch.setattr(idist, "get_rank", lambda rank=rank: rank)
        parts.append(share(range(items)))
    assert sorted(item for part in parts for item in part) == list(range(items))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_too_few_items_go_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idist, "get_world_size", lambda: 3)
    assert share(["only"]) == ["only"]
