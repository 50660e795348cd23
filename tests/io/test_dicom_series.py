"""What is found in a folder, what is left out, and the choice among series."""

from __future__ import annotations

import os

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import JPEG2000Lossless, generate_uid

from monai_ctseg.errors import AmbiguousScan, NoScanFound, NotCT, ScanError
from monai_ctseg.grid import Grid
from monai_ctseg.io.dicom import find_stacks, read_series, series_rows
from monai_ctseg.io.read import read_scan
from monai_ctseg.scan import Scan


def strip(dataset, k):
    """As on a real scan that other readers refuse."""
    for name in (
        "Modality",
        "SOPClassUID",
        "SOPInstanceUID",
        "PhotometricInterpretation",
        "FrameOfReferenceUID",
        "ImageType",
        "PatientID",
        "PatientName",
        "Manufacturer",
    ):
        delattr(dataset, name)


def test_stripped_headers_are_read_by_listed_repairs(make_series, tiny_scan):
    read = read_series(make_series(strip, enforce_file_format=False))
    assert np.array_equal(read.hu, tiny_scan.hu)
    assert [note.split(": ")[1].split()[0] for note in read.notes] == [
        "Modality",
        "SOPClassUID",
        "PhotometricInterpretation",
    ]


def test_other_files_and_hidden_ones_are_passed_over_and_counted(make_series, tiny_scan):
    folder = make_series()
    (folder / "readme.txt").write_text("hello")
    (folder / "notes.dcm").write_text("not DICOM, whatever its name says")
    (folder / "empty.dcm").touch()
    (folder / ".DS_Store").write_bytes(b"x")
    read = read_series(folder)
    assert np.array_equal(read.hu, tiny_scan.hu)
    assert read.notes == ("left out 3 files (empty.dcm, notes.dcm, readme.txt): no DICOM image",)


