"""`monai-ctseg simulate`, from the command line to the files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_ctseg.dataset import read_dataset
from monai_ctseg.nifti import read_mask, read_nifti, write_scan
from monai_ctseg.phantom import Phantom
from monai_ctseg.reading import read_scan
from monai_ctseg.scan import Scan
from monai_ctseg.simulation import Wish, draw_case
from monai_ctseg.simulation.cases import PARTS

SMALL = ("--size", 64, "--count", 2, "--pixel", 1.2, "--slice", 2, "--jobs", 1)
Run = Callable[..., Any]


def test_a_series_its_truth_and_a_picture(tmp_path: Path, run_cli: Run) -> None:
    out = tmp_path / "made"
    result = run_cli("simulate", "-o", out, "--kind", "total_hip", "--seed", 3, *SMALL)
    assert result.code == 0, result.err
    assert "total_hip" in result.out
    scan, truth = read_scan(out / "dicom"), read_mask(out / "truth.nii.gz")
    assert scan.grid.matches(truth.grid)
    assert scan.grid.spacing_mm == pytest.approx((1.2, 1.2, 2.0))
    assert truth.count > 50
    assert np.median(scan.hu[truth.voxels]) > 3000
    assert (out / "preview.png").stat().st_size > 5000
    record = json.loads((out / "run.json").read_text())
    assert record["arguments"]["scanner"]["kv"] > 0
    again = run_cli("simulate", "-o", tmp_path / "again", "--kind", "total_hip", "--seed", 3, *SMALL, "--json")
    assert again.json["seed"] == "3"
    assert np.array_equal(read_scan(tmp_path / "again" / "dicom").hu, scan.hu)


def test_12_bits_on_request(tmp_path: Path, run_cli: Run) -> None:
    run_cli("simulate", "-o", tmp_path / "made", "--kind", "plate", "--seed", 1, "--saturated", *SMALL)
    assert read_scan(tmp_path / "made" / "dicom").hu.max() == 3071


def test_a_cohort_that_train_takes_and_that_goes_on(tmp_path: Path, run_cli: Run) -> None:
    out = tmp_path / "cohort"
    result = run_cli("simulate", "-o", out, "--cases", 6, "--seed", 20, *SMALL)
    assert result.code == 0, result.err
    dataset = read_dataset(out / "dataset.json")
    assert (len(dataset.training), len(dataset.validation)) == (5, 1)
    assert {case.label_method for case in dataset.training} == {"truth"}
    first = dataset.training[0]
    assert first.label is not None
    assert read_nifti(first.image).grid.matches(read_mask(first.label).grid)
    assert run_cli("simulate", "-o", out, "--cases", 6, "--seed", 20, *SMALL).code == 1


def test_a_real_body_takes_an_implant_and_metal_is_refused(phantom: Phantom, tmp_path: Path, run_cli: Run) -> None:
    native = np.where(phantom.scan.hu > 1500, 300, phantom.scan.hu).astype(np.int16)
    write_scan(Scan(native, phantom.scan.grid), tmp_path / "native.nii.gz")
    words = ("--kind", "plate", "--slices", "10:12", "--jobs", 1)
    result = run_cli("simulate", "-o", tmp_path / "made", "--body", tmp_path / "native.nii.gz", *words)
    assert result.code == 0, result.err
    assert read_scan(tmp_path / "made" / "dicom").grid.shape[2] == 3
    write_scan(phantom.scan, tmp_path / "metal.nii.gz")
    refused = run_cli("simulate", "-o", tmp_path / "no", "--body", tmp_path / "metal.nii.gz", "--jobs", 1)
    assert refused.code == 1
    assert "holds metal already" in refused.err
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--part", "wing"], 2, "none of"),
        (["--kind", "spoon"], 2, "total_hip"),
        (["--slices", "3"], 2, "without --body"),
        (["--body", "x"], 1, "no such file"),
        (["--cases", "2"], 1, "ask for more"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], code: int, said: str, tmp_path: Path, run_cli: Run) -> None:
    result = run_cli("simulate", "-o", tmp_path / "out", *words)
    assert result.code == code
    assert said in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("part", PARTS)
def test_every_part_can_be_drawn(part: Any) -> None:
    cases = [draw_case(seed, Wish(part=part, metal=True)) for seed in range(4)]
    assert all(case.kinds for case in cases)
    assert len({case.scanner for case in cases}) == 4


def test_unseen_shapes_differ() -> None:
    seen, unseen = (draw_case(5, Wish(part="pelvis", metal=True, family=family)) for family in ("training", "unseen"))
    assert seen.implants[0].low.tolist() != unseen.implants[0].low.tolist()
