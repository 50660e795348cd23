import csv
import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from monai_ctseg.grid import Grid
from monai_ctseg.scan import Scan
from monai_ctseg.stats import scan_stats, write_csv


@pytest.fixture
def scan():
    hu = np.asfortranarray(np.random.default_rng(0).integers(-1000, 3000, (6, 5, 4)).astype(np.int16))
    hu[[0, 0, -1, -1], [0, -1, 0, -1]] = -2048
    matrix = np.diag([0.5, 0.75, -2.0, 1.0])
    matrix[:3, 3] = (10, -20, 300)
    return Scan(hu, Grid(hu.shape, matrix), names=("d", "c", "b", "a"), notes=("Modality was missing.",))


def test_measures_are_those_of_the_voxels(scan):
    stats, hu = scan_stats(scan), scan.hu.astype(np.int64)
    assert (stats.maximum_hu, stats.minimum_hu, stats.mean_hu) == (hu.max(), hu.min(), hu.mean())
    assert stats.mean_in_fov_hu == pytest.approx(hu[hu != -2048].mean(), abs=1e-12)
    assert (stats.padding.hu, stats.padding.voxels) == (-2048, 16)
    assert stats.field_of_view == "inside the reconstruction field of view"
    assert [s.maximum_hu for s in stats.slices] == hu.max(axis=(0, 1)).tolist()
    assert [s.mean_hu for s in stats.slices] == pytest.approx(hu.mean(axis=(0, 1)).tolist(), abs=1e-12)
    assert (stats.slice_count, stats.notes) == (4, ("Modality was missing.",))


def test_geometry_is_that_of_the_grid(scan):
    stats = scan_stats(scan)
    assert stats.center_lps == pytest.approx((11.25, -18.5, 297))
    assert stats.center_ras == pytest.approx((-11.25, 18.5, 297))
    assert (stats.shape, stats.spacing_mm, stats.orientation) == ((6, 5, 4), (0.5, 0.75, 2.0), "LPI")
    assert [s.position_mm for s in stats.slices] == pytest.approx([300, 298, 296, 294])
    assert [s.name for s in stats.slices] == ["d", "c", "b", "a"]


@pytest.mark.slow
def test_the_sum_of_a_large_int16_scan_is_exact():
    hu = np.full((512, 512, 40), 32_000, np.int16, order="F")
    hu[0, 0, 0] = 31_999
    stats = scan_stats(Scan(hu, Grid(hu.shape, np.eye(4))))
    assert stats.mean_hu == (32_000 * hu.size - 1) / hu.size


def test_all_padding_has_no_mean_inside():
    stats = scan_stats(Scan(np.full((3, 3, 2), -2048, np.int16), Grid((3, 3, 2), np.eye(4))))
    assert stats.mean_in_fov_hu is None


def test_no_padding_is_said():
    hu = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    stats = scan_stats(Scan(hu, Grid(hu.shape, np.eye(4))))
    assert (stats.padding, stats.mean_in_fov_hu, stats.mean_hu) == (None, 29.5, 29.5)
    assert "no padding" in stats.field_of_view


def test_stats_are_json(scan):
    facts = json.loads(json.dumps(dataclasses.asdict(scan_stats(scan)), allow_nan=False))
    assert facts["slices"][3]["name"] == "a"
    assert facts["intensity"]["kind"] == "ordinary"


def test_csv_has_a_row_a_slice(scan, tmp_path):
    stats = scan_stats(scan)
    write_csv(stats, tmp_path / "stats.csv")
    with (tmp_path / "stats.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["d", "c", "b", "a"]
    assert [float(row["maximum_hu"]) for row in rows] == [s.maximum_hu for s in stats.slices]
    assert [float(row["position_mm"]) for row in rows] == [300, 298, 296, 294]


@pytest.mark.slow
def test_reading_and_measuring_a_folder_loads_no_large_library(phantom_folder):
    code = (
        "import sys, monai_ctseg.plots, monai_ctseg.output, monai_ctseg.parallel, monai_ctseg.io.nifti\n"
        "from monai_ctseg.io.read import read_scan\nfrom monai_ctseg.stats import scan_stats\n"
        "scan_stats(read_scan(sys.argv[1]))\n"
        "found = {'scipy', 'matplotlib', 'pandas', 'psutil', 'nibabel', 'pydantic', 'filelock'} & set(sys.modules)\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code, str(phantom_folder)], check=True)


@pytest.mark.realdata
def test_hip_screw(data_dir):
    from monai_ctseg.io.read import read_scan

    stats = scan_stats(read_scan(data_dir / "hip-screw-ct" / "dicom"))
    assert (stats.maximum_hu, stats.minimum_hu, stats.mean_hu) == (20_973, -3959, -1008.6960743713379)
    assert stats.center_lps == pytest.approx((0.3446, 27.6884, 1206.399), abs=0.001)
    assert (stats.padding.hu, stats.padding.voxels, stats.padding.kind) == (-2048, 14_220_600, "circle")
    assert (stats.intensity.kind, stats.slice_count) == ("extended", 200)


@pytest.mark.realdata
def test_hip_prosthesis(data_dir):
    from monai_ctseg.io.read import read_scan

    stats = scan_stats(read_scan(data_dir / "hip-prosthesis-ct" / "dicom"))
    assert (stats.maximum_hu, stats.minimum_hu, stats.intensity.kind) == (7451, -3024, "extended")
    assert (stats.padding.hu, stats.padding.voxels, stats.padding.kind) == (-3024, 9_425_468, "circle")
