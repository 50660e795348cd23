"""Scene: which things a body is made of, in the order of painting, and where implants may go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from monai_ctseg.grid import FloatArray, unit
from monai_ctseg.simulation.phantom.canvas import Layer
from monai_ctseg.simulation.phantom.chest import HEART, airway, chest_organs, front_y, rib_cage, shoulders
from monai_ctseg.simulation.phantom.extras import (
    Contrast,
    arm_vein,
    cement,
    dense_spot,
    lumps,
    plaques,
    sample_contrast,
)
from monai_ctseg.simulation.phantom.fields import Profile
from monai_ctseg.simulation.phantom.head import NOSE, head_layers, head_muscles, lips_gap
from monai_ctseg.simulation.phantom.limbs import Arm, Shaft, arm, lower_leg
from monai_ctseg.simulation.phantom.muscles import muscles
from monai_ctseg.simulation.phantom.organs import AORTA, ARTERY, arteries, bladder, bowel, veins, vessels
from monai_ctseg.simulation.phantom.outline import Outline
from monai_ctseg.simulation.phantom.pelvis import femur, hip, hip_bone, joint_space, sacrum
from monai_ctseg.simulation.phantom.person import Person, Pose, sample_pose
from monai_ctseg.simulation.phantom.spine import Vertebra, spine, spine_layers
from monai_ctseg.simulation.sdf import Solid, xyz

BodyPart = Literal["pelvis", "head", "spine", "limb", "trunk"]
BODY_PARTS: tuple[BodyPart, ...] = ("pelvis", "head", "spine", "limb", "trunk")
Site = Literal["hip", "socket", "femur", "spine", "jaw", "trunk", "sternum", "chest", "skin", "table"]
UP = np.array([0.0, 0.0, 1.0])
# muscle in the wall of the trunk, mm, and how far inside the lean outline its cavity begins
WALL = [(30, -8), (60, 9), (130, 15), (280, 13), (400, 20), (540, 16), (590, -8)]
CAVITY = [(-95, 70), (-60, 34), (20, 14), (60, 11), (130, 16), (280, 14), (400, 21), (540, 22), (575, 60), (600, 90)]
ANCHORS: dict[BodyPart, tuple[float, float, float]] = {
    "pelvis": (0, 0, 0), "spine": (0, 10, 200), "trunk": (0, 0, 340), "head": (0, -8, 685), "limb": (0, 0, -330),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Landmark:
    """A point of the body, or of the table, where implants may sit.

    Attributes:
        site: what kind of point it is, see below.
        point_lps: (3,) mm.
        axis_lps: (3,) unit vector.
        second_lps: (3,) unit vector.
        side: of the patient.
        size_mm: a radius, unless said otherwise.

    hip: centre of the femoral head, axis from the shaft up the neck, second axis up the shaft; size: of the head
    socket: the same centre, axis out of the socket, second axis up the body; size: of the socket
    femur: in the middle of the shaft of femur, tibia, humerus or radius, axis up the shaft, second axis away from the
    body's middle; size: of the shaft
    spine: the middle of a pedicle, axis forward along it, second axis up the vertebra; size: of the pedicle
    jaw: the middle of a tooth's crown, axis from its root, second axis to lip or cheek; size: half the tooth's width
    trunk: the middle of a vessel, axis along it; of the heart, axis to its tip; of the gall bladder; size: of the organ
    sternum: the middle of the sternum, axis up, second axis forward; size: half the bone's thickness
    chest: in the muscle beside the sternum, axis down and inwards, second axis out of the chest; size 0
    skin: a point on the skin that does not rest on the table, axis outwards, second axis up the body; size 0
    table: a point on the table's surface on which nothing lies, axis up the body, second axis away from it;
    size: half the table's width
    """

    site: Site
    point_lps: FloatArray
    axis_lps: FloatArray
    second_lps: FloatArray
    side: Literal["left", "right", "middle"]
    size_mm: float


@dataclass(eq=False)
class Scene:
    """All that is painted, in the order of painting."""

    person: Person
    pose: Pose
    outline: Outline
    muscles: list[Solid]
    organs: list[Layer] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    landmarks: list[Landmark] = field(default_factory=list)

    def mark(
        self, site: Site, point: FloatArray, axis: FloatArray, second: FloatArray, side: int, size_mm: float
    ) -> None:
        """Note a landmark given in the body frame."""
        turned = [unit(self.pose.rotation @ np.asarray(a)) for a in (axis, second)]
        name: Literal["left", "right", "middle"] = "left" if side > 0 else "right" if side < 0 else "middle"
        size = size_mm * self.pose.scale
        self.landmarks.append(Landmark(site, self.pose.to_lps(point), turned[0], turned[1], name, size))

    @property
    def wall(self) -> Profile:
        """Thickness of the trunk's wall of muscle by z."""
        return Profile(WALL)


