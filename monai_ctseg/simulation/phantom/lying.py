"""Lying: a body on its couch, what else lies there, and the places on skin and couch that this leaves for implants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.simulation.phantom.canvas import Layer, Space, every
from monai_ctseg.simulation.phantom.couch import Couch, draw_couch
from monai_ctseg.simulation.phantom.extras import calibration_pad, skin_markers
from monai_ctseg.simulation.phantom.person import Person, draw_person
from monai_ctseg.simulation.phantom.scene import UP, Landmark, Part, Scene, compose
from monai_ctseg.simulation.sdf import Floats, unit, xyz


@dataclass(frozen=True, eq=False)
class Lying:
    """A body, the couch under it, and the layers of all that lies below and beside the body, in LPS."""

    scene: Scene
    couch: Couch
    below: list[Layer]

    def skin(self, shape: tuple[int, int, int], to_lps: FloatArray) -> Floats:
        """Distance to the skin, which the couch flattens, mm, at index points (i, j, k) -> LPS."""
        _, skin = self.scene.outline.distances(Space(shape, self.scene.pose.from_lps @ to_lps), every(shape))
        room = Space(shape, to_lps).points(every(shape))
        return self.couch.press(skin * np.float32(self.scene.pose.scale), room)


def lay_down(
    grid: Grid, random: np.random.Generator, part: Part, *, extras: bool, person: Person | None = None
) -> Lying:
    """A patient at random, or this one, the part in the middle of the grid."""
    person = person or draw_person(random)
    scene = compose(random, person, part, grid.center_lps, extras=extras)
    lying = Lying(scene, _rest(scene, draw_couch(random, head=part == "head"), grid), [])
    on_skin = _skin_marks(lying, grid)
    scene.landmarks += on_skin + _couch_marks(lying, grid)
    lying.below.extend(lying.couch.layers())
    if extras and random.random() < 0.25:
        to_body = scene.pose.from_lps
        points = [to_body[:3, :3] @ mark.point_lps + to_body[:3, 3] for mark in on_skin[:4]]
        scene.layers += skin_markers(random, points)
    if extras and part in ("pelvis", "spine") and random.random() < 0.12:
        lying.below.extend(calibration_pad(random, lying.couch.top))
    return lying


def _rest(scene: Scene, couch: Couch, grid: Grid) -> Couch:
    """The couch under the body: its top touches the skin where the body lies lowest, and sinks in a little."""
    random, middle = scene.person.random, grid.center_lps
    corners = grid.to_lps(np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1).T)
    low, high = corners[:, 2].min() - 120, corners[:, 2].max() + 120
    if couch.narrow:
        low, high = middle[2], middle[2] + 60  # a head rest carries the head, not the shoulders
    half = min(240.0, couch.width_mm / 2)
    frame = np.diag([half / 30, 4.0, 10.0, 1.0])
    frame[:3, 3] = (middle[0] - half, middle[1] - 40, low)
    shape = (61, 100, max(2, int((high - low) / 10)))
    start = xyz(middle[0] + random.normal(0, 8), middle[1] - 1000, middle[2])
    depth = replace(couch, top=start).depth(Space(shape, frame).points(every(shape)))
    _, skin = scene.outline.distances(Space(shape, scene.pose.from_lps @ frame), every(shape))
    inside = np.broadcast_to(depth, shape)[skin < 0]
    deepest = float(inside.max()) if inside.size else 1120.0
    return replace(couch, top=start + xyz(0, deepest - random.uniform(1, 9), 0))


def _skin_marks(lying: Lying, grid: Grid, count: int = 12) -> list[Landmark]:
    """Points of the skin that do not rest on the couch, found along rays towards the axis of the body."""
    random, step_mm, steps = lying.scene.person.random, 0.5, 900
    marks = []
    for _ in range(count):
        target = grid.to_lps(np.subtract(grid.shape, 1) * (0.5, 0.5, random.uniform(0.1, 0.9)))
        angle = random.uniform(0, 2 * np.pi)
        outward = xyz(np.cos(angle), np.sin(angle), 0)
        start = target + random.uniform((-60, -60, 0), (60, 60, 0)) + steps * step_mm * outward
        ray = np.eye(4)
        ray[:3, :3] = np.stack([-step_mm * outward, UP, np.cross(outward, UP)], axis=1)
        ray[:3, 3] = start
        outside = lying.skin((steps, 1, 1), ray)[:, 0, 0] > 0
        point = start - step_mm * outward * float(np.argmin(outside))
        x, y, z = (np.full((1, 1, 1), p, dtype=np.float32) for p in point)
        if outside[0] and not outside.all() and float(lying.couch.depth((x, y, z))[0, 0, 0]) < -3:
            marks.append(Landmark("skin", point, _normal(lying, point), UP, "middle", 0.0))
    return marks


def _normal(lying: Lying, point: FloatArray) -> FloatArray:
    """Out of the skin."""
    around = np.diag([2.0, 2.0, 2.0, 1.0])
    around[:3, 3] = point - 2.0
    near = lying.skin((3, 3, 3), around)
    return unit((near[2, 1, 1] - near[0, 1, 1], near[1, 2, 1] - near[1, 0, 1], near[1, 1, 2] - near[1, 1, 0]))


def _couch_marks(lying: Lying, grid: Grid) -> list[Landmark]:
    """Points of the couch on which nothing lies, one on either side where there is room."""
    couch, random, marks = lying.couch, lying.scene.person.random, []
    for side in (-1, 1):
        for x in side * random.uniform(0.35, 0.97, 12) * couch.width_mm / 2:
            point = couch.top + xyz(x, -(x * x) / 2 / couch.bend_mm, 0)
            point[2] = grid.center_lps[2]
            above = np.eye(4)
            above[:3, 3] = point - xyz(0, 15, 0)
            if lying.skin((1, 1, 1), above)[0, 0, 0] > 15:
                name: Literal["left", "right"] = "left" if side > 0 else "right"
                marks.append(Landmark("table", point, UP, xyz(0, -1, 0), name, couch.width_mm / 2))
                break
    return marks
