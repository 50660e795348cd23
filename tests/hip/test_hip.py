"""Hips: spheres, planes and layers by themselves, and whole hips with known truth."""

import numpy as np
import pydicom
import pytest

from benchmarks.hip_cases import draw_hip_case
from monai_ctseg.grid import Grid, unit
from monai_ctseg.hip import NativeHip, find_hips, measure_hips, measurements
from monai_ctseg.hip.layers import Model, Prior, Profiles, fit_layers
from monai_ctseg.hip.measure import opening_degrees
from monai_ctseg.hip.rays import even_directions, slice_normal
from monai_ctseg.hip.rim import Bowl, find_rim, meridians
from monai_ctseg.hip.sphere import consensus_sphere, fit_sphere
from monai_ctseg.scan import Scan
from monai_ctseg.simulation.phantom import draw_body


@pytest.fixture(scope="module")
def case():
    """A pelvis with a total hip on one side, and what is true of it."""
    return draw_hip_case(2006, "replaced")


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
    """The voxels from index `low` to before `high`."""
    matrix = scan.grid.index_to_lps.copy()
    matrix[:3, 3] = scan.grid.to_lps(low)
    hu = scan.hu[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return Scan(hu, Grid(hu.shape, matrix))


def test_directions_cover_the_sphere_evenly():
    ways = even_directions(500)
    assert np.allclose(np.linalg.norm(ways, axis=1), 1)
    assert np.abs(ways.mean(axis=0)).max() < 2e-3
    assert np.allclose(ways.T @ ways / 500, np.eye(3) / 3, atol=2e-3)


def test_a_sphere_is_fitted_past_outliers():
    random = np.random.default_rng(1)
    points = np.array([3.0, -7, 40]) + 24.3 * even_directions(400) + random.normal(0, 0.1, (400, 3))
    points[:100] += even_directions(400)[:100] * random.uniform(3, 9, (100, 1))
    sphere = fit_sphere(points, start=consensus_sphere(points, (16, 32)))
    assert np.linalg.norm(sphere.center_lps - (3, -7, 40)) < 0.05
    assert abs(sphere.radius_mm - 24.3) < 0.05
    assert 280 <= sphere.points <= 305


def test_thin_shells_are_told_behind_a_blur():
    """A shell of 1 mm behind a blur of 0.6 mm: its half-maximum edge lies too far out, the layer's edge does not."""
    from scipy.ndimage import gaussian_filter1d

    fine = np.arange(0, 30, 0.01)
    truth = np.select([fine < 14, fine < 15, fine < 18.5, fine < 20], [300, 1300, 90, 1170], 250.0)
    at = np.arange(7, 26, 0.5)
    hu = np.interp(at, fine, gaussian_filter1d(truth, 60))[None]
    model = Model(
        (Prior(300, 150), Prior(1300, 1), Prior(80, 40), Prior(1170, 1), Prior(300, 200)),
        Prior(13.5, 1.5),
        (Prior(0.0, 0.6), Prior(np.log(4.0), 0.5), Prior(0.0, 0.8)),
    )
    fit = fit_layers(Profiles(hu, at, np.array([0.6]), 30.0), model)
    assert fit.edges_mm[0] == pytest.approx([14, 15, 18.5, 20], abs=0.1)
    assert fit.misfit[0] < 0.2


def test_metal_cut_off_at_twelve_bits_still_shows_its_edge():
    from scipy.special import ndtr

    at = np.arange(10, 17, 0.4)
    hu = np.minimum(11_000 * ndtr((14 - at) / 0.5), 3071)[None]
    model = Model((Prior(11_000, 4000), Prior(0, 400)), Prior(13.5, 1.5), saturation_hu=3071)
    fit = fit_layers(Profiles(hu, at, np.array([0.5]), 100.0), model)
    assert fit.edges_mm[0, 0] == pytest.approx(14, abs=0.05)


def test_a_rim_is_found_past_a_notch():
    pole = unit((0.6, 0.3, 0.74))
    opening = unit((-0.5, -0.35, -0.8))
    ways = meridians(pole)
    hu = np.where(ways @ opening < 0.1, 800.0, 40.0)
    hu[:20, 30:] = 40.0
    rim = find_rim(Bowl(np.zeros(3), 27.0, ways, hu, 400.0))
    assert np.degrees(np.arccos(rim.opening_lps @ opening)) < 0.3
    assert rim.above_mm == pytest.approx(2.7, abs=0.3)


def test_openings_by_murrays_definition():
    down_left = np.array([1.0, 0, -1]) / np.sqrt(2)
    assert opening_degrees(down_left, "left") == pytest.approx((45, 0))
    assert opening_degrees(down_left * (-1, 1, 1), "right") == pytest.approx((45, 0))
    i, a = np.radians(40), np.radians(20)
    opening = np.array([np.sin(i) * np.cos(a), -np.sin(a), -np.cos(i) * np.cos(a)])
    assert opening_degrees(opening, "left") == pytest.approx((40, 20))


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


def test_every_figure_has_an_interval_and_every_gap_a_reason(found):
    for one in found.values():
        if one.value is None:
            assert one.reason
            assert one.low is one.high is one.residual_mm is one.points is None
        else:
            assert not one.reason
            assert one.low < one.value < one.high
            assert one.residual_mm >= 0
            assert one.points > 3


def test_a_distance_is_no_surer_than_its_ends(case, found):
    replaced, native = sides(case)
    ends = found[replaced, "ball_head_center_x"], found[native, "femoral_head_center_x"]
    distance = found["both", "hip_center_distance"]
    assert distance.high - distance.low > max(one.high - one.low for one in ends)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 0.6), (0.7, 0.7, 3.0), (1.0, 1.0, 1.0)])
