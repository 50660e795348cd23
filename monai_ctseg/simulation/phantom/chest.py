"""Chest and upper belly: lungs, heart, solid organs, ribs, sternum and shoulder girdle."""

from __future__ import annotations

import numpy as np

from monai_ctseg.simulation.phantom.canvas import Bone, Layer, fill
from monai_ctseg.simulation.phantom.outline import Outline
from monai_ctseg.simulation.phantom.person import Person
from monai_ctseg.simulation.phantom.spine import Vertebra
from monai_ctseg.simulation.sdf import Floats, Points, Solid, ellipsoid, rotation_about, round_cone, smooth_max, tube

AIR_HU = -1000.0
HEART = (20, -36, 385)


def chest_organs(person: Person, *, contrast_hu: float = 0.0) -> list[Layer]:
    """Lungs, heart, liver, spleen, kidneys, stomach, gall bladder, to be cut by the wall of the trunk."""
    random = person.random
    lung_hu = random.uniform(-880, -790)
    domes = {side: ellipsoid((side * 66, -5, 248), (92, 105, 78 + random.uniform(-18, 22))) for side in (-1, 1)}
    layers = []
    for side in (-1, 1):
        layers += _lung(person, side, domes[side], lung_hu)
    solid = random.uniform(48, 66) + 0.25 * contrast_hu
    heart = rotation_about(2, -35)
    layers += [
        fill(ellipsoid((0, -10, 450), (26, 42, 70)), person.fat_hu + 10),
        fill(ellipsoid(HEART, (60, 48, 62), heart), person.fat_hu + 8),
        fill(ellipsoid(HEART, (56, 43, 57), heart), 42 + 0.35 * contrast_hu),
        fill(ellipsoid(np.add(HEART, (12, 4, -4)), (28, 19, 26), heart), person.blood_hu + contrast_hu),
        fill(ellipsoid(np.add(HEART, (-26, 2, 14)), (20, 22, 32), heart), person.blood_hu + 0.8 * contrast_hu),
        fill(_under(ellipsoid((-60, -8, 288), (88, 86, 74)), domes[-1]), solid),
        fill(_under(ellipsoid((22, -50, 300), (60, 34, 34)), domes[1]), solid),
        fill(ellipsoid((-38, -48, 252), (15, 17, 24)), 8.0),
        fill(_under(ellipsoid((94, 44, 300), (24, 38, 46)), domes[1]), solid - 8),
        fill(_under(ellipsoid((52, -20, 290), (42, 40, 34)), domes[1]), 36.0),
        fill(_under(ellipsoid((52, -40, 290), (34, 16, 26)), domes[1]), random.choice([-950.0, 20.0])),
        fill(ellipsoid((8, -16, 248), (52, 11, 14), rotation_about(1, -12)), 38.0),
    ]
    for side in (-1, 1):
        turn = rotation_about(1, side * 12)
        kidney = ellipsoid((side * 58, 38, 238 + 8 * side), (25, 24, 52), turn)
        pelvis = ellipsoid((side * 44, 34, 238 + 8 * side), (13, 10, 20), turn)
        layers += [fill(kidney, 34 + 0.6 * contrast_hu), fill(pelvis, person.fat_hu)]
    return layers


def _under(organ: Solid, dome: Solid) -> Solid:
    """The organ as far as the diaphragm lets it reach."""
    return Solid(lambda at: smooth_max(organ.distance(at), dome.distance(at) + 2, 6.0), organ.low, organ.high)


def _lung(person: Person, side: int, dome: Solid, hu: float) -> list[Layer]:
    """A lung above its half of the diaphragm, with vessels that spread from its root."""
    random = person.random
    whole = ellipsoid((side * 72, 0, 420), (64, 92, 132))

    def distance(at: Points) -> Floats:
        return smooth_max(smooth_max(whole.distance(at), -dome.distance(at), 10.0), 9 - at[0] * np.float32(side), 4.0)

    lung = Solid(distance, whole.low, whole.high)
    layers = [fill(lung, lambda at: np.float32(hu) + np.float32(22) * person.coarse(at))]
    root = np.array([side * 32.0, 12, 430])
    for _ in range(26):
        end = np.array([side * 74.0, 2, 420]) + random.uniform(-1, 1, 3) * (46, 74, 104)
        bend = (root + end) / 2 + random.normal(0, 7, 3)
        thick = random.uniform(1.6, 4.5)
        for branch in tube([root, bend, end], [thick, 0.6 * thick, 0.7]):
            layers.append(fill(branch.within(lung), person.blood_hu))
    return layers


