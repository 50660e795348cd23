"""The same voxels in the same places as SimpleITK, where SimpleITK reads a series."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from monai_ctseg.grid import Grid
from monai_ctseg.io.nifti import write_mask
from monai_ctseg.io.read import read_scan
from monai_ctseg.scan import Mask

sitk.ProcessObject.SetGlobalWarningDisplay(False)


def read_by_simpleitk(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def grid_of(image: sitk.Image) -> Grid:
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    return Grid(image.GetSize(), matrix)


def compare(folder: Path) -> None:
    image, scan = read_by_simpleitk(folder), read_scan(folder)
    assert np.array_equal(sitk.GetArrayViewFromImage(image).T, scan.hu)
    assert scan.grid.matches(grid_of(image), tolerance_mm=1e-3)


def test_phantom(phantom_folder):
    compare(phantom_folder)


def test_masks_lie_where_simpleitk_puts_them(phantom, tmp_path):
    write_mask(phantom.truth, tmp_path / "mask.nii.gz")
    image = sitk.ReadImage(str(tmp_path / "mask.nii.gz"))
    assert np.array_equal(sitk.GetArrayViewFromImage(image).T > 0, phantom.truth.voxels)
    assert Mask(phantom.truth.voxels, grid_of(image)).grid.matches(phantom.truth.grid, tolerance_mm=1e-3)


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("name", ["hip-screw-ct", "hip-prosthesis-ct"])
def test_real_scans(data_dir, name):
    compare(data_dir / name / "dicom")


@pytest.mark.slow
@pytest.mark.realdata
def test_reading_is_faster_than_simpleitk_and_lean(data_dir):
    folder = data_dir / "hip-screw-ct" / "dicom"

    def seconds(read) -> float:
        start = time.perf_counter()
        read(folder)
        return time.perf_counter() - start

    ours, theirs = zip(*((seconds(read_scan), seconds(read_by_simpleitk)) for _ in range(7)), strict=True)
    assert min(ours) < min(theirs)
    tracemalloc.start()
    scan = read_scan(folder)
    assert tracemalloc.get_traced_memory()[1] < 2 * scan.hu.size * 2
    tracemalloc.stop()
