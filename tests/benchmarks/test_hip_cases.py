"""Sampled hip cases match their truth: edges of heads, sockets, balls and cups lie where they should."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from benchmarks import hip_cases
from benchmarks.hip import Row, report, true_values
from benchmarks.hip_cases import SIDES, HipCase, anteversion_degrees, inclination_degrees, sample_hip_case
from benchmarks.hip_repeats import variants
from monai_ctseg.grid import Grid, unit
from monai_ctseg.hip.records import QUANTITIES
from monai_ctseg.simulation.phantom.bodies import paint_body
from monai_ctseg.simulation.phantom.pelvis import hip
from monai_ctseg.simulation.phantom.positioning import position_on_table

FINE_MM = 0.6


@cache
def case(kind: str) -> HipCase:
    return sample_hip_case(7, kind, spacing_mm=(1.0, 3.0))


def ways(count: int = 1500) -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def along(hu, grid, center, directions, radii) -> np.ndarray:
    """HU [directions, radii]."""
    points = center + directions[:, None] * radii[None, :, None]
    return map_coordinates(hu, np.moveaxis(grid.to_index(points), -1, 0), order=1)


@cache
def joint(seed: int = 1):
    """A left hip on fine voxels, without noise or blur: HU, grid, truth, way of the neck."""
    random = np.random.default_rng(seed)
    person = hip_cases._sample_person(random)
    room = Grid((60, 50, 40), np.array([[6, 0, 0, -180], [0, 6, 0, -150], [0, 0, 6, -120], [0, 0, 0, 1.0]]))
    patient = position_on_table(room, random, "pelvis", extras=False, person=person)
    axes = hip(person, 1)
    truth = hip_cases._truth(patient, axes, "left")
    matrix = np.diag([*3 * [FINE_MM], 1.0])
    matrix[:3, 3] = truth.head_center_lps - 40
    grid = Grid((133, 133, 133), matrix)
    return paint_body(grid, patient), grid, truth, -patient.scene.pose.rotation @ axes.neck


@pytest.mark.slow
def test_a_head_is_a_ball():
    hu, grid, truth, neck = joint()
    directions = ways()
    away = directions[directions @ neck < 0]
    inside, outside = (
        along(hu, grid, truth.head_center_lps, away, truth.head_mm / 2 + at) for at in np.array([[-0.4], [0.6]])
    )
    assert np.mean(inside > 500) > 0.95  # the dimple
    assert np.mean(outside < 250) > 0.97


@pytest.mark.slow
def test_a_socket_is_a_ball_with_its_rim_in_a_plane():
    hu, grid, truth, _ = joint()
    directions = ways()
    radius, height = truth.socket_mm / 2, directions @ truth.opening_lps
    rim = (truth.depth_mm - radius) / radius
    profile = along(hu, grid, truth.socket_center_lps, directions, radius + np.array([-0.6, 0.6, 5.0]))
    bone = (profile[:, 0] < 200) & (profile[:, 1] > 500)
    assert bone[height < rim - 0.05].mean() > 0.75  # the fossa
    front = (height > rim + 0.05) & (height < rim + 0.2)
    assert np.mean(profile[front, 1] > 400) < 0.02


@pytest.mark.slow
def test_a_case_is_the_same_again():
    assert np.array_equal(case("native").scan.hu, sample_hip_case(7, "native", spacing_mm=(1.0, 3.0)).scan.hu)


def test_angles_follow_murrays_definition():
    i, a = np.radians((42.0, 17.0))
    opening = np.array([-np.sin(i) * np.cos(a), -np.sin(a), -np.cos(i) * np.cos(a)])
    assert inclination_degrees(opening) == pytest.approx(42)
    assert anteversion_degrees(opening) == pytest.approx(17)


@pytest.mark.slow
def test_the_truth_matches_the_kind():
    assert [one.metal is None for one in case("native").truth.values()] == [True, True]
    assert sum(one.metal is not None for one in case("replaced").truth.values()) == 1
    for side in SIDES:
        one = case("native").truth[side]
        assert 40 <= one.head_mm <= 56
        assert 4 <= one.socket_mm - one.head_mm <= 10
        assert one.opening_lps[0] * (1 if side == "left" else -1) > 0.3
        assert np.linalg.norm(one.head_center_lps - one.socket_center_lps) < 1.3
        assert (case("native").scan.grid.to_index(one.head_center_lps) > 0).all()


@pytest.mark.slow
def test_metal_lies_where_the_truth_says():
    scan = case("replaced").scan
    metal = next(one.metal for one in case("replaced").truth.values() if one.metal)
    hu = scan.hu.astype(np.float32)
    directions = ways(400)
    ball = along(hu, scan.grid, metal.ball_center_lps, directions, metal.ball_mm / 2 + np.array([-3.0, 3.0]))
    assert np.mean(ball[:, 0] > 2500) > 0.98
    assert np.mean(ball[:, 1] > 2500) < 0.2  # the neck
    back = directions[directions @ metal.cup_opening_lps < metal.rim_mm / metal.cup_mm * 2 - 0.2]
    outside = along(hu, scan.grid, metal.cup_center_lps, back, np.array([metal.cup_mm / 2 + 3.0]))
    shell = along(hu, scan.grid, metal.cup_center_lps, back, metal.cup_mm / 2 - np.linspace(0, 2, 5)).max(axis=1)
    assert np.mean(shell > 2000) > 0.85  # holes
    assert np.mean(outside > 2500) < 0.05  # screws
    steps = np.diff(metal.stem_line_lps, axis=0)
    assert (unit(steps.sum(axis=0)) @ metal.stem_axis_lps) > 0.99


@pytest.mark.slow
def test_every_truth_has_a_quantity_that_is_measured():
    names = {f"{part}_{name}" for part, own in QUANTITIES.items() for name in own}
    for kind in ("native", "replaced"):
        for side, name in true_values(case(kind)):
            assert side == "both" or name in names


def test_errors_are_counted_by_quantity():
    one = Row(
        0, "native", False, "left", "x_diameter", "mm", 50.0, 50.5, 49.0, 52.0, 0.1, 9, "", 1, 1, 1, 1, False, 2.0
    )
    rows = [one, replace(one, value=49.0, low=48.0, high=49.5), replace(one, value=None, reason="too dark")]
    text = "\n".join(report(rows))
    assert "| x_diameter (mm) | 3 | 1 | -0.25 | 0.75 | 0.97 | 1.00 | 50 % |" in text
    assert "- 1 figures: too dark" in text
    assert "{'x_diameter': 2}" in "\n".join(report([replace(row, truth=None) for row in rows]))


@pytest.mark.slow
def test_variants_show_the_same_patient():
    scan = case("native").scan
    middle = case("native").truth["left"].head_center_lps
    here = map_coordinates(scan.hu.astype(float), scan.grid.to_index(middle)[:, None], order=1)[0]
    for name, other in variants(scan):
        there = map_coordinates(other.hu.astype(float), other.grid.to_index(middle)[:, None], order=1)[0]
        assert there == pytest.approx(here, abs=1e-6 if name in ("crop", "flip", "12 bits") else 80)
