"""The quick phantom keeps what it promises: known metal, realistic geometry, the same voxels for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, label

from benchmarks.quick_phantom import make_phantom

pytestmark = pytest.mark.slow

SEEDS = range(4)


@pytest.fixture(scope="module")
def phantoms():
    return [make_phantom(seed=seed) for seed in SEEDS]


def test_grid_is_that_of_an_axial_scan_off_centre(phantoms):
    grid = phantoms[0].scan.grid
    assert grid.shape == (192, 192, 60)
    assert grid.spacing_mm == pytest.approx((2.0, 2.0, 3.0))
    assert grid.orientation == "LPS"
    assert grid.center_lps == pytest.approx((3.4, 27.7, 1206.4))
    assert phantoms[0].truth.grid is grid
    assert phantoms[0].marker.grid is grid


def test_arrays_are_int16_and_slice_contiguous(phantoms):
    scan = phantoms[0].scan
    assert scan.hu.dtype == np.int16
    assert scan.hu[:, :, 3].T.flags.c_contiguous
    assert scan.names[:2] == ("slice_0000", "slice_0001")
    assert scan.headers == ()


def test_padding_fills_the_outside_of_the_circle_and_nothing_else(phantoms):
    scan = phantoms[0].scan
    x = (np.arange(192) - 95.5) * 2.0
    outside = np.hypot(*np.meshgrid(x, x, indexing="ij")) > 191.0
    assert ((scan.hu == -2048) == outside[:, :, None]).all()
    assert scan.padding_hu is None


def test_same_seed_same_voxels():
    once, again = (make_phantom(shape=(48, 48, 20), seed=7) for _ in range(2))
    other = make_phantom(shape=(48, 48, 20), seed=8)
    assert np.array_equal(once.scan.hu, again.scan.hu)
    assert np.array_equal(once.truth.voxels, again.truth.voxels)
    assert not np.array_equal(once.truth.voxels, other.truth.voxels)


def test_both_sides_occur(phantoms):
    left = {bool(np.argwhere(p.truth.voxels)[:, 0].mean() > 96) for p in phantoms}
    assert left == {True, False}


@pytest.mark.parametrize("seed", SEEDS)
def test_metal_reads_as_steel_and_looks_larger_than_it_is(phantoms, seed):
    hu, truth, marker = phantoms[seed].scan.hu, phantoms[seed].truth, phantoms[seed].marker
    above = hu > 3000
    assert 8_000 < hu.max() < 20_000
    assert above[truth.voxels].mean() > 0.99
    assert above[marker.voxels].mean() > 0.99
    apart_mm = distance_transform_edt(~(truth.voxels | marker.voxels), sampling=(2.0, 2.0, 3.0))
    assert apart_mm[above].max() < 5.0
    read = np.count_nonzero(above) / (truth.count + marker.count)
    assert 1.2 < read < 2.0


@pytest.mark.parametrize("seed", SEEDS)
def test_metal_is_on_most_slices_but_not_all(phantoms, seed):
    assert 0.55 < phantoms[seed].truth.voxels.any(axis=(0, 1)).mean() < 0.75


@pytest.mark.parametrize("seed", SEEDS)
def test_marker_lies_apart_from_the_body(phantoms, seed):
    phantom = phantoms[seed]
    assert not (phantom.marker.voxels & phantom.truth.voxels).any()
    components, _ = label(phantom.scan.hu > -400, structure=np.ones((3, 3, 3)))
    assert set(components[phantom.marker.voxels]).isdisjoint(components[phantom.truth.voxels])


@pytest.mark.parametrize("seed", SEEDS)
def test_marker_has_the_volume_of_its_cylinder(phantoms, seed):
    # radius 3 mm, 60 mm along z and 4 mm along x
    assert phantoms[seed].marker.volume_mm3 == pytest.approx(np.pi * 9 * np.hypot(120, 4), rel=0.1)


def test_truth_does_not_depend_on_the_voxels(phantoms):
    other = make_phantom(shape=(160, 150, 72), seed=0).truth
    usual = phantoms[0].truth
    assert other.grid.spacing_mm == pytest.approx((2.4, 2.56, 2.5))
    assert other.volume_mm3 == pytest.approx(usual.volume_mm3, rel=0.1)  # a plate is three voxels thick
    centers = [m.grid.to_lps(np.argwhere(m.voxels)).mean(axis=0) for m in (other, usual)]
    assert centers[0] == pytest.approx(centers[1], abs=1.0)


def test_another_spacing_shows_another_part():
    phantom = make_phantom(shape=(96, 64, 10), spacing_mm=(4.0, 4.0, 5.0))
    assert phantom.scan.grid.spacing_mm == pytest.approx((4.0, 4.0, 5.0))
    assert phantom.truth.voxels[:, :, 5].any()


def test_a_grid_without_the_implant_is_refused():
    with pytest.raises(ValueError, match=r"no implant on this grid.* 16 x 16 x 4 voxels of 1 x 1 x 1 mm"):
        make_phantom(shape=(16, 16, 4), spacing_mm=(1.0, 1.0, 1.0))
