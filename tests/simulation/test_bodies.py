"""Drawn bodies: tissues of the right HU, landmarks where they should be, the same voxels for the same seed."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, map_coordinates

from monai_ctseg.grid import Grid
from monai_ctseg.scan import Scan
from monai_ctseg.segmentation.body import locate_body
from monai_ctseg.simulation.phantom import BodyPhantom, sample_body
from monai_ctseg.simulation.phantom.positioning import position_on_table
from monai_ctseg.simulation.phantom.scene import BODY_PARTS

SEEDS = range(2)


def make_grid(shape=(128, 100, 32), spacing_mm=(3.2, 3.2, 5.0), center=(5.0, -20.0, 700.0)) -> Grid:
    matrix = np.diag([*spacing_mm, 1.0])
    matrix[:3, 3] = np.array(center) - (np.array(shape) - 1) / 2 * spacing_mm
    return Grid(shape, matrix)


@cache
def body(part: str, seed: int, extras: bool = False) -> BodyPhantom:
    return sample_body(make_grid(), seed=seed, part=part, extras=extras)


def read(phantom: BodyPhantom, points_lps) -> np.ndarray:
    index = phantom.grid.to_index(points_lps)
    return map_coordinates(phantom.hu, np.atleast_2d(index).T, order=1, mode="nearest")


def marks(phantom: BodyPhantom, site: str):
    return [mark for mark in phantom.landmarks if mark.site == site]


@pytest.mark.slow
@pytest.mark.parametrize("part", BODY_PARTS)
def test_same_seed_same_voxels(part):
    once, again, other = (sample_body(make_grid((48, 40, 9), (8, 8, 12)), seed=seed, part=part) for seed in (5, 5, 6))
    assert once.hu.dtype == np.float32
    assert np.array_equal(once.hu, again.hu)
    assert [m.point_lps.tolist() for m in once.landmarks] == [m.point_lps.tolist() for m in again.landmarks]
    assert not np.array_equal(once.hu, other.hu)


@pytest.mark.slow
def test_slabs_leave_no_seams(monkeypatch):
    grid = make_grid((48, 40, 9), (8, 8, 12))
    at_once = sample_body(grid, seed=2).hu
    monkeypatch.setattr("monai_ctseg.simulation.phantom.bodies.SLAB_VOXELS", 1)
    assert np.allclose(at_once, sample_body(grid, seed=2).hu, atol=0.05)


def test_a_part_of_the_grid_shows_the_same_patient():
    grid = make_grid((64, 50, 12), (6, 6, 8))
    matrix = np.array(grid.index_to_lps)
    matrix[:3, 3] += 4 * matrix[:3, 2]
    part = sample_body(Grid((64, 50, 3), matrix), seed=1, whole=grid)
    assert np.allclose(part.hu, sample_body(grid, seed=1).hu[:, :, 4:7], atol=0.05)


def test_landmarks_can_be_had_without_drawing():
    drawn = body("pelvis", 1).landmarks
    grid = make_grid()
    marks = position_on_table(grid, np.random.default_rng(1), "pelvis", extras=False).scene.landmarks
    index = grid.to_index([mark.point_lps for mark in marks])
    on_grid = ((index >= 0) & (index <= np.array(grid.shape) - 1)).all(axis=1)
    found = [mark for mark, there in zip(marks, on_grid, strict=True) if there]
    assert [m.point_lps.tolist() for m in drawn] == [m.point_lps.tolist() for m in found]


@pytest.mark.slow
@pytest.mark.parametrize("part", BODY_PARTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_tissues_have_their_hounsfield_units(part, seed):
    hu = body(part, seed).hu
    assert hu.min() == pytest.approx(-1000, abs=0.1)
    assert hu.max() < 3000
    assert np.count_nonzero((hu > -115) & (hu < -85)) > 1000
    assert np.count_nonzero((hu > 38) & (hu < 75)) > 3000
    assert hu.max() > 500


@pytest.mark.parametrize("seed", SEEDS)
def test_extras_stay_under_what_metal_reads(seed, monkeypatch):
    # fresh contrast in an arm's vein alone may be brighter
    monkeypatch.setattr("monai_ctseg.simulation.phantom.scene.arm_vein", lambda side, hu: [])
    assert sample_body(make_grid(), seed=seed, part="trunk").hu.max() < 3100


@pytest.mark.slow
@pytest.mark.parametrize("part", BODY_PARTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_body_is_found(part, seed):
    phantom = body(part, seed)
    found = locate_body(Scan(np.rint(phantom.hu).astype(np.int16), phantom.grid)).voxels(phantom.grid)
    tissue = binary_erosion((phantom.hu > -150) & (phantom.hu < 3000), iterations=3)
    assert found[tissue].mean() > 0.98
    assert all(found[tuple(np.rint(phantom.grid.to_index(m.point_lps)).astype(int))] for m in marks(phantom, "hip"))


@pytest.mark.parametrize("seed", range(4))
def test_hips_lie_in_their_heads(seed):
    phantom = body("pelvis", seed)
    hips = marks(phantom, "hip")
    assert {hip.side for hip in hips} == {"left", "right"}
    for hip in hips:
        side = 1 if hip.side == "left" else -1
        assert hip.axis_lps[0] * side < -0.4
        assert hip.axis_lps[2] > 0.3
        assert hip.second_lps[2] > 0.9
        assert 18 < hip.size_mm < 29
        assert read(phantom, hip.point_lps)[0] > 90
        ring = hip.point_lps + hip.size_mm * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]])
        assert read(phantom, ring).max() > read(phantom, hip.point_lps)[0] + 100


@pytest.mark.parametrize("seed", range(4))
def test_shafts_hold_marrow_in_a_shell(seed):
    phantom = sample_body(make_grid((200, 140, 40), (2, 2, 8)), seed=seed, part="limb", extras=False)
    shafts = marks(phantom, "femur")
    assert shafts
    for shaft in shafts:
        across = shaft.second_lps - shaft.axis_lps * (shaft.second_lps @ shaft.axis_lps)
        line = read(phantom, shaft.point_lps + np.linspace(0, 1.6, 60)[:, None] * shaft.size_mm * across)
        assert line[0] < 450
        assert line.max() > 600


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_pedicles_are_bone(seed):
    phantom = sample_body(make_grid((150, 120, 40), (2, 2, 3)), seed=seed, part="spine", extras=False)
    pedicles = marks(phantom, "spine")
    assert len(pedicles) >= 4
    for pedicle in pedicles:
        assert abs(pedicle.axis_lps @ pedicle.second_lps) < 0.4
        assert pedicle.axis_lps[1] < -0.5
        assert 2 < pedicle.size_mm < 9
        assert read(phantom, pedicle.point_lps)[0] > 100


@pytest.mark.slow
def test_crowns_are_teeth():
    phantom = sample_body(make_grid((160, 160, 60), (1, 1, 1.5)), seed=3, part="head", extras=False)
    crowns = marks(phantom, "jaw")
    assert len(crowns) > 10
    for crown in crowns:
        assert read(phantom, crown.point_lps)[0] > 800
        assert abs(crown.axis_lps[2]) > 0.9
        assert 2 < crown.size_mm < 7


@pytest.mark.parametrize("seed", SEEDS)
def test_the_sternum_is_bone_and_generators_lie_before_the_ribs(seed):
    phantom = sample_body(make_grid((130, 120, 60), (3, 3, 4)), seed=seed, part="trunk", extras=False)
    assert all(read(phantom, mark.point_lps)[0] > 100 for mark in marks(phantom, "sternum"))
    assert marks(phantom, "sternum")
    chest = marks(phantom, "chest")
    assert {mark.side for mark in chest} == {"left", "right"}
    for mark in chest:
        outwards = read(phantom, mark.point_lps + np.arange(0, 80, 4)[:, None] * mark.second_lps)
        assert outwards[0] > -150
        assert outwards[-1] == pytest.approx(-1000, abs=1)
        assert outwards.max() < 300


@pytest.mark.parametrize("part", BODY_PARTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_skin_marks_lie_on_the_skin(part, seed):
    phantom = body(part, seed)
    found = marks(phantom, "skin")
    assert len(found) > 2
    under = [read(phantom, mark.point_lps - 6 * mark.axis_lps)[0] > -300 for mark in found]
    above = [read(phantom, mark.point_lps + 5 * mark.axis_lps)[0] < -700 for mark in found]
    assert np.mean(under) > 0.9
    assert np.mean(above) > 0.8  # beside an ear or between the thighs the next skin is near
    assert np.allclose([np.linalg.norm(mark.axis_lps) for mark in found], 1)


@pytest.mark.parametrize("seed", range(4))
def test_the_table_carries_the_body(seed):
    phantom = sample_body(make_grid((160, 160, 12), (3, 3, 8)), seed=seed, extras=False)
    found = locate_body(Scan(np.rint(phantom.hu).astype(np.int16), phantom.grid)).voxels(phantom.grid)
    lowest = phantom.grid.to_lps(np.argwhere(found))[:, 1].max()
    for mark in marks(phantom, "table"):
        assert mark.point_lps[1] < lowest + 15
        assert read(phantom, mark.point_lps - (0, 8, 0))[0] < -150


def test_patients_differ():
    heads = [mark.size_mm for seed in SEEDS for mark in marks(body("pelvis", seed), "hip")]
    volumes = [np.count_nonzero(body("pelvis", seed).hu > -150) for seed in SEEDS]
    assert np.ptp(heads) > 1
    assert np.ptp(volumes) > 0.02 * np.mean(volumes)


@pytest.mark.slow
def test_a_flipped_grid_shows_the_same_body():
    grid = make_grid((64, 50, 12), (6, 6, 8))
    flipped = np.array(grid.index_to_lps)
    flipped[:3, 3] += (grid.shape[2] - 1) * flipped[:3, 2]
    flipped[:3, 2] *= -1
    other = sample_body(Grid(grid.shape, flipped), seed=4, extras=False)
    assert np.allclose(other.hu[:, :, ::-1], sample_body(grid, seed=4, extras=False).hu, atol=0.1)