def compose(random: np.random.Generator, person: Person, part: BodyPart, at_lps: FloatArray, *, extras: bool) -> Scene:
    """The body of a person, of which `part` comes to lie at `at_lps`, (3,) mm."""
    anchor = np.add(ANCHORS[part], random.normal(0, (8, 6, 25)))
    contrast = sample_contrast(random, extras)
    if part == "limb":
        return _limb(random, person, anchor, at_lps, contrast)
    pose = sample_pose(random, person, anchor, at_lps)
    beside = [arm(person, side) for side in (-1, 1)] if part != "head" and random.random() < 0.35 else []
    more = [shape for one in beside for shape in one.lean]
    outline = Outline(person, more=[*NOSE, *more])
    own = muscles(person) + head_muscles(person) + [shape for one in beside for shape in one.muscles]
    scene = Scene(person, pose, outline, own)
    _trunk(scene, contrast, extras)
    if part in ("head", "trunk"):
        _head(scene)
    _legs(scene, (-1, 1))
    for one in beside:
        _arm(scene, one, contrast)
    return scene


def _limb(
    random: np.random.Generator, person: Person, anchor: FloatArray, at_lps: FloatArray, contrast: Contrast
) -> Scene:
    """Both legs, one leg, or an arm, by itself."""
    choice = random.choice(["both", "leg", "arm"], p=[0.5, 0.25, 0.25])
    side = int(random.choice((-1, 1)))
    if choice == "arm":
        one = arm(person, side)
        middle = one.shafts[int(random.integers(len(one.shafts)))].point
        pose = sample_pose(random, person, middle + random.normal(0, (8, 6, 25)), at_lps)
        scene = Scene(person, pose, Outline(person, more=one.lean, torso=False, sides=()), one.muscles)
        _arm(scene, one, contrast)
        return scene
    sides = (-1, 1) if choice == "both" else (side,)
    shift = np.array([0.0 if len(sides) > 1 else side * 88, 0, random.uniform(-330, 180)])
    pose = sample_pose(random, person, anchor + shift, at_lps)
    scene = Scene(person, pose, Outline(person, torso=False, sides=sides), muscles(person, sides))
    red, blue = ([shape for shape in shapes(person, sides) if shape.high[2] < 10] for shapes in (arteries, veins))
    scene.layers += vessels(blue, person.blood_hu + contrast.vein) + vessels(red, person.blood_hu + contrast.artery)
    _legs(scene, sides)
    scene.layers += plaques(random, red, int(random.integers(0, 20)))
    return scene


def _trunk(scene: Scene, contrast: Contrast, extras: bool) -> None:
    person, random = scene.person, scene.person.random
    red, blue = arteries(person), veins(person)
    scene.organs += chest_organs(person, contrast_hu=min(contrast.artery, 350))
    scene.organs += bowel(person, contrast.bowel) + bladder(person, contrast.urine)
    row = spine(person)
    scene.layers += vessels(blue, person.blood_hu + contrast.vein) + vessels(red, person.blood_hu + contrast.artery)
    scene.layers += airway()
    scene.layers += [*spine_layers(person, row), sacrum(person).layer()]
    scene.layers += rib_cage(person, scene.outline, row)
    for side in (-1, 1):
        scene.layers += shoulders(person, side)
        axes = hip(person, side)
        scene.layers += [*joint_space(axes, person.head_mm), hip_bone(person, axes).layer()]
    for vertebra in row:
        for side, point, way in vertebra.pedicles:
            scene.mark("spine", point, way, vertebra.turn[:, 2], side, vertebra.pedicle_mm)
    for n in range(len(AORTA[0]) - 1):
        _vessel_mark(scene, AORTA, n, 0)
    for side in (-1, 1):
        for n in range(4):
            _vessel_mark(scene, ARTERY, n, side)
    scene.mark("trunk", np.array(HEART, dtype=float), unit((0.6, -0.6, -0.5)), UP, 0, 30)
    scene.mark("trunk", np.array([-38.0, -40, 258]), UP, np.array([0, -1.0, 0]), 0, 8)
    _chest_marks(scene)
    if extras:
        scene.layers += plaques(random, red, int(random.choice([0, 5, 40, 120])))
        scene.layers += lumps(person, xyz(-90, -50, -40), xyz(90, 40, 300))
        scene.layers += arm_vein(int(random.choice((-1, 1))), contrast.arm) if contrast.arm else []
        _dense(scene, row)


