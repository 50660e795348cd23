from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from monai_ctseg.errors import GridMismatch
from monai_ctseg.grid import LPS_TO_RAS, Grid

angles = st.tuples(*[st.floats(-180, 180)] * 3)
spacings = st.tuples(*[st.floats(0.1, 10)] * 3)
points = arrays(np.float64, (4, 3), elements=st.floats(-1000, 1000))


def oblique(turn: tuple[float, ...], spacing: tuple[float, ...], shape: tuple[int, int, int] = (5, 7, 9)) -> Grid:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() * spacing
    matrix[:3, 3] = (10, -20, 30)
    return Grid(shape, matrix)


@given(angles, spacings, points)
def test_index_and_lps_are_each_others_inverse(turn, spacing, ijk):
    grid = oblique(turn, spacing)
    assert np.allclose(grid.to_index(grid.to_lps(ijk)), ijk, atol=1e-6)
    assert np.allclose(grid.spacing_mm, spacing)


@given(angles, spacings)
def test_ras_is_lps_with_two_signs_turned_and_back(turn, spacing):
    grid = oblique(turn, spacing)
    assert np.allclose(grid.affine_ras[:2], -grid.index_to_lps[:2])
    assert np.allclose(grid.affine_ras[2:], grid.index_to_lps[2:])
    assert Grid.from_ras(grid.shape, grid.affine_ras).matches(grid)
    assert np.allclose(LPS_TO_RAS[:3, :3] @ grid.center_lps, grid.center_ras)


def test_center_is_the_mean_of_the_corner_voxels():
    grid = oblique((10, 20, 30), (1, 2, 3))
    corners = [grid.to_lps((i, j, k)) for i in (0, 4) for j in (0, 6) for k in (0, 8)]
    assert np.allclose(grid.center_lps, np.mean(corners, axis=0))


@pytest.mark.parametrize(
    ("diagonal", "letters"), [((1, 1, 1), "LPS"), ((-1, 1, 1), "RPS"), ((-1, -1, 1), "RAS"), ((1, 1, -1), "LPI")]
)
def test_orientation_names_where_the_indices_grow(diagonal, letters):
    assert Grid((2, 2, 2), np.diag([*diagonal, 1.0])).orientation == letters


def test_orientation_of_a_sagittal_stack():
    matrix = np.eye(4)
    matrix[:3, :3] = [[0, 0, 1], [1, 0, 0], [0, -1, 0]]
    assert Grid((2, 2, 2), matrix).orientation == "PIL"


def test_shear_counts_in_the_volume_and_is_kept():
    matrix = np.diag([1.0, 1.0, 2.0, 1.0])
    matrix[1, 2] = 1.0
    grid = Grid((3, 3, 3), matrix)
    assert grid.voxel_mm3 == pytest.approx(2.0)
    assert grid.to_lps((0, 0, 1)).tolist() == [0.0, 1.0, 2.0]


def test_grids_differ_by_shape_or_place():
    grid = oblique((0, 0, 0), (1, 1, 1))
    moved = grid.index_to_lps.copy()
    moved[0, 3] += 0.02
    assert grid.matches(Grid(grid.shape, moved), tolerance_mm=0.05)
    with pytest.raises(GridMismatch, match="the grids differ"):
        grid.require(Grid(grid.shape, moved))
    with pytest.raises(GridMismatch):
        grid.require(Grid((5, 7, 8), grid.index_to_lps))


@pytest.mark.parametrize("matrix", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.eye(3)])
def test_a_matrix_that_maps_nothing_is_refused(matrix):
    with pytest.raises(ValueError, match="index_to_lps"):
        Grid((2, 2, 2), matrix)


def test_the_matrix_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        oblique((0, 0, 0), (1, 1, 1)).index_to_lps[0, 0] = 5
