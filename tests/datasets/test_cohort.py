"""A cohort: found anywhere, prepared whole, split by patient, interrupted and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

from benchmarks.quick_phantom import make_phantom
from monai_ctseg.datasets import CohortOptions, Prepared, prepare_cohort
from monai_ctseg.datasets import case as case_module
from monai_ctseg.datasets.dataset_file import read_dataset
from monai_ctseg.errors import CtsegError, DatasetError, NoScanFound, OutputError
from monai_ctseg.io.dicom import write_series
from monai_ctseg.io.nifti import read_mask, write_mask, write_scan
from monai_ctseg.io.read import read_scan
from monai_ctseg.output import locked
from monai_ctseg.parallel import choose_jobs, run_in_order
from monai_ctseg.scan import Mask, Scan

NAME = "Roe^Jane"


@cache
def body(seed: int, *, metal: bool = True) -> Scan:
    scan = make_phantom(shape=(48, 48, 12), seed=seed).scan
    hu = scan.hu.copy(order="K")
    hu[hu > 2000] = 4000 if metal else 900
    hu[0, 0, 0] = seed  # another scan, whatever the phantom makes of the seed
    return Scan(hu, scan.grid)


def write_dicom(scan: Scan, folder: Path, **elements: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for path in write_series(scan, folder, seed=int(scan.hu[0, 0, 0])):
        dataset = pydicom.dcmread(path)
        for name, value in elements.items():
            setattr(dataset, name, value)
        dataset.save_as(path)
    return folder


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two patients as DICOM, one of them twice, and four NIfTI volumes, two of them without metal."""
    home = tmp_path / "Roe_Jane"
    study = {"PatientName": NAME, "PatientID": "ID4711"}
    write_dicom(body(1), home / "a" / "ct", **study, StudyInstanceUID="1.2.1", FrameOfReferenceUID="1.3.1")
    write_dicom(body(2), home / "b", **study, StudyInstanceUID="1.2.2", FrameOfReferenceUID="1.3.2")
    write_dicom(body(3), home / "c", PatientID="ID4712", StudyInstanceUID="1.2.3", FrameOfReferenceUID="1.3.3")
    for n in (4, 5):
        write_scan(body(n), home / f"Roe_{n}.nii.gz")
        write_scan(body(n + 2, metal=False), home / f"Roe_{n + 2}.nii")
    return home


def prepare(*paths: Path, to: Path, **options: Any) -> Prepared:
    how = {name: options.pop(name) for name in ("jobs", "progress", "on_failure") if name in options}
    return prepare_cohort(paths, to, CohortOptions(**options), **{"jobs": 1, **how})


