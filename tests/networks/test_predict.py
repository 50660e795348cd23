"""Prediction: on the scan's own grid, whatever its size."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.quick_phantom import Phantom
from monai_ctseg.bundles import find_bundle
from monai_ctseg.errors import BundleError
from monai_ctseg.grid import Grid
from monai_ctseg.io.nifti import read_mask, write_scan
from monai_ctseg.networks.bundle_network import MetalNetwork
from monai_ctseg.networks.config import device_override, open_workflow, read_config
from monai_ctseg.networks.guards import quiet
from monai_ctseg.networks.predict import load_network, predict
from monai_ctseg.scan import Scan
from monai_ctseg.segmentation.confidence import Calibration
from monai_ctseg.segmentation.pipeline import segment


class Threshold(torch.nn.Module):
    """Stands in for a network: metal where the image, log2(1 + (HU + 1000) / 1000) / log2(34), exceeds 3000.5 HU."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image - math.log2(5.0005) / math.log2(34)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_weights("metal_unet2d", tmp_path_factory.mktemp("weights") / "model.pt")


def random_weights(bundle: str, file: Path) -> Path:
    torch.manual_seed(0)
    network = read_config(find_bundle(bundle), "inference").get_parsed_content("network")
    torch.save(network.state_dict(), file)
    return file


@pytest.fixture(scope="module")
def thresholder_3d(tmp_path_factory: pytest.TempPathFactory) -> MetalNetwork:
    weights = random_weights("metal_unet3d", tmp_path_factory.mktemp("weights_3d") / "model.pt")
    return replace(load_network("metal_unet3d", weights=weights, device="cpu"), network=Threshold())


@pytest.fixture(scope="module")
def thresholder(weights: Path) -> MetalNetwork:
    return replace(load_network(weights=weights, device="cpu"), network=Threshold())


def noise(shape: tuple[int, int, int]) -> Scan:
    hu = np.random.default_rng(0).integers(-1000, 6000, shape).astype(np.int16)
    matrix = np.array([[0.5, 0, 0.1, -7], [0, 0.8, 0, 3], [0, 0, -2, 90], [0, 0, 0, 1.0]])
    return Scan(np.asfortranarray(hu), Grid(shape, matrix))


@settings(max_examples=12, deadline=None)
@given(shape=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20)))
def test_each_voxel_is_judged_in_its_place(shape: tuple[int, int, int], thresholder: MetalNetwork) -> None:
    scan = noise(shape)
    mask = segment(scan, network=thresholder, body_mask=False).mask
    np.testing.assert_array_equal(mask.voxels, scan.hu > 3000)
    assert mask.grid is scan.grid


@pytest.mark.parametrize("shape", [(131, 97, 5), (64, 64, 1)])
def test_odd_sizes_and_one_slice(shape: tuple[int, int, int], thresholder: MetalNetwork) -> None:
    scan = noise(shape)
    np.testing.assert_array_equal(segment(scan, network=thresholder).mask.voxels, scan.hu > 3000)


@pytest.mark.parametrize("at_once", [256, 4])
def test_a_resampled_prediction_lies_where_the_metal_is(at_once: int, thresholder_3d: MetalNetwork) -> None:
    """A block of metal in a turned scan of 0.9 x 1.1 x 2 mm, head down, comes back to within a voxel."""
    hu = np.full((30, 26, 12), -500, dtype=np.int16, order="F")
    hu[6:16, 9:19, 3:8] = 4000
    matrix = np.array([[0, 1.1, 0, -7], [-0.9, 0, 0, 3], [0, 0, -2, 90], [0, 0, 0, 1.0]])
    scan = Scan(hu, Grid(hu.shape, matrix))
    mask = replace(thresholder_3d, slices_at_once=at_once).predict(scan).mask
    assert mask.grid is scan.grid
    core, around = np.zeros(hu.shape, bool), np.zeros(hu.shape, bool)
    core[7:15, 10:18, 4:7] = around[5:17, 8:20, 2:9] = True
    assert mask.voxels[core].all()
    assert not mask.voxels[~around].any()


def test_one_slice_and_a_tilted_gantry_in_3d(thresholder_3d: MetalNetwork) -> None:
    for shape in ((20, 18, 1), (20, 18, 6)):
        scan = noise(shape)
        assert thresholder_3d.predict(scan).mask.voxels.shape == shape


def test_slices_do_not_depend_on_their_neighbours(weights: Path) -> None:
    network = load_network(weights=weights, device="cpu")
    scan = noise((24, 16, 19))
    whole = segment(scan, network=network, body_mask=False).mask.voxels  # the body is a matter of the whole scan
    for k in (0, 15, 16, 18):
        one = Scan(scan.hu[:, :, k : k + 1], Grid((24, 16, 1), scan.grid.index_to_lps))
        alone = segment(one, network=network, body_mask=False).mask.voxels
        np.testing.assert_array_equal(alone[:, :, 0], whole[:, :, k])


