"""A short training from end to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.quick_phantom import Phantom
from monai_ctseg.bundles import find_bundle
from monai_ctseg.errors import BundleError, DatasetError, OutputError
from monai_ctseg.grid import Grid
from monai_ctseg.io.nifti import write_mask, write_scan
from monai_ctseg.io.read import read_scan
from monai_ctseg.networks.config import read_config
from monai_ctseg.networks.predict import predict
from monai_ctseg.networks.train import TrainOptions, TrainResult, train
from monai_ctseg.networks.transforms import PatchCentersd
from monai_ctseg.scan import Mask, Scan

SHORT = {"steps_per_epoch": 2, "val_interval": 1, "patch": 32, "scans_per_batch": 2}


@pytest.fixture(scope="module")
def folder(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom and its truth as NIfTI: a mask file spares the search for the body."""
    folder = tmp_path_factory.mktemp("data")
    write_scan(phantom.scan, folder / "scan.nii.gz")
    write_mask(phantom.truth, folder / "mask.nii.gz")
    return folder


Run = Callable[[str], TrainResult]
told: list[tuple[int, int, float]] = []


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    def run(name: str) -> TrainResult:
        told.clear()
        return train(
            [folder / "scan.nii.gz"],
            folder / name,
            TrainOptions(labels=[folder / "mask.nii.gz"], max_epochs=2, device="cpu", overrides=SHORT),
            progress=lambda *facts: told.append(facts),
        )

    return run


@pytest.fixture(scope="module")
def result(run: Run) -> TrainResult:
    return run("first")


@pytest.mark.slow
def test_it_leaves_weights_masks_pictures_and_the_split(result: TrainResult) -> None:
    assert 0 < result.dice < 1
    assert result.split == "blocks"
    held = json.loads(result.dataset.read_text())["validation"][0]["slices"]
    for epoch in (1, 2):
        assert len(list((result.masks / f"epoch_{epoch:03d}").glob("*.png"))) == len(held)
    assert any(result.tensorboard.iterdir())
    with Image.open(result.overview) as picture:
        assert picture.width > 100
    weights = torch.load(result.weights, weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in weights.values())
    assert set(torch.load(result.last, weights_only=True)) > {"model", "optimizer", "scheduler"}
    assert told[-1][:2] == (4, 4)


@pytest.mark.slow
def test_it_starts_from_other_weights(result: TrainResult, folder: Path) -> None:
    """At a learning rate near zero they stay what they were; other processes may cut the patches."""
    more = {"start_from": str(result.weights), "learning_rate": 1e-12, "workers": 2}
    scan, label = [folder / "scan.nii.gz"], [folder / "mask.nii.gz"]
    later = train(
        scan, folder / "on", TrainOptions(labels=label, max_epochs=1, device="cpu", overrides={**SHORT, **more})
    )
    one, two = (torch.load(weights, weights_only=True) for weights in (result.weights, later.weights))
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one if name.endswith("conv.weight"))
    with pytest.raises(BundleError, match=r"mask.nii.gz: no file of network weights"):
        train(
            scan,
            folder / "off",
            TrainOptions(labels=label, device="cpu", overrides={**SHORT, "start_from": str(label[0])}),
        )


