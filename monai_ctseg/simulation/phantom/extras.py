"""Extras: what is bright in a CT without being metal: contrast medium, calcification, cement, dense bone, markers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.phantom.canvas import Layer, Value, fill
from monai_ctseg.simulation.phantom.fields import waves
from monai_ctseg.simulation.phantom.person import Person
from monai_ctseg.simulation.sdf import Floats, Points, Solid, ellipsoid, tube, xyz


@dataclass(frozen=True, eq=False)
class Contrast:
    """HU that contrast medium adds to arteries and veins, and HU of what fills bladder, bowel and an arm's vein."""

    artery: float
    vein: float
    urine: Value
    bowel: float
    arm: float


def sample_contrast(random: np.random.Generator, extras: bool) -> Contrast:
    """None, or some of it at random."""
    urine: Value = float(random.uniform(0, 14))
    bowel = float(random.uniform(5, 35))
    if not extras:
        return Contrast(0.0, 0.0, urine, bowel, 0.0)
    artery = float(random.choice([0, 0, random.uniform(120, 450), random.uniform(400, 1400)]))
    vein = float(random.choice([0, 0.5 * min(artery, 300), random.uniform(80, 200)])) if artery else 0.0
    if random.random() < 0.2:
        urine = _layered(random)
    if random.random() < 0.2:
        bowel = float(random.uniform(150, 800))
    arm = float(random.uniform(600, 3600)) if random.random() < 0.2 else 0.0
    return Contrast(artery, vein, urine, bowel, arm)


def _layered(random: np.random.Generator) -> Value:
    """Contrast that sinks to the back of the bladder."""
    dense, level, blur = random.uniform(200, 1500), random.uniform(-45, 15), random.uniform(3, 20)

    def value(at: Points) -> Floats:
        share = np.clip((at[1] - np.float32(level)) / np.float32(blur), 0, 1)
        hu: Floats = np.float32(20) + np.float32(dense - 20) * share
        return hu

    return value


def plaques(random: np.random.Generator, shapes: list[Solid], count: int) -> list[Layer]:
    """Calcium in the walls of vessels."""
    layers = []
    for _ in range(count):
        shape = shapes[int(random.integers(len(shapes)))]
        center = (shape.low + shape.high) / 2 + random.uniform(-0.5, 0.5, 3) * (0, 0, 1) * (shape.high - shape.low)
        reach = float(np.min(shape.high - shape.low)) / 2
        blob = ellipsoid(center + random.normal(0, 0.7 * reach, 3), random.uniform(2, 6, 3))
        layers.append(fill(_in_wall(shape, blob, random.uniform(0.8, 2.2)), float(random.uniform(500, 1800))))
    return layers


def _in_wall(vessel: Solid, blob: Solid, thick_mm: float) -> Solid:
    half = np.float32(thick_mm / 2)
    return Solid(lambda at: np.maximum(blob.distance(at), np.abs(vessel.distance(at)) - half), blob.low, blob.high)


def lumps(person: Person, low: FloatArray, high: FloatArray) -> list[Layer]:
    """Calcified nodes, vein stones and the like, somewhere in a box."""
    random = person.random
    return [
        fill(ellipsoid(random.uniform(low, high), random.uniform(1.2, 5, 3)), float(random.uniform(300, 1500)))
        for _ in range(int(random.integers(0, 6)))
    ]


def cement(random: np.random.Generator, center: FloatArray, reach_mm: float) -> list[Layer]:
    """Bone cement with barium or zirconia: a lump with fingers, mottled."""
    ends = center + random.normal(0, 0.5 * reach_mm, (5, 3))
    hu, spots = random.uniform(1000, 2500), waves(random, shortest_mm=3, longest_mm=9)
    value: Value = lambda at: np.minimum(np.float32(hu) * (1 + np.float32(0.12) * spots(at)), np.float32(2900))  # noqa: E731
    shapes = [ellipsoid(center, random.uniform(0.35, 0.75, 3) * reach_mm)]
    for end in ends:
        shapes += tube([center, end], [0.35 * reach_mm, 0.1 * reach_mm])
    return [fill(shape, value) for shape in shapes]


def dense_spot(random: np.random.Generator, center: FloatArray) -> list[Layer]:
    """A bone island or a dense metastasis."""
    return [fill(ellipsoid(center, random.uniform(2, 9, 3)), float(random.uniform(500, 1300)))]


def arm_vein(side: int, hu: float) -> list[Layer]:
    """Fresh contrast from an arm's pit to the heart."""
    way = [(side * 146, 0, 500), (side * 92, -28, 530), (side * 40, -38, 532), (-22, -28, 505), (-26, -24, 430)]
    return [fill(shape, 0.6 * hu if n > 1 else hu) for n, shape in enumerate(tube(way, [5, 5.5, 6, 7.5, 9]))]


def skin_markers(random: np.random.Generator, points: list[FloatArray]) -> list[Layer]:
    """Beads of plastic or glass on the skin."""
    hu = float(random.uniform(150, 1600))
    return [fill(ellipsoid(point, 3 * [random.uniform(1.2, 3)]), hu) for point in points]


def calibration_pad(random: np.random.Generator, top: FloatArray) -> list[Layer]:
    """A pad with rods of known density, along z, in LPS; its top lies 3 mm above `top`."""
    long, bend = np.array([0, 0, 2000.0]), random.uniform(250, 500)
    x = np.arange(-3, 4) * 26.0
    way = [top + xyz(float(a), 14 - float(a * a) / 2 / bend, 0) for a in x]
    rows = [(way[n], way[n + 1]) for n in range(len(way) - 1)]
    layers = []
    for a, b in rows:
        layers.append(fill(_plank(a, b, 14.0, 1000.0), 25.0))
    for point, hu in zip(way[1:-1], (400.0, 200.0, 100.0, 50.0, 0.0), strict=True):
        layers += [fill(shape, hu) for shape in tube([point - long, point + long], [9, 9])]
    return layers


def _plank(a: FloatArray, b: FloatArray, half_mm: float, long_mm: float) -> Solid:
    shapes = tube([a, b], [half_mm, half_mm])

    def distance(at: Points) -> Floats:
        return shapes[0].distance((at[0], at[1], np.full_like(at[2], np.float32(a[2]))))

    return Solid(distance, shapes[0].low - xyz(0, 0, long_mm), shapes[0].high + xyz(0, 0, long_mm))
