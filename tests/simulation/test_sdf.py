"""Solids have the volume of their formula, never overstate a distance, and can be sent to another process."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from benchmarks.quick_phantom import occupancy
from monai_ctseg.grid import Grid
from monai_ctseg.simulation.sdf import (
    bar,
    chain,
    cylinder,
    ellipsoid,
    half_shell,
    helix,
    loft,
    ring,
    rod,
    round_cone,
    sphere,
)

HELIX_TURN = np.hypot(2 * np.pi * 6, 4)
SOLIDS = {
    "rod": (rod((-8, 0, 0), (8, 3, 0), 4), np.pi * 16 * np.hypot(16, 3)),
    "bar": (bar((-6, 0, -3), (6, 0, 3), thick=5, wide=9), 45 * np.hypot(12, 6)),
    "sphere": (sphere(6), 4 / 3 * np.pi * 6**3),
    "ellipsoid": (ellipsoid((1, 0, 0), (8, 6, 4)), 4 / 3 * np.pi * 8 * 6 * 4),
    "cone": (cylinder(6, 8, radius_end=3), np.pi * 8 / 3 * (36 + 18 + 9)),
    "half shell": (half_shell(5, 9), 2 / 3 * np.pi * (9**3 - 5**3)),
    "ring": (ring(7, 1.5), 2 * np.pi**2 * 7 * 1.5**2),
    "helix": (helix(6, 4, 1, 8), 2 * np.pi * HELIX_TURN),
    "capsule": (round_cone((-8, 0, 0), (8, 0, 0), 2, 2), np.pi * 4 * 16 + 4 / 3 * np.pi * 8),
    "wire": (chain([(-8, 0, 0), (8, 0, 0)], 2), np.pi * 4 * 16 + 4 / 3 * np.pi * 8),
    "box": (loft((-4, 4), half_x=3, half_y=7, corner=0), 8 * 6 * 14),
    "stadium": (loft((-4, 4), half_x=3, half_y=7), 8 * (np.pi * 9 + 6 * 8)),
    "bent rod": (loft((-8, 0, 8), half_x=3, half_y=3, y=(0, 4, 0)), np.pi * 9 * 16),
    "hugging plate": (loft((-4, 4), half_x=1, half_y=7, corner=0, bend_radius=9), 8 * 2 * 14),
    "tube": (cylinder(6, 8).without([rod((0, 0, -1), (0, 0, 9), 4)]), np.pi * 8 * 20),
    "lens": (ellipsoid((0, 0, -3), (6, 6, 6)).within(ellipsoid((0, 0, 3), (6, 6, 6))), 2 * np.pi * 9 * (18 - 3) / 3),
}


@pytest.fixture(scope="module")
def grid():
    return Grid((81, 81, 81), np.diag([0.31, 0.31, 0.31, 1.0]))


@pytest.fixture(scope="module")
def at():
    x = ((np.arange(81) - 40.2) * 0.31).astype(np.float32)
    return x[:, None, None], x[None, :, None], x[None, None, :]


@pytest.mark.parametrize("name", SOLIDS)
def test_volume_is_that_of_the_formula(name, grid, at):
    solid, volume_mm3 = SOLIDS[name]
    assert occupancy([solid], at, grid).sum() * 0.31**3 == pytest.approx(volume_mm3, rel=0.03)


@pytest.mark.parametrize("name", [name for name in SOLIDS if name != "ellipsoid"])
def test_distance_is_float32_and_never_overstated(name):
    solid = SOLIDS[name][0]
    random = np.random.default_rng(0)
    here = random.uniform(-12, 12, (4000, 3)).astype(np.float32)
    there = here + random.normal(0, 0.3, here.shape).astype(np.float32)
    distance = solid.distance(tuple(here.T))
    assert distance.dtype == np.float32
    assert (
        np.abs(distance - solid.distance(tuple(there.T))) <= 1.05 * np.linalg.norm(there - here, axis=1) + 1e-3
    ).all()


def test_the_distance_to_an_ellipsoid_is_good_to_a_tenth_near_its_surface():
    random = np.random.default_rng(0)
    semi_axes, ways = np.array([8.0, 6.0, 4.0]), random.normal(size=(4000, 3))
    on = ways / np.linalg.norm(ways, axis=1, keepdims=True) * semi_axes
    normal = on / semi_axes**2
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    solid = ellipsoid((0, 0, 0), semi_axes)
    for mm in (-0.4, 0.4):
        distance = solid.distance(tuple((on + mm * normal).astype(np.float32).T))
        assert distance.dtype == np.float32
        assert distance == pytest.approx(np.full(len(on), mm), rel=0.1)


def test_a_union_counts_what_two_solids_share_once(grid, at):
    two = [cylinder(5, 8), cylinder(5, 8)]
    assert occupancy(two, at, grid).sum() * 0.31**3 == pytest.approx(np.pi * 25 * 8, rel=0.01)


def test_solids_can_be_sent_to_another_process(at):
    for solid, _ in SOLIDS.values():
        assert np.array_equal(pickle.loads(pickle.dumps(solid)).distance(at), solid.distance(at))
