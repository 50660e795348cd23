"""monai-ctseg evaluate: two masks, two folders, and a dataset."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch

from monai_ctseg.bundles import find_bundle
from monai_ctseg.grid import Grid
from monai_ctseg.io.nifti import write_mask, write_scan
from monai_ctseg.networks.config import read_config
from monai_ctseg.scan import Mask


def refused(result, *words):
    assert (result.code, result.out) == (1, ""), result
    last = result.err.strip().splitlines()[-1]
    assert last.startswith("monai-ctseg: ")
    for word in words:
        assert word in last


@pytest.fixture
def folders(tmp_path):
    """predicted/a/mask.nii.gz, predicted/b/mask.nii.gz; truth/a.nii.gz, truth/b.nii.gz."""
    voxels = np.zeros((6, 6, 4), dtype=bool)
    voxels[1:3, 1, :2] = True
    metal = Mask(voxels, Grid(voxels.shape, np.eye(4)))
    empty = Mask(np.zeros_like(voxels), metal.grid)
    for name, mask in {"a": metal, "b": empty}.items():
        (tmp_path / "predicted" / name).mkdir(parents=True)
        write_mask(mask, tmp_path / "predicted" / name / "mask.nii.gz")
        write_mask(mask, tmp_path / "predicted" / name / "image.nii.gz")  # no mask by its name
        (tmp_path / "truth").mkdir(exist_ok=True)
        write_mask(metal, tmp_path / "truth" / f"{name}.nii.gz")
    return tmp_path / "predicted", tmp_path / "truth"


def test_two_folders_are_matched_by_name(run_cli, folders, tmp_path):
    result = run_cli("evaluate", *folders, "-o", tmp_path / "out", "--json")
    assert result.code == 0, result.err
    assert result.json["overall"]["prediction"]["dice"]["mean"] == 0.5
    assert result.json["overall"]["prediction"]["cases_missed"] == 1
    with (tmp_path / "out" / "cases.csv").open() as file:
        assert [(row["case"], row["dice"]) for row in csv.DictReader(file)] == [("a", "1.0"), ("b", "0.0")]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["cases.csv", "run.json", "scores.json"]
    inputs = json.loads((tmp_path / "out" / "run.json").read_text())["inputs"]
    assert [len(source["truth_sha256"]) for source in inputs] == [64, 64]
    text = run_cli("evaluate", *folders).out
    assert "policy: A case without metal" in text
    assert "Dice, mean" in text


def test_masks_without_a_partner_are_refused_by_name(run_cli, folders, tmp_path):
    predicted, truth = folders
    (truth / "b.nii.gz").rename(truth / "c.nii.gz")
    refused(run_cli("evaluate", predicted, truth, "-o", tmp_path / "out"), f"{truth}: no mask for b")
    (truth / "b.nii").write_bytes((predicted / "b" / "image.nii.gz").read_bytes())
    refused(run_cli("evaluate", predicted, truth), f"{predicted}: no mask for c")
    (truth / "b.nii.gz").touch()
    refused(run_cli("evaluate", predicted, truth), "two masks for b")
    assert not (tmp_path / "out").exists()


def test_a_refusal_names_its_case_and_leaves_nothing(run_cli, folders, tmp_path):
    predicted, truth = folders
    write_mask(Mask(np.zeros((3, 3, 3), dtype=bool), Grid((3, 3, 3), np.eye(4))), truth / "b.nii.gz")
    refused(run_cli("evaluate", predicted, truth, "-o", tmp_path / "out"), "b: the grids differ")
    assert not (tmp_path / "out").exists()


def test_two_masks_leave_a_table_on_request(run_cli, folders, tmp_path):
    one, other = folders[0] / "a" / "mask.nii.gz", folders[1] / "a.nii.gz"
    assert run_cli("evaluate", one, other, "-o", tmp_path / "out", "--json").json["dice"] == 1.0
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["cases"][0]["dice"] == 1.0
    refused(run_cli("evaluate", one, other, "-o", tmp_path / "out"), "--overwrite")


def test_wrong_usage(run_cli, folders, tmp_path):
    one = folders[1] / "a.nii.gz"
    for words in (
        [one],
        [one, "-o", tmp_path / "out"],
        [one, one, "--device", "cpu"],
        [one, one, "--threshold", "nan"],
    ):
        result = run_cli("evaluate", *words)
        assert (result.code, result.out) == (2, "")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def dataset(phantom, tmp_path):
    """dataset.json with the phantom on both sides, and weights that were never trained."""
    write_scan(phantom.scan, tmp_path / "scan.nii.gz")
    write_mask(phantom.truth, tmp_path / "truth.nii.gz")
    case = {"image": "scan.nii.gz", "label": "truth.nii.gz"}
    halves = {"training": [{**case, "slices": [0]}], "validation": [{**case, "slices": list(range(10, 20))}]}
    (tmp_path / "dataset.json").write_text(json.dumps(halves))
    network = read_config(find_bundle(), "inference").get_parsed_content("network")
    torch.save(network.state_dict(), tmp_path / "model.pt")
    return tmp_path


@pytest.mark.slow
def test_a_dataset_is_evaluated_by_network_and_threshold(run_cli, dataset):
    out = dataset / "out"
    words = ("evaluate", dataset / "dataset.json", "-o", out, "--weights", dataset / "model.pt", "--device", "cpu")
    result = run_cli(*words)
    assert result.code == 0, result.err
    assert "threshold 3000 HU" in result.out
    assert sorted(p.name for p in out.iterdir()) == ["cases.csv", "run.json", "scores.json", "sheet.png"]
    run = json.loads((out / "run.json").read_text())
    assert (run["section"], run["inputs"][0]["case"], len(run["weights_sha256"])) == ("validation", "scan", 64)
    assert str(dataset) not in (out / "run.json").read_text() + (out / "scores.json").read_text()
    again = run_cli(*words, "--overwrite", "--json", "--threshold", 2500).json
    assert (again["threshold_hu"], set(again["overall"])) == (2500.0, {"network", "threshold"})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--section", "test"], ["no scan under 'test'"]),
        (["--weights", "gone.pt"], ["gone.pt", "cannot be read"]),
        (["--bundle", "nonsense"], ["nonsense is no bundle"]),
        (["--device", "nonsense"], ["no device 'nonsense'"]),
    ],
)
def test_what_cannot_be_evaluated_is_refused_and_leaves_nothing(run_cli, dataset, more, words):
    refused(run_cli("evaluate", dataset, "-o", dataset / "out", *more), *words)
    assert not (dataset / "out").exists()


def test_weights_of_another_network_are_refused(run_cli, dataset):
    torch.save({"a": torch.zeros(3)}, dataset / "other.pt")
    refused(run_cli("evaluate", dataset, "-o", dataset / "out", "--weights", dataset / "other.pt"), "another network")
