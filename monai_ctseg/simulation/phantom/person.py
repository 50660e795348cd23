"""Person: what varies from patient to patient, and the pose of the body.

Lengths are those of a body of usual height; in truth all of it is `scale` times larger.

The body frame: mm, x to the left, y to the back, z to the head, its origin midway between the femoral heads; knees at
z = -430, the top of the head at 840.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.phantom.fields import waves
from monai_ctseg.simulation.sdf import Floats, Points, rotation_about

Field = Callable[[Points], Floats]


@dataclass(frozen=True)
class HipJoint:
    """A hip joint whose measures are known: the socket is a ball, cut by the plane in which its rim lies.

    Attributes:
        opening: (x, y, z) of a left hip's socket, x to the left; a right one is its mirror image.
        gap_mm: how much larger than the femoral head's the ball's radius is.
        offset_mm: the ball's centre, from the head's.
        rim_mm: how far before the ball's centre the rim's plane lies.
        fossa_mm: depth of the hollow in the floor, which leaves the socket by the notch below.
        fovea_mm: depth of the dimple in the head.
        plate_mm: thickness of the head's shell.
        core_hu: how much denser the head's middle is than other spongy bone.
        fluid_hu: of cartilage and fluid.
    """

    opening: tuple[float, float, float]
    gap_mm: float
    offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rim_mm: float = 0.0
    fossa_mm: float = 4.0
    fovea_mm: float = 2.0
    plate_mm: float = 0.7
    core_hu: float = 150.0
    fluid_hu: float = 80.0


@dataclass(frozen=True, eq=False)
class Person:
    """A patient: size, fat, bone, HU of tissues, and the textures.

    Attributes:
        joints: right and left hip, where their measures are to be known; None for hips as wide as usual.
        turned_degrees: by how much more than by chance the body is turned about x, y and z.
    """

    random: np.random.Generator
    scale: float
    fat_mm: float
    belly_mm: float
    bulk_mm: float
    septum_mm: float
    cortex: float
    fat_hu: float
    muscle_hu: float
    strands_hu: float
    streaks_hu: float
    blood_hu: float
    spongy_hu: float
    shell_hu: float
    marrow_hu: float
    hip_x: float
    head_mm: float
    neck_mm: float
    neck_degrees: float
    forward_degrees: float
    knee_x: tuple[float, float]
    coarse: Field
    fine: Field
    joints: tuple[HipJoint, HipJoint] | None = None
    turned_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def spongy(self, at: Points) -> Floats:
        """HU of spongy bone: beams and gaps."""
        return np.float32(self.spongy_hu) * (1 + np.float32(0.13) * (self.fine(at) + self.coarse(at)))

    def fat(self, coarse: Floats, fine: Floats) -> Floats:
        """HU of fat, with strands, from the values of both textures."""
        strands = np.maximum(1 - 12 * np.abs(np.abs(coarse) - np.float32(0.75)), 0) * np.clip(fine, 0, 1)
        result: Floats = np.float32(self.fat_hu) + np.float32(3) * coarse + np.float32(self.strands_hu) * strands
        return result

    def muscle(self, coarse: Floats, fine: Floats) -> Floats:
        """HU of muscle, with some fat between its fibres, from the values of both textures."""
        streaks = np.maximum(1 - 8 * np.abs(coarse), 0)
        result: Floats = np.float32(self.muscle_hu) + np.float32(3) * fine - np.float32(self.streaks_hu) * streaks
        return result


def sample_person(random: np.random.Generator) -> Person:
    """A patient at random; about one in five is obese."""
    obese = random.random() < 0.2
    fat = random.uniform(30, 58) if obese else random.uniform(5, 28)
    bone = random.uniform(0, 1)
    neck_degrees = random.uniform(122, 138)
    return Person(
        random=random,
        scale=random.uniform(0.87, 1.1),
        fat_mm=fat,
        belly_mm=random.uniform(0.2, 1.1) * min(fat, 40),
        bulk_mm=random.uniform(3, 10),
        septum_mm=random.uniform(0.5, 2.2),
        cortex=0.6 + 0.6 * bone + random.uniform(0, 0.15),
        fat_hu=random.uniform(-108, -92),
        muscle_hu=random.uniform(46, 66),
        strands_hu=random.uniform(0, 30),
        streaks_hu=random.choice([0.0, random.uniform(0, 70)]),
        blood_hu=random.uniform(35, 48),
        spongy_hu=150 + 190 * bone + random.uniform(0, 80),
        shell_hu=random.uniform(1250, 1750),
        marrow_hu=random.uniform(-55, 0),
        hip_x=random.uniform(82, 94),
        head_mm=random.uniform(21, 26),
        neck_mm=random.uniform(48, 60),
        neck_degrees=neck_degrees,
        forward_degrees=random.uniform(2, 25),
        knee_x=(random.uniform(70, 105), random.uniform(70, 105)),
        coarse=waves(random, shortest_mm=25, longest_mm=90, count=6),
        fine=waves(random, shortest_mm=3, longest_mm=14, count=13),
    )


@dataclass(frozen=True, eq=False)
class Pose:
    """Where the body lies: body mm -> LPS mm.

    Attributes:
        rotation: 3 x 3.
        scale: LPS mm for a body mm.
        anchor: a point of the body, (3,) mm,
        at_lps: and where it lies, (3,) mm.
    """

    rotation: FloatArray
    scale: float
    anchor: FloatArray
    at_lps: FloatArray

    def to_lps(self, point: FloatArray) -> FloatArray:
        """A point of the body in LPS."""
        return self.at_lps + self.rotation @ (np.asarray(point, dtype=float) - self.anchor) * self.scale

    @property
    def from_lps(self) -> FloatArray:
        """LPS -> body, 4 x 4."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.rotation.T / self.scale
        matrix[:3, 3] = self.anchor - matrix[:3, :3] @ self.at_lps
        return matrix


def sample_pose(random: np.random.Generator, person: Person, anchor: FloatArray, at_lps: FloatArray) -> Pose:
    """The anchor comes to lie at `at_lps`, the body turned by a few degrees about each axis."""
    tilts = random.normal(0, (1.2, 1.2, 2.5)) + person.turned_degrees
    rotation = np.linalg.multi_dot([rotation_about(axis, float(degrees)) for axis, degrees in enumerate(tilts)])
    return Pose(rotation, person.scale, anchor, at_lps)
