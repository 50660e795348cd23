"""Head: skull, brain, face with its cavities, jaws and teeth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.grid import FloatArray, unit
from monai_ctseg.simulation.phantom.canvas import Bone, Layer, fill
from monai_ctseg.simulation.phantom.fields import waves
from monai_ctseg.simulation.phantom.person import Person
from monai_ctseg.simulation.sdf import (
    Floats,
    Points,
    Solid,
    cut_by_plane,
    ellipsoid,
    rotation_about,
    round_cone,
    tube,
    union,
)

AIR_HU = -1000.0
SKULL = ((0, -4, 760), (71, 91, 74))
BASE = (0.0, -0.42, -1.0)
"""Normal of the skull's base, which rises from the nape to the brow."""
BITE_Z = 672.0
NOSE = [
    ellipsoid((0, -108, 704), (11, 17, 18)),
    round_cone((0, -100, 736), (0, -116, 700), 6, 9),
    ellipsoid((0, -88, 656), (20, 16, 15)),
    *(ellipsoid((side * 77, 12, 712), (7, 14, 27)) for side in (-1, 1)),
]
"""Nose, chin and ears, beyond the outline of the head."""


@dataclass(frozen=True, eq=False)
class Tooth:
    """A tooth: the middle of its crown, the ways from root to crown and out to lip or cheek, half its width, side."""

    crown: FloatArray
    up: FloatArray
    out: FloatArray
    half_mm: float
    side: int


def head_muscles(person: Person) -> list[Solid]:
    """Muscles of neck, jaw and tongue."""
    grow = 0.6 * person.bulk_mm
    chains = (
        (((52, 14, 700), (46, -14, 640), (18, -46, 556)), (9, 10, 8)),
        (((22, 56, 690), (24, 54, 630), (30, 58, 560)), (15, 19, 19)),
        (((40, 36, 680), (44, 34, 620), (66, 44, 545)), (10, 12, 14)),
        (((10, 38, 680), (11, 42, 600), (12, 56, 540)), (9, 10, 9)),
        (((9, 0, 660), (10, 6, 610), (12, 24, 540)), (6, 7, 7)),
        (((32, 14, 640), (36, 12, 590), (50, -5, 545)), (7, 11, 9)),
        (((10, -42, 650), (9, -32, 600), (12, -38, 548)), (6, 5, 6)),
        (((60, 66, 600), (80, 66, 560), (150, 30, 552)), (9, 14, 10)),
    )
    shapes = []
    for side in (-1, 1):
        for points, radii in chains:
            shapes.append(union(tube([(side * x, y, z) for x, y, z in points], [r + grow for r in radii])))
        shapes.append(ellipsoid((side * 55, -28, 686), (8 + grow / 2, 18, 28), rotation_about(2, side * 20)))
        shapes.append(ellipsoid((side * 69, -30, 742), (6 + grow / 2, 30, 30), rotation_about(2, side * 12)))
        shapes.append(ellipsoid((side * 38, -24, 690), (8, 16, 22)))
        shapes.append(ellipsoid((side * 37, -66, 674), (4, 22, 15), rotation_about(2, side * 24)))
    return [
        *shapes,
        ellipsoid((0, -50, 668), (24, 33, 19)),
        ellipsoid((0, -50, 650), (26, 30, 7)),
        ellipsoid((0, -96, 672), (24, 6, 12)),
    ]


def head_layers(person: Person) -> tuple[list[Layer], list[Tooth]]:
    """Brain, glands, bones, cavities and teeth."""
    brain = ellipsoid(SKULL[0], np.subtract(SKULL[1], 5))
    layers = [
        fill(cut_by_plane(brain, (0, -20, 719), BASE), lambda at: np.float32(34) + np.float32(3) * person.fine(at))
    ]
    for side in (-1, 1):
        layers.append(fill(ellipsoid((side * 14, -8, 772), (6, 32, 12), rotation_about(2, side * 14)), 8.0))
        layers.append(fill(ellipsoid((side * 58, 2, 690), (11, 15, 23)), person.fat_hu + 95))
        layers.append(fill(ellipsoid((side * 30, -42, 648), (9, 16, 11)), 45.0))
        layers.append(fill(ellipsoid((side * 17, -22, 600), (9, 9, 23)), person.random.uniform(70, 120)))
    layers += _face(person)
    layers += _skull(person)
    throat = tube([(0, -22, 712), (0, -14, 672), (0, -15, 645), (0, -18, 620)], [9, 7, 7, 8])
    layers += [fill(shape, AIR_HU) for shape in throat]
    teeth, tooth_layers = _teeth(person)
    return layers + tooth_layers, teeth


