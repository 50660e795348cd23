from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from monai_ctseg.errors import DatasetError, OutputError
from monai_ctseg.io.nifti import read_mask
from monai_ctseg.output import (
    locked,
    new_file,
    new_folder,
    resumable_folder,
    segmentation_writer,
    write_json,
    write_run,
)
from monai_ctseg.scan import Mask, Scan, voxels_sha256
from monai_ctseg.segmentation.pipeline import judge_mask


def write_one(folder, text="x"):
    (folder / "a.txt").write_text(text)
    write_run(folder, "test", {})


def test_a_folder_appears_whole(tmp_path):
    with new_folder(tmp_path / "deep" / "out") as folder:
        assert not (tmp_path / "deep" / "out").exists()
        write_one(folder)
    assert sorted(p.name for p in (tmp_path / "deep" / "out").iterdir()) == ["a.txt", "run.json"]
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["out"]


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "out") as folder:
        write_one(folder)
        raise RuntimeError
    with pytest.raises(RuntimeError), new_file(tmp_path / "a.csv") as path:
        path.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_existing_result_stays_unless_it_may_go(tmp_path):
    for text, overwrite in [("1", False), ("2", True)]:
        with new_folder(tmp_path / "out", overwrite=overwrite) as folder:
            write_one(folder, text)
    with pytest.raises(OutputError, match="--overwrite"), new_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "out" / "a.txt").read_text() == "2"
    assert len(list(tmp_path.iterdir())) == 1


def long_work(target, *, name="a.txt", text="half", keep="a.txt", error=KeyboardInterrupt, options=None, **more):
    with (
        pytest.raises(error),
        resumable_folder(target, writes=["a.txt"], keep=keep, options=options or {}, **more) as folder,
    ):
        (folder / name).write_text(text)
        raise error


