"""The 3D bundle: volumes of any size and orientation, and the losses that are a word away."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.quick_phantom import Phantom
from monai_ctseg.bundles import find_bundle
from monai_ctseg.errors import DatasetError
from monai_ctseg.grid import Grid
from monai_ctseg.io.nifti import write_scan
from monai_ctseg.metrics.overlap import compare_masks
from monai_ctseg.networks.bundle_network import MetalNetwork
from monai_ctseg.networks.config import read_config
from monai_ctseg.networks.predict import load_network
from monai_ctseg.networks.train import TrainOptions, train
from monai_ctseg.networks.transforms import contiguous_runs
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.segmentation.pipeline import segment

COARSE = {"spacing_mm": [4.0, 4.0, 6.0], "window": [32, 32, 16], "half_maximum_weight": 0}


@pytest.fixture(scope="module")
def predictor() -> MetalNetwork:
    """The shipped weights alone, at the phantom's own coarse spacing."""
    return load_network("metal_unet3d", device="cpu", overrides=COARSE)


def rearranged(scan: Scan) -> Scan:
    """The same scan with its axes exchanged and one of them turned around, as sagittal scans come."""
    i, j, k = scan.grid.shape
    matrix = scan.grid.index_to_lps @ np.array([[0, 0, 1, 0], [-1, 0, 0, j - 1], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    return Scan(np.asfortranarray(scan.hu[:, ::-1, :].transpose(1, 2, 0)), Grid((j, k, i), matrix))


@pytest.mark.slow
def test_a_scan_in_another_orientation_gets_the_same_metal(predictor: MetalNetwork, phantom: Phantom) -> None:
    scan, other = phantom.scan, rearranged(phantom.scan)
    assert other.grid.to_lps((0, 0, 0)) == pytest.approx(scan.grid.to_lps((0, scan.grid.shape[1] - 1, 0)))
    mask, turned = (segment(one, network=predictor, body_mask=False).mask for one in (scan, other))
    assert turned.grid.matches(other.grid)
    back = Mask(np.asfortranarray(turned.voxels.transpose(2, 0, 1)[:, ::-1, :]), scan.grid)
    assert mask.count > 20
    assert compare_masks(back, mask).dice > 0.999


@pytest.mark.slow
def test_the_mask_lies_where_the_metal_is(phantom: Phantom) -> None:
    """At the network's own spacing, which is finer than the phantom's."""
    box = np.argwhere(phantom.truth.voxels)
    low, high = np.maximum(box.min(axis=0) - 8, 0), box.max(axis=0) + 8
    cut = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    matrix = phantom.scan.grid.index_to_lps.copy()
    matrix[:3, 3] = phantom.scan.grid.to_lps(low)
    hu = np.asfortranarray(phantom.scan.hu[cut])
    scan = Scan(hu, Grid(hu.shape, matrix))
    mask = segment(scan, network=load_network("metal_unet3d", device="cpu"), body_mask=False).mask
    assert compare_masks(mask, Mask(np.asfortranarray(scan.hu > 3000), scan.grid)).dice > 0.7


@pytest.mark.parametrize("bundle", ["metal_unet2d", "metal_unet3d"])
@pytest.mark.parametrize("shape", [(40, 40, 1), (3, 5, 7)])
def test_small_volumes_are_predicted(bundle: str, shape: tuple[int, int, int]) -> None:
    hu = np.full(shape, 40, dtype=np.int16)
    scan = Scan(hu, Grid(shape, np.diag([1.0, 1.0, 2.0, 1.0])))
    mask = segment(scan, network=load_network(bundle, device="cpu"), body_mask=False).mask
    assert mask.grid.matches(scan.grid)
    assert mask.count == 0


@pytest.mark.parametrize("bundle", ["metal_unet2d", "metal_unet3d"])
@pytest.mark.parametrize("shape", [(24, 24, 1), (20, 18, 6)])
def test_volumes_smaller_than_the_patch_can_train(bundle: str, shape: tuple[int, int, int], tmp_path: Path) -> None:
    hu = np.full(shape, 40, dtype=np.int16)
    hu[8:14, 8:14] = 9000
    for name in ("a", "b"):
        write_scan(Scan(hu, Grid(shape, np.diag([3.0, 3.0, 3.0, 1.0]))), tmp_path / f"{name}.nii.gz")
    split = {"training": [{"image": "a.nii.gz"}], "validation": [{"image": "b.nii.gz"}]}
    (tmp_path / "dataset.json").write_text(json.dumps(split))
    more = {"spacing_mm": [3.0, 3.0, 3.0]} if bundle == "metal_unet3d" else {}
    given = {"dataset_dir": str(tmp_path), "output_dir": str(tmp_path / "run"), "device": "cpu", **more}
    parser = read_config(find_bundle(bundle), "inference", "train", overrides=given)
    patches, patch = parser.get_parsed_content("train::dataset")[0], parser.get_parsed_content("patch")
    sides = tuple(patch) if isinstance(patch, list) else (patch, patch)
    assert {tuple(item[key].shape[1:]) for item in patches for key in ("image", "label")} == {sides}
    assert any(item["label"].any() for item in patches)
    item = parser.get_parsed_content("validate::dataset")[0]
    item["pred"] = item["image"] * 0 + 9  # logits
    assert parser.get_parsed_content("to_mask")(item)["pred"].shape[1:] == shape


def test_slices_with_gaps_are_no_volume() -> None:
    item = {"image": "scan", "slices": [*range(10), *range(20, 40)]}
    assert [run["slices"][0] for run in contiguous_runs([item])] == [0, 20]
    assert contiguous_runs([{"image": "scan"}, {"image": "scan", "slices": [4, 5]}], split_at_gaps=False)[1][
        "slices"
    ] == [4, 5]
    short = {"image": "scan", "slices": [*range(3), *range(10, 40)]}
    assert [run["slices"] for run in contiguous_runs([short])] == [list(range(10, 40))]
    for items, split in (([item], False), ([{"image": "scan", "slices": [0, 1, 5, 6]}], True)):
        with pytest.raises(DatasetError, match="split in blocks"):
            contiguous_runs(items, split_at_gaps=split)


def test_an_interleaved_split_is_refused(phantom_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no volume for a 3D network; split in blocks"):
        train(
            [phantom_folder],
            tmp_path / "run",
            TrainOptions(bundle="metal_unet3d", split="interleaved", device="cpu"),
        )


@pytest.mark.parametrize("bundle", ["metal_unet2d", "metal_unet3d"])
@pytest.mark.parametrize("loss", ["DiceLoss", "DiceCELoss", "DiceFocalLoss", "TverskyLoss"])
def test_other_losses_are_one_word_away(bundle: str, loss: str) -> None:
    parser = read_config(find_bundle(bundle), "inference", "train", overrides={"loss::_target_": loss})
    compute = parser.get_parsed_content("loss")
    label = (torch.rand(4, 1, 16, 16) > 0.5).float()
    right, wrong = (float(compute(sign * (label * 20 - 10), label)) for sign in (1, -1))
    assert right < 0.01 < 0.5 < wrong