def _skull(person: Person) -> list[Layer]:
    """The vault with its spongy layer, the base, and the dense bone round the ears."""
    shell = person.shell_hu
    thick = person.random.uniform(5, 8)
    vault = ellipsoid(*SKULL)
    inner = ellipsoid(SKULL[0], np.subtract(SKULL[1], thick))
    floor = cut_by_plane(inner, (0, -20, 717.2), BASE)
    hole = round_cone((0, 30, 680), (0, 28, 712), 15, 15)
    bowl = Bone([cut_by_plane(vault, (0, -20, 715), BASE)], 1.5, shell, person.spongy_hu + 350, hollows=[floor, hole])
    layers = [bowl.layer()]
    cells = waves(person.random, shortest_mm=4, longest_mm=9)
    for side in (-1, 1):
        rock = ellipsoid((side * 36, 8, 712), (30, 11, 11), rotation_about(2, side * 40))
        layers.append(Bone([rock], 3.0, 1.25 * shell, 0.8 * shell).layer())
        mastoid = ellipsoid((side * 56, 22, 706), (11, 15, 19))
        layers.append(
            Bone([mastoid], 1.6, shell, lambda at: np.where(cells(at) > 0, np.float32(-700), np.float32(500))).layer()
        )
        canal = round_cone((side * 84, 8, 712), (side * 52, 6, 713), 3.5, 3.5)
        layers.append(fill(canal, AIR_HU))
    return layers


def _face(person: Person) -> list[Layer]:
    """Upper jaw and zygomatic bones round orbits, nose and sinuses; lower jaw."""
    random, shell = person.random, 0.85 * person.shell_hu
    cells = waves(random, shortest_mm=6, longest_mm=12)
    sides = (-1, 1)
    sinus = [ellipsoid((s * 25, -60, 704), random.uniform((11, 14, 13), (15, 18, 18))) for s in sides]
    orbit = [ellipsoid((s * 32, -72, 730), (18, 24, 16)) for s in sides]
    nose = [ellipsoid((s * 6, -66, 708), (4.5, 32, 18)) for s in sides]
    wedge = ellipsoid((0, -28, 722), (14, 12, 9))
    front = ellipsoid((0, -92, 758), random.uniform((8, 2, 5), (22, 3.5, 12)))
    sieve = ellipsoid((0, -60, 730), (10, 22, 11))
    solids = [
        ellipsoid((0, -60, 705), (40, 34, 19)),
        ellipsoid((0, -58, 730), (50, 36, 18)),
        ellipsoid((0, -24, 714), (22, 20, 9)),
    ]
    gums = [np.array([s * x, y - 83, 684]) for s in sides for (x, y), _ in _arch(*UPPER)[::s]]
    solids += [ellipsoid((0, -60, 690), (26, 32, 3.5)), *tube(gums, [6.0] * len(gums))]
    bone = Bone(solids, 1.2, shell, person.spongy, hollows=[*sinus, *orbit, *nose, wedge, sieve], round_mm=4.0)
    cheeks = [
        Bone(
            tube([(s * 42, -72, 712), (s * 60, -50, 712), (s * 68, -8, 716)], [8, 4.5, 4]), 1.3, shell, person.spongy
        ).layer()
        for s in sides
    ]
    layers = [fill(shape, person.fat_hu) for shape in orbit]
    layers += [fill(ellipsoid((s * 33, -82, 730), (12, 12, 12)), 14.0) for s in sides]
    layers += [fill(ellipsoid((s * 33, -91, 730), (4.5, 2, 4.5)), 75.0) for s in sides]
    layers += [fill(shape, random.choice([AIR_HU, AIR_HU, AIR_HU, 25.0])) for shape in sinus]
    layers += [fill(shape, lambda at: np.where(cells(at) > 0.5, np.float32(40), np.float32(AIR_HU))) for shape in nose]
    layers += [
        fill(wedge, AIR_HU),
        fill(sieve, lambda at: np.where(np.abs(cells(at)) < 0.3, np.float32(250), np.float32(AIR_HU))),
    ]
    layers += [bone.layer(), *cheeks, fill(front, AIR_HU)]
    jaw = []
    for s in sides:
        ramus = [(s * 50, -8, 706), (s * 49, -16, 685), (s * 44, -22, 664)]
        rim = [(s * 28, -44, 657), (s * 25, -58, 655), (s * 17, -74, 653), (0, -83, 652)]
        jaw += tube(ramus + rim, [5.5, 5.5, 7, 7, 6.5, 6.5, 6.5])
        jaw += tube([(s * 45, -22, 655), *((x, y - 1, z - 7) for x, y, z in rim)], [5, 5.5, 5.5, 6, 7])
    return [*layers, Bone(jaw, 2.6 * person.cortex, person.shell_hu, person.spongy, round_mm=3.0).layer()]