def airway() -> list[Layer]:
    """Trachea and main bronchi."""
    shapes = tube([(0, -14, 620), (0, -10, 590), (0, 6, 520), (0, 14, 470)], [8.5, 8.5, 8.5, 9])
    for side in (-1, 1):
        shapes += tube([(0, 14, 472), (side * 26, 14, 440), (side * 42, 12, 424)], [7.5, 6, 4.5])
    wall = [fill(shape.grown(1.5), 45.0) for shape in shapes]
    return wall + [fill(shape, AIR_HU) for shape in shapes]


def rib_cage(person: Person, outline: Outline, row: list[Vertebra]) -> list[Layer]:
    """Twelve pairs of ribs inside the wall of the trunk, their cartilage, and the sternum."""
    layers, stiff = [], person.random.uniform(80, 160)
    chest = [vertebra for vertebra in reversed(row) if vertebra.name.startswith("T")]
    for number, vertebra in enumerate(chest):
        full = 172 if number < 7 else (150, 140, 128, 100, 70)[number - 7]
        drop = 14 + 9 * min(number, 8)
        for side in (-1, 1):
            angles = np.radians(np.linspace(9, full, 16))
            way = [_on_wall(outline, vertebra, side, float(a), drop) for a in angles]
            bony = 16 if number > 9 else 13
            flat = [4.6 + 0.5 * np.sin(a) for a in angles]
            solids = tube(way[:bony], flat[:bony])
            layers.append(
                Bone(solids, 1.1 * person.cortex, 0.7 * person.shell_hu, 0.7 * person.spongy_hu, round_mm=1.0).layer()
            )
            layers += [fill(shape, stiff) for shape in tube(way[bony - 1 :], flat[bony - 1 :])]
    y = [front_y(outline, z) + 13 for z in (520, 490, 400, 365)]
    plate = [
        ellipsoid((0, y[0], 508), (28, 7, 24)),
        ellipsoid((0, y[1] * 0.5 + y[2] * 0.5, 435), (19, 6.5, 62)),
        ellipsoid((0, y[3], 362), (9, 4, 22)),
    ]
    layers.append(Bone(plate, 1.0, 0.6 * person.shell_hu, 0.6 * person.spongy_hu).layer())
    return layers


def front_y(outline: Outline, z: float) -> float:
    """The y of the front of the trunk, in its fat, at a height, mm."""
    assert outline.torso is not None
    _, depth, y = (profile.at(z) for profile in outline.torso)
    return y - depth - 2 * outline.belly.at(z)


def _on_wall(outline: Outline, vertebra: Vertebra, side: int, angle: float, drop: float) -> tuple[float, float, float]:
    """A point of a rib: `angle` from the back, inside the lean wall."""
    assert outline.torso is not None
    z = vertebra.center[2] + 6 - drop * 1.25 * (angle / np.pi) ** 0.8 * 2.2
    width, depth, y = (profile.at(z) for profile in outline.torso)
    belly = outline.belly.at(z)
    narrow = np.clip((vertebra.center[2] - 470) / 75, 0, 1) * 62 * np.sin(angle)
    inset = 10 + 20 * np.exp(-((angle / 0.5) ** 2)) + narrow
    x = side * (width + belly - inset) * np.sin(angle)
    return x, y - belly + (depth + belly - min(inset, 30)) * np.cos(angle), z


def shoulders(person: Person, side: int) -> list[Layer]:
    """Clavicle and scapula of one side."""
    blade = ellipsoid((side * 104, 62, 478), (44, 4.5, 64), rotation_about(2, -side * 28))
    spine = tube([(side * 74, 72, 505), (side * 128, 46, 526), (side * 148, 16, 534)], [4, 5, 6])
    socket = ellipsoid((side * 142, 30, 522), (9, 16, 18))
    coracoid = round_cone((side * 138, 18, 530), (side * 136, -22, 535), 7, 5)
    way = [(side * 20, -52, 514), (side * 70, -46, 530), (side * 118, -12, 541), (side * 146, 6, 538)]
    collar = tube(way, [9, 6, 6, 6])
    shell = 0.75 * person.shell_hu
    return [
        Bone([blade, *spine, socket, coracoid], 1.3 * person.cortex, shell, person.spongy).layer(),
        Bone(collar, 1.8 * person.cortex, shell, person.spongy, round_mm=1.0).layer(),
    ]