def test_predict_takes_a_path_and_tells_progress(weights: Path, tmp_path: Path) -> None:
    write_scan(noise((9, 8, 20)), tmp_path / "scan.nii.gz")
    told: list[tuple[int, int]] = []
    found = predict(tmp_path / "scan.nii.gz", weights=weights, device="cpu", progress=lambda *facts: told.append(facts))
    assert found.mask.voxels.shape == (9, 8, 20)
    assert told == [(done, 20) for done in (4, 8, 12, 16, 20)]


@pytest.mark.parametrize(("at_once", "context_mm"), [(1, 0.0), (3, 5.0), (4, 2.0), (7, 100.0)])
def test_runs_with_their_context_fit_together(at_once: int, context_mm: float, thresholder: MetalNetwork) -> None:
    scan = noise((13, 12, 11))
    predictor = replace(thresholder, slices_at_once=at_once, context_slices_mm=context_mm)
    told: list[tuple[int, int]] = []
    found = predictor.predict(scan, progress=lambda *facts: told.append(facts))
    np.testing.assert_array_equal(found.mask.voxels, scan.hu > 3000)
    np.testing.assert_array_equal(found.probability >= 128, found.mask.voxels)
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)


class Lopsided(torch.nn.Module):
    """Logits that depend on the place alone, in no symmetrical way."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        i, j = torch.arange(image.shape[-2])[:, None], torch.arange(image.shape[-1])
        return (0.3 * i - 0.1 * j * j - 0.83).expand_as(image).clone()


def test_flips_are_averaged_as_probabilities(thresholder: MetalNetwork) -> None:
    predictor = replace(thresholder, network=Lopsided())
    scan = noise((16, 8, 3))
    i, j = np.arange(16)[:, None], np.arange(8)[None, :]
    plain = 1 / (1 + np.exp(-(0.3 * i - 0.1 * j * j - 0.83)))
    mean = (plain + plain[::-1] + plain[:, ::-1] + plain[::-1, ::-1]) / 4
    told: list[tuple[int, int]] = []
    for tta, expected in ((False, plain), (True, mean)):
        found = replace(predictor, tta=tta).predict(scan, progress=lambda *facts: told.append(facts))
        for k in range(3):
            np.testing.assert_allclose(found.probability[:, :, k] / 255, expected, atol=0.501 / 255)
            np.testing.assert_array_equal(found.mask.voxels[:, :, k], expected > 0.5)
    assert told[-1] == (12, 12)


class Counting(Threshold):
    """A threshold that counts the voxels it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.seen += image.numel()
        return super().forward(image)


@pytest.mark.parametrize("tta", [False, True])
@pytest.mark.parametrize("kind", ["thresholder", "thresholder_3d"])
def test_air_is_not_evaluated_and_the_mask_is_the_same(kind: str, tta: bool, request: pytest.FixtureRequest) -> None:
    """Metal in a corner of a scan of air: with and without evaluating the air."""
    hu = np.full((150, 110, 20), -1000, dtype=np.int16, order="F")
    hu[20:28, 30:36, 8:11] = 4000
    scan = Scan(hu, Grid(hu.shape, np.diag([1.0, 1.0, 6.0, 1.0])))
    found, seen = [], []
    told: list[tuple[int, int]] = []
    for skip_below_hu in (None, 400.0):
        network = Counting()
        predictor = replace(request.getfixturevalue(kind), network=network, skip_below_hu=skip_below_hu)
        found.append(replace(predictor, tta=tta).predict(scan, progress=lambda *facts: told.append(facts)))
        seen.append(network.seen)
        assert told[-1][0] == told[-1][1]
    assert found[0].mask.count > 0
    np.testing.assert_array_equal(found[0].mask.voxels, found[1].mask.voxels)
    np.testing.assert_array_equal(found[0].probability[hu > 400], found[1].probability[hu > 400])
    assert (found[1].probability[120:, :, 0] == 0).all()
    assert seen[1] < 0.6 * seen[0]


def test_the_phantoms_mask_is_the_same_without_evaluating_air(thresholder: MetalNetwork, phantom: Phantom) -> None:
    whole, dense = (replace(thresholder, skip_below_hu=hu).predict(phantom.scan).mask.voxels for hu in (None, 400.0))
    assert whole.any()
    np.testing.assert_array_equal(whole, dense)