LOWER, UPPER = (25.5, 43.0), (27.5, 46.0)
"""Half width and depth of the arches of teeth."""
WIDTHS_MM = (4.2, 3.3, 3.8, 3.5, 3.5, 5.2, 5.0, 4.5)
"""Half the width of each tooth, from the middle to the back."""
DEPTHS_MM = (3.4, 3.2, 4.0, 4.4, 4.5, 5.4, 5.4, 5.0)


def _teeth(person: Person) -> tuple[list[Tooth], list[Layer]]:
    """Both arches; some teeth are missing."""
    random = person.random
    lost = random.choice([0.03, 0.12, 0.4])
    enamel, dentine = random.uniform(2100, 2850), random.uniform(1250, 1750)
    teeth, layers = [], []
    for up in (-1, 1):  # crowns of the lower jaw look up
        wide, deep = LOWER if up > 0 else UPPER
        for side in (-1, 1):
            for number, (point, out) in enumerate(_arch(wide, deep)):
                if random.random() < lost or (number == 7 and random.random() < 0.5):
                    continue
                outward = np.array([side * out[0], out[1], 0.0])
                crown = np.array([side * point[0], point[1] - 83, BITE_Z - up * (4.2 + random.uniform(0, 0.5))])
                tooth = Tooth(crown, np.array([0.0, 0, up]), outward, WIDTHS_MM[number], side)
                teeth.append(tooth)
                layers += _tooth(tooth, DEPTHS_MM[number], enamel, dentine)
    return teeth, layers


def _arch(wide: float, deep: float) -> list[tuple[FloatArray, FloatArray]]:
    """Position on the arch (x, y) and way outwards of each tooth of the left half, by length along an ellipse."""
    angle = np.linspace(0, np.pi / 2 * 1.08, 400)
    line = np.stack([wide * np.sin(angle), deep * (1 - np.cos(angle))], axis=1)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    middles = np.cumsum(np.multiply(WIDTHS_MM, 2)) - WIDTHS_MM
    positions = []
    for middle in middles * min(1.0, along[-1] / (middles[-1] + WIDTHS_MM[-1])):
        t = float(np.interp(middle, along, angle))
        position = np.array([wide * np.sin(t), deep * (1 - np.cos(t))])
        positions.append((position, unit((np.sin(t) / wide, -np.cos(t) / deep))))
    return positions


def _tooth(tooth: Tooth, depth_mm: float, enamel_hu: float, dentine_hu: float) -> list[Layer]:
    turn = np.stack([np.cross(tooth.out, (0, 0, 1.0)), tooth.out, np.array([0, 0, 1.0])], axis=1)
    size = np.array([tooth.half_mm, depth_mm, 5.0])
    crown = ellipsoid(tooth.crown, size, turn)
    core = ellipsoid(tooth.crown - 1.3 * tooth.up, size - (1.0, 1.0, 0.6), turn)
    thin = 0.6 * min(tooth.half_mm, depth_mm)
    roots = [round_cone(tooth.crown - 2 * tooth.up, tooth.crown - 16 * tooth.up, 1.15 * thin, 0.9)]
    if tooth.half_mm > 4.4:
        shift = 2.2 * turn[:, 0]
        roots = [
            round_cone(tooth.crown - 2 * tooth.up + s * shift, tooth.crown - 14 * tooth.up + 1.3 * s * shift, 2.6, 0.9)
            for s in (-1, 1)
        ]
    pulp = round_cone(tooth.crown - 1 * tooth.up, tooth.crown - 12 * tooth.up, 0.7, 0.3)
    return [
        fill(crown, enamel_hu),
        *(fill(root, dentine_hu) for root in roots),
        fill(core, dentine_hu),
        fill(pulp, 60.0),
    ]


def lips_gap(random: np.random.Generator) -> list[Layer]:
    """Air between tongue and palate."""
    gap: Solid = ellipsoid((0, -52, 684), random.uniform((8, 12, 1), (18, 24, 5)))

    def value(at: Points) -> Floats:
        return np.full_like(at[0], np.float32(AIR_HU))

    return [fill(gap, value)]