def _dense(scene: Scene, row: list[Vertebra]) -> None:
    """Cement in vertebrae or above a hip, dense spots in the spine."""
    person, random = scene.person, scene.person.random
    if random.random() < 0.2:
        for n in random.choice(len(row) - 8, 2, replace=False):
            scene.layers += cement(random, row[int(n)].center, 14.0)
    if random.random() < 0.3:
        scene.layers += dense_spot(random, row[int(random.integers(6))].center + random.normal(0, 6, 3))
    if random.random() < 0.15:
        scene.layers += cement(random, xyz(float(random.choice((-1, 1))) * (person.hip_x + 4), 6, 34), 13.0)


def _vessel_mark(
    scene: Scene, vessel: tuple[tuple[tuple[float, ...], ...], tuple[float, ...]], n: int, side: int
) -> None:
    points, radii = vessel
    a, b = (np.array(p) * ((side or 1), 1, 1) for p in points[n : n + 2])
    way = unit(b - a)
    scene.mark("trunk", (a + b) / 2, way, unit(np.cross(way, (0.3, 1, 0.2))), side, radii[n])


def _chest_marks(scene: Scene) -> None:
    """On the sternum, and where generators lie; at two heights each, as the image may end between them."""
    bone_y = (front_y(scene.outline, 490) + front_y(scene.outline, 400)) / 2 + 13
    for z in (435, 395):
        scene.mark("sternum", xyz(0, bone_y, z), UP, xyz(0, -1, 0), 0, 6.5)
    for z in (445, 395):
        for side in (-1, 1):
            point = xyz(side * 60, front_y(scene.outline, z) + 16, z)
            scene.mark("chest", point, xyz(-0.37 * side, 0.17, -0.91), xyz(0.28 * side, -0.96, 0), side, 0)


def _head(scene: Scene) -> None:
    layers, teeth = head_layers(scene.person)
    scene.layers += lips_gap(scene.person.random) + layers
    for tooth in teeth:
        scene.mark("jaw", tooth.crown, tooth.up, tooth.out, tooth.side, tooth.half_mm)


def _legs(scene: Scene, sides: tuple[int, ...]) -> None:
    person = scene.person
    for side in sides:
        axes = hip(person, side)
        scene.layers.append(femur(person, axes).layer())
        bones, shafts = lower_leg(person, side)
        scene.layers += [bone.layer() for bone in bones]
        across = np.array([side, 0.0, 0.0])
        scene.mark("hip", axes.head, axes.neck, axes.shaft, side, person.head_mm)
        scene.mark("socket", axes.head, axes.opening, UP, side, person.head_mm + 3)
        for z in (-90, -180, -280):
            scene.mark("femur", axes.on_shaft(z), axes.shaft, across, side, 14)
        _shaft_marks(scene, shafts)


def _shaft_marks(scene: Scene, shafts: list[Shaft]) -> None:
    for shaft in shafts:
        scene.mark("femur", shaft.point, shaft.up, np.array([shaft.side, 0.0, 0.0]), shaft.side, shaft.radius_mm)


def _arm(scene: Scene, one: Arm, contrast: Contrast) -> None:
    scene.layers += vessels(one.vein, contrast.arm or scene.person.blood_hu)
    scene.layers += [bone.layer() for bone in one.bones]
    _shaft_marks(scene, one.shafts)
