"""Scans in which no hip is measured."""

import numpy as np
import pytest

from monai_ctseg.grid import Grid
from monai_ctseg.hip import measure_hips
from monai_ctseg.scan import Scan
from monai_ctseg.simulation.phantom import sample_body


@pytest.mark.slow
def test_a_ball_by_itself_is_no_hip():
    """Two steel balls in water, as far apart as hips."""
    i, j, k = np.meshgrid(*(np.arange(n) for n in (160, 60, 60)), indexing="ij")
    hu = np.zeros(i.shape, dtype=np.int16)
    for middle in (30, 130):
        hu[(i - middle) ** 2 + (j - 30) ** 2 + (k - 30) ** 2 < (14 / 1.5) ** 2] = 15_000
    found = measure_hips(Scan(np.asfortranarray(hu), Grid(hu.shape, np.diag([1.5, 1.5, 1.5, 1]))))
    assert all(one.value is None for one in found)


@pytest.mark.slow
def test_a_skull_has_no_hips():
    matrix = np.diag([1.4, 1.4, 2.5, 1.0])
    matrix[:3, 3] = (-130, -130, -110)
    body = sample_body(Grid((186, 186, 88), matrix), seed=4, part="head")
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


@pytest.mark.slow
def test_noise_has_no_hips():
    hu = np.random.default_rng(0).integers(-1000, 9000, (70, 70, 50)).astype(np.int16)
    assert all(one.value is None for one in measure_hips(Scan(hu, Grid(hu.shape, np.eye(4)))))
