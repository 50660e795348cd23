"""Insertion: implants at landmarks of a patient, turned and shifted a little as in real patients."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from monai_ctseg.errors import CtsegError
from monai_ctseg.grid import FloatArray, Grid, unit
from monai_ctseg.simulation.implants import Family, Implant, kinds_in, make_implants, pose_implants
from monai_ctseg.simulation.phantom.canvas import Space, every
from monai_ctseg.simulation.phantom.positioning import PatientOnTable, position_on_table
from monai_ctseg.simulation.phantom.scene import BodyPart, Landmark
from monai_ctseg.simulation.sdf import toward
from monai_ctseg.simulation.sites import ALONG_THE_ARCH, NO_SITE, ON_THE_SHAFT, OWN_SITES, kinds_at

PATIENT = Grid((361, 254, 141), np.array([[1.5, 0, 0, -270], [0, 1.5, 0, -190], [0, 0, 2, -140], [0, 0, 0, 1.0]]))
"""What of a patient is there, and takes implants."""
WITH_OUTSIDE = 0.3
"""Share of the cases with metal outside the body."""
NECK_MM = 75.0
"""From the middle of the femoral head, along the neck, to the cortex on the other side."""
PEDICLE_MM, BEHIND_MM = 16.0, 24.0
"""From the midline to a pedicle, and from its middle to where rods lie behind it."""
BODY_MM = 22.0
"""From a pedicle forward to the middle of the vertebral body."""
GUM_MM = 4.0
"""From the middle of a tooth's crown to the gum."""
UNDER_MM = 25.0
"""From the table's surface to a rail."""
DEEP_MM, EVERY_MM = 10.0, 5.0
"""Metal outside the body lies nowhere deeper than that under the skin; tested at points so far apart."""
TURN, SHIFT_MM = 0.06, 1.5
"""Standard deviations of the elements of the random turn, and of the random shift along each axis."""
BACK = np.array([0.0, 1.0, 0.0])

Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class Patient:
    """A patient on the table, and the landmarks that lie within PATIENT."""

    on_table: PatientOnTable
    landmarks: Sequence[Landmark]


def sample_patient(seed: int, part: BodyPart) -> Patient:
    """The patient that `sample_body` paints with this seed on PATIENT."""
    on_table = position_on_table(PATIENT, np.random.default_rng(seed), part, extras=True)
    marks = on_table.scene.landmarks
    index = PATIENT.to_index([mark.point_lps for mark in marks])
    inside = ((index >= 0) & (index <= np.array(PATIENT.shape) - 1)).all(axis=1)
    return Patient(on_table, [marks[n] for n in np.flatnonzero(inside)])


def insert(kind: str, mark: Landmark, random: Random, family: Family = "training") -> list[Implant]:
    """The implants of a kind at a landmark, as surgeons insert them, turned and shifted a little.

    Args:
        kind: one of KINDS.
        mark: the landmark.
        random: chooses sizes, metals, turn and shift.
        family: see `make_implants`.

    Returns:
        Implants in LPS.
    """
    frame, point = _frame(kind, mark)
    turn = np.linalg.qr(np.eye(3) + random.normal(0, TURN, (3, 3)))[0]
    turn *= np.sign(np.diag(turn))
    made = make_implants(kind, random, family=family)
    return list(pose_implants(made, frame @ turn, point + random.normal(0, SHIFT_MM, 3)))


def insert_in_patient(kind: str, mark: Landmark, random: Random, family: Family, patient: Patient) -> list[Implant]:
    """As `insert`; metal outside the body goes to another landmark of the site where it would pierce the body.

    Raises:
        CtsegError: it would pierce the body at every landmark.
    """
    if kind not in kinds_in("outside"):
        return insert(kind, mark, random, family)
    marks = [other for other in patient.landmarks if other.site == mark.site]
    for n in random.permutation(len(marks)):
        implants = insert(kind, marks[n], random, family)
        if not any(_pierces(one, patient.on_table) for one in implants):
            return implants
    raise CtsegError(NO_SITE)


def sample_outside(random: Random, family: Family, patient: Patient) -> list[Implant]:
    """Sometimes an ECG lead, a buckle, a marker or a rail, where one fits."""
    kind = str(random.choice(kinds_in("outside")))
    marks = [mark for mark in patient.landmarks if kind in kinds_at(mark.site)]
    if not marks or random.random() > WITH_OUTSIDE:
        return []
    with suppress(CtsegError):
        return insert_in_patient(kind, marks[0], random, family, patient)
    return []


def _pierces(implant: Implant, patient: PatientOnTable) -> bool:
    """Whether some of it lies deep in the body."""
    i, j, k = (int(n) for n in np.ceil((implant.high - implant.low) / EVERY_MM) + 1)
    to_lps = np.diag([EVERY_MM, EVERY_MM, EVERY_MM, 1.0])
    to_lps[:3, 3] = implant.low
    at = Space((i, j, k), to_lps).points(every((i, j, k)))
    return bool(((implant.distance(at) < EVERY_MM / 2) & (patient.skin((i, j, k), to_lps) < -DEEP_MM)).any())


def _frame(kind: str, mark: Landmark) -> tuple[FloatArray, FloatArray]:
    """The implant's axes as columns, and its origin, in LPS; the other side of the body is a mirror image."""
    point, axis, second = (np.asarray(v, dtype=float) for v in (mark.point_lps, mark.axis_lps, mark.second_lps))
    if mark.site == "hip":
        frame = _axes(up=second, across=-axis)
        return (frame, point - axis * NECK_MM) if kind in ON_THE_SHAFT else (frame, point)
    if mark.site == "jaw":
        return _back_and_up(BACK if kind in ALONG_THE_ARCH else -second, -axis), point - GUM_MM * axis
    if mark.site == "spine":
        frame = _back_and_up(BACK, second)
        behind = -BODY_MM if kind == "cage" else BEHIND_MM
        return frame, point + frame @ (-PEDICLE_MM if mark.side == "left" else PEDICLE_MM, behind, 0.0)
    if mark.site in OWN_SITES.values():
        return _back_and_up(-second, axis), point
    frame = _axes(up=axis, across=second)
    if mark.site == "table":
        return frame, point - second * UNDER_MM
    if kind in ("screws", "pins"):  # from the side of the bone inwards
        return _axes(up=-second, across=axis), point + second * mark.size_mm
    return (frame, point + second * mark.size_mm) if kind == "plate" else (frame, point)


def _back_and_up(back: FloatArray, up: FloatArray) -> FloatArray:
    """Columns x, y (as near to `back` as it can) and z (up)."""
    z = unit(up)
    y = unit(back - np.dot(back, z) * z)
    return np.stack([np.cross(y, z), y, z], axis=1)


def _axes(*, up: FloatArray, across: FloatArray) -> FloatArray:
    """Columns x (across), y (to the patient's back, so that right sides are mirrored) and z (up)."""
    frame = toward(up, across)
    if abs(frame[1, 1]) > 0.3 and frame[1, 1] < 0:
        frame[:, 1] *= -1
    return frame
