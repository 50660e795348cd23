"""Bodies: anatomically plausible parts of a patient on a table, on any grid, without metal, noise or blur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.simulation.phantom.canvas import Canvas, Space, mix
from monai_ctseg.simulation.phantom.fields import Profile
from monai_ctseg.simulation.phantom.outline import SKIN_MM
from monai_ctseg.simulation.phantom.positioning import PatientOnTable, position_on_table
from monai_ctseg.simulation.phantom.scene import CAVITY, BodyPart, Landmark, Scene
from monai_ctseg.simulation.sdf import FAR_MM, Floats, Points, Solid, smooth_max

SWELL = [(-850, 3), (-500, 7), (-350, 9), (-130, 14), (-70, 13), (-30, 8), (20, 2), (560, 2), (600, 0)]
"""How much further muscles reach by z, mm: in the thighs they fill the limb."""
SLAB_VOXELS = 1_500_000
AIR_HU = -1000.0


@dataclass(frozen=True, eq=False)
class BodyPhantom:
    """A body on a grid, without metal, noise or blur.

    Attributes:
        hu: [i, j, k] float32, air is -1000.
        grid: of the voxels.
        part: of the body.
        landmarks: those that lie on the grid.
    """

    hu: Floats
    grid: Grid
    part: BodyPart
    landmarks: tuple[Landmark, ...]


def sample_body(
    grid: Grid, *, seed: int, part: BodyPart = "pelvis", extras: bool = True, whole: Grid | None = None
) -> BodyPhantom:
    """A patient at random on a table; the same arguments give the same voxels.

    Args:
        grid: of the result; it may cut the body.
        seed: of the patient.
        part: what lies in the middle of the grid.
        extras: also, at random, what is bright without being metal: contrast medium in vessels, bladder or bowel,
            calcification, bone cement, markers.
        whole: the grid in whose middle the part lies, where `grid` shows only some of that patient.
    """
    random = np.random.default_rng(seed)
    patient = position_on_table(whole or grid, random, part, extras=extras)
    inside = [mark for mark in patient.scene.landmarks if _on(grid, mark.point_lps)]
    return BodyPhantom(paint_body(grid, patient), grid, part, tuple(inside))


def paint_body(grid: Grid, patient: PatientOnTable) -> Floats:
    """HU of a patient on the table, [i, j, k] float32, painted slab by slab."""
    hu = np.empty(grid.shape, dtype=np.float32, order="F")
    step = max(1, SLAB_VOXELS // (grid.shape[0] * grid.shape[1]))
    for start in range(0, grid.shape[2], step):
        stop = min(start + step, grid.shape[2])
        hu[:, :, start:stop] = _slab(grid, start, stop, patient)
    return hu


def _slab(grid: Grid, start: int, stop: int, patient: PatientOnTable) -> Floats:
    """HU of some slices [i, j, k]."""
    shape = (grid.shape[0], grid.shape[1], stop - start)
    to_lps = np.array(grid.index_to_lps)
    to_lps[:3, 3] += start * to_lps[:3, 2]
    hu = np.full(shape, np.float32(AIR_HU))
    edge, pose = grid.voxel_mm3 ** (1 / 3), patient.scene.pose
    room = Canvas(hu, Space(shape, to_lps), edge)
    for layer in patient.below:
        layer.paint(room)
    body = Canvas(hu, Space(shape, pose.from_lps @ to_lps), edge / pose.scale)
    _soft_tissue(body, patient, room.space.points(room.whole))
    for layer in patient.scene.layers:
        layer.paint(body)
    return hu


def _soft_tissue(canvas: Canvas, patient: PatientOnTable, at_lps: Points) -> None:
    """Skin, fat, organs, and muscles with the fat between them."""
    scene, at = patient.scene, canvas.space.points(canvas.whole)
    person = scene.person
    lean, skin = scene.outline.distances(canvas.space, canvas.whole)
    skin = patient.table.press(skin, at_lps)
    coarse, fine = person.coarse(at), person.fine(at)
    mix(canvas.hu, canvas.cover(skin), at, 5.0)
    mix(canvas.hu, canvas.cover(skin + np.float32(SKIN_MM)), at, person.fat(coarse, fine))
    _organs(canvas, scene, lean)
    share = _muscle_share(canvas, scene, lean, coarse)
    share *= canvas.cover(skin + np.float32(SKIN_MM + 1))
    mix(canvas.hu, share, at, person.muscle(coarse, fine))


def _muscle_share(canvas: Canvas, scene: Scene, lean: Floats, coarse: Floats) -> Floats:
    """Share of each voxel that is muscle: in the lean body, outside the septa between muscles."""
    person, (_, _, z) = scene.person, canvas.space.points(canvas.whole)
    first, second = nearest_two(canvas.space, scene.muscles)
    swell = np.float32(1.5) * coarse + np.float32(0.4 + person.bulk_mm / 12) * Profile(SWELL)(z)
    first -= swell
    second -= swell
    wall = np.maximum(lean, -lean - scene.wall(z))
    second = np.minimum(second, np.maximum(first, wall))
    first = np.minimum(first, wall)
    septum, edge = np.float32(person.septum_mm), np.float32(canvas.edge_mm)
    gap = np.clip((septum + 2 * edge - second + first) / (2 * edge), 0, min(1.0, person.septum_mm / canvas.edge_mm))
    share = canvas.cover(smooth_max(first, lean, 8.0))
    share *= 1 - gap * np.clip(1 + np.float32(0.5) * coarse, 0, 1)
    return share


def _organs(canvas: Canvas, scene: Scene, lean: Floats) -> None:
    """What lies in the cavity of the trunk, cut by its wall."""
    if scene.organs:
        within = Canvas(canvas.hu.copy(), canvas.space, canvas.edge_mm)
        for layer in scene.organs:
            layer.paint(within)
        _, _, z = canvas.space.points(canvas.whole)
        canvas.hu += canvas.cover(lean + Profile(CAVITY)(z)) * (within.hu - canvas.hu)


def nearest_two(space: Space, shapes: list[Solid]) -> tuple[Floats, Floats]:
    """Distance to the nearest and to the next of the shapes, FAR_MM where they are more than a few mm away."""
    first = np.full(space.shape, np.float32(FAR_MM))
    second = first.copy()
    for shape in shapes:
        block = space.block(shape.low - 6, shape.high + 6)
        if block is not None:
            near = shape.distance(space.points(block))
            second[block] = np.minimum(second[block], np.maximum(first[block], near))
            first[block] = np.minimum(first[block], near)
    return first, second


def _on(grid: Grid, point_lps: FloatArray) -> bool:
    index = grid.to_index(point_lps)
    return bool((index >= 0).all() and (index <= np.array(grid.shape) - 1).all())
