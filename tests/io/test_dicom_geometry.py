"""Order, spacing, shear and the refusals that belong to them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from monai_ctseg.errors import AmbiguousScan, GeometryError
from monai_ctseg.grid import Grid
from monai_ctseg.io.dicom import read_series, write_series
from monai_ctseg.scan import Scan


@pytest.mark.slow
@given(
    turn=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 5)] * 3),
    lean=st.floats(-0.4, 0.4),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_stack_comes_back_as_it_was_under_any_file_names(turn, spacing, lean, seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() * spacing
    matrix[:3, 2] += lean * matrix[:3, 1]
    matrix[:3, 3] = (-100, 50, 700)
    hu = np.random.default_rng(seed).integers(-1000, 3000, (5, 4, 6)).astype(np.int16)
    names = [f"{n}" for n in range(6)]
    random.Random(seed).shuffle(names)
    written = Scan(hu, Grid((5, 4, 6), matrix), names=tuple(names))
    write_series(written, folder)
    read = read_series(folder)
    assert np.array_equal(read.hu, hu)
    assert np.abs(read.grid.index_to_lps - matrix).max() < 1e-5
    assert read.names == tuple(names)


def test_neither_names_nor_numbers_nor_locations_order_the_slices(make_series, tiny_scan):
    def mislead(dataset, k):
        dataset.InstanceNumber = (k * 5) % 6
        dataset.SliceLocation = str(-k)

    read = read_series(make_series(mislead))
    assert np.array_equal(read.hu, tiny_scan.hu)
    assert read.grid.matches(tiny_scan.grid, tolerance_mm=1e-6)


def test_a_stack_stored_feet_first_is_turned_with_its_matrix(make_series, tiny_scan):
    flipped = Scan(tiny_scan.hu[:, :, ::-1], tiny_scan.grid)

    def lower(dataset, k):
        dataset.ImagePositionPatient = [*dataset.ImagePositionPatient[:2], 100.0 - 2.0 * k]

    read = read_series(make_series(lower))
    assert np.array_equal(read.hu, flipped.hu)
    assert read.grid.to_lps((0, 0, 0))[2] == pytest.approx(90.0)


def test_spacing_comes_from_positions_and_rows_come_first(make_series):
    def mislead(dataset, k):
        dataset.SliceThickness = "5"
        dataset.SpacingBetweenSlices = "-7"

    assert read_series(make_series(mislead)).grid.spacing_mm == pytest.approx((0.5, 0.75, 2.0))


def test_tilted_gantry_keeps_its_shear_and_says_so(make_series, tiny_scan):
    matrix = tiny_scan.grid.index_to_lps.copy()
    matrix[1, 2] = 0.5
    read = read_series(make_series(scan=replace(tiny_scan, grid=Grid(tiny_scan.grid.shape, matrix))))
    assert np.allclose(read.grid.index_to_lps, matrix)
    assert any("sheared by 14.0 degrees" in note for note in read.notes)


def test_positions_may_be_rounded(make_series):
    def round_off(dataset, k):
        dataset.ImagePositionPatient = [*dataset.ImagePositionPatient[:2], 100 + 2 * k + (0.04 if k in (2, 3) else 0)]

    assert read_series(make_series(round_off)).grid.spacing_mm[2] == pytest.approx(2.0)


def remove(folder: Path, k: int) -> Path:
    sorted(folder.iterdir())[k].unlink()
    return folder


def test_a_missing_slice_is_named_by_its_neighbours(make_series):
    with pytest.raises(
        GeometryError, match=r"missing between slice_0002.dcm and slice_0004.dcm: 4.000 mm apart .* 2.000 mm"
    ):
        read_series(remove(make_series(), 3))


def test_two_missing_slices_are_counted(make_series):
    long = Scan(np.zeros((4, 4, 10), np.int16), Grid((4, 4, 10), np.eye(4)))
    with pytest.raises(GeometryError, match=r"slice_0000.dcm and slice_0002.dcm and at 1 other positions"):
        read_series(remove(remove(make_series(scan=long), 1), 4))


def move(axis: int, mm: float, which: int = 3):
    def edit(dataset, k):
        if k == which:
            position = [float(value) for value in dataset.ImagePositionPatient]
            position[axis] += mm
            dataset.ImagePositionPatient = position

    return edit


@pytest.mark.parametrize("edit", [move(2, 0.3), move(2, -0.9), move(0, 0.5)])
def test_a_slice_off_the_regular_stack_is_refused_by_name(make_series, edit):
    with pytest.raises(GeometryError, match=r"slice_000[234]\.dcm"):
        read_series(make_series(edit))


def test_two_different_slices_at_one_position_are_refused(make_series):
    with pytest.raises(
        GeometryError, match=r"slice_0002.dcm and slice_0003.dcm are two different slices at one position"
    ):
        read_series(make_series(move(2, -2.0)))


def test_identical_duplicates_are_dropped_with_a_note(make_series, tiny_scan):
    folder = make_series()
    (folder / "again").mkdir()
    for path in sorted(folder.glob("*.dcm"))[:2]:
        (folder / "again" / path.name).write_bytes(path.read_bytes())
    read = read_series(folder)
    assert np.array_equal(read.hu, tiny_scan.hu)
    assert any("dropped identical duplicates: 2" in note for note in read.notes)


@pytest.mark.parametrize("element", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
@pytest.mark.parametrize("which", [None, 4])
def test_slices_without_geometry_are_refused(make_series, element, which):
    def strip(dataset, k):
        if which in (None, k):
            delattr(dataset, element)

    with pytest.raises(GeometryError, match=rf"slice_000{which or 0}.dcm: no {element}"):
        read_series(make_series(strip))


@pytest.mark.parametrize(
    ("element", "value", "match"),
    [
        ("PixelSpacing", ["0", "0.75"], "not above 0"),
        ("ImageOrientationPatient", ["1", "0", "0", "0.5", "1", "0"], "right angles"),
        ("ImageOrientationPatient", ["1", "0", "0", "1", "0", "0"], "right angles"),
    ],
)
def test_geometry_that_makes_no_sense_is_refused(make_series, element, value, match):
    with pytest.raises(GeometryError, match=match):
        read_series(make_series(lambda dataset, k: setattr(dataset, element, value)))


@pytest.mark.parametrize("words", ["1.0\\abc\\3", "1\\2"])
def test_a_position_that_is_not_a_number_is_refused(make_series, words):
    folder = make_series()
    path = sorted(folder.iterdir())[2]
    dataset = pydicom.dcmread(path)
    dataset.add_new(0x00200032, "LO", words.split("\\"))
    dataset.save_as(path)
    with pytest.raises(Exception, match=r"slice_0002.dcm: ImagePositionPatient is .* not 3 numbers"):
        read_series(folder)


def turn(dataset: pydicom.Dataset) -> None:
    dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]


def coarsen(dataset: pydicom.Dataset) -> None:
    dataset.PixelSpacing = ["0.8", "0.5"]


def shrink(dataset: pydicom.Dataset) -> None:
    dataset.Rows, dataset.PixelData = 5, dataset.PixelData[: 5 * 12 * 2]


@pytest.mark.parametrize("change", [turn, coarsen, shrink])
@pytest.mark.parametrize("empty_uid", [False, True])
def test_a_series_of_several_stacks_is_listed_and_one_is_asked_for(make_series, tiny_scan, change, empty_uid):
    def edit(dataset, k):
        if empty_uid:
            dataset.SeriesInstanceUID = ""
        if k >= 4:
            change(dataset)

    folder = make_series(edit)
    with pytest.raises(AmbiguousScan, match="2 stacks") as refusal:
        read_series(folder)
    assert refusal.value.table.count("\n") == 2
    first = refusal.value.table.splitlines()[1].split()[0]
    assert first.endswith("#1")
    assert np.array_equal(read_series(folder, series=first).hu, tiny_scan.hu[:, :, :4])


def test_one_slice_takes_its_thickness_and_says_so(make_series):
    folder = make_series(lambda dataset, k: setattr(dataset, "SliceThickness", "1.25"))
    read = read_series(folder / "slice_0003.dcm")
    assert read.grid.spacing_mm == pytest.approx((0.5, 0.75, 1.25))
    assert any("is taken as the spacing" in note for note in read.notes)


def test_one_slice_without_thickness_has_no_extent(make_series):
    folder = make_series(lambda dataset, k: delattr(dataset, "SliceThickness"))
    with pytest.raises(GeometryError, match="SliceThickness"):
        read_series(folder / "slice_0003.dcm")


@pytest.mark.parametrize("thickness", ["abc", "nan", "0", "-2"])
def test_one_slice_with_a_thickness_that_is_none(make_series, thickness):
    folder = make_series()
    path = folder / "slice_0003.dcm"
    dataset = pydicom.dcmread(path)
    dataset.add_new("SliceThickness", "LO", thickness)
    dataset.save_as(path)
    with pytest.raises(GeometryError, match="SliceThickness"):
        read_series(path)


@pytest.mark.parametrize("spacing", [0.1, 0.3, 1.0, 5.0])
def test_a_missing_slice_is_noticed_at_any_spacing(make_series, spacing):
    scan = Scan(np.zeros((4, 4, 24), np.int16), Grid((4, 4, 24), np.diag([1.0, 1.0, spacing, 1.0])))
    with pytest.raises(GeometryError, match=r"missing between slice_0010\.dcm and slice_0012\.dcm"):
        read_series(remove(make_series(scan=scan), 11))


@pytest.mark.parametrize("spacing", [0.333, 0.35, 0.45, 0.625])
def test_positions_with_one_decimal_are_read(make_series, spacing):
    scan = Scan(np.zeros((4, 4, 24), np.int16), Grid((4, 4, 24), np.diag([1.0, 1.0, spacing, 1.0])))

    def shorten(dataset, k):
        dataset.ImagePositionPatient = ["0", "0", f"{k * spacing:.1f}"]

    assert read_series(make_series(shorten, scan=scan)).grid.spacing_mm[2] == pytest.approx(spacing, abs=0.005)