@pytest.mark.slow
def test_the_weights_predict_on_the_scans_own_grid(result: TrainResult, phantom: Phantom) -> None:
    mask = predict(phantom.scan, weights=result.weights, device="cpu").mask
    assert mask.grid.matches(phantom.scan.grid)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(result: TrainResult, run: Run) -> None:
    one = torch.load(result.weights, weights_only=True)
    two = torch.load(run("second").weights, weights_only=True)
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.slow
def test_nothing_is_printed(run: Run, result: TrainResult, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    train(
        [result.dataset.parent],
        result.dataset.parent.parent / "third",
        TrainOptions(max_epochs=1, device="cpu", overrides=SHORT),
    )
    assert capfd.readouterr() == ("", "")


def write_plain(path: Path, *, slices: int, metal: bool) -> Path:
    hu = np.full((40, 40, slices), 40, dtype=np.int16)
    if metal:
        hu[18:22, 18:22] = 9000
    write_scan(Scan(hu, Grid(hu.shape, np.diag([1.0, 1.0, 2.0, 1.0]))), path)
    return path


@pytest.mark.parametrize(("slices", "metal", "words"), [(1, True, "one slice"), (8, False, "no metal")])
def test_scans_that_teach_nothing_are_refused(slices: int, metal: bool, words: str, tmp_path: Path) -> None:
    scan = write_plain(tmp_path / "scan.nii.gz", slices=slices, metal=metal)
    with pytest.raises(DatasetError, match=words):
        train([scan], tmp_path / "out", TrainOptions(device="cpu"))
    assert not (tmp_path / "out").exists()


def test_bad_settings_are_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    scan, mask = folder / "scan.nii.gz", folder / "mask.nii.gz"
    with pytest.raises(BundleError, match="no 'epochs'"):
        train([scan], tmp_path / "out", TrainOptions(labels=[mask], overrides={"epochs": 3}))
    with pytest.raises(DatasetError, match="1 masks for 2 scans"):
        train([scan, scan], tmp_path / "out", TrainOptions(labels=[mask]))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        train([scan], tmp_path / "file" / "out", TrainOptions(labels=[mask]))


def test_validation_without_metal_judges_nothing(tmp_path: Path) -> None:
    scan = write_plain(tmp_path / "scan.nii.gz", slices=4, metal=True)
    empty = write_plain(tmp_path / "empty.nii.gz", slices=4, metal=False)
    split = {"training": [{"image": scan.name}], "validation": [{"image": empty.name}]}
    (tmp_path / "dataset.json").write_text(json.dumps(split))
    with pytest.raises(DatasetError, match="no label of the 1 scans under 'validation' holds metal"):
        train([tmp_path], tmp_path / "out", TrainOptions(max_epochs=1, device="cpu", overrides=SHORT))


def test_a_mask_of_another_scan_is_refused(folder: Path, tmp_path: Path) -> None:
    grid = Grid((96, 96, 30), np.diag([9.0, 9.0, 9.0, 1.0]))
    write_mask(Mask(np.ones(grid.shape, dtype=np.bool_), grid), tmp_path / "other.nii.gz")
    with pytest.raises(Exception, match="grids differ"):
        train([folder / "scan.nii.gz"], tmp_path / "out", TrainOptions(labels=[tmp_path / "other.nii.gz"]))


@pytest.mark.slow
def test_padding_is_no_metal(phantom: Phantom, phantom_folder: Path) -> None:
    """The scan is smaller than what is cut out of it, so it is padded: with air, and with no label."""
    parser = read_config(find_bundle(), "inference", "train", overrides={"dataset_dir": str(phantom_folder)})
    item = parser.get_parsed_content("train::dataset")[0][0]
    assert item["label"].shape[-2:] == (96, 96)
    transforms = parser.get_parsed_content("train::preprocessing").transforms
    item = {"image": phantom.scan}
    until = next(n for n, transform in enumerate(transforms) if isinstance(transform, PatchCentersd))
    for transform in transforms[: until + 1]:
        item = transform(item)
    assert item["image"].shape[1:3] == (160, 160)
    assert set(np.unique(item["label"].numpy())) == {0, 1}
    assert item["image"].numpy()[0, :8].max() == -1000
    chosen = item["label"].numpy().ravel()[item["label_fg_indices"]]
    assert chosen.all()


@pytest.mark.parametrize("epochs", [1, 3])
def test_the_last_epoch_is_always_validated(epochs: int, phantom_folder: Path) -> None:
    parser = read_config(find_bundle(), "inference", "train", overrides={"max_epochs": epochs})
    assert epochs % parser.get_parsed_content("val_interval") == 0


def test_the_same_voxels_under_two_names_do_not_train_and_validate(tmp_path: Path) -> None:
    scan = write_plain(tmp_path / "scan.nii.gz", slices=4, metal=True)
    other = tmp_path / "other.nii"
    hu = read_scan(scan).hu.astype(np.float32)
    write_scan(Scan(hu, read_scan(scan).grid), other)
    split = {"training": [{"image": scan.name}], "validation": [{"image": other.name}]}
    (tmp_path / "dataset.json").write_text(json.dumps(split))
    with pytest.raises(DatasetError, match=r"the same slices of scan.nii.gz and other.nii in two sections"):
        train([tmp_path], tmp_path / "out", TrainOptions(device="cpu", overrides=SHORT))
    assert not (tmp_path / "out").exists()


def test_a_cohort_without_metal_is_refused_before_it_trains(tmp_path: Path) -> None:
    scans = [write_plain(tmp_path / f"{name}.nii.gz", slices=n, metal=False) for n, name in enumerate("ab", start=3)]
    split = {"training": [{"image": scans[0].name}], "validation": [{"image": scans[1].name}]}
    (tmp_path / "dataset.json").write_text(json.dumps(split))
    with pytest.raises(DatasetError, match="no label of the 1 scans under 'training' holds metal"):
        train([tmp_path], tmp_path / "out", TrainOptions(device="cpu", overrides=SHORT))


def test_an_interval_without_a_validation_is_refused(folder: Path, tmp_path: Path) -> None:
    scan, mask = folder / "scan.nii.gz", folder / "mask.nii.gz"
    with pytest.raises(BundleError, match="nothing would be validated"):
        train(
            [scan], tmp_path / "out", TrainOptions(labels=[mask], max_epochs=2, overrides={**SHORT, "val_interval": 5})
        )
