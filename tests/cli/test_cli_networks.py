"""train and demo on the command line, with trainings of a few steps."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from monai_ctseg.cli.settings import parse_settings

SETTINGS = ("steps_per_epoch=24", "scans_per_batch=2", "patch=48")  # enough to find some metal
SHORT = ("--epochs", 2, "--no-augment", *(word for each in SETTINGS for word in ("--set", each)), "--device", "cpu")
WHAT = ("--kind", "hip_screw", "--seed", "4", "--jobs", "1")
COARSE = (*WHAT, "--size", "96", "--pixel", "3", "--count", "8", "--slice", "5")


@pytest.fixture(scope="module")
def trained(phantom_folder, tmp_path_factory):
    """A folder as `train` leaves it."""
    from monai_ctseg.cli import main

    out = tmp_path_factory.mktemp("trained") / "run"
    with pytest.raises(SystemExit) as end:
        main(["train", str(phantom_folder), "-o", str(out), *map(str, SHORT)])
    assert not end.value.code
    return out


def refused(result, *words):
    assert (result.code, result.out) == (1, ""), result
    last = result.err.strip().splitlines()[-1]
    assert last.startswith("monai-ctseg: ")
    assert "Traceback" not in result.err
    for word in words:
        assert word in last


@pytest.mark.slow
def test_train_leaves_what_it_says(trained):
    run = json.loads((trained / "run.json").read_text())
    assert run["finished"]
    assert (run["arguments"]["seed"], run["split"]) == (0, "blocks")
    assert len(run["weights_sha256"]) == len(run["inputs"][0]["voxels_sha256"]) == 64
    assert Image.open(trained / "overview.png").width > 500
    assert sorted(p.name for p in (trained / "validation").iterdir()) == ["epoch_002"]
    assert any((trained / "tensorboard").iterdir())
    split = json.loads((trained / "dataset.json").read_text())
    used = {name: set(split[name][0]["slices"]) for name in ("training", "validation")}
    assert used["training"].isdisjoint(used["validation"])


@pytest.mark.slow
def test_training_goes_again_over_its_own_folder(run_cli, trained, phantom_folder):
    before = (trained / "model.pt").read_bytes()
    refused(run_cli("train", phantom_folder, "-o", trained, *SHORT), "--overwrite")
    assert run_cli("train", phantom_folder, "-o", trained, *SHORT, "--overwrite", "--json").json["seed"] == 0
    assert torch.load(trained / "model.pt", weights_only=True).keys()
    assert len(before) == (trained / "model.pt").stat().st_size


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--held-out", "slice_0000", "slice_0001"], ["no metal"]),
        (["--held-out", "a", "b"], ["no slice 'a'"]),
        (["--split", "patients"], ["patients"]),
        (["--device", "nonsense"], ["no device 'nonsense'"]),
        (["--bundle", "nonsense"], ["nonsense is no bundle", "metal_unet2d"]),
        (["--set", "pach=3"], ["no 'pach'", "patch"]),
        (["--set", "output_dir=elsewhere"], ["output_dir is set by"]),
        (["--threshold", "30000"], ["no metal"]),
    ],
)
def test_training_that_cannot_be_is_refused_and_leaves_nothing(run_cli, phantom_folder, tmp_path, more, words):
    refused(run_cli("train", phantom_folder, "-o", tmp_path / "out", *more), *words)
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_json_that_names_missing_files(run_cli, tmp_path):
    content = {"training": [{"image": "gone"}], "validation": [{"image": "gone too"}]}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    refused(run_cli("train", tmp_path / "dataset.json", "-o", tmp_path / "out"), "do not exist", "gone")
    assert not (tmp_path / "out").exists()


def test_wrong_settings_are_wrong_usage(run_cli, phantom_folder, tmp_path):
    for words in ("patch", "patch=[1"):
        assert run_cli("train", phantom_folder, "-o", tmp_path / "out", "--set", words).code == 2
    assert not (tmp_path / "out").exists()


def test_settings_may_be_written_as_numbers_are():
    given = ["learning_rate=1e-3", "patch=48", "cache=none", "spacing_mm=[1, 1, 2]"]
    settings = parse_settings(given, own=())
    assert settings == {"learning_rate": 0.001, "patch": 48, "cache": "none", "spacing_mm": [1, 1, 2]}


@pytest.mark.slow
def test_demo_runs_from_a_simulated_scan_to_its_truth(run_cli, tmp_path, monkeypatch):
    from monai_ctseg.networks.train import train

    def train_shortly(scans, output, options, **more):
        overrides = {**options.overrides, "scans_per_batch": 2, "patch": 48}
        return train(scans, output, replace(options, overrides=overrides), **more)

    monkeypatch.setattr("monai_ctseg.networks.train.train", train_shortly)
    monkeypatch.setattr("monai_ctseg.cli.demo.EPOCHS", 2)
    monkeypatch.setattr("monai_ctseg.cli.demo.STEPS", 24)
    monkeypatch.setattr("monai_ctseg.cli.demo.SIMULATED", COARSE)
    result = run_cli("demo", "-o", tmp_path / "demo")
    assert result.code == 0, result.err
    assert result.out.count("\nDice ") == 3
    assert Image.open(tmp_path / "demo" / "overview.png").width > 1000
    for command in ("simulate", "stats", "labels", "train", "infer", "evaluate"):
        assert f"$ monai-ctseg {command} " in result.out
    again = run_cli("demo", "-o", tmp_path / "demo", "--overwrite")
    assert again.code == 0, again.err