def test_slices_lie_across_the_third_axis(spacing):
    normal, step = slice_normal(Grid((9, 9, 9), np.diag([*spacing, 1])))
    assert np.abs(normal) == pytest.approx((0, 0, 1))
    assert step == spacing[2]


def test_slices_of_another_axis_are_seen():
    normal, step = slice_normal(Grid((9, 9, 9), np.diag([2.5, 0.8, 0.8, 1])))
    assert np.abs(normal) == pytest.approx((1, 0, 0))
    assert step == 2.5


def test_a_ball_by_itself_is_no_hip():
    """Two steel balls in water, as far apart as hips."""
    i, j, k = np.meshgrid(*(np.arange(n) for n in (160, 60, 60)), indexing="ij")
    hu = np.zeros(i.shape, dtype=np.int16)
    for middle in (30, 130):
        hu[(i - middle) ** 2 + (j - 30) ** 2 + (k - 30) ** 2 < (14 / 1.5) ** 2] = 15_000
    found = measure_hips(Scan(np.asfortranarray(hu), Grid(hu.shape, np.diag([1.5, 1.5, 1.5, 1]))))
    assert all(one.value is None for one in found)


def test_thick_overlapping_slices_are_blurred_slices(case):
    header = pydicom.Dataset()
    header.SliceThickness = 5.0
    grid = case.scan.grid
    thick = Scan(case.scan.hu, grid, headers=(header,) * grid.shape[2])
    assert "x 5 mm are too coarse" in measure_hips(thick)[0].reason


def test_turned_axes_change_nothing(case, found):
    """The same voxels in another order are the same hips at the same place."""
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
    """The patient and the grid turned by 12 degrees together: the same hips, turned."""
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


def test_a_skull_has_no_hips():
    matrix = np.diag([1.4, 1.4, 2.5, 1.0])
    matrix[:3, 3] = (-130, -130, -110)
    body = draw_body(Grid((186, 186, 88), matrix), seed=4, part="head")
    found = measure_hips(Scan(np.asfortranarray(body.hu.astype(np.int16)), body.grid))
    assert all(one.value is None and one.reason for one in found)


def test_coarse_voxels_are_refused():
    scan = Scan(np.zeros((20, 20, 20), dtype=np.int16), Grid((20, 20, 20), np.diag([4.0, 4, 3, 1])))
    found = measure_hips(scan)
    assert all("too coarse" in one.reason for one in found if one.side != "both")


@pytest.mark.parametrize("shape", [(1, 1, 1), (100, 100, 1), (90, 90, 2), (5, 5, 5)])
def test_tiny_scans_are_refused(shape):
    found = measure_hips(Scan(np.full(shape, 9000, dtype=np.int16), Grid(shape, np.eye(4))))
    assert all("too small" in one.reason for one in found if one.side != "both")


def test_noise_has_no_hips():
    hu = np.random.default_rng(0).integers(-1000, 9000, (70, 70, 50)).astype(np.int16)
    assert all(one.value is None for one in measure_hips(Scan(hu, Grid(hu.shape, np.eye(4)))))
