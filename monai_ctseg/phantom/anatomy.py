"""Anatomy: a patient by seed, with bones, skin and a hip screw; and a marker on the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.solids import Floats, Points, Solid, ball, bar, rod, unit

TABLE_TOP_Y_MM = 104.0


@dataclass(frozen=True)
class Patient:
    """What varies with the seed: where the body lies, its size, and the side of the implant (1 left, -1 right)."""

    shift_mm: FloatArray
    turn: float
    girth: float
    fat_mm: float
    head_forward_mm: float
    side: int


def draw_patient(random: np.random.Generator) -> Patient:
    """Pose, size and side of the implant, at random."""
    return Patient(
        shift_mm=random.uniform((-6, 3, -5), (6, 9, 5)),
        turn=random.uniform(-0.05, 0.05),
        girth=random.uniform(0.93, 1.0),
        fat_mm=random.uniform(9, 16),
        head_forward_mm=random.uniform(2, 14),
        side=int(random.choice((-1, 1))),
    )


def to_body(on_table: Points, patient: Patient) -> Points:
    """Table frame -> body frame: the shift undone, then the turn about z."""
    x, y, z = (p - np.float32(s) for p, s in zip(on_table, patient.shift_mm, strict=True))
    cos, sin = np.float32(np.cos(patient.turn)), np.float32(np.sin(patient.turn))
    return cos * x + sin * y, cos * y - sin * x, z


def hip_screw(patient: Patient, random: np.random.Generator) -> list[Solid]:
    """A dynamic hip screw in the body frame: lag screw and its thread, barrel, side plate, three or four screws."""
    knee, trochanter, head = femur_axis(patient, patient.side)
    shaft = unit(trochanter - knee)
    lateral = np.array([patient.side * shaft[2], 0.0, -patient.side * shaft[0]])
    entry = knee + shaft * (-14.0 - knee[2]) / shaft[2] + lateral * 16
    neck = unit(head - entry)
    tip = head + neck * random.uniform(4, 12)
    solids = [
        rod(entry, tip, 4.0),
        rod(tip - 22 * neck, tip, 6.2),
        rod(entry, entry + 38 * neck, 6.4),
        bar(entry + 14 * shaft, entry - random.uniform(46, 58) * shaft, thick=6.0, wide=17.0),
    ]
    for n in range(int(random.integers(3, 5))):
        start = entry - (10 + 13 * n) * shaft + 3 * lateral
        inward = unit(-lateral + random.uniform(-0.12, 0.12, 3))
        solids += [rod(start, start + random.uniform(32, 40) * inward, 2.25), rod(start, start - 3 * inward, 4.0)]
    return solids


def table_marker(patient: Patient, random: np.random.Generator) -> Solid:
    """A rod on the table, beside the body, in the table frame."""
    x, z = random.uniform(140, 150) * -patient.side, random.uniform(-80, -50)
    return rod((x, TABLE_TOP_Y_MM - 5, z), (x + 4, TABLE_TOP_Y_MM - 5, z + 120), 3.0)


def skin(at: Points, patient: Patient) -> Floats:
    """Two thighs that grow and meet in the hips."""
    x, y, z = at
    up: Floats = np.clip((z + 90) / 150, 0, 1)
    hips: Floats = np.sqrt(np.clip((z + 10) / 70, 1e-4, 1))
    girth = np.float32(patient.girth)
    thigh = _ellipse(np.abs(x) - (96 - 8 * up), y + 2 * up, (76 + 14 * up) * girth, (82 + 6 * up) * girth)
    between = _ellipse(x, y + 4, 174 * girth * hips, 94 * girth * hips)
    return np.minimum(thigh, np.where(z > -10, between, np.float32(np.inf)))


def _ellipse(x: Floats, y: Floats, a: Floats, b: Floats) -> Floats:
    distance: Floats = (np.hypot(x / a, y / b) - 1) * np.minimum(a, b)
    return distance


def femur_axis(patient: Patient, side: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The shaft's lower and upper end and the centre of the head, in the body frame."""
    knee, trochanter = np.array([side * 98.0, 2.0, -160.0]), np.array([side * 121.0, 2.0, 8.0])
    return knee, trochanter, np.array([side * 86.0, 2.0 - patient.head_forward_mm, 44.0])


def bones(patient: Patient) -> list[Solid]:
    """Femora and a sketch of the pelvis, in the body frame."""
    solids: list[Solid] = []
    for side in (-1, 1):
        knee, trochanter, head = femur_axis(patient, side)
        socket = head + np.array([-side * 30.0, 6.0, 10.0])
        solids += [
            rod(knee, trochanter, 13.5),
            ball(trochanter + np.array([side * 3.0, 4.0, 8.0]), (19, 20, 24)),
            rod(trochanter + np.array([0.0, 0.0, 4.0]), head, 14.0),
            ball(head, (23, 23, 23)),
            ball(socket, (7, 24, 30)),
            rod(socket, (side * 62.0, 18.0, 130.0), 13.0),
            rod(socket + np.array([0.0, 14.0, -8.0]), (side * 42.0, 30.0, -4.0), 10.0),
            rod(socket + np.array([0.0, -14.0, -4.0]), (side * 6.0, -48.0, 26.0), 8.0),
        ]
    return solids
