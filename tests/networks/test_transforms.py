"""The door into MONAI."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor
from monai.transforms import Compose

from benchmarks.quick_phantom import Phantom
from monai_ctseg.errors import BundleError, DatasetError, GridMismatch, MaskError
from monai_ctseg.grid import Grid
from monai_ctseg.io.nifti import write_mask
from monai_ctseg.networks.transforms import (
    CompressHUd,
    DivideByTemperatured,
    FindBodyd,
    KeepInBodyd,
    LabelMetald,
    LoadScand,
    PatchCentersd,
    SelectSlicesd,
    compress_hu,
    expand_hu,
    scan_to_tensor,
    slice_names,
    tensor_to_scan,
)
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.segmentation.pipeline import segment


def test_a_scan_comes_through_with_voxels_grid_and_names(tiny_scan: Scan) -> None:
    image = LoadScand("image")({"image": tiny_scan})["image"]
    assert tuple(image.shape) == (1, 12, 10, 6)
    np.testing.assert_array_equal(image.affine.numpy(), tiny_scan.grid.affine_ras)
    back = tensor_to_scan(image)
    assert back.grid.matches(tiny_scan.grid, tolerance_mm=1e-9)
    assert back.names == tiny_scan.names
    np.testing.assert_array_equal(back.hu, tiny_scan.hu)


def test_a_dicom_folder_is_read_and_its_patient_left_behind(phantom_folder: Path, phantom: Phantom) -> None:
    image = LoadScand("image")({"image": phantom_folder})["image"]
    np.testing.assert_array_equal(image[0].numpy(), phantom.scan.hu)
    assert set(image.meta) <= {"affine", "space", "filename_or_obj", "names", "padding_hu"}


def test_a_refusal_passes_through_and_no_other_reader_is_tried(tmp_path: Path) -> None:
    (tmp_path / "slice.dcm").write_text("no DICOM")
    with pytest.raises(Exception, match=r"slice|DICOM|CT") as refusal:
        LoadScand("image")({"image": tmp_path})
    assert type(refusal.value).__module__ == "monai_ctseg.errors"


def test_the_label_is_the_metal(phantom: Phantom) -> None:
    item = LabelMetald("image")(LoadScand("image")({"image": phantom.scan}))
    np.testing.assert_array_equal(item["label"][0].numpy() > 0, segment(phantom.scan).mask.voxels)


def test_a_label_file_is_taken_as_it_is_or_refused(tiny_scan: Scan, tmp_path: Path) -> None:
    voxels = np.zeros(tiny_scan.grid.shape, dtype=np.bool_)
    voxels[3, 4, 5] = True
    write_mask(Mask(voxels, tiny_scan.grid), tmp_path / "good.nii.gz")
    moved = Grid(tiny_scan.grid.shape, tiny_scan.grid.index_to_lps + np.eye(4, k=3))
    write_mask(Mask(voxels, moved), tmp_path / "moved.nii.gz")
    chain = Compose([LoadScand("image"), LabelMetald("image")], log_stats=False)
    label = chain({"image": tiny_scan, "label": tmp_path / "good.nii.gz"})["label"]
    assert np.argwhere(label[0].numpy()).tolist() == [[3, 4, 5]]
    item = LoadScand("image")({"image": tiny_scan, "label": tmp_path / "moved.nii.gz"})
    with pytest.raises(GridMismatch):
        LabelMetald("image")(item)


def test_a_label_with_other_values_is_refused(tiny_scan: Scan, tmp_path: Path) -> None:
    import nibabel as nib

    values = np.full(tiny_scan.grid.shape, 2, dtype=np.uint8)
    nib.save(nib.Nifti1Image(values, tiny_scan.grid.affine_ras), tmp_path / "twos.nii.gz")
    with pytest.raises(MaskError):
        LabelMetald("image")(LoadScand("image")({"image": tiny_scan, "label": tmp_path / "twos.nii.gz"}))


@pytest.mark.parametrize("chosen", [[2, 3, 4], [1, 3, 5], [4]])
def test_chosen_slices_keep_their_place_and_names(tiny_scan: Scan, chosen: list[int]) -> None:
    image = SelectSlicesd("image")(LoadScand("image")({"image": tiny_scan, "slices": chosen}))["image"]
    np.testing.assert_array_equal(image[0].numpy(), tiny_scan.hu[:, :, chosen])
    assert slice_names(image) == tuple(tiny_scan.names[k] for k in chosen)
    own = tensor_to_scan(image).grid
    np.testing.assert_allclose(own.to_lps((0, 0, len(chosen) - 1)), tiny_scan.grid.to_lps((0, 0, chosen[-1])))


@pytest.mark.parametrize("chosen", [[], [6], [-1], [2, 1], [1, 1]])
def test_slices_that_are_not_there_are_refused(tiny_scan: Scan, chosen: list[int]) -> None:
    with pytest.raises(DatasetError, match="slices 0 to 5"):
        SelectSlicesd("image")(LoadScand("image")({"image": tiny_scan, "slices": chosen}))


def test_patch_centres_lie_in_metal_and_in_dense_tissue_of_all_slices_alike(phantom: Phantom) -> None:
    item = LabelMetald("image")(LoadScand("image")({"image": phantom.scan}))
    item = PatchCentersd("label", dense_hu=-200, limit=500)(item)
    metal, hu = item["label"][0].numpy().ravel() > 0, np.ascontiguousarray(phantom.scan.hu).ravel()
    inside, outside = item["label_fg_indices"], item["label_bg_indices"]
    assert metal[inside].all()
    assert set(inside % 30) == set(np.flatnonzero(metal) % 30)
    assert not metal[outside].any()
    assert (hu[outside] > -200).all()
    assert np.bincount(outside % 30).tolist() == [17] * 30
    assert len(set(outside)) == 17 * 30


def test_without_anything_dense_any_background_will_do(tiny_scan: Scan) -> None:
    item = LoadScand("image")({"image": tiny_scan})
    item["label"] = item["image"] * 0
    item = PatchCentersd("label", dense_hu=9000)(item)
    assert item["label_fg_indices"].size == 0
    assert item["label_bg_indices"].size == tiny_scan.hu.size


def test_names_survive_a_data_loader(tiny_scan: Scan) -> None:
    batch = next(iter(DataLoader(Dataset([{"image": tiny_scan}], LoadScand("image")), batch_size=1)))
    assert batch["image"].meta["names"][0].split("\n") == list(tiny_scan.names)


def test_a_mask_is_kept_where_the_body_is(phantom: Phantom) -> None:
    item = FindBodyd("image")({"image": scan_to_tensor(phantom.scan)})
    drawn = phantom.truth.voxels | phantom.marker.voxels
    item["pred"] = MetaTensor(torch.from_numpy(drawn.astype(np.float32))[None])
    kept = KeepInBodyd("pred")(item)["pred"]
    assert kept.dtype == torch.float32
    assert np.array_equal(kept[0].numpy() > 0, phantom.truth.voxels)


def test_the_body_is_selected_with_the_slices(phantom: Phantom) -> None:
    item = FindBodyd("image")({"image": scan_to_tensor(phantom.scan), "slices": [3, 5]})
    chosen = SelectSlicesd(["image", "body", "label"], allow_missing_keys=True)(item)
    assert chosen["body"].shape == chosen["image"].shape == (1, 96, 96, 2)
    assert torch.equal(chosen["body"][..., 1], item["body"][..., 5])


def test_the_window_keeps_tissues_apart_and_shows_peaks() -> None:
    hu = torch.tensor([-2000, -1000, 0, 1000, 3000, 14000, 32000, 32767], dtype=torch.int16)
    seen = compress_hu(hu, hu_min=-1000, hu_max=32000) * math.log2(34)
    assert seen.tolist() == pytest.approx(
        [0, 0, 1, math.log2(3), math.log2(5), 4, math.log2(34), math.log2(34)], abs=1e-5
    )
    assert hu.dtype == torch.int16
    assert hu[0] == -2000


def test_the_window_leaves_its_input_alone_and_has_a_way_back(tiny_scan: Scan) -> None:
    image = LoadScand("image")({"image": tiny_scan})["image"].float()
    before = image.clone()
    seen = CompressHUd("image", hu_min=-1000, hu_max=32000)({"image": image})["image"]
    assert torch.equal(image, before)
    assert isinstance(seen, MetaTensor)
    assert slice_names(seen) == tiny_scan.names
    np.testing.assert_allclose(expand_hu(seen, hu_min=-1000, hu_max=32000), image, atol=0.05)


def test_a_temperature_changes_how_sure_and_not_what() -> None:
    logits = torch.tensor([-4.0, -0.1, 0.0, 0.2, 6.0])
    calm = DivideByTemperatured("pred", temperature=2.5)({"pred": logits})["pred"]
    assert torch.equal(calm.sign(), logits.sign())
    assert calm.tolist() == pytest.approx([-1.6, -0.04, 0.0, 0.08, 2.4])
    for wrong in (0, -1.0, float("inf"), float("nan")):
        with pytest.raises(BundleError, match="temperature"):
            DivideByTemperatured("pred", temperature=wrong)
