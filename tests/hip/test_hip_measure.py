"""Whole hips with known truth: what is measured of them."""

import numpy as np
import pydicom
import pytest

from benchmarks.hip_cases import sample_hip_case
from monai_ctseg.grid import Grid
from monai_ctseg.hip import NativeHip, find_hips, measure_hips, measurements
from monai_ctseg.hip.measure import opening_degrees
from monai_ctseg.scan import Scan

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def case():
    """A pelvis with a total hip on one side, and what is true of it."""
    return sample_hip_case(2006, "replaced")


@pytest.fixture(scope="module")
def found(case):
    """Its measurements by side and quantity."""
    return by_name(measure_hips(case.scan))


def by_name(found):
    return {(one.side, one.quantity): one for one in found}


def sides(case):
    """Names of the replaced and the native side."""
    (replaced,) = (side for side, truth in case.truth.items() if truth.metal)
    return replaced, "left" if replaced == "right" else "right"


def cut(scan, low, high):
    """The part of a scan from index `low` to before `high`."""
    matrix = scan.grid.index_to_lps.copy()
    matrix[:3, 3] = scan.grid.to_lps(low)
    hu = scan.hu[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return Scan(hu, Grid(hu.shape, matrix))


def test_a_native_hip_is_measured(case, found):
    _, side = sides(case)
    truth = case.truth[side]
    assert found[side, "femoral_head_diameter"].value == pytest.approx(truth.head_mm, abs=0.5)
    assert found[side, "acetabulum_diameter"].value == pytest.approx(truth.socket_mm, abs=0.5)
    assert found[side, "acetabulum_depth"].value == pytest.approx(truth.depth_mm, abs=1)
    center = [found[side, f"femoral_head_center_{axis}"].value for axis in "xyz"]
    assert np.linalg.norm(center - truth.head_center_lps) < 0.4
    angles = opening_degrees(truth.opening_lps, side)
    assert found[side, "acetabulum_inclination"].value == pytest.approx(angles[0], abs=1)
    assert found[side, "acetabulum_anteversion"].value == pytest.approx(angles[1], abs=1)
    assert "native" in found[side, "cup_diameter"].reason


def test_a_replaced_hip_is_measured(case, found):
    side, _ = sides(case)
    metal = case.truth[side].metal
    assert found[side, "ball_head_diameter"].value == pytest.approx(metal.ball_mm, abs=0.3)
    assert found[side, "cup_diameter"].value == pytest.approx(metal.cup_mm, abs=0.5)
    angles = opening_degrees(metal.cup_opening_lps, side)
    assert found[side, "cup_inclination"].value == pytest.approx(angles[0], abs=0.5)
    assert found[side, "cup_anteversion"].value == pytest.approx(angles[1], abs=0.5)
    center = [found[side, f"ball_head_center_{axis}"].value for axis in "xyz"]
    assert np.linalg.norm(center - metal.ball_center_lps) < 0.2
    line = metal.stem_line_lps
    up = line[-1] - line[0]
    lateral = -up[0] if side == "left" else up[0]
    coronal, sagittal = np.degrees(np.arctan2(lateral, up[2])), np.degrees(np.arctan2(up[1], up[2]))
    assert found[side, "stem_axis_coronal"].value == pytest.approx(coronal, abs=1.5)
    assert found[side, "stem_axis_sagittal"].value == pytest.approx(sagittal, abs=1.5)
    assert "replaced" in found[side, "femoral_head_diameter"].reason
    centers = [case.truth["left"], case.truth["right"]]
    ends = [one.metal.ball_center_lps if one.metal else one.head_center_lps for one in centers]
    distance = float(np.linalg.norm(ends[0] - ends[1]))
    assert found["both", "hip_center_distance"].value == pytest.approx(distance, abs=0.5)


def test_every_value_has_an_interval_and_every_other_quantity_a_reason(found):
    for one in found.values():
        if one.value is None:
            assert one.reason
            assert one.low is one.high is one.residual_mm is one.points is None
        else:
            assert not one.reason
            assert one.low < one.value < one.high
            assert one.residual_mm >= 0
            assert one.points > 3


def test_a_distance_is_no_more_certain_than_its_ends(case, found):
    replaced, native = sides(case)
    ends = found[replaced, "ball_head_center_x"], found[native, "femoral_head_center_x"]
    distance = found["both", "hip_center_distance"]
    assert distance.high - distance.low > max(one.high - one.low for one in ends)


def test_thick_overlapping_slices_are_refused(case):
    header = pydicom.Dataset()
    header.SliceThickness = 5.0
    grid = case.scan.grid
    thick = Scan(case.scan.hu, grid, headers=(header,) * grid.shape[2])
    assert "x 5 mm are too coarse" in measure_hips(thick)[0].reason


def test_reversed_axes_change_nothing(case, found):
    """The same voxels in another order are the same hips at the same position."""
    matrix = case.scan.grid.index_to_lps.copy()
    matrix[:3, 3] = case.scan.grid.to_lps(np.array(case.scan.grid.shape) - 1)
    matrix[:3, :3] *= -1
    turned = by_name(measure_hips(Scan(case.scan.hu[::-1, ::-1, ::-1], Grid(case.scan.grid.shape, matrix))))
    assert turned.keys() == found.keys()
    for key, one in found.items():
        if one.value is None:
            assert turned[key].reason == one.reason
        else:
            assert turned[key].value == pytest.approx(one.value, abs=0.1)


def test_an_oblique_stack_is_measured_where_it_lies(case, found):
    """The patient and the grid rotated by 12 degrees together: the same hips, rotated."""
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(0.21), -np.sin(0.21)], [np.sin(0.21), np.cos(0.21)]]
    turned = by_name(measure_hips(Scan(case.scan.hu, Grid(case.scan.grid.shape, turn @ case.scan.grid.index_to_lps))))
    replaced, native = sides(case)
    for side, part in ((replaced, "ball_head"), (native, "femoral_head")):
        assert turned[side, f"{part}_diameter"].value == pytest.approx(found[side, f"{part}_diameter"].value, abs=0.2)
        before, after = ([one[side, f"{part}_center_{axis}"].value for axis in "xyz"] for one in (found, turned))
        assert np.linalg.norm(turn[:3, :3] @ before - after) < 0.2


def test_half_a_head_is_not_measured(case):
    _, side = sides(case)
    z = round(float(case.scan.grid.to_index(case.truth[side].head_center_lps)[2]))
    top = case.scan.grid.shape[2]
    up = case.scan.grid.index_to_lps[2, 2] > 0
    half = cut(case.scan, (0, 0, 0 if up else z), (*case.scan.grid.shape[:2], z if up else top))
    one = by_name(measure_hips(half))[side, "femoral_head_diameter"]
    assert one.value is None
    assert "cut" in one.reason or "no " in one.reason


def test_a_hip_outside_the_field_of_view_is_not_guessed(case):
    """Half a pelvis: the side that is there keeps its name."""
    _, side = sides(case)
    middle = case.scan.grid.shape[0] // 2
    low, high = (middle, case.scan.grid.shape[0]) if side == "left" else (0, middle)
    hips = find_hips(cut(case.scan, (low, 0, 0), (high, *case.scan.grid.shape[1:])))
    other = "left" if side == "right" else "right"
    assert isinstance(getattr(hips, side), NativeHip)
    assert getattr(hips, other) is None
    found = by_name(measurements(hips))
    assert found["both", "hip_center_distance"].value is None