def content(folder: Path) -> dict[str, bytes]:
    """Every file but run.json, which holds times, and the records by paths."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "done")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.name != "run.json"}


@pytest.mark.slow
def test_every_scan_becomes_a_case_with_its_label_and_report(scans: Path, tmp_path: Path) -> None:
    prepared = prepare(scans, to=tmp_path / "out")
    assert (prepared.cases, prepared.with_metal, prepared.patients, prepared.unidentified) == (7, 5, 6, 4)
    dataset = read_dataset(tmp_path / "out" / "dataset.json")
    assert len(dataset.training) + len(dataset.validation) + len(dataset.test) == 7
    for case in (*dataset.training, *dataset.validation, *dataset.test):
        assert case.label is not None
        scan, mask = read_scan(case.image), read_mask(case.label)
        scan.grid.require(mask.grid)
        assert mask.count == case.metal_voxels
        report = json.loads((tmp_path / "out" / "component_reports" / f"{case.image.name[:17]}.json").read_text())
        assert report["voxels"] == mask.count
        assert report["source"]["voxels_sha256"].startswith(case.image.name[5:17])


@pytest.mark.slow
def test_nothing_of_the_patient_is_written(scans: Path, tmp_path: Path) -> None:
    write_scan(body(9), scans / "Roe_mask.nii")
    (scans / "Roe_torn.nii").write_bytes((scans / "Roe_mask.nii").read_bytes()[:5000])
    torn = write_dicom(body(8), scans / "Roe", PatientID="ID4711") / "Roe.dcm"
    torn.write_bytes(next((scans / "b").iterdir()).read_bytes()[:700])
    shown: list[str] = []
    prepared = prepare(scans, to=tmp_path / "out", on_failure=lambda failure: shown.append(failure.where))
    assert len(prepared.failures) == 2
    assert any("Roe_torn.nii" in where for where in shown)
    for name, data in content(tmp_path / "out").items():
        for word in ("Roe", "4711", str(tmp_path)):
            assert word.encode() not in data, (name, word)
            assert word not in name
    assert b"Roe" not in (tmp_path / "out" / "run.json").read_bytes()


@pytest.mark.slow
def test_order_of_paths_and_number_of_jobs_change_nothing(scans: Path, tmp_path: Path) -> None:
    prepare(scans, to=tmp_path / "one", seed=5)
    paths = sorted(scans.iterdir(), reverse=True)
    prepare(*paths, scans / "a", to=tmp_path / "two", seed=5, jobs=2)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    splits = {
        tuple(case.image.name for case in prepare(scans, to=tmp_path / f"s{n}", seed=n).dataset.validation)
        for n in range(4)
    }
    assert len(splits) > 1


@pytest.mark.slow
def test_the_same_voxels_under_other_names_are_one_case_and_join_their_patients(scans: Path, tmp_path: Path) -> None:
    ids = {"StudyInstanceUID": "9.1", "FrameOfReferenceUID": "9.2", "SeriesInstanceUID": "9.3", "PatientID": "ID4712"}
    write_dicom(body(1), scans / "again", **ids)
    write_scan(body(2), scans / "anonymous.nii.gz")
    prepared = prepare(scans, to=tmp_path / "out")
    assert prepared.cases == 7
    assert prepared.patients == 5  # ID4711 and ID4712 are one
    assert len(prepared.duplicates) == 2
    assert len(list((tmp_path / "out" / "images").iterdir())) == 7


def test_a_study_is_one_patient_even_where_its_id_was_removed(tmp_path: Path) -> None:
    for n in (1, 2):
        ids = {"StudyInstanceUID": "1.2.1", "FrameOfReferenceUID": f"1.3.{n}", "PatientID": ""}
        write_dicom(body(n), tmp_path / "in" / str(n), **ids)
    assert prepare(tmp_path / "in", to=tmp_path / "out").patients == 1


@pytest.mark.slow
def test_refused_scans_are_listed_and_the_rest_is_done(scans: Path, tmp_path: Path) -> None:
    saturated = body(20)
    hu = saturated.hu.copy(order="K")
    hu[hu > 2900] = 2976
    write_scan(Scan(hu, saturated.grid), scans / "saturated.nii.gz")
    write_mask(Mask(hu > 2000, saturated.grid), scans / "mask.nii.gz")
    gap = write_dicom(body(21), scans / "gap", PatientID="x", SeriesInstanceUID="7.7")
    sorted(gap.iterdir())[5].unlink()
    (scans / "notes.txt").write_text("no scan")
    prepared = prepare(scans, to=tmp_path / "out")
    kinds = {failure.kind: failure for failure in prepared.failures}
    assert sorted(kinds) == ["GeometryError", "NotCT", "SaturatedScan"]
    assert "2500" in kinds["SaturatedScan"].message
    assert kinds["GeometryError"].series == "7.7"
    assert "gap" in kinds["GeometryError"].where
    assert prepared.cases == 7
    assert len(json.loads((tmp_path / "out" / "failures.json").read_text())["failures"]) == 3


@pytest.mark.slow
def test_a_damaged_file_takes_the_series_of_its_folder_with_it(scans: Path, tmp_path: Path) -> None:
    file = sorted((scans / "b").iterdir())[3]
    file.write_bytes(file.read_bytes()[:700])
    prepared = prepare(scans, to=tmp_path / "out")
    (failure,) = prepared.failures
    assert file.name in failure.message
    assert prepared.cases == 6


def test_a_fault_of_ours_in_one_scan_does_not_stop_the_others(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter([ZeroDivisionError(), MemoryError(), OSError(5, "Input/output error")])
    find = case_module.segment

    def fail_first(*arguments: Any, **options: Any) -> Any:
        error = next(calls, None)
        if error is not None:
            raise error
        return find(*arguments, **options)

    monkeypatch.setattr(case_module, "segment", fail_first)
    prepared = prepare(scans, to=tmp_path / "out")
    assert [failure.kind for failure in prepared.failures] == ["ZeroDivisionError", "MemoryError", "ScanError"]
    assert prepared.cases == 4


def test_a_series_of_two_stacks_gives_two_cases(tmp_path: Path) -> None:
    ids = {"SeriesInstanceUID": "1.5", "StudyInstanceUID": "1.2", "PatientID": "x", "FrameOfReferenceUID": "1.6"}
    write_dicom(body(1), tmp_path / "in" / "1", **ids)
    other = body(2)
    write_dicom(
        Scan(other.hu[:40], type(other.grid)((40, 48, 12), other.grid.index_to_lps)), tmp_path / "in" / "2", **ids
    )
    write_scan(body(3), tmp_path / "in" / "3.nii")
    prepared = prepare(tmp_path / "in", to=tmp_path / "out")
    assert (prepared.cases, prepared.patients, len(prepared.failures)) == (3, 2, 0)


def interrupt_after(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    seen = []
    find = case_module.segment

    def find_some(*arguments: Any, **options: Any) -> Any:
        seen.append(1)
        if len(seen) > count:
            raise KeyboardInterrupt
        return find(*arguments, **options)

    monkeypatch.setattr(case_module, "segment", find_some)


@pytest.mark.slow
def test_an_interrupted_run_resumes_and_ends_like_one_that_was_not(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(scans, to=tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_after(patch, 3)
        prepare(scans, to=tmp_path / "cut")
    assert not (tmp_path / "cut" / "dataset.json").exists()
    with pytest.raises(OutputError, match=r"threshold_hu 3000.0 and not 2500.0.*--overwrite"):
        prepare(scans, to=tmp_path / "cut", threshold_hu=2500)
    with monkeypatch.context() as patch:
        interrupt_after(patch, 4)  # three of seven are not read again
        assert prepare(scans, to=tmp_path / "cut").kept == 3
    assert content(tmp_path / "cut") == content(tmp_path / "whole")


@pytest.mark.slow
def test_half_a_case_never_counts(scans: Path, tmp_path: Path) -> None:
    prepare(scans, to=tmp_path / "out")
    expected = content(tmp_path / "out")
    next((tmp_path / "out" / "labels").iterdir()).unlink()
    assert prepare(scans, to=tmp_path / "out", overwrite=True).kept == 6
    assert content(tmp_path / "out") == expected


@pytest.mark.slow
def test_killed_in_the_middle_it_resumes(scans: Path, tmp_path: Path) -> None:
    for n in range(30, 40):
        write_scan(body(n), scans / f"{n}.nii.gz")
    command = [sys.executable, "-m", "monai_ctseg", "prepare", str(scans), "-o", str(tmp_path / "out"), "--jobs", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not list((tmp_path / "out" / "done").glob("*.json")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out" / "dataset.json").exists()
    prepared = prepare(scans, to=tmp_path / "out")
    assert prepared.cases == 17
    assert prepared.kept >= 1
    assert not (tmp_path / "out" / "partial").exists()


@pytest.mark.slow
def test_a_finished_cohort_is_replaced_on_request_only_and_brought_up_to_date(scans: Path, tmp_path: Path) -> None:
    prepare(scans, to=tmp_path / "out")
    with pytest.raises(OutputError, match=r"finished cohort.*--overwrite"):
        prepare(scans, to=tmp_path / "out")
    (scans / "Roe_4.nii.gz").unlink()
    write_scan(body(50), scans / "new.nii")
    os.utime(scans / "Roe_6.nii", ns=(1, 1))
    prepared = prepare(scans, to=tmp_path / "out", overwrite=True)
    assert (prepared.cases, prepared.kept) == (7, 5)
    prepare(scans, to=tmp_path / "anew")
    assert content(tmp_path / "out") == content(tmp_path / "anew")
    assert prepare(scans, to=tmp_path / "out", overwrite=True, threshold_hu=2500).kept == 0


def test_a_folder_of_something_else_is_left_alone(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").touch()
    with pytest.raises(OutputError, match="no `prepare` wrote"):
        prepare(scans, to=tmp_path / "out", overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        prepare(scans, to=tmp_path / "file")


def test_its_own_output_is_not_a_source(scans: Path, tmp_path: Path) -> None:
    assert prepare(scans, to=scans / "out").cases == 7
    assert prepare(scans, to=scans / "out", overwrite=True).cases == 7


def test_where_nothing_can_be_used_nothing_stays(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for words, error in (("no CT series", NoScanFound), ("none of the 1 scans can be used.*torn", DatasetError)):
        with pytest.raises(error, match=words):
            prepare(tmp_path / "in", to=tmp_path / "out")
        assert not (tmp_path / "out").exists()
        (tmp_path / "in" / "torn.nii").write_bytes(b"x" * 500)
    with pytest.raises(NoScanFound, match="no such file"):
        prepare(tmp_path / "gone", to=tmp_path / "out")


def test_without_metal_all_is_written_and_training_refused(tmp_path: Path) -> None:
    for n in range(3):
        write_scan(body(n, metal=False), (tmp_path / f"{n}.nii"))
    prepared = prepare(*tmp_path.glob("*.nii"), to=tmp_path / "out")
    assert (prepared.cases, prepared.with_metal) == (3, 0)
    with pytest.raises(DatasetError, match="no scan of the 3 under 'training' holds metal"):
        read_dataset(tmp_path / "out" / "dataset.json")


def test_one_patient_with_metal_trains_only_and_the_note_says_so(tmp_path: Path) -> None:
    write_scan(body(1), tmp_path / "1.nii")
    dataset = prepare(tmp_path / "1.nii", to=tmp_path / "out").dataset
    assert (len(dataset.training), len(dataset.validation)) == (1, 0)
    with pytest.raises(DatasetError, match=r"under 'validation'.*needs two with metal"):
        read_dataset(tmp_path / "out" / "dataset.json")


def test_a_full_disk_ends_in_one_line(scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OutputError, match=r"No space left on device.*same command"):
        patch.setattr(case_module, "write_mask", full)
        prepare(scans, to=tmp_path / "out")
    assert prepare(scans, to=tmp_path / "out").cases == 7


def test_a_link_in_a_circle_is_listed_and_the_rest_is_done(scans: Path, tmp_path: Path) -> None:
    (scans / "loop").symlink_to(scans / "loop")
    prepared = prepare(scans, to=tmp_path / "out")
    assert ["a link in a circle" in failure.message for failure in prepared.failures] == [True]
    assert prepared.cases == 7


def test_other_types_of_number_are_the_same_voxels(tmp_path: Path) -> None:
    scan = body(1)
    (tmp_path / "in").mkdir()
    write_scan(scan, tmp_path / "in" / "one.nii")
    image = nib.Nifti1Image(scan.hu.astype(np.float32), scan.grid.affine_ras)
    nib.save(image, tmp_path / "in" / "two.nii")
    prepared = prepare(tmp_path / "in", to=tmp_path / "out")
    assert (prepared.cases, len(prepared.duplicates)) == (1, 1)


def test_two_runs_do_not_work_in_one_folder(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out"), pytest.raises(OutputError, match="another process writes there"):
        prepare(scans, to=tmp_path / "out")


def _die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.slow
def test_a_worker_that_the_system_ends_is_one_line() -> None:
    with pytest.raises(CtsegError, match="fewer --jobs"):
        list(run_in_order(_die, range(5), jobs=2))
    assert choose_jobs(10**15, 9) == 1


@pytest.mark.slow
@pytest.mark.realdata
def test_the_real_scans(data_dir: Path, tmp_path: Path) -> None:
    paths = [data_dir / "head-neck-ct" / name for name in ("pt_265.nii.gz", "pt_38.nii.gz", "pt_54.nii.gz")]
    prepared = prepare(*paths, to=tmp_path / "out")
    assert [failure.kind for failure in prepared.failures] == ["SaturatedScan"]
    assert sorted(case.metal_voxels or 0 for case in prepared.dataset.training) == [0, 387]
