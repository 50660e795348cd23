"""Rays, spheres, layers and rims by themselves."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtr

from monai_ctseg.grid import Grid, unit
from monai_ctseg.hip.layers import Model, Prior, Profiles, fit_layers
from monai_ctseg.hip.measure import opening_degrees
from monai_ctseg.hip.rays import even_directions, slice_normal
from monai_ctseg.hip.rim import Bowl, find_rim, meridians
from monai_ctseg.hip.sphere import consensus_sphere, fit_sphere


def test_directions_cover_the_sphere_evenly():
    ways = even_directions(500)
    assert np.allclose(np.linalg.norm(ways, axis=1), 1)
    assert np.abs(ways.mean(axis=0)).max() < 2e-3
    assert np.allclose(ways.T @ ways / 500, np.eye(3) / 3, atol=2e-3)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 0.6), (0.7, 0.7, 3.0), (1.0, 1.0, 1.0)])
def test_slices_lie_across_the_third_axis(spacing):
    normal, step = slice_normal(Grid((9, 9, 9), np.diag([*spacing, 1])))
    assert np.abs(normal) == pytest.approx((0, 0, 1))
    assert step == spacing[2]


def test_slices_may_be_stacked_along_another_axis():
    normal, step = slice_normal(Grid((9, 9, 9), np.diag([2.5, 0.8, 0.8, 1])))
    assert np.abs(normal) == pytest.approx((1, 0, 0))
    assert step == 2.5


def test_a_sphere_is_fitted_past_outliers():
    random = np.random.default_rng(1)
    points = np.array([3.0, -7, 40]) + 24.3 * even_directions(400) + random.normal(0, 0.1, (400, 3))
    points[:100] += even_directions(400)[:100] * random.uniform(3, 9, (100, 1))
    sphere = fit_sphere(points, start=consensus_sphere(points, (16, 32)))
    assert np.linalg.norm(sphere.center_lps - (3, -7, 40)) < 0.05
    assert abs(sphere.radius_mm - 24.3) < 0.05
    assert 280 <= sphere.points <= 305


def test_a_thin_shell_is_measured_behind_a_blur():
    """A shell of 1 mm behind a blur of 0.6 mm: its half-maximum edge lies too far out, the layer's edge does not."""
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


def test_saturated_metal_still_shows_its_edge():
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


def test_openings_follow_murrays_definition():
    down_left = np.array([1.0, 0, -1]) / np.sqrt(2)
    assert opening_degrees(down_left, "left") == pytest.approx((45, 0))
    assert opening_degrees(down_left * (-1, 1, 1), "right") == pytest.approx((45, 0))
    i, a = np.radians(40), np.radians(20)
    opening = np.array([np.sin(i) * np.cos(a), -np.sin(a), -np.cos(i) * np.cos(a)])
    assert opening_degrees(opening, "left") == pytest.approx((40, 20))
