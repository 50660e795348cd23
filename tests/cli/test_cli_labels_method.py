"""labels --method."""

import json
import re

import nibabel as nib
import numpy as np
import pytest

from monai_ctseg.io.nifti import write_scan
from monai_ctseg.scan import Scan


@pytest.mark.slow
def test_half_maximum_from_the_command_line(run_cli, phantom_folder, tmp_path):
    half = run_cli("labels", phantom_folder, "-o", tmp_path / "half", "--method", "half-maximum", "--json").json
    plain = run_cli("labels", phantom_folder, "-o", tmp_path / "plain", "--json").json
    assert (half["method"], plain["method"]) == ("half-maximum", "threshold")
    assert 0 < half["voxels"] < plain["voxels"]
    assert half["components"][0]["edge_hu"] > 3000 > half["components"][0]["surroundings_hu"]
    assert np.count_nonzero(nib.load(tmp_path / "half" / "mask.nii.gz").dataobj) == half["voxels"]
    assert json.loads((tmp_path / "half" / "run.json").read_text())["arguments"]["method"] == "half-maximum"
    text = run_cli("labels", phantom_folder, "-o", tmp_path / "text", "--method", "half-maximum").out
    assert "plateau" in text
    assert "edge at" in text


def test_a_seed_above_everything_finds_nothing(run_cli, phantom_folder, tmp_path):
    words = ("--method", "half-maximum", "--threshold", "30000", "--json")
    assert run_cli("labels", phantom_folder, "-o", tmp_path / "out", *words).json["voxels"] == 0


def test_a_saturated_scan_is_said_to_be_one(run_cli, phantom, tmp_path):
    cut = Scan(np.minimum(phantom.scan.hu, np.int16(2976)), phantom.scan.grid)
    write_scan(cut, tmp_path / "scan.nii.gz")
    result = run_cli("labels", tmp_path / "scan.nii.gz", "-o", tmp_path / "out", "--method", "half-maximum")
    assert result.code == 0
    assert "saturated at 2976 HU" in result.err
    assert re.search(r"volume +all [\d,]+ mm3, between [\d,]+ and [\d,]+\n", result.out)
    report = json.loads((tmp_path / "out" / "component_report.json").read_text())
    assert report["voxels"] > 0
    assert report["volume_interval_mm3"][0] < report["volume_mm3"] <= report["volume_interval_mm3"][1]


def test_an_unknown_method_is_wrong_usage(run_cli, phantom_folder, tmp_path):
    assert run_cli("labels", phantom_folder, "-o", tmp_path / "out", "--method", "guess").code == 2