class SmallMemory(Threshold):
    """A threshold for a few slices at a time."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if len(image) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(image)


def test_memory_that_runs_out_costs_time_and_a_note_only(weights: Path) -> None:
    predictor = replace(load_network(weights=weights, device="cpu"), network=SmallMemory())
    scan = noise((9, 8, 20))
    found = predictor.predict(scan)
    np.testing.assert_array_equal(found.mask.voxels, scan.hu > 3000)
    assert found.notes == ("the memory was too small for 4 windows at a time; 2 went instead",)
    assert predictor.predict(scan).notes == ()


def test_memory_that_runs_out_elsewhere_is_refused(thresholder: MetalNetwork) -> None:
    def full(item: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    with pytest.raises(BundleError, match="slices_at_once"):
        replace(thresholder, to_probability=full).predict(noise((9, 8, 2)))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"windows_per_bach": 2}, "near it: windows_per_batch"),
        ({"slices_at_once": 0}, "slices_at_once is 0"),
        ({"context_slices_mm": -3}, "context_slices_mm is -3"),
        ({"temperature": 0}, "temperature is 0"),
        ({"half_maximum_weight": 2}, "half_maximum_weight is 2"),
        ({"training_range": {"hu": "all"}}, "training_range hu is all"),
        ({"to_mask": {"_target_": "Compose", "transforms": []}}, "to_mask has to begin"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(overrides: dict, words: str, weights: Path) -> None:
    with pytest.raises(BundleError, match=words):
        load_network(weights=weights, overrides=overrides)


def test_a_temperature_calms_probabilities_and_leaves_the_mask(weights: Path) -> None:
    scan = noise((24, 16, 3))
    plain, calm = (
        load_network(weights=weights, device="cpu", overrides={"temperature": t}).predict(scan) for t in (1.0, 4.0)
    )
    np.testing.assert_array_equal(plain.mask.voxels, calm.mask.voxels)
    odds = [np.log(p / (255.0 - p)) for p in (plain.probability.clip(1, 254), calm.probability.clip(1, 254))]
    sure = (plain.probability > 20) & (plain.probability < 235)
    assert sure.any()
    np.testing.assert_allclose(odds[0][sure], 4 * odds[1][sure], atol=0.06)


def test_a_read_only_scan_stays_as_it_was(thresholder: MetalNetwork) -> None:
    scan = noise((9, 8, 3))
    before = scan.hu.copy()
    scan.hu.setflags(write=False)
    thresholder.predict(scan)
    np.testing.assert_array_equal(scan.hu, before)


def test_a_bundle_speaks_of_its_own_weights_only(weights: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(find_bundle(), copy)
    shutil.copy(weights, copy / "models" / "model.pt")
    config = copy / "configs" / "inference.yaml"
    said = yaml.safe_load(config.read_text())
    said |= {"interval_levels": [0.05, 0.8], "skip_below_hu": 400, "training_range": {"hu": [0, 1]}}
    config.write_text(yaml.safe_dump(said))
    own, other = load_network(copy), load_network(copy, weights=weights)
    assert own.calibration == Calibration((0.05, 0.8), True, {"hu": (0, 1)})
    assert other.calibration == Calibration((0.05, 0.8), False, {})
    assert own.skip_below_hu == other.skip_below_hu == 400
    for name in ("interval_levels", "skip_below_hu", "training_range"):
        del said[name]
    config.write_text(yaml.safe_dump(said))
    silent = load_network(copy)
    assert (silent.calibration, silent.skip_below_hu) == (Calibration(), None)
    config.write_text(yaml.safe_dump({**said, "skip_below_hu": "bone"}))
    with pytest.raises(BundleError, match="skip_below_hu is bone"):
        load_network(copy)


@pytest.mark.slow
def test_missing_weights_say_how_to_get_them(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(find_bundle(), copy)
    (copy / "models" / "model.pt").unlink(missing_ok=True)
    with pytest.raises(BundleError, match="train it"):
        predict(noise((8, 8, 1)), bundle=copy)
    with pytest.raises(BundleError, match="cannot be read"):
        predict(noise((8, 8, 1)), weights=tmp_path / "gone.pt")


@pytest.mark.slow
@pytest.mark.parametrize("bundle", ["metal_unet2d", "metal_unet3d"])
def test_monais_own_run_writes_the_same_mask(bundle: str, tmp_path: Path) -> None:
    weights = random_weights(bundle, tmp_path / "model.pt")
    scan = noise((33, 18, 5))
    write_scan(scan, tmp_path / "scan.nii.gz")
    settings = {"dataset_dir": tmp_path / "scan.nii.gz", "output_dir": tmp_path / "out", "checkpoint": weights}
    overrides = {**{key: str(value) for key, value in settings.items()}, **device_override("cpu")}
    with quiet():
        open_workflow(find_bundle(bundle), "inference", overrides=overrides).run()
    written = read_mask(tmp_path / "out" / "scan_metal.nii.gz")
    predicted = predict(scan, bundle=bundle, weights=weights, device="cpu")
    assert written.grid.matches(scan.grid)
    assert 0 < predicted.mask.count < predicted.mask.voxels.size
    np.testing.assert_array_equal(written.voxels, predicted.mask.voxels)
