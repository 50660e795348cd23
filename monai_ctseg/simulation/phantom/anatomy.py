"""Anatomy: the patient of `make_phantom`: hips and thighs with a hip screw, a flat couch, and a marker."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.simulation.phantom.couch import Couch
from monai_ctseg.simulation.phantom.lying import Lying
from monai_ctseg.simulation.phantom.muscles import muscles
from monai_ctseg.simulation.phantom.organs import arteries, bladder, rectum, veins, vessels
from monai_ctseg.simulation.phantom.outline import Outline
from monai_ctseg.simulation.phantom.pelvis import Hip, femur, hip, hip_bone, sacrum
from monai_ctseg.simulation.phantom.person import Person, Pose, draw_person
from monai_ctseg.simulation.phantom.scene import Scene
from monai_ctseg.simulation.phantom.shapes import Shape, turn_about, xyz
from monai_ctseg.simulation.sdf import Solid, bar, rod, unit

TABLE_TOP_Y_MM = 104.0
"""Of the couch's top behind the middle of the volume."""
HIPS_Z_MM = 44.0
"""Of the femoral heads above the middle of the volume."""


@dataclass(frozen=True, eq=False)
class Patient:
    """A body on a couch, and the side of its implant (1 left, -1 right)."""

    person: Person
    lying: Lying
    side: int

    @property
    def from_lps(self) -> FloatArray:
        """LPS -> mm about the hips, 4 x 4: the body frame in true size."""
        return np.diag([*3 * [self.person.scale], 1.0]) @ self.lying.scene.pose.from_lps


def draw_patient(random: np.random.Generator, grid: Grid) -> Patient:
    """A lean patient at random, straight but for a turn about z, hips and thighs in the middle of the grid."""
    person = replace(
        draw_person(random),
        scale=random.uniform(0.92, 0.97),
        fat_mm=random.uniform(7, 12),
        belly_mm=0.0,
        bulk_mm=random.uniform(4, 9),
        forward_degrees=random.uniform(3, 14),
        knee_x=(96.0, 96.0),
    )
    shift = random.uniform((-6, 0, -5), (6, 3, 5))
    pose = Pose(
        turn_about(2, random.uniform(-3, 3)),
        person.scale,
        xyz(0, 115 + 0.75 * person.fat_mm, 0),
        grid.center_lps + shift + xyz(0, TABLE_TOP_Y_MM, HIPS_Z_MM),
    )
    couch = Couch(
        grid.center_lps + xyz(0, TABLE_TOP_Y_MM, 0), 480.0, np.inf, 6.0, 27.0, 2.0, -150.0, -920.0, -880.0, ()
    )
    return Patient(person, Lying(_scene(person, pose), couch, couch.layers()), int(random.choice((-1, 1))))


def _scene(person: Person, pose: Pose) -> Scene:
    """What of the body can be seen from the thighs to the bladder."""
    scene = Scene(person, pose, Outline(person), _low(muscles(person)))
    scene.organs += rectum(person) + bladder(person, 6.0)
    scene.layers += vessels(_low(arteries(person) + veins(person)), person.blood_hu)
    scene.layers.append(sacrum(person).layer())
    for side in (-1, 1):
        axes = hip(person, side)
        scene.layers += [hip_bone(person, axes).layer(), femur(person, axes).layer()]
    return scene


def _low(shapes: list[Shape]) -> list[Shape]:
    """Those that begin below the belly and end above the knees."""
    return [shape for shape in shapes if shape.low[2] < 120 and shape.high[2] > -250]


def hip_screw(patient: Patient, random: np.random.Generator) -> list[Solid]:
    """A dynamic hip screw in mm about the hips: lag screw and its thread, barrel, side plate, three or four screws."""
    axes, mm = hip(patient.person, patient.side), patient.person.scale
    shaft, neck, head = axes.shaft, axes.neck, axes.head * mm
    lateral = np.array([patient.side * shaft[2], 0.0, -patient.side * shaft[0]])
    entry = _entry(axes) * mm + 3 * lateral
    tip = head + neck * random.uniform(4, 12)
    solids = [
        rod(entry, tip, 4.0),
        rod(tip - 22 * neck, tip, 6.2),
        rod(entry, entry + 38 * neck, 6.4),
        bar(entry + 14 * shaft, entry - random.uniform(58, 70) * shaft, thick=6.0, wide=17.0),
    ]
    for n in range(int(random.integers(3, 5))):
        start = entry - (10 + 13 * n) * shaft + 3 * lateral
        inward = unit(-lateral + random.uniform(-0.12, 0.12, 3))
        solids += [rod(start, start + random.uniform(32, 40) * inward, 2.25), rod(start, start - 3 * inward, 4.0)]
    return solids


def _entry(axes: Hip) -> FloatArray:
    """Where the neck's axis leaves the shaft on its outside."""
    return axes.trochanter - 21 * axes.neck


def table_marker(patient: Patient, random: np.random.Generator) -> Solid:
    """A rod on the couch, beside the body, in mm about the middle of the volume."""
    x, z = random.uniform(148, 156) * -patient.side, random.uniform(-80, -50)
    return rod((x, TABLE_TOP_Y_MM - 5, z), (x + 4, TABLE_TOP_Y_MM - 5, z + 120), 3.0)
