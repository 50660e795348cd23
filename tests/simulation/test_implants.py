"""Implants: seeds repeat, boxes hold, threads wind, holes are holes, and unseen shapes are none of training's."""

from __future__ import annotations

import pickle
from time import process_time

import numpy as np
import pytest
from scipy.ndimage import label

from monai_ctseg.simulation.implants import GROUPS, KINDS, Implant, kinds_in, make_implants, pose_implants
from monai_ctseg.simulation.implants.screws import hole_centers, plate_solid, sample_plate, sample_screw, screw_solids
from monai_ctseg.simulation.sdf import cylinder, rod, sphere, thread, toward

METALS = {"titanium", "steel", "cobalt_chromium", "gold", "amalgam"}
FAMILIES = ("training", "unseen")


def _made(kind, family="training", seed=0):
    return make_implants(kind, np.random.default_rng(seed), family=family)


def _points(low, high, count, seed=0):
    return tuple(np.random.default_rng(seed).uniform(low, high, (count, 3)).astype(np.float32).T)


def _cloud(implant, count=4000):
    return _points(implant.low - 2, implant.high + 2, count)


def _voxels(implant, step):
    axes = [np.arange(a, b + step, step, dtype=np.float32) for a, b in zip(implant.low, implant.high, strict=True)]
    return implant.distance((axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :])) < 0


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_made_of_a_metal_and_stays_in_its_box(kind, family):
    for seed in range(3):
        for implant in _made(kind, family, seed):
            assert implant.metal in METALS
            assert implant.inside == (kind not in kinds_in("outside"))
            assert (implant.high - implant.low < 650).all()
            for solid in implant.solids:
                low, high = solid.own_low, solid.own_high
                at = _points(low - 1.5, high + 1.5, 400)
                outside = np.any([(p < a) | (p > b) for p, a, b in zip(at, low, high, strict=True)], axis=0)
                distance = solid.own_distance(at)
                assert distance.dtype == np.float32
                assert distance[outside].min() > -1e-3
                beside = solid.own_distance((at[0] + np.float32(0.1), at[1], at[2]))
                near = np.abs(distance) < 0.5
                # A distance may be understated, never overstated.
                assert np.abs(distance - beside)[near].max(initial=0) < 0.115


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_repeats_and_another_differs(kind):
    once, again, other = _made(kind), _made(kind), _made(kind, seed=1)
    at = _cloud(once[0])
    assert np.array_equal(once[0].distance(at), again[0].distance(at))
    assert not np.array_equal(once[0].distance(at), other[0].distance(at))


@pytest.mark.parametrize("kind", KINDS)
def test_unseen_shapes_are_not_those_of_training(kind):
    for seed in range(4):
        training, unseen = (_made(kind, family, seed) for family in FAMILIES)
        at = _cloud(training[-1])
        assert not np.array_equal(training[-1].distance(at), unseen[-1].distance(at))


@pytest.mark.parametrize("kind", ["pedicle_screws", "braces", "total_hip", "staples"])
def test_a_slice_takes_far_less_than_a_fifth_of_a_second(kind):
    implants = _made(kind)
    low, high = np.min([i.low for i in implants], axis=0), np.max([i.high for i in implants], axis=0)
    x, y = np.meshgrid(*(np.linspace(low[n], high[n], 300, dtype=np.float32) for n in (0, 1)), indexing="ij")
    started = process_time()
    for implant in implants:
        implant.distance((x, y, np.full_like(x, (low[2] + high[2]) / 2)))
    assert process_time() - started < 0.2


def test_distance_near_the_solids_is_that_of_their_union():
    implant = _made("pedicle_screws")[0]
    at = _cloud(implant, 3000)
    least, found = np.min([solid.distance(at) for solid in implant.solids], axis=0), implant.distance(at, reach_mm=3.0)
    assert found[least < 0.5] == pytest.approx(least[least < 0.5], abs=1e-4)
    assert (found > np.minimum(least, 3.0) - 1e-4).all()
    assert found.max() == 3.0


def test_a_screw_has_a_thread_of_its_pitch():
    screw = screw_solids(sample_screw(np.random.default_rng(0), 3.5, 30.0))[0]
    flank = thread(1.2, 1.75, 1.25, 30)
    middle = 1.47
    z = np.arange(5, 15, 0.01, dtype=np.float32)
    for angle in (0.0, 2.0):
        line = np.full_like(z, middle * np.cos(angle)), np.full_like(z, middle * np.sin(angle)), z
        assert label(flank.distance(line) < 0)[1] == pytest.approx(10 / 1.25, abs=1)
    starts = [
        np.argmax(flank.distance((0 * z + middle * np.cos(a), 0 * z + middle * np.sin(a), z)) > 0)
        for a in (0.0, np.pi / 2)
    ]
    assert starts[0] != starts[1]
    assert (screw.distance((0 * z, 0 * z, z)) < 0).all()