@pytest.mark.parametrize("edit", [lambda d, k: setattr(d, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"])])
def test_a_localizer_and_a_colour_capture_are_left_out(make_series, tiny_scan, edit):
    folder = make_series()
    localizer = pydicom.dcmread(folder / "slice_0000.dcm")
    localizer.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    localizer.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    localizer.save_as(folder / "scout.dcm")
    capture = pydicom.dcmread(folder / "slice_0000.dcm")
    capture.SamplesPerPixel, capture.PhotometricInterpretation, capture.PlanarConfiguration = 3, "RGB", 0
    capture.BitsAllocated = capture.BitsStored = 8
    capture.PixelData = bytes(10 * 12 * 3)
    capture.save_as(folder / "capture.dcm")
    read = read_series(folder)
    assert np.array_equal(read.hu, tiny_scan.hu)
    assert read.notes == ("left out 1 file (capture.dcm): colour image", "left out 1 file (scout.dcm): localizer")


def test_several_series_are_listed_and_one_is_chosen(make_series, tmp_path):
    make_series(name="a")
    make_series(name="b")
    with pytest.raises(AmbiguousScan, match="2 series; name one with --series") as refusal:
        read_series(tmp_path)
    stacks, _ = find_stacks(tmp_path)
    rows = series_rows(stacks)
    assert [(row.description, row.slices, row.matrix, row.spacing_mm, row.orientation) for row in rows] == [
        ("a", 6, "12 x 10", "0.5 x 0.75 x 2", "LPS"),
        ("b", 6, "12 x 10", "0.5 x 0.75 x 2", "LPS"),
    ]
    assert all(row.series in refusal.value.table for row in rows)
    assert read_series(tmp_path, series=rows[1].series).headers[0].SeriesDescription == "b"
    with pytest.raises(NoScanFound, match=r"no series 1\.2\.3"):
        read_series(tmp_path, series="1.2.3")


def test_another_modality_beside_ct_is_left_out_and_alone_refused(make_series, tmp_path):
    def magnetic(dataset, k):
        dataset.Modality = "MR"

    folder = make_series(magnetic, name="mr")
    with pytest.raises(NotCT, match="no CT slice, but MR"):
        read_series(folder)
    make_series(name="ct")
    assert read_series(tmp_path).notes[0].startswith("left out 6 files")


def test_a_missing_modality_is_not_ct_where_the_sop_class_says_otherwise(make_series):
    def magnetic(dataset, k):
        del dataset.Modality
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"

    with pytest.raises(NotCT, match="MR Image Storage"):
        read_series(make_series(magnetic))


def test_folders_without_a_scan(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.dcm").write_text("text")
    for place, match in [
        ("none", "no such file"),
        ("empty", "empty folder"),
        ("text", "no DICOM image among"),
        ("text/a.dcm", "not a DICOM"),
    ]:
        with pytest.raises(NoScanFound, match=match):
            read_scan(tmp_path / place)


def test_a_header_that_breaks_off_is_refused_by_name(make_series):
    folder = make_series()
    path = folder / "slice_0001.dcm"
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(ScanError, match=r"slice_0001.dcm: .*truncated"):
        read_series(folder)


def enhanced(folder, scan, *, compress=False):
    """The slices of a folder as one enhanced multi-frame file, frames in reverse order."""
    paths = sorted(folder.glob("*.dcm"), reverse=True)
    first = pydicom.dcmread(paths[0])
    first.SOPClassUID = first.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    first.SOPInstanceUID = first.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    first.NumberOfFrames = len(paths)
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = first.PixelSpacing, "9"
    orientation.ImageOrientationPatient = first.ImageOrientationPatient
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Sequence([measures]), Sequence([orientation])
    first.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for n, path in enumerate(paths):
        group, position, scale = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = pydicom.dcmread(path).ImagePositionPatient
        scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = "1", str(-10 * n), "HU"
        group.PlanePositionSequence, group.PixelValueTransformationSequence = Sequence([position]), Sequence([scale])
        frames.append(group)
    first.PerFrameFunctionalGroupsSequence = Sequence(frames)
    count = len(paths)
    stored = [scan.hu[:, :, count - 1 - n].T + np.int16(10 * n) for n in range(count)]
    first.PixelData = np.stack(stored).astype("<i2").tobytes()
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        delattr(first, name)
    if compress:
        first.compress(JPEG2000Lossless, generate_instance_uid=False)
    for path in paths:
        path.unlink()
    first.save_as(folder / "enhanced.dcm")


@pytest.mark.parametrize("compress", [False, True])
def test_enhanced_multi_frame_ct(make_series, compress):
    hu = np.random.default_rng(0).integers(-1024, 3071, (64, 48, 6)).astype(np.int16)
    scan = Scan(hu, Grid((64, 48, 6), np.diag([1.0, 0.5, 2.0, 1.0])))
    folder = make_series(scan=scan)
    enhanced(folder, scan, compress=compress)
    for place in (folder, folder / "enhanced.dcm"):
        read = read_series(place)
        assert np.array_equal(read.hu, hu)
        assert read.grid.matches(scan.grid, tolerance_mm=1e-6)
        assert len(set(read.names)) == 6


def test_names_stay_unique_where_folders_repeat_them(make_series, tiny_scan):
    folder = make_series()
    (folder / "sub").mkdir()
    for k, path in enumerate(sorted(folder.glob("*.dcm"))):
        path.rename(folder / ("sub" if k % 2 else ".") / f"IM{k // 2}")
    read = read_series(folder)
    assert np.array_equal(read.hu, tiny_scan.hu)
    assert len(set(read.names)) == 6


def test_a_file_named_by_its_uid_keeps_the_whole_name(make_series):
    folder = make_series()
    for k, path in enumerate(sorted(folder.glob("*.dcm"))):
        path.rename(folder / f"1.2.840.{k}")
    assert read_series(folder).names[3] == "1.2.840.3"


def test_old_files_without_a_preamble_are_read(make_series, tiny_scan):
    folder = make_series()
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.save_as(path, enforce_file_format=False)
        path.write_bytes(path.read_bytes()[132:] if path.read_bytes()[128:132] == b"DICM" else path.read_bytes())
    assert np.array_equal(read_series(folder).hu, tiny_scan.hu)


def test_a_capture_without_geometry_neither_blocks_nor_joins_the_scan(make_series, tiny_scan, tmp_path):
    make_series(name="ct")
    capture = pydicom.dcmread(tmp_path / "ct" / "slice_0000.dcm")
    capture.SeriesInstanceUID = generate_uid()
    del capture.ImagePositionPatient, capture.ImageOrientationPatient
    capture.save_as(tmp_path / "dose.dcm")
    with pytest.raises(AmbiguousScan, match="2 series"):
        read_series(tmp_path)
    capture.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    capture.save_as(tmp_path / "dose.dcm")
    read = read_series(tmp_path)
    assert np.array_equal(read.hu, tiny_scan.hu)
    assert read.notes == ("left out 1 file (dose.dcm): screen capture",)


def test_a_folder_that_cannot_be_read_is_refused(make_series, monkeypatch):
    folder = make_series()
    (folder / "locked").mkdir()

    def walk(place, *, onerror, followlinks):
        onerror(PermissionError(13, "Permission denied", str(folder / "locked")))  # root may read anything
        yield place, [], []

    monkeypatch.setattr("os.walk", walk)
    with pytest.raises(ScanError, match="locked: cannot be read"):
        read_series(folder)


def test_links_are_followed_and_loops_and_dead_ends_are_not(make_series, tiny_scan, tmp_path):
    folder = make_series()
    (tmp_path / "elsewhere").mkdir()
    for path in sorted(folder.iterdir())[:3]:
        path.rename(tmp_path / "elsewhere" / path.name)
    (folder / "more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "round").symlink_to(folder, target_is_directory=True)
    (folder / "itself").symlink_to(folder / "itself")
    (folder / "gone.dcm").symlink_to(tmp_path / "gone.dcm")
    assert np.array_equal(read_series(folder).hu, tiny_scan.hu)


@pytest.mark.parametrize("modality", ["ct", "CT "])
def test_modality_is_read_as_it_is_meant(make_series, tiny_scan, modality):
    assert np.array_equal(read_series(make_series(lambda d, k: setattr(d, "Modality", modality))).hu, tiny_scan.hu)


def test_a_structure_set_without_a_sop_class_is_no_broken_ct(make_series, tiny_scan):
    folder = make_series()
    plan = pydicom.dcmread(folder / "slice_0000.dcm")
    for name in ("PixelData", "Rows", "Columns", "SOPClassUID"):
        delattr(plan, name)
    plan.Modality = "RTSTRUCT"
    del plan.file_meta.MediaStorageSOPClassUID
    plan.save_as(folder / "plan.dcm", enforce_file_format=False)
    assert np.array_equal(read_series(folder).hu, tiny_scan.hu)


def test_multi_frame_without_positions_is_refused(make_series, tiny_scan):
    folder = make_series()
    enhanced(folder, tiny_scan)
    dataset = pydicom.dcmread(folder / "enhanced.dcm")
    del dataset.PerFrameFunctionalGroupsSequence
    dataset.save_as(folder / "enhanced.dcm")
    with pytest.raises(ScanError, match="6 frames, but 0 frame descriptions"):
        read_series(folder)


def test_pipes_and_names_beyond_utf_8_do_no_harm(make_series, tiny_scan, tmp_path):
    folder = make_series()
    os.mkfifo(folder / "pipe")
    first = folder / "slice_0000.dcm"
    first.rename(os.fsdecode(os.fsencode(folder) + b"/M\xfcller" + b"x" * 230))
    (folder / "slice_0001.dcm").rename(folder / ("y" * 255))
    read = read_series(folder)
    assert np.array_equal(read.hu, tiny_scan.hu)
    assert all(len(name.encode()) <= 200 for name in read.names)
    assert read.names[0].startswith("M\\xfcller")


def test_a_slice_cut_in_its_first_bytes_is_refused_even_at_the_end(make_series):
    folder = make_series()
    last = folder / "slice_0005.dcm"
    whole = last.read_bytes()
    for size in (140, 186, 250):
        last.write_bytes(whole[:size])
        with pytest.raises(ScanError, match=r"slice_0005.dcm: .*truncated"):
            read_series(folder)


def test_damaged_elements_that_nobody_needs_do_no_harm(make_series, tiny_scan):
    folder = make_series()
    for path in folder.iterdir():
        data = path.read_bytes()
        start = data.index(b"\x28\x00\x20\x01") if b"\x28\x00\x20\x01" in data else None
        assert start is None
        dataset = pydicom.dcmread(path)
        dataset.add_new(0x00280120, "US", 7)
        dataset.SeriesDescription = ["two\nlines", "and more"]
        dataset.save_as(path)
        data = path.read_bytes().replace(b"\x28\x00\x20\x01US\x02\x00\x07\x00", b"\x28\x00\x20\x01US\x01\x00\x07")
        path.write_bytes(data)
    assert np.array_equal(read_series(folder).hu, tiny_scan.hu)
    assert "\n" not in series_rows(find_stacks(folder)[0])[0].description
