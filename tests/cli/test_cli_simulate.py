"""`monai-ctseg simulate`, from the command line to the files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.quick_phantom import Phantom
from monai_ctseg.datasets.dataset_file import read_dataset
from monai_ctseg.datasets.records import Case
from monai_ctseg.datasets.simulated import _split
from monai_ctseg.io.nifti import read_mask, read_nifti, write_scan
from monai_ctseg.io.read import read_scan
from monai_ctseg.scan import Scan
from monai_ctseg.simulation import CaseOptions, sample_case
from monai_ctseg.simulation.cases import PART_WEIGHTS
from monai_ctseg.simulation.materials import make_beam

SMALL = ("--size", 64, "--count", 2, "--pixel", 1.2, "--slice", 2, "--jobs", 1)
Run = Callable[..., Any]


@pytest.mark.slow
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
    assert record["arguments"]["scanner"]["kv"] == float(scan.headers[0].KVP)
    assert record["arguments"]["options"]["kinds"] == ["total_hip"]
    assert (record["arguments"]["options"]["size"], record["arguments"]["options"]["pixel_mm"]) == (64, 1.2)
    assert record["inputs"] == []
    again = run_cli("simulate", "-o", tmp_path / "again", "--kind", "total_hip", "--seed", 3, *SMALL, "--json")
    assert (again.json["seed"], again.json["shape"], again.json["truth_voxels"]) == (3, [64, 64, 2], truth.count)
    assert again.json["kinds"] == ["total_hip"]
    written = [
        sorted(p for p in folder.rglob("*") if p.suffix in (".dcm", ".gz")) for folder in (out, tmp_path / "again")
    ]
    assert len(written[0]) == 3
    assert [path.read_bytes() for path in written[0]] == [path.read_bytes() for path in written[1]]


@pytest.mark.slow
def test_12_bits_on_request(tmp_path: Path, run_cli: Run) -> None:
    run_cli("simulate", "-o", tmp_path / "made", "--kind", "plate", "--seed", 1, "--saturated", *SMALL)
    assert read_scan(tmp_path / "made" / "dicom").hu.max() == 3071


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_real_body_takes_an_implant_and_metal_is_refused(phantom: Phantom, tmp_path: Path, run_cli: Run) -> None:
    native = np.where(phantom.scan.hu > 1500, 300, phantom.scan.hu).astype(np.int16)
    write_scan(Scan(native, phantom.scan.grid), tmp_path / "native.nii.gz")
    words = ("--kind", "plate", "--slices", "10:12", "--jobs", 1)
    result = run_cli("simulate", "-o", tmp_path / "made", "--body", tmp_path / "native.nii.gz", *words)
    assert result.code == 0, result.err
    assert read_scan(tmp_path / "made" / "dicom").grid.shape[2] == 3
    record = json.loads((tmp_path / "made" / "run.json").read_text())
    assert record["arguments"]["slices"] == [10, 12]
    assert record["arguments"]["series"] is None
    assert record["inputs"][0]["shape"] == list(native.shape)
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
        (["--cases", "1"], 2, "--cases"),
        (["--body", "x", "--slices", "\N{SUPERSCRIPT TWO}:3"], 2, "not FIRST:LAST"),
        (["--series", "x"], 2, "without --body"),
        (["--without-metal", "--kind", "plate"], 2, "leave --kind out"),
        (["--without-metal", "--metal", "gold"], 2, "implanted"),
        (["--body", "x", "--slices", "4:2"], 2, "say 2:4"),
        (["--part", "limb", "--count", "29", "--slice", "10"], 1, "282 mm"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], code: int, said: str, tmp_path: Path, run_cli: Run) -> None:
    result = run_cli("simulate", "-o", tmp_path / "out", *words)
    assert result.code == code
    assert said in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_two_cases_are_one_to_train_and_one_to_validate(tmp_path: Path, run_cli: Run) -> None:
    result = run_cli("simulate", "-o", tmp_path / "two", "--cases", 2, "--json", *SMALL)
    assert (result.json["cases"], result.json["training"], result.json["validation"]) == (2, 1, 1)


@pytest.mark.slow
def test_all_cases_hold_the_kind_asked_for(tmp_path: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monai_ctseg.simulation.cases.WITHOUT_METAL", 1.0)
    run_cli("simulate", "-o", tmp_path / "two", "--cases", 2, "--kind", "plate", *SMALL)
    facts = [json.loads(path.read_text()) for path in (tmp_path / "two" / "facts").iterdir()]
    assert [one["kinds"] for one in facts] == [["plate"], ["plate"]]


@pytest.mark.slow
def test_metal_outside_is_missed_by_nobody(tmp_path: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("monai_ctseg.cli.simulate.choose_jobs", lambda voxels, tasks: asked.append(tasks) or 1)
    result = run_cli("simulate", "-o", tmp_path / "made", "--kind", "ecg_lead", *SMALL[:-2])
    assert result.code == 0, result.err
    assert "outside the image" not in result.err
    assert asked == [2]


def test_what_validates_holds_metal_where_two_cases_do() -> None:
    cases = [Case(Path(f"{n}"), None, metal_voxels=voxels) for n, voxels in enumerate((5, 0, 7, 0))]
    split = _split(cases, 1)
    assert split.validation == (cases[2],)
    assert split.training == (cases[0], cases[1], cases[3])


@pytest.mark.slow
def test_an_empty_truth_is_said(tmp_path: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monai_ctseg.simulation.cases.sample_subject", lambda *_: np.array((0.0, 0.0, 100.0)))
    result = run_cli("simulate", "-o", tmp_path / "made", "--kind", "hip_cup", "--seed", 3, *SMALL)
    assert result.code == 0, result.err
    assert "the truth is empty" in result.err


def test_demo_takes_a_series_of_a_scan_only(tmp_path: Path, run_cli: Run) -> None:
    result = run_cli("demo", "-o", tmp_path / "demo", "--series", "x")
    assert (result.code, "without SCAN" in result.err) == (2, True)
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("part", PART_WEIGHTS)
def test_every_part_can_be_sampled(part: Any) -> None:
    cases = [sample_case(seed, CaseOptions(part=part, with_metal=True)) for seed in range(4)]
    assert all(case.kinds for case in cases)
    assert len({case.scanner for case in cases}) == 4


def test_unseen_shapes_differ() -> None:
    seen, unseen = (
        sample_case(5, CaseOptions(part="pelvis", with_metal=True, family=family)) for family in ("training", "unseen")
    )
    assert seen.implants[0].low.tolist() != unseen.implants[0].low.tolist()


@pytest.mark.slow
def test_metal_of_a_few_voxels_is_said(run_cli, tmp_path):
    given = ("--kind", "filling", "--seed", 1, "--size", 64, "--pixel", 3, "--count", 4, "--slice", 3)
    result = run_cli("simulate", "-o", tmp_path / "out", *given)
    assert result.code == 0
    assert "the metal is hardly larger than a voxel" in result.err or "the truth is empty" in result.err


def test_a_missing_extra_is_named(tmp_path: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    make_beam.cache_clear()
    monkeypatch.setitem(sys.modules, "spekpy", None)
    result = run_cli("simulate", "-o", tmp_path / "out", "--kind", "plate", *SMALL)
    assert result.code == 1
    assert "monai_ctseg[simulation]" in result.err
    assert not (tmp_path / "out").exists()
