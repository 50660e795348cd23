"""Organs: what lies in the pelvis and belly: bladder, bowel and vessels."""

from __future__ import annotations

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.phantom.canvas import Layer, Value, fill
from monai_ctseg.simulation.phantom.fields import waves
from monai_ctseg.simulation.phantom.person import Field, Person
from monai_ctseg.simulation.sdf import Floats, Points, Solid, ellipsoid, tube

GAS_HU = -950.0
"""Gas in the bowel, a little denser than pure air at -1000 HU; chosen by hand."""
# Centre lines of tubes in the body frame: points (x, y, z) and radii, mm; the paired ones are of the left side. All are
# chosen by hand for a patient of usual size, and varied at random.
# From the heart up, over the arch and down to where it divides.
AORTA = (((-2, -28, 405), (-10, -26, 440), (-8, -20, 474), (4, 0, 490), (15, 22, 476), (19, 28, 440),
          (15, 26, 360), (9, 10, 310), (6, -10, 230), (4, -14, 150)),
         (14, 14, 14, 13, 12, 11.5, 11, 10.5, 9.5, 8.5))  # fmt: skip
# From the arch to the head.
NECK_ARTERY = (((8, -14, 488), (24, -10, 545), (26, -8, 600), (27, 0, 650), (28, 6, 700)), (5, 3.8, 3.5, 3.5, 2.8))
# From the arch to the shoulder and into the arm.
ARM_ARTERY = (((18, -6, 492), (50, -12, 540), (104, -6, 536), (144, 2, 505)), (5, 4.5, 4, 3.5))
# From the upper vena cava to the head; its first point is shared by both sides.
NECK_VEIN = (((-22, -26, 505), (32, -22, 545), (36, -14, 600), (36, 2, 660), (34, 10, 700)), (7, 6, 6, 5.5, 4))
# From the arch down to where the veins of the legs join.
CAVA = (((-26, -24, 505), (-26, -22, 430), (-24, 0, 330), (-20, -6, 230), (-18, -8, 145)), (8, 9, 11, 11, 10.5))
# From the end of the aorta through the groin to the knee.
ARTERY = (((3, -10, 150), (28, -2, 110), (50, -22, 60), (72, -58, 15), (88, -54, -40), (80, -34, -150), (74, 20, -340)),
          (6.5, 5.5, 5, 4.8, 4.5, 4, 3.5))  # fmt: skip
# The vein beside it.
VEIN = (((-16, -2, 145), (20, 8, 108), (42, -12, 60), (60, -56, 15), (78, -50, -40), (84, -30, -150), (80, 24, -340)),
        (8, 7, 6.5, 6.5, 6, 5, 4.5))  # fmt: skip
# The branch of the leg's artery into the pelvis.
INNER = (((28, -2, 110), (44, 34, 70), (58, 40, 30)), (4, 3.5, 2.5))
# From the end of the colon down to the anus.
RECTUM = (((0, 48, 60), (4, 58, 30), (-2, 54, 0), (0, 46, -30), (0, 52, -62)), (17, 19, 18, 11, 6))
# Up on the right, across, down on the left, and back to the rectum.
COLON = (((-98, 5, 110), (-104, 10, 180), (-100, 0, 260), (-50, -60, 235), (0, -72, 215), (55, -58, 250),
          (104, 15, 280), (108, 20, 190), (102, 10, 120), (70, -20, 85), (20, 20, 90), (-10, -10, 70), (0, 48, 60)),
         (30, 27, 24, 22, 20, 20, 21, 18, 17, 17, 16, 17, 18))  # fmt: skip


def mirrored(points: tuple[tuple[float, float, float], ...], side: int) -> list[tuple[float, float, float]]:
    """The points of the left, or their twins of the right."""
    return [(side * x, y, z) for x, y, z in points]


def arteries(person: Person, sides: tuple[int, ...] = (-1, 1)) -> list[Solid]:
    """Aorta, and of each side the ways to knee, head and arm."""
    random = person.random
    wide = random.uniform(0.85, 1.25)
    shapes = tube(AORTA[0], [wide * r for r in AORTA[1]])
    for side in sides:
        for points, radii in (NECK_ARTERY, ARM_ARTERY):
            shapes += tube(mirrored(points, side), [wide * r for r in radii])
        sway = random.normal(0, 4, (len(ARTERY[0]), 3)) * np.linspace(0, 1, len(ARTERY[0]))[:, None]
        way = [tuple(np.add(p, s)) for p, s in zip(mirrored(ARTERY[0], side), sway, strict=True)]
        shapes += tube(way, [wide * r for r in ARTERY[1]])
        shapes += tube(mirrored(INNER[0], side), [wide * r for r in INNER[1]])
    return shapes


