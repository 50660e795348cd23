"""Tissue: HU of air, table and body, without metal."""

from __future__ import annotations

import numpy as np

from monai_ctseg.phantom.anatomy import TABLE_TOP_Y_MM, Patient, bones, skin
from monai_ctseg.solids import Floats, Points, ball, dot, union


def draw_tissue(on_table: Points, in_body: Points, patient: Patient, random: np.random.Generator) -> Floats:
    """HU [i, j, k] float32 of air, table and body, without metal."""
    _, y, z = on_table
    body = skin(in_body, patient)
    bone = union(bones(patient), in_body)
    hu = np.full(body.shape, -1000, dtype=np.float32)
    depth = np.broadcast_to(y - np.float32(TABLE_TOP_Y_MM), body.shape)
    hu[depth > -3] = -880
    hu[(depth > 3) & (depth < 27)] = -920
    hu[(np.abs(depth - 4) < 2) | (np.abs(depth - 26) < 2)] = -250
    hu[depth > 30] = -1000
    hu[body < 0] = 20
    hu[body < -2] = -105
    muscle = body < -2 - patient.fat_mm
    hu[muscle] = 58
    hu[muscle & (np.abs(_waves(in_body, random)) < 0.18)] = -70
    hu[ball((0, -25, 85), (40, 34, 38))(in_body) < 0] = 6
    shaft = np.clip((10 - z) / 50, 0, 1)
    hu[bone < 2] = 58
    hu[bone < 0] = 1250
    hu[bone < -2 - 4.5 * shaft] = 0
    hu += (bone < -2 - 4.5 * shaft) * (280 - 330 * shaft)
    return hu


def _waves(at: Points, random: np.random.Generator) -> Floats:
    """A smooth random field, about -3 to 3; near zero it draws the fat between muscles."""
    total = np.zeros((), dtype=np.float32)
    for angle, length_mm, phase in random.uniform((0, 25, 0), (2 * np.pi, 60, 2 * np.pi), (7, 3)):
        step = 2 * np.pi / length_mm * np.array([np.cos(angle), np.sin(angle), 0.3])
        total = total + np.sin(dot(at, step) + np.float32(phase))
    return total
