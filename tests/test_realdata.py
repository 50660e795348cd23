"""What is known of the real scans, through the command line."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from monai_ctseg.io.nifti import read_mask

pytestmark = pytest.mark.realdata

SATURATED_AT_2976 = (38, 208, 243, 232, 74, 198, 86, 322, 239, 305)
SATURATED_AT_3071 = (277, 151, 144, 312, 231)
EXTENDED = (265, 171, 59, 36)
NO_METAL = (54, 294, 285, 130, 229)


@pytest.fixture
def screw(data_dir):
    return data_dir / "hip-screw-ct" / "dicom"


@pytest.fixture
def prosthesis(data_dir):
    return data_dir / "hip-prosthesis-ct" / "dicom"


@pytest.fixture
def head(data_dir):
    return lambda number: data_dir / "head-neck-ct" / f"pt_{number}.nii.gz"


def test_hip_screw_stats(run_cli, screw):
    facts = run_cli("stats", screw, "--json").json
    assert (facts["maximum_hu"], facts["minimum_hu"]) == (20973, -3959)
    assert facts["mean_hu"] == -1008.6960743713379
    assert facts["center_lps"] == pytest.approx((0.3446, 27.6884, 1206.399), abs=0.001)
    assert facts["spacing_mm"] == pytest.approx((0.976, 0.976, 1.6), abs=1e-6)
    assert (facts["padding"]["hu"], facts["padding"]["voxels"]) == (-2048, 14_220_600)
    assert facts["intensity"]["kind"] == "extended"
    assert [note.split()[3] for note in facts["notes"]] == ["Modality", "SOPClassUID", "PhotometricInterpretation"]


@pytest.mark.slow
def test_hip_screw_labels_equal_the_users_own(run_cli, screw, data_dir, tmp_path):
    facts = run_cli("labels", screw, "-o", tmp_path / "out", "--json").json
    assert (facts["voxels"], facts["slices_with_metal"]) == (21_594, 110)
    assert [component["voxels"] for component in facts["components"] if component["kept"]] == [21_026, 371, 197]
    theirs = sorted((data_dir / "hip-screw-ct" / "masks_threshold3000").glob("*.png"))
    assert len(theirs) == 200
    for path in theirs:
        assert np.array_equal(np.array(Image.open(path)), np.array(Image.open(tmp_path / "out" / "masks" / path.name)))
    assert read_mask(tmp_path / "out" / "mask.nii.gz").count == 21_594


@pytest.mark.slow
def test_hip_screw_bone_masks(run_cli, screw, tmp_path):
    facts = run_cli("labels", screw, "-o", tmp_path / "out", "--threshold", 0, "--no-body-mask", "--json").json
    assert facts["voxels"] == 5_871_712


@pytest.mark.slow
def test_hip_prosthesis(run_cli, prosthesis, tmp_path):
    facts = run_cli("stats", prosthesis, "--json").json
    assert (facts["maximum_hu"], facts["minimum_hu"], facts["notes"]) == (7451, -3024, [])
    assert facts["spacing_mm"] == pytest.approx((0.976562, 0.976562, 2.5))
    facts = run_cli("labels", prosthesis, "-o", tmp_path / "out", "--json").json
    assert facts["voxels"] == 27_675
    assert [component["voxels"] for component in facts["components"]] == [21_285, 6_374, 10, 4, 2]


def test_two_series_in_one_folder_are_a_choice(run_cli, data_dir):
    result = run_cli("stats", data_dir)
    assert result.code == 1
    assert "2 series" in result.err
    assert len(run_cli("series", data_dir, "--json").json["series"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("numbers", "level_hu"), [(SATURATED_AT_2976, 2976), (SATURATED_AT_3071, 3071)])
def test_saturated_heads(run_cli, head, numbers, level_hu, tmp_path):
    for number in numbers:
        verdict = run_cli("stats", head(number), "--json").json["intensity"]
        assert (verdict["kind"], verdict["highest_hu"]) == ("saturated", level_hu), number
        labels = run_cli("labels", head(number), "-o", tmp_path / str(number))
        if level_hu < 3000:
            assert labels.code == 1
            assert f"saturated at {level_hu} HU" in labels.err
            assert not (tmp_path / str(number)).exists()
            assert run_cli("labels", head(number), "-o", tmp_path / str(number), "--threshold", 2500).code == 0
        else:
            assert labels.code == 0


@pytest.mark.slow
def test_other_heads(run_cli, head, tmp_path):
    for number in (*EXTENDED, *NO_METAL):
        verdict = run_cli("stats", head(number), "--json").json["intensity"]
        assert verdict["kind"] == ("extended" if number in EXTENDED else "ordinary"), number
        labels = run_cli("labels", head(number), "-o", tmp_path / str(number), "--json")
        assert labels.code == 0
        assert bool(labels.json["voxels"]) == (number in EXTENDED), number


def test_table_rods_are_not_metal_in_the_patient(run_cli, head, tmp_path):
    facts = run_cli("labels", head(38), "-o", tmp_path / "out", "--threshold", 2500, "--json").json
    assert facts["voxels"] == 0
    assert sum(component["voxels"] for component in facts["components"]) == 256