def test_cannulated_screws_are_hollow_and_no_training_screw_is():
    z = np.linspace(2, 20, 50, dtype=np.float32)
    axis = (0 * z, 0 * z, z)
    drawn = {f: [sample_screw(np.random.default_rng(s), 6.5, 40.0, family=f) for s in range(20)] for f in FAMILIES}
    hollow = {f: [_empty(screw_solids(screw), axis) for screw in screws] for f, screws in drawn.items()}
    assert not any(hollow["training"])
    assert any(hollow["unseen"])


def _empty(solids, at):
    return bool((Implant("screws", "steel", solids).distance(at) > 0).all())


def test_holes_of_a_plate_are_holes_and_lie_in_it():
    plate = sample_plate(np.random.default_rng(1), length=90, thick=4, wide=14, screw_mm=4.5)
    solid = plate_solid(plate)
    middle = (hole_centers(plate) - (plate.thick / 2, 0, 0)).astype(np.float32)
    assert len(middle) >= 3
    assert (solid.distance(tuple(middle.T)) > 1).all()
    assert (solid.distance(tuple((middle + np.float32([0, 0, 4])).T)) < 0).all()


def test_a_dome_with_a_ball_inside_leaves_room_for_the_liner():
    for seed in range(5):
        head, _, cup = _made("total_hip", seed=seed)
        at = _points((-40, -40, -40), (40, 40, 40), 40_000)
        from_center = np.sqrt(sum(p**2 for p in at))
        assert from_center[cup.distance(at) < 0].min() - from_center[head.distance(at) < 0].max() > 0.0


def test_a_hip_screw_is_connected_and_lies_where_its_frame_says():
    implant = _made("hip_screw")[0]
    voxels = _voxels(implant, 0.8)
    assert label(voxels, structure=np.ones((3, 3, 3)))[1] == 1
    assert implant.low[0] < -40
    assert implant.high[2] > 30
    assert implant.low[2] < -40


def test_pose_implants_turns_mirrors_and_shifts():
    implants = _made("hip_screw")
    mirror = np.diag([-1.0, 1.0, 1.0]) @ toward((0.3, 0.2, 1.0))
    posed = pose_implants(implants, mirror, (10, 20, 30))
    at = _cloud(implants[0], 2000)
    moved = (mirror @ np.array(at) + np.array([[10], [20], [30]])).astype(np.float32)
    near = implants[0].distance(at) < 2
    assert posed[0].distance(tuple(moved))[near] == pytest.approx(implants[0].distance(at)[near], abs=1e-3)
    with pytest.raises(ValueError, match="orthogonal"):
        pose_implants(implants, np.diag([2.0, 1, 1]), (0, 0, 0))


@pytest.mark.parametrize("direction", [(0, 0, 1), (0, 1, 0), (1, 0, 0), (-1, 2, -3)])
def test_toward_is_a_rotation_of_z_to_the_direction(direction):
    turn = toward(direction)
    assert turn @ (0, 0, 1) == pytest.approx(np.array(direction) / np.linalg.norm(direction))
    assert turn @ turn.T == pytest.approx(np.eye(3))
    assert np.linalg.det(turn) == pytest.approx(1)


def test_a_solid_keeps_its_holes_when_it_moves():
    pierced = cylinder(5, 10).without([rod((0, 0, -1), (0, 0, 11), 2)]).moved((100, 0, 0), toward((1, 0, 0)))
    both = Implant("test", "steel", (pierced, sphere(1.0).moved((105, 0, 0))))
    at = tuple(np.array([(105, 0, 0), (105, 1.5, 0), (105, 3, 0), (105, 6, 0)], dtype=np.float32).T)
    assert [bool(d < 0) for d in both.distance(at)] == [True, False, True, False]
    assert both.low == pytest.approx((100, -5, -5))
    assert both.high == pytest.approx((110, 5, 5))


def test_every_group_has_kinds_and_wrong_names_are_refused():
    assert sorted(kind for name in GROUPS for kind in kinds_in(name)) == sorted(KINDS)
    with pytest.raises(ValueError, match="no implant is called 'spoon'"):
        _made("spoon")
    with pytest.raises(ValueError, match="family"):
        _made("plate", "other")


def test_implants_can_be_sent_to_another_process():
    for kind in KINDS:
        for implant in _made(kind, "unseen"):
            at = _cloud(implant, 200)
            assert np.array_equal(pickle.loads(pickle.dumps(implant)).distance(at), implant.distance(at))


def test_box_of_a_solid_is_upright_and_holds_it():
    solid = rod((0, 0, 0), (0, 0, 10), 1).moved((0, 0, 0), toward((1, 0, 1)))
    low, high = solid.low, solid.high
    assert high[0] == pytest.approx(11 / np.sqrt(2))
    assert low[0] == pytest.approx(-1 / np.sqrt(2))
