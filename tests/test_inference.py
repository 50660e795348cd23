"""Prediction: on the scan's own grid, whatever its size."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_ctseg.bundle import device_override, find_bundle, open_workflow, quiet, read_config
from monai_ctseg.errors import BundleError
from monai_ctseg.grid import Grid
from monai_ctseg.inference import Predictor, load_predictor, predict
from monai_ctseg.nifti import read_mask, write_scan
from monai_ctseg.scan import Scan


class Threshold(torch.nn.Module):
    """Stands in for a network: metal where the scaled image exceeds 0.8001, that is 3000.5 HU."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image - 0.8001


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("weights") / "model.pt"
    network = read_config(find_bundle(), "inference").get_parsed_content("network")
    torch.save(network.state_dict(), file)
    return file


@pytest.fixture(scope="module")
def thresholder(weights: Path) -> Predictor:
    return replace(load_predictor(weights=weights, device="cpu"), network=Threshold())


def noise(shape: tuple[int, int, int]) -> Scan:
    hu = np.random.default_rng(0).integers(-1000, 6000, shape).astype(np.int16)
    matrix = np.array([[0.5, 0, 0.1, -7], [0, 0.8, 0, 3], [0, 0, -2, 90], [0, 0, 0, 1.0]])
    return Scan(np.asfortranarray(hu), Grid(shape, matrix))


@settings(max_examples=12, deadline=None)
@given(shape=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20)))
def test_each_voxel_is_judged_in_its_place(shape: tuple[int, int, int], thresholder: Predictor) -> None:
    scan = noise(shape)
    mask = thresholder(scan, anywhere=True)
    np.testing.assert_array_equal(mask.voxels, scan.hu > 3000)
    assert mask.grid is scan.grid


@pytest.mark.parametrize("shape", [(131, 97, 5), (64, 64, 1)])
def test_odd_sizes_and_one_slice(shape: tuple[int, int, int], thresholder: Predictor) -> None:
    scan = noise(shape)
    np.testing.assert_array_equal(thresholder(scan).voxels, scan.hu > 3000)


def test_slices_do_not_depend_on_their_neighbours(weights: Path) -> None:
    predictor = load_predictor(weights=weights, device="cpu")
    scan = noise((24, 16, 19))
    whole = predictor(scan).voxels
    for k in (0, 15, 16, 18):
        alone = predictor(Scan(scan.hu[:, :, k : k + 1], Grid((24, 16, 1), scan.grid.index_to_lps))).voxels
        np.testing.assert_array_equal(alone[:, :, 0], whole[:, :, k])


def test_a_path_will_do_and_progress_is_told(thresholder: Predictor, tmp_path: Path) -> None:
    write_scan(noise((9, 8, 20)), tmp_path / "scan.nii.gz")
    told: list[tuple[int, int]] = []
    mask = thresholder(tmp_path / "scan.nii.gz", progress=lambda *facts: told.append(facts))
    assert mask.voxels.shape == (9, 8, 20)
    assert told == [(16, 20), (20, 20)]


def test_a_read_only_scan_stays_as_it_was(thresholder: Predictor) -> None:
    scan = noise((9, 8, 3))
    before = scan.hu.copy()
    scan.hu.setflags(write=False)
    thresholder(scan)
    np.testing.assert_array_equal(scan.hu, before)


def test_missing_weights_say_how_to_get_them(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(find_bundle(), copy)
    (copy / "models" / "model.pt").unlink(missing_ok=True)
    with pytest.raises(BundleError, match="train it"):
        predict(noise((8, 8, 1)), bundle=copy)
    with pytest.raises(BundleError, match="cannot be read"):
        predict(noise((8, 8, 1)), weights=tmp_path / "gone.pt")


def test_monais_own_run_writes_the_same_mask(weights: Path, tmp_path: Path) -> None:
    scan = noise((33, 18, 5))
    write_scan(scan, tmp_path / "scan.nii.gz")
    settings = {"dataset_dir": tmp_path / "scan.nii.gz", "output_dir": tmp_path / "out", "checkpoint": weights}
    overrides = {**{key: str(value) for key, value in settings.items()}, **device_override("cpu")}
    with quiet():
        open_workflow(find_bundle(), "inference", overrides=overrides).run()
    written = read_mask(tmp_path / "out" / "scan_metal.nii.gz")
    predicted = predict(scan, weights=weights, device="cpu")
    assert written.grid.matches(scan.grid)
    assert 0 < predicted.count < predicted.voxels.size
    np.testing.assert_array_equal(written.voxels, predicted.voxels)
