"""Spine: vertebrae from the fifth lumbar to the first of the neck, with discs, canal and pedicles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.phantom.canvas import Bone, Layer, fill
from monai_ctseg.simulation.phantom.person import Person
from monai_ctseg.simulation.sdf import Solid, drum, ellipsoid, rotation_about, round_cone, tube

# name, z, y of the body's centre, and its half width, half depth and half height
LEVELS = (
    ("L5", 129, 14, 26, 18, 13), ("L4", 164, 8, 25, 18, 13.5), ("L3", 199, 6, 24, 18, 13.5),
    ("L2", 233, 10, 23, 17.5, 13.5), ("L1", 266, 17, 22, 17, 13), ("T12", 297, 25, 21, 16, 12.5),
    ("T11", 326, 33, 20, 16, 11.8), ("T10", 353, 40, 18, 15.5, 11), ("T9", 378, 45, 17, 15.5, 10.5),
    ("T8", 402, 49, 16, 15, 10), ("T7", 425, 51, 15.5, 15, 9.7), ("T6", 447, 52, 15, 14.5, 9.4),
    ("T5", 468, 52, 14.5, 14, 9.1), ("T4", 488, 50, 14.5, 13, 8.8), ("T3", 507, 47, 14.5, 12, 8.5),
    ("T2", 526, 43, 15, 11, 8.4), ("T1", 545, 37, 15.5, 10, 8.2), ("C7", 565, 30, 15, 9.5, 7.8),
    ("C6", 584, 23, 14, 9, 7.2), ("C5", 603, 18, 13, 8.7, 7.2), ("C4", 622, 14, 12.5, 8.5, 7.2),
    ("C3", 641, 12, 12, 8.3, 7.2), ("C2", 660, 11, 11.5, 8.3, 8.5), ("C1", 686, 12, 14, 4, 5.5),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Vertebra:
    """One vertebra: body, and the way of its pedicles.

    turn: its axes as columns: left, back, up. pedicles: of each side (1 left) the middle and the way forward.
    """

    name: str
    center: FloatArray
    turn: FloatArray
    pedicle_mm: float
    pedicles: tuple[tuple[int, FloatArray, FloatArray], ...]
    bone: Bone


def spine(person: Person) -> list[Vertebra]:
    """The vertebrae of a patient, from below, the curve bent at random."""
    random = person.random
    heights = np.array([row[1] for row in LEVELS], dtype=float)
    lean = random.uniform(0, 9) * np.sin(heights / random.uniform(70, 130) + random.uniform(0, 6.3))
    lean *= np.clip((heights - 110) / 80, 0, 1) * np.clip((700 - heights) / 80, 0, 1)
    sway = random.uniform(0.75, 1.15)
    y = np.array([18 + sway * (row[2] - 18) for row in LEVELS])
    slope_x, slope_y = np.gradient(lean, heights), np.gradient(y, heights)
    made = []
    for n, (name, z, _, *size) in enumerate(LEVELS):
        turn = rotation_about(0, -np.degrees(np.arctan(slope_y[n]))) @ rotation_about(
            1, np.degrees(np.arctan(slope_x[n]))
        )
        made.append(_vertebra(person, name, np.array([lean[n], y[n], z]), turn, size))
    return made


def _vertebra(person: Person, name: str, center: FloatArray, turn: FloatArray, size: list[float]) -> Vertebra:
    w, d, h = size
    neck, chest = name.startswith("C"), name.startswith("T")

    def at(x: float, y: float, z: float) -> FloatArray:
        point: FloatArray = center + turn @ np.array([x, y, z])
        return point

    canal = 8.5 if not neck else 8.0
    thick = 0.21 * w + (1.2 if not chest else 0.3)
    far = d + 2 * canal + 2
    spinous = far + (12 if neck else 15 if chest else 24)
    drop = -24.0 if chest else -8.0
    solids: list[Solid] = [drum(center, (w, d, h), turn, waist=0.1)]
    pedicles = []
    for side in (-1, 1):
        root, back = at(side * 0.56 * w, 0.72 * d, 0.3 * h), at(side * 0.72 * w, d + canal, 0.25 * h)
        pedicles.append((side, (root + back) / 2, (root - back) / np.linalg.norm(root - back)))
        wide = 0.8 * w + (6 if neck else 20)
        solids += [
            round_cone(root, back, thick, thick),
            round_cone(at(side * 0.7 * w, d + canal + 1, 0), at(side * 2, far, -0.25 * h), 0.14 * w + 1.2, 3.2),
            round_cone(back, at(side * wide, d + canal * (0.2 if neck else 1.3), 0.2 * h), 0.14 * w + 1, 3.4),
            ellipsoid(at(side * 0.78 * w, d + canal, 0.95 * h), (0.24 * w, 0.2 * w, 0.62 * h), turn),
            ellipsoid(at(side * 0.72 * w, d + canal + 2, -0.9 * h), (0.22 * w, 0.2 * w, 0.62 * h), turn),
        ]
    solids += [
        round_cone(at(0, far, -0.2 * h), at(0, spinous, drop), 3.2, 3.6),
        round_cone(at(0, far, -0.5 * h), at(0, spinous - 3, drop - 4), 2.8, 3),
    ]
    hole = round_cone(at(0, d + canal, 1.4 * h), at(0, d + canal, -1.4 * h), canal, canal)
    if name == "C2":
        solids.append(round_cone(at(0, -1, 4), at(0, 2, 30), 6, 4.6))
    bone = Bone(
        solids,
        1.0 * person.cortex + 0.3,
        0.72 * person.shell_hu,
        person.spongy,
        hollows=[hole],
        round_mm=3.0,
    )
    return Vertebra(name, center, turn, thick * 0.85, tuple(pedicles), bone)


def spine_layers(person: Person, row: list[Vertebra]) -> list[Layer]:
    """Discs, canal with its cord, and the vertebrae."""
    layers = []
    sizes = {level[0]: level[3:] for level in LEVELS}
    bottom = np.array([row[0].center[0], row[0].center[1] + 4, row[0].center[2] - 22])
    below, size = bottom, sizes["L5"]
    for vertebra in row[:-1]:
        w, d, h = sizes[vertebra.name]
        middle = (below + vertebra.center) / 2
        flat = np.array([0.5 * (w + size[0]), 0.5 * (d + size[1])]) * 0.98
        thin = max(2.5, float(np.linalg.norm(vertebra.center - below)) / 2 - 0.5 * (h + size[2]) + 1.5)
        layers.append(fill(drum(middle, (flat[0], flat[1], thin), vertebra.turn), person.random.uniform(75, 105)))
        below, size = vertebra.center, (w, d, h)
    way = [v.center + v.turn @ np.array([0, sizes[v.name][1] + 8.3, 0]) for v in row]
    layers += [fill(shape, 14.0) for shape in tube(way, [8.5] * len(way))]
    cord = [p for p, v in zip(way, row, strict=True) if v.name[0] in "CT" or v.name == "L1"]
    layers += [fill(shape, 38.0) for shape in tube(cord, [4.8] * len(cord))]
    return layers + [vertebra.bone.layer() for vertebra in row]
