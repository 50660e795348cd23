"""Stored values to HU: every layout, coding and rescale that CT comes in."""

from __future__ import annotations

from pathlib import Path

import gdcm
import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from monai_ctseg.errors import PixelDataError, ScanError
from monai_ctseg.grid import Grid
from monai_ctseg.io.dicom import read_series
from monai_ctseg.scan import Scan


@pytest.fixture
def wide_scan() -> Scan:
    """Large enough for every coder, and of noise, so that it does not compress to nothing."""
    hu = np.random.default_rng(0).integers(-1024, 3071, (64, 48, 4)).astype(np.int16)
    return Scan(hu, Grid((64, 48, 4), np.diag([1.0, 1.0, 2.0, 1.0])))


def store(dataset, values, *, signed, stored=16, allocated=16, slope="1", intercept="0"):
    """Put stored values [row, column] into a dataset."""
    kind = np.dtype(f"<{'i' if signed else 'u'}{allocated // 8}")
    dataset.PixelData = values.astype(kind).tobytes()
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, stored, stored - 1
    dataset.PixelRepresentation = int(signed)
    dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "layout",
    [
        {"signed": False, "stored": 12, "intercept": "-1024"},
        {"signed": False, "stored": 16, "intercept": "-1024"},
        {"signed": True, "stored": 16, "intercept": "-24"},
        {"signed": True, "stored": 12},
        {"signed": True, "stored": 32, "allocated": 32},
    ],
)
def test_every_layout_gives_the_same_hu(make_series, tiny_scan, layout, photometric):
    def edit(dataset, k):
        values = tiny_scan.hu[:, :, k].T.astype(int) - int(layout.get("intercept", 0))
        store(dataset, values, **layout)
        dataset.PhotometricInterpretation = photometric

    read = read_series(make_series(edit))
    assert read.hu.dtype == np.int16
    assert np.array_equal(read.hu, tiny_scan.hu)


@pytest.mark.parametrize("signed", [False, True])
def test_bits_above_the_stored_ones_are_no_pixels(make_series, tiny_scan, signed):
    def edit(dataset, k):
        values = (tiny_scan.hu[:, :, k].T.astype(int) + (0 if signed else 1024)) & 0x0FFF
        store(dataset, values, signed=False, stored=12, intercept="0" if signed else "-1024")
        dataset.PixelRepresentation = int(signed)
        dataset.PixelData = (np.frombuffer(dataset.PixelData, "<u2") | 0xA000).astype("<u2").tobytes()

    assert np.array_equal(read_series(make_series(edit)).hu, tiny_scan.hu)


def test_the_rescale_is_each_slices_own(make_series, tiny_scan):
    def edit(dataset, k):
        values = tiny_scan.hu[:, :, k].T.astype(int) + 100 * k
        store(dataset, values, signed=True, intercept=str(-100 * k))

    assert np.array_equal(read_series(make_series(edit)).hu, tiny_scan.hu)


def test_a_rescale_with_a_fraction_gives_float32(make_series, tiny_scan):
    def edit(dataset, k):
        dataset.RescaleSlope, dataset.RescaleIntercept = "0.5", "-0.25"

    read = read_series(make_series(edit))
    assert read.hu.dtype == np.float32
    assert np.array_equal(read.hu, tiny_scan.hu * 0.5 - 0.25)


def test_hu_beyond_int16_give_float32(make_series):
    def edit(dataset, k):
        store(dataset, np.full((10, 12), 65535), signed=False, intercept="-1024")

    read = read_series(make_series(edit))
    assert read.hu.dtype == np.float32
    assert (read.hu == 64511).all()


def test_a_slope_of_two_is_integral(make_series, tiny_scan):
    read = read_series(make_series(lambda dataset, k: setattr(dataset, "RescaleSlope", "2")))
    assert read.hu.dtype == np.int16
    assert np.array_equal(read.hu, 2 * tiny_scan.hu)


@pytest.mark.parametrize(("signed", "written", "hu"), [(True, -2048, -2048), (True, 63488, -2048), (False, 0, -1024)])
def test_padding_is_named_in_hu(make_series, tiny_scan, signed, written, hu):
    def edit(dataset, k):
        offset = 0 if signed else 1024
        store(dataset, tiny_scan.hu[:, :, k].T.astype(int) + offset, signed=signed, intercept=str(-offset))
        dataset.add_new(0x00280120, "SS" if written < 0 else "US", written)

    assert read_series(make_series(edit)).padding_hu == hu


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_uncompressed_syntaxes(make_series, tiny_scan, syntax):
    folder = make_series()
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
        plain = pydicom.Dataset()
        for element in dataset:
            plain.add(element)
        plain.file_meta = dataset.file_meta
        plain.file_meta.TransferSyntaxUID = syntax
        plain.save_as(path, enforce_file_format=True)
    assert np.array_equal(read_series(folder).hu, tiny_scan.hu)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize("stripped", [False, True])
def test_compressed_syntaxes(make_series, wide_scan, syntax, stripped):
    folder = make_series(scan=wide_scan)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        if stripped:
            for name in ("PhotometricInterpretation", "SamplesPerPixel", "Modality", "SOPClassUID"):
                delattr(dataset, name)
        dataset.save_as(path)
    assert np.array_equal(read_series(folder).hu, wide_scan.hu)


