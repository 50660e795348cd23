"""Limbs: lower legs, and arms that lie beside the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.grid import FloatArray, unit
from monai_ctseg.simulation.phantom.canvas import Bone, Value
from monai_ctseg.simulation.phantom.person import Person
from monai_ctseg.simulation.sdf import Floats, Points, Solid, ellipsoid, round_cone, tube, union, xyz


@dataclass(frozen=True, eq=False)
class Shaft:
    """A stretch of a long bone: a point of its middle, the way up, its radius."""

    point: FloatArray
    up: FloatArray
    radius_mm: float
    side: int


def _long_bone(person: Person, way: list[FloatArray], radii: list[float], wall_mm: float, more: list[Solid]) -> Bone:
    """A tube of compact bone, spongy towards its ends, marrow in the middle."""
    low, high = way[0], way[-1]
    long = float(np.linalg.norm(high - low))
    axis = unit(high - low)

    def end_share(at: Points) -> Floats:
        x, y, z = (p - np.float32(o) for p, o in zip(at, low, strict=True))
        along = x * np.float32(axis[0]) + y * np.float32(axis[1]) + z * np.float32(axis[2])
        share: Floats = np.clip(1.2 - np.minimum(along, long - along) / np.float32(0.16 * long), 0, 1)
        return share

    def inside(at: Points) -> Floats:
        share = end_share(at)
        return share * person.spongy(at) + (1 - share) * np.float32(person.marrow_hu)

    def cortex(at: Points) -> Floats:
        return np.float32(person.cortex) * (np.float32(wall_mm) - np.float32(wall_mm - 1.3) * end_share(at))

    value: Value = inside
    return Bone(tube(way, radii) + more, cortex, person.shell_hu, value, round_mm=6.0, gap_mm=1.0)


def lower_leg(person: Person, side: int) -> tuple[list[Bone], list[Shaft]]:
    """Patella, tibia, fibula and the foot's large bones."""
    x = person.knee_x[(side + 1) // 2]

    def at(dx: float, y: float, z: float) -> FloatArray:
        return np.array([side * (x + dx), y, z])

    shin = [at(0, 4, -464), at(-3, -6, -490), at(-4, -10, -540), at(-3, -8, -660), at(-4, 0, -770), at(-4, 2, -795)]
    plateau = [ellipsoid(at(dx, 6, -456), (21, 24, 12)) for dx in (-19, 19)]
    plateau.append(round_cone(at(-2, -18, -500), at(-3, -17, -640), 4, 4))
    tibia = _long_bone(person, shin, [22, 17, 13.5, 11.5, 14, 19], 5.5, plateau)
    calf = [at(30, 18, -456), at(24, 16, -560), at(24, 14, -700), at(24, 8, -812)]
    fibula = _long_bone(person, calf, [8, 5.5, 5.5, 8], 2.8, [])
    cap = Bone([ellipsoid(at(0, -47, -412), (21, 10, 21))], 1.5, 0.8 * person.shell_hu, person.spongy)
    foot = [ellipsoid(at(-3, -2, -815), (19, 26, 14)), ellipsoid(at(4, 14, -828), (17, 26, 15))]
    middle = ((-4, -10, -540), (-3, -8, -640), (-3.5, -4, -715))
    shafts = [Shaft(at(*point), xyz(0, 0, 1), 12.5, side) for point in middle]
    return [cap, tibia, fibula, Bone(foot, 1.2, 0.7 * person.shell_hu, person.spongy, gap_mm=1.5)], shafts


@dataclass(frozen=True, eq=False)
class Arm:
    """An arm beside the body."""

    lean: list[Solid]
    muscles: list[Solid]
    vein: list[Solid]
    bones: list[Bone]
    shafts: list[Shaft]


def arm(person: Person, side: int) -> Arm:
    """Humerus, radius, ulna, wrist and hand, with muscles; further out the more fat there is."""
    out = 0.85 * person.fat_mm
    front = person.random.uniform(-40, 25)
    forearm = person.random.uniform(-35, 15)
    shoulder, elbow = np.array([side * 172.0, 12, 528]), np.array([side * (198 + out), front + 25, 262])
    wrist = np.array([side * (205 + out), front - 10 + forearm, 40])
    hand = wrist + xyz(side * 2, -6, -75)
    across, back = np.array([side, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])

    def upper(t: float, dx: float, dy: float) -> FloatArray:
        point: FloatArray = shoulder + t * (elbow - shoulder) + dx * across + dy * back
        return point

    def lower(t: float, dx: float, dy: float) -> FloatArray:
        point: FloatArray = elbow + t * (wrist - elbow) + dx * across + dy * back
        return point

    lean = tube([shoulder, upper(0.5, 2, 0), elbow, lower(0.25, 0, 0), wrist, hand], [46, 42, 36, 38, 25, 22])
    lean += tube([hand, hand + xyz(0, -8, -60)], [20, 12])
    muscles = [
        union(tube([upper(0.15, 6, -26), upper(0.55, 2, -24), lower(0.05, 0, -22)], [14, 21, 8])),
        union(tube([upper(0.1, 0, 26), upper(0.5, 2, 25), upper(0.95, 0, 18)], [16, 24, 10])),
        union(tube([upper(0.45, 16, -8), upper(0.95, 12, -12)], [10, 12])),
        ellipsoid(shoulder + 18 * across + xyz(0, 0, -35), (22, 36, 62)),
        union(tube([lower(0.02, -22, -4), lower(0.35, -16, -14), lower(0.9, -8, -12)], [10, 17, 6])),
        union(tube([lower(-0.05, 24, -6), lower(0.3, 18, -14), lower(0.8, 10, -14)], [10, 15, 5])),
        union(tube([lower(0, 4, 20), lower(0.35, 4, 22), lower(0.85, 2, 14)], [10, 15, 6])),
        union(tube([lower(0.1, 4, 0), lower(0.5, 2, 0), lower(0.95, 0, -2)], [8, 12, 8])),
    ]
    grown = [muscle.grown(3) for muscle in muscles]
    vein = tube(
        [hand, lower(0.5, -12, -26), lower(0, -8, -34), upper(0.6, -14, -30), shoulder - 30 * across],
        [2, 2.5, 3, 3.5, 5],
    )
    head = ellipsoid(shoulder - 4 * across, (23, 23, 23))
    condyles = ellipsoid(elbow + xyz(0, 0, 4), (29, 10, 11))
    humerus = _long_bone(
        person, [upper(t, 0, 0) for t in (0.97, 0.8, 0.5, 0.18, 0.02)], [11, 11, 11, 13, 19], 4.2, [head, condyles]
    )
    radius = _long_bone(
        person,
        [lower(t, dx, -2) for t, dx in ((0.98, 12), (0.88, 12), (0.4, 13), (0.06, 13))],
        [11, 8, 6.5, 9],
        2.6,
        [],
    )
    ulna = _long_bone(
        person, [lower(t, -9, dy) for t, dy in ((0.97, 2), (0.5, 6), (0.1, 6), (-0.04, 16))], [6.5, 6.5, 8, 11], 2.6, []
    )
    carpals = [
        ellipsoid(wrist + dx * across + xyz(0, dy, -dz), (8, 8, 9))
        for dx, dy, dz in ((-12, 0, 10), (0, -3, 14), (12, 0, 10), (-6, 2, 26), (9, 0, 26))
    ]
    rays = []
    for n in range(5):
        spread = across * (-18 + 9 * n)
        knuckle = hand + 1.1 * spread + xyz(0, 3 * abs(n - 2), -10)
        rays += [
            round_cone(wrist + spread * 0.7 + xyz(0, 0, -32), knuckle, 4.6, 5.6),
            round_cone(knuckle + xyz(0, -3, -10), knuckle + xyz(0, -12, -42), 5, 4),
        ]
    hand_bone = Bone(carpals + rays, 1.0 * person.cortex, 0.7 * person.shell_hu, person.spongy, round_mm=1.5)
    shafts = [Shaft(upper(t, 0, 0), unit(shoulder - elbow), 11, side) for t in (0.35, 0.6)]
    shafts.append(Shaft(lower(0.5, 13, -2), unit(elbow - wrist), 6.5, side))
    return Arm(lean, grown, vein, [humerus, radius, ulna, hand_bone], shafts)