def test_long_work_stays_when_interrupted_and_is_resumed(tmp_path):
    long_work(tmp_path / "out", options={"epochs": 3})
    long_work(tmp_path / "out", options={"epochs": 3}, name="b.txt", error=DatasetError)
    assert (tmp_path / "out" / "a.txt").read_text() == "half"
    with resumable_folder(tmp_path / "out", writes=[], keep="a.txt", options={"epochs": 3}) as folder:
        assert (folder / "b.txt").exists()
        write_one(folder, "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["finished"]


def test_other_options_do_not_resume(tmp_path):
    long_work(tmp_path / "out", options={"epochs": 3})
    work = resumable_folder(tmp_path / "out", writes=[], keep="a.txt", options={"epochs": 4})
    with pytest.raises(OutputError, match=r"epochs 3 -> 4.*--overwrite"), work:
        pass
    assert (tmp_path / "out" / "a.txt").read_text() == "half"
    long_work(tmp_path / "out", options={"epochs": 4}, text="new", overwrite=True)
    assert (tmp_path / "out" / "a.txt").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_earlier_result_waits_until_the_new_one_is_there(tmp_path):
    with resumable_folder(tmp_path / "out", writes=[], keep="a.txt", options={}) as folder:
        write_one(folder, "first")
    long_work(tmp_path / "out", keep="none yet", overwrite=True)
    assert (tmp_path / "out" / "a.txt").read_text() == "first"
    long_work(tmp_path / "out", overwrite=True)
    assert (tmp_path / ".out.earlier" / "a.txt").read_text() == "first"
    with resumable_folder(tmp_path / "out", writes=[], keep="a.txt", options={}, overwrite=True) as folder:
        assert (folder / "a.txt").read_text() == "half"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_two_processes_do_not_work_in_one_folder(tmp_path):
    with resumable_folder(tmp_path / "out", writes=[], keep="a.txt", options={}) as folder:
        for overwrite in (False, True):
            second = resumable_folder(tmp_path / "out", writes=[], keep="a.txt", options={}, overwrite=overwrite)
            with pytest.raises(OutputError, match="another process writes there"), second:
                pass
        write_one(folder)
    assert (tmp_path / "out" / "a.txt").read_text() == "x"


def test_a_killed_process_releases_its_lock_and_its_unfinished_files_are_nobodys_result(tmp_path):
    code = """
import sys, time
from pathlib import Path
from monai_ctseg.output import new_file, resumable_folder
with resumable_folder(Path(sys.argv[1]), writes=["a.txt"], keep="a.txt", options={}) as folder:
    (folder / "a.txt").write_text("half")
    with new_file(folder / "b.txt") as partial:
        partial.write_text("half")
        print("locked", flush=True)
        time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code, tmp_path / "out"], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"locked\n"
        with (
            pytest.raises(OutputError, match="another process writes there"),
            resumable_folder(tmp_path / "out", writes=[], keep="a.txt", options={}),
        ):
            pass
        process.kill()
    with resumable_folder(tmp_path / "out", writes=[], keep="a.txt", options={}) as folder:
        assert (folder / "a.txt").read_text() == "half"
        write_one(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["files"] == ["a.txt"]
    with new_folder(tmp_path / "out", overwrite=True) as folder:
        write_one(folder)


def test_a_folder_is_locked_in_itself_where_nothing_can_be_written_beside_it(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root, as whom tests may run, may write anywhere
    with locked(tmp_path / "out"):
        assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]
        with pytest.raises(OutputError, match="another process"), locked(tmp_path / "out"):
            pass
        write_one(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.txt", "run.json"]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["files"] == ["a.txt"]


def test_a_file_with_a_very_long_name_is_written(tmp_path):
    with new_file(tmp_path / ("x" * 240 + ".nii.gz")) as path:
        assert path.name.endswith(".nii.gz")
        path.write_text("x")
    with pytest.raises(OutputError, match="choose a shorter name"), new_file(tmp_path / ("x" * 260)) as path:
        path.write_text("x")


def test_work_that_is_refused_at_once_leaves_nothing(tmp_path):
    long_work(tmp_path / "new", keep="none yet", error=DatasetError)
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_are_never_lost(tmp_path):
    with new_folder(tmp_path / "out") as folder:
        write_one(folder)
    (tmp_path / "out" / "notes.md").write_text("mine")
    with pytest.raises(OutputError, match=r"notes.md"), new_folder(tmp_path / "out", overwrite=True):
        pass
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("mine")
    with pytest.raises(OutputError, match=r"thesis.tex"), new_folder(tmp_path / "other", overwrite=True):
        pass


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "out").mkdir()
    with new_folder(tmp_path / "out") as folder:
        write_one(folder)
    assert (tmp_path / "out" / "a.txt").exists()


def test_a_file_is_not_taken_for_a_folder_nor_a_folder_for_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file"), new_folder(tmp_path / "file"):
        pass
    with pytest.raises(OutputError, match="is a folder"), new_file(tmp_path):
        pass
    with pytest.raises(OutputError, match="exists already"), new_file(tmp_path / "file"):
        pass
    with pytest.raises(OutputError, match="cannot be written"), new_folder(tmp_path / "file" / "out"):
        pass


def test_a_full_disk_is_one_line(tmp_path):
    with pytest.raises(OutputError, match="No space left"), new_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("x")
        raise OSError(28, os.strerror(28))
    assert list(tmp_path.iterdir()) == []


def test_no_right_to_write_is_one_line(tmp_path, monkeypatch):
    def forbid(**where):
        raise PermissionError(13, os.strerror(13), where["dir"])  # root, as whom tests may run, may write anywhere

    monkeypatch.setattr("tempfile.mkdtemp", forbid)
    with pytest.raises(OutputError, match="Permission denied"), new_folder(tmp_path / "out"):
        pass


def test_a_segmentation_as_files(tiny_scan, tmp_path):
    scan = Scan(tiny_scan.hu * np.int16(10), tiny_scan.grid, names=tuple(f"IM{k}" for k in range(6)))
    mask = Mask(np.asfortranarray(scan.hu > 2000), scan.grid)
    with new_folder(tmp_path / "out") as folder:
        with segmentation_writer(folder, scan, image=True) as write:
            write(judge_mask(scan, mask, body_mask=False))
        write_run(folder, "test", {"threshold_hu": 2000}, scans=[scan], seconds={"all": 1.23456})
    out = tmp_path / "out"
    assert np.array_equal(read_mask(out / "mask.nii.gz").voxels, mask.voxels)
    for k in range(6):
        drawn = np.array(Image.open(out / "masks" / f"IM{k}.png"))
        assert drawn.dtype == np.uint8
        assert np.array_equal(drawn, np.where(mask.voxels[:, :, k].T, 255, 0))
        shown = np.array(Image.open(out / "images" / f"IM{k}.png")).astype(float) * 5000 / 255 - 1000
        assert np.abs(shown - np.clip(scan.hu[:, :, k].T, -1000, 4000)).max() < 10
    assert json.loads((out / "component_report.json").read_text())["voxels"] == mask.count
    run = json.loads((out / "run.json").read_text())
    assert run["inputs"][0]["voxels_sha256"] == voxels_sha256(scan)
    assert run["seconds"] == {"all": 1.235}
    assert set(run["files"]) == {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()} - {"run.json"}


def test_a_disk_that_fills_while_pictures_are_written_leaves_nothing(tiny_scan, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("monai_ctseg.output.masks.write_png", full)
    mask = Mask(np.asfortranarray(tiny_scan.hu > 100), tiny_scan.grid)
    with (
        pytest.raises(OutputError, match="No space left"),
        new_folder(tmp_path / "out") as folder,
        segmentation_writer(folder, tiny_scan) as write,
    ):
        write(judge_mask(tiny_scan, mask, body_mask=False))
    assert list(tmp_path.iterdir()) == []


def test_the_hash_is_of_voxels_in_their_order(tiny_scan):
    same = Scan(np.ascontiguousarray(tiny_scan.hu), tiny_scan.grid, names=tuple("abcdef"))
    other = Scan(tiny_scan.hu[::-1], tiny_scan.grid)
    assert voxels_sha256(same) == voxels_sha256(tiny_scan) != voxels_sha256(other)


def test_a_full_disk_does_not_take_what_was_trained(tmp_path):
    work = resumable_folder(tmp_path / "out", writes=["a"], keep="a", options={})
    with pytest.raises(OutputError, match="No space left"), work as folder:
        (folder / "a").write_text("weights")
        raise OSError(28, os.strerror(28))
    assert (tmp_path / "out" / "a").read_text() == "weights"
    with pytest.raises(OutputError, match="a run that did not end"), new_folder(tmp_path / "out"):
        pass


def test_a_full_disk_inside_a_new_folder_names_the_folder_that_was_asked_for(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OutputError) as refusal, new_folder(tmp_path / "out") as folder:
        write_json(folder / "facts.json", {})
    assert str(refusal.value).startswith(f"{tmp_path / 'out'}: cannot be written (No space left on device)")
    assert "partial" not in str(refusal.value)


def test_work_that_left_an_empty_folder_only_leaves_nothing_and_the_earlier_result_comes_back(tmp_path):
    target = tmp_path / "cohort"
    with resumable_folder(target, writes=["facts/"], keep="facts", options={"seed": 1}) as folder:
        (folder / "facts").mkdir()
        (folder / "facts" / "1.json").write_text("{}")
        write_run(folder, "test", {})
    with (
        pytest.raises(OutputError, match="missing"),
        resumable_folder(target, writes=["facts/"], keep="facts", options={"seed": 2}, overwrite=True) as folder,
    ):
        (folder / "facts").mkdir()
        raise OutputError("an extra is missing")
    assert (target / "facts" / "1.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]
