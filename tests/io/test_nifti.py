from __future__ import annotations

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from monai_ctseg.errors import GeometryError, MaskError, NoScanFound, PixelDataError, ScanError
from monai_ctseg.grid import Grid
from monai_ctseg.io.nifti import read_mask, write_mask, write_scan
from monai_ctseg.io.read import read_scan
from monai_ctseg.scan import Mask


def write(path, values, affine=None, code=1):
    image = nib.Nifti1Image(values, None)
    image.header.set_sform(np.eye(4) if affine is None else affine, code=code)
    image.to_filename(path)
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("shear", [0.0, 0.4])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_scan_comes_back_with_its_grid(tiny_scan, tmp_path, ending, shear, dtype):
    matrix = tiny_scan.grid.index_to_lps.copy()
    matrix[1, 2] = shear
    scan = replace(tiny_scan, hu=tiny_scan.hu.astype(dtype) + dtype(0), grid=Grid(tiny_scan.grid.shape, matrix))
    write_scan(scan, tmp_path / f"scan{ending}")
    read = read_scan(tmp_path / f"scan{ending}")
    assert read.hu.dtype == dtype
    assert np.array_equal(read.hu, scan.hu)
    assert read.grid.matches(scan.grid, tolerance_mm=1e-4)


def test_the_affine_is_ras_as_others_read_it(tiny_scan, tmp_path):
    write_scan(tiny_scan, tmp_path / "scan.nii")
    image = nib.load(tmp_path / "scan.nii")
    assert np.allclose(image.affine[:3, 3], (31.5, -12.25, 100.0))
    assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
    assert image.header.get_xyzt_units()[0] == "mm"


def test_the_same_mask_gives_the_same_bytes(tiny_scan, tmp_path):
    mask = Mask(tiny_scan.hu > 0, tiny_scan.grid)
    for name in ("a.nii.gz", "b.nii.gz"):
        write_mask(mask, tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    read = read_mask(tmp_path / "a.nii.gz")
    assert np.array_equal(read.voxels, mask.voxels)


def test_scaled_voxels_are_scaled(tmp_path):
    image = nib.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.eye(4))
    image.header.set_slope_inter(2, -1000)
    image.to_filename(tmp_path / "scan.nii")
    assert read_scan(tmp_path / "scan.nii").hu.ravel().tolist() == list(range(-1000, -984, 2))


def test_without_an_affine_it_is_refused(tmp_path):
    path = write(tmp_path / "scan.nii", np.zeros((2, 2, 2), np.int16), code=0)
    with pytest.raises(GeometryError, match="no affine"):
        read_scan(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_voxels_that_are_not_numbers_are_refused_by_their_index(tmp_path, value):
    values = np.zeros((3, 4, 5), np.float32)
    values[1, 2, 3] = value
    with pytest.raises(PixelDataError, match=r"voxel \(1, 2, 3\) is (nan|inf)"):
        read_scan(write(tmp_path / "scan.nii.gz", values))


def test_several_volumes_are_refused_and_a_single_fourth_axis_is_not(tmp_path):
    with pytest.raises(GeometryError, match="2 x 2 x 2 x 3"):
        read_scan(write(tmp_path / "a.nii", np.zeros((2, 2, 2, 3), np.int16)))
    assert read_scan(write(tmp_path / "b.nii", np.zeros((2, 2, 2, 1), np.int16))).hu.shape == (2, 2, 2)


def test_a_file_that_breaks_off_or_is_none_is_refused(tiny_scan, tmp_path):
    path = tmp_path / "scan.nii.gz"
    write_scan(tiny_scan, path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ScanError, match=r"scan.nii.gz: "):
        read_scan(path)
    path.write_text("no NIfTI")
    with pytest.raises(ScanError, match="not a NIfTI volume"):
        read_scan(path)


def test_a_singular_affine_is_refused(tmp_path):
    path = write(tmp_path / "scan.nii", np.zeros((2, 2, 2), np.int16), affine=np.diag([1.0, 0, 1, 1]))
    with pytest.raises(GeometryError, match="affine cannot be used"):
        read_scan(path)


def test_a_mask_holds_zero_and_one(tmp_path):
    with pytest.raises(MaskError, match=r"also \[2\]"):
        read_mask(write(tmp_path / "mask.nii", np.arange(3, dtype=np.uint8).reshape(3, 1, 1)))


def test_a_volume_has_no_series(tiny_scan, tmp_path):
    write_scan(tiny_scan, tmp_path / "scan.nii")
    with pytest.raises(NoScanFound, match="leave --series out"):
        read_scan(tmp_path / "scan.nii", series="1.2")


def test_a_flipped_byte_is_noticed(tiny_scan, tmp_path):
    path = tmp_path / "scan.nii.gz"
    write_scan(tiny_scan, path)
    data = bytearray(path.read_bytes())
    data[-5] ^= 0xFF  # in the checksum's tail, behind all that the header asks for
    path.write_bytes(bytes(data))
    with pytest.raises(ScanError, match=r"scan.nii.gz: "):
        read_scan(path)


def test_whole_numbers_stay_int16_under_a_whole_scaling(tmp_path):
    image = nib.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.eye(4))
    image.header.set_slope_inter(2, -1000)
    image.to_filename(tmp_path / "scan.nii")
    assert read_scan(tmp_path / "scan.nii").hu.dtype == np.int16


def test_a_colour_volume_is_no_mask(tmp_path):
    values = np.zeros((2, 2, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.Nifti1Image(values, np.eye(4)).to_filename(tmp_path / "rgb.nii")
    with pytest.raises(MaskError, match="a mask holds 0 and 1"):
        read_mask(tmp_path / "rgb.nii")


def test_affines_that_disagree_are_told(tmp_path):
    image = nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), None)
    image.header.set_sform(np.eye(4), code=1)
    image.header.set_qform(np.diag([1.0, 1, 1, 1]) + np.array([[0, 0, 0, 30], *[[0] * 4] * 3]), code=1)
    image.to_filename(tmp_path / "scan.nii")
    assert read_scan(tmp_path / "scan.nii").notes == ("sform and qform differ by up to 30.0 mm; the sform is used",)


def test_metres_and_numbers_beyond_float32_are_refused(tmp_path):
    image = nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4))
    image.header.set_xyzt_units("meter")
    image.to_filename(tmp_path / "metres.nii")
    with pytest.raises(GeometryError, match="in meter"):
        read_scan(tmp_path / "metres.nii")
    with pytest.raises(PixelDataError, match="is inf"):
        read_scan(write(tmp_path / "huge.nii", np.full((2, 2, 2), 1e300)))