def veins(person: Person, sides: tuple[int, ...] = (-1, 1)) -> list[Solid]:
    """Vena cava, and of each side the way to the knee."""
    wide = person.random.uniform(0.8, 1.2)
    shapes = tube(CAVA[0], [wide * r for r in CAVA[1]])
    for side in sides:
        shapes += tube(mirrored(VEIN[0], side), [wide * r for r in VEIN[1]])
        first, *rest = NECK_VEIN[0]
        shapes += tube([first, *mirrored(tuple(rest), side)], [wide * r for r in NECK_VEIN[1]])
    return shapes


def bladder(person: Person, urine: Value) -> list[Layer]:
    """Bladder with its wall, prostate or uterus behind and below it."""
    random = person.random
    axes = random.uniform((22, 20, 16), (46, 36, 40))
    center = np.array([random.normal(0, 3), -22 - random.uniform(0, 6), 8 + axes[2]])
    gland = ellipsoid((0, 2, 2), random.uniform((16, 13, 13), (26, 20, 22)))
    uterus = ellipsoid((random.normal(0, 6), 20, 38), random.uniform((22, 17, 20), (32, 24, 34)))
    layers = [fill(gland, person.muscle_hu - 8)]
    layers += [fill(uterus, person.muscle_hu)] if random.random() < 0.4 else []
    return [*layers, fill(ellipsoid(center, axes + random.uniform(2, 5)), 35.0), fill(ellipsoid(center, axes), urine)]


def bowel(person: Person, filling: float) -> list[Layer]:
    """Rectum, colon with stool and gas, and loops of small bowel that wander through the belly."""
    random = person.random
    layers = rectum(person) + _gut(person, *COLON)
    for way, size in _loops(random):
        level = random.uniform(-1.5, 0.9) * size
        for shape, inner in zip(tube(way, [size] * len(way)), tube(way, [size - 2.5] * len(way)), strict=True):
            layers.append(fill(shape, 42.0))
            layers.append(fill(inner, _fluid(float(np.mean(way[:, 1])) + level, filling)))
    return layers


def rectum(person: Person) -> list[Layer]:
    """Rectum and anus."""
    return _gut(person, *RECTUM)


def _gut(person: Person, points: tuple[tuple[float, float, float], ...], radii: tuple[float, ...]) -> list[Layer]:
    """A stretch of large bowel: wall, stool and gas."""
    random, layers = person.random, []
    stool = waves(random, shortest_mm=7, longest_mm=22)
    sizes = np.multiply(radii, random.uniform(0.75, 1.2))
    way = np.array(points) + random.normal(0, 4, (len(points), 3))
    for shape, inner in zip(tube(way, sizes), tube(way, sizes - 3), strict=True):
        layers += [fill(shape, 38.0), fill(inner, _stool(stool, random.uniform(-0.6, 2.2)))]
    return layers


def _stool(field: Field, gas: float) -> Value:
    def value(at: Points) -> Floats:
        wave = field(at)
        return np.where(
            wave > np.float32(gas), np.float32(GAS_HU), np.float32(20) + np.float32(45) * np.minimum(wave, 1)
        )

    return value


def _fluid(level_y: float, hu: float) -> Value:
    """Gas in front of the level, fluid behind it."""

    def value(at: Points) -> Floats:
        return np.where(at[1] < np.float32(level_y), np.float32(GAS_HU), np.float32(hu))

    return value


def _loops(random: np.random.Generator) -> list[tuple[FloatArray, float]]:
    low, high = np.array([-85.0, -75, 55]), np.array([85.0, 5, 260])
    loops = []
    for _ in range(28):
        at, heading = random.uniform(low, high), random.normal(size=3)
        way = [at]
        for _ in range(6):
            heading = 0.6 * heading / np.linalg.norm(heading) + random.normal(0, 0.6, 3)
            at = np.clip(at + 16 * heading, low, high)
            way.append(at)
        loops.append((np.array(way), float(random.uniform(9, 15))))
    return loops


def vessels(shapes: list[Solid], hu: float) -> list[Layer]:
    """Vessels of one content."""
    return [fill(shape, hu) for shape in shapes]
