"""Positioning: a body on the table, what else lies there, and the landmarks on skin and table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from monai_ctseg.grid import FloatArray, Grid, unit
from monai_ctseg.simulation.phantom.canvas import Layer, Space, every
from monai_ctseg.simulation.phantom.extras import calibration_pad, skin_markers
from monai_ctseg.simulation.phantom.person import Person, sample_person
from monai_ctseg.simulation.phantom.scene import UP, BodyPart, Landmark, Scene, compose
from monai_ctseg.simulation.phantom.table import Table, sample_table
from monai_ctseg.simulation.sdf import Floats, xyz


@dataclass(frozen=True, eq=False)
class PatientOnTable:
    """A body, the table under it, and what else lies on the table.

    Attributes:
        scene: the body.
        table: what carries it, in LPS.
        below: layers of all that lies below and beside the body, to paint in LPS.
    """

    scene: Scene
    table: Table
    below: list[Layer]

    def skin(self, shape: tuple[int, int, int], to_lps: FloatArray) -> Floats:
        """Distance to the skin, which the table flattens.

        Args:
            shape: how many points along i, j and k.
            to_lps: 4 x 4, index (i, j, k) -> LPS mm.

        Returns:
            mm, float32 [i, j, k], negative inside.
        """
        _, skin = self.scene.outline.distances(Space(shape, self.scene.pose.from_lps @ to_lps), every(shape))
        room = Space(shape, to_lps).points(every(shape))
        return self.table.press(skin * np.float32(self.scene.pose.scale), room)


def position_on_table(
    grid: Grid, random: np.random.Generator, part: BodyPart, *, extras: bool, person: Person | None = None
) -> PatientOnTable:
    """A patient at random, or a given person, on a table.

    Args:
        grid: the part of the body comes to lie in its middle.
        random: chooses all that is not given.
        part: which part of the body.
        extras: also what is bright without being metal, at random.
        person: None for a person at random.
    """
    person = person or sample_person(random)
    scene = compose(random, person, part, grid.center_lps, extras=extras)
    patient = PatientOnTable(scene, _rest(scene, sample_table(random, head=part == "head"), grid), [])
    on_skin = _skin_marks(patient, grid)
    scene.landmarks += on_skin + _table_marks(patient, grid)
    patient.below.extend(patient.table.layers())
    if extras and random.random() < 0.25:
        to_body = scene.pose.from_lps
        points = [to_body[:3, :3] @ mark.point_lps + to_body[:3, 3] for mark in on_skin[:4]]
        scene.layers += skin_markers(random, points)
    if extras and part in ("pelvis", "spine") and random.random() < 0.12:
        patient.below.extend(calibration_pad(random, patient.table.top))
    return patient


def _rest(scene: Scene, table: Table, grid: Grid) -> Table:
    """The table under the body: its top touches the skin where the body lies lowest, and sinks in a little."""
    random, middle = scene.person.random, grid.center_lps
    corners = grid.to_lps(np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1).T)
    low, high = corners[:, 2].min() - 120, corners[:, 2].max() + 120
    if table.narrow:
        low, high = middle[2], middle[2] + 60  # a head rest carries the head, not the shoulders
    half = min(240.0, table.width_mm / 2)
    frame = np.diag([half / 30, 4.0, 10.0, 1.0])
    frame[:3, 3] = (middle[0] - half, middle[1] - 40, low)
    shape = (61, 100, max(2, int((high - low) / 10)))
    start = xyz(middle[0] + random.normal(0, 8), middle[1] - 1000, middle[2])
    depth = replace(table, top=start).depth(Space(shape, frame).points(every(shape)))
    _, skin = scene.outline.distances(Space(shape, scene.pose.from_lps @ frame), every(shape))
    inside = np.broadcast_to(depth, shape)[skin < 0]
    deepest = float(inside.max()) if inside.size else 1120.0
    return replace(table, top=start + xyz(0, deepest - random.uniform(1, 9), 0))


def _skin_marks(patient: PatientOnTable, grid: Grid, count: int = 12) -> list[Landmark]:
    """Points of the skin that do not rest on the table, found along rays towards the axis of the body."""
    random, step_mm, steps = patient.scene.person.random, 0.5, 900
    marks = []
    for _ in range(count):
        target = grid.to_lps(np.subtract(grid.shape, 1) * (0.5, 0.5, random.uniform(0.1, 0.9)))
        angle = random.uniform(0, 2 * np.pi)
        outward = xyz(np.cos(angle), np.sin(angle), 0)
        start = target + random.uniform((-60, -60, 0), (60, 60, 0)) + steps * step_mm * outward
        ray = np.eye(4)
        ray[:3, :3] = np.stack([-step_mm * outward, UP, np.cross(outward, UP)], axis=1)
        ray[:3, 3] = start
        outside = patient.skin((steps, 1, 1), ray)[:, 0, 0] > 0
        point = start - step_mm * outward * float(np.argmin(outside))
        x, y, z = (np.full((1, 1, 1), p, dtype=np.float32) for p in point)
        if outside[0] and not outside.all() and float(patient.table.depth((x, y, z))[0, 0, 0]) < -3:
            marks.append(Landmark("skin", point, _normal(patient, point), UP, "middle", 0.0))
    return marks


def _normal(patient: PatientOnTable, point: FloatArray) -> FloatArray:
    """Out of the skin."""
    around = np.diag([2.0, 2.0, 2.0, 1.0])
    around[:3, 3] = point - 2.0
    near = patient.skin((3, 3, 3), around)
    return unit((near[2, 1, 1] - near[0, 1, 1], near[1, 2, 1] - near[1, 0, 1], near[1, 1, 2] - near[1, 1, 0]))


def _table_marks(patient: PatientOnTable, grid: Grid) -> list[Landmark]:
    """Points of the table on which nothing lies, one on either side where there is room."""
    table, random, marks = patient.table, patient.scene.person.random, []
    for side in (-1, 1):
        for x in side * random.uniform(0.35, 0.97, 12) * table.width_mm / 2:
            point = table.top + xyz(x, -(x * x) / 2 / table.bend_mm, 0)
            point[2] = grid.center_lps[2]
            above = np.eye(4)
            above[:3, 3] = point - xyz(0, 15, 0)
            if patient.skin((1, 1, 1), above)[0, 0, 0] > 15:
                name: Literal["left", "right"] = "left" if side > 0 else "right"
                marks.append(Landmark("table", point, UP, xyz(0, -1, 0), name, table.width_mm / 2))
                break
    return marks