def to_jpeg_lossless(path: Path) -> None:
    """Recode a file as JPEG lossless, process 14, first-order prediction."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def test_jpeg_lossless(make_series, tiny_scan):
    def edit(dataset, k):
        store(dataset, tiny_scan.hu[:, :, k].T.astype(int) + 1024, signed=False, intercept="-1024")

    folder = make_series(edit)
    for path in folder.iterdir():
        to_jpeg_lossless(path)
        assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.70"
    assert np.array_equal(read_series(folder).hu, tiny_scan.hu)


@pytest.mark.parametrize("keep", [300, 100, 20])
def test_a_truncated_slice_is_refused_by_name(make_series, keep):
    folder = make_series()
    path = folder / "slice_0003.dcm"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size - keep if keep != 20 else 600])
    with pytest.raises(
        PixelDataError,
        match=r"slice_0003.dcm: .*truncated",
    ):
        read_series(folder)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_damaged_compressed_pixels_are_refused_by_name(make_series, wide_scan, syntax):
    folder = make_series(scan=wide_scan)
    path = folder / "slice_0002.dcm"
    for each in folder.iterdir():
        dataset = pydicom.dcmread(each)
        dataset.compress(syntax, generate_instance_uid=False)
        if each == path:
            dataset.PixelData = dataset.PixelData[:400]
        dataset.save_as(each)
    with pytest.raises(PixelDataError, match=r"slice_0002.dcm: its pixels cannot be decoded"):
        read_series(folder)


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda d, k: delattr(d, "RescaleIntercept") or setattr(d, "PixelRepresentation", 0), "HU are unknown"),
        (lambda d, k: setattr(d, "RescaleSlope", "0"), "RescaleSlope is 0"),
        (lambda d, k: setattr(d, "RescaleType", "Z_EFF"), "not HU"),
        (lambda d, k: setattr(d, "BitsStored", 20), "not a pixel layout"),
        (lambda d, k: delattr(d, "PixelRepresentation"), "lacks PixelRepresentation"),
    ],
)
def test_pixels_that_cannot_be_hu_are_refused(make_series, edit, match):
    with pytest.raises(PixelDataError, match=match):
        read_series(make_series(edit))


def test_stored_hu_without_a_rescale_are_read_and_noted(make_series, tiny_scan):
    def strip(dataset, k):
        del dataset.RescaleSlope, dataset.RescaleIntercept

    read = read_series(make_series(strip))
    assert np.array_equal(read.hu, tiny_scan.hu)
    assert any("RescaleIntercept is missing, taken as 0" in note for note in read.notes)


def test_pixels_shorter_than_the_picture_are_refused_whatever_follows_them(make_series):
    def shorten(dataset, k):
        dataset.PixelData = dataset.PixelData[:-20]
        dataset.DataSetTrailingPadding = bytes(64)

    with pytest.raises(PixelDataError, match=r"slice_0000.dcm: truncated, 220 of 240 bytes"):
        read_series(make_series(shorten))


@pytest.mark.parametrize(
    ("element", "value"), [("RescaleSlope", "nan"), ("RescaleIntercept", "inf"), ("Rows", 0), ("Columns", 0)]
)
def test_numbers_that_make_no_picture_are_refused(make_series, element, value):
    folder = make_series()
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset[element].value if element in ("Rows", "Columns") else dataset.add_new(element, "LO", value)
        if element in ("Rows", "Columns"):
            setattr(dataset, element, value)
        dataset.save_as(path)
    with pytest.raises(PixelDataError, match=r"not a rescale to HU|not an image"):
        read_series(folder)


@pytest.mark.parametrize("signed", [False, True])
def test_bits_may_stand_high_where_nothing_is_compressed(make_series, wide_scan, signed):
    def edit(dataset, k):
        values = (wide_scan.hu[:, :, k].T.astype(int) // 2 + (0 if signed else 512)) * 16
        dataset.PixelData = values.astype("<i2" if signed else "<u2").tobytes()
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 15, int(signed)
        dataset.RescaleSlope, dataset.RescaleIntercept = "2", "0" if signed else "-1024"

    folder = make_series(edit, scan=wide_scan)
    assert np.array_equal(read_series(folder).hu, wide_scan.hu // 2 * 2)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    with pytest.raises(PixelDataError, match="high bit of 15"):
        read_series(folder)


def test_more_pixels_than_the_picture_has_are_refused(make_series, wide_scan):
    def shrink(dataset, k):
        dataset.Columns = 60

    with pytest.raises(PixelDataError, match=r"slice_0000.dcm: 6,144 bytes of pixels where .* make 5,760"):
        read_series(make_series(shrink, scan=wide_scan))


def test_one_slice_that_lost_its_rescale_is_refused(make_series):
    def strip(dataset, k):
        if k == 2:
            del dataset.RescaleIntercept

    with pytest.raises(PixelDataError, match=r"slice_0002.dcm: no RescaleIntercept, which other slices have"):
        read_series(make_series(strip))


@pytest.mark.parametrize("place", [130, 300, 500, 700])
def test_a_damaged_header_is_one_line(make_series, place):
    folder = make_series()
    path = folder / "slice_0001.dcm"
    data = bytearray(path.read_bytes())
    data[place : place + 40] = b"\xff\xfe\xfd\x00" * 10
    path.write_bytes(bytes(data))
    with pytest.raises(ScanError) as refusal:
        read_series(folder)
    assert "\n" not in str(refusal.value)
