"""Femur: hip screw, nail, plate, screws, pins, cerclage wires.

Frames are those of a left femur (mirror x for the right): z along the shaft to the head, x to the lateral side, y to
the back. Sizes are makers' catalogue ranges unless a norm is named.
"""

from __future__ import annotations

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.implants.implant import Family, Implant, choose_metal
from monai_ctseg.simulation.implants.screws import (
    Plate,
    hooks,
    plate_screws,
    plate_solid,
    sample_plate,
    sample_screw,
    screw_solids,
)
from monai_ctseg.simulation.sdf import Solid, cylinder, loft, ring, thread, toward, wire


def _neck(angle: float) -> FloatArray:
    """Unit vector up the neck, which stands at `angle` degrees to the shaft."""
    return np.array([-np.sin(np.radians(angle)), 0.0, -np.cos(np.radians(angle))])


def hip_screw(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """Dynamic hip screw: lag screw, barrel, side plate, cortical screws.

    Origin: where the lag screw enters the lateral cortex; it runs to -x and +z, the plate down along -z.
    Lag screw 8 mm thick with a thread of 12.5 to 14 mm, 70 to 110 mm long, barrel 12.6 mm and 25 to 38 mm long, angle
    130 to 150 degrees, plate 5.5 to 7 x 16 to 19 mm with 2 to 6 holes 16 mm apart, screws 4.5 mm.
    Unseen: a blade in place of the lag thread, hooks, unseen screws, and a second screw beside the lag screw.
    """
    way = toward(neck := _neck(random.uniform(130, 150)))
    length = random.uniform(70, 110)
    lag = _lag_thread(random, family).moved(neck * (length - 24), way)
    shaft = [
        cylinder(4.0, length - 20).moved((0, 0, 0), way),
        cylinder(6.3, random.uniform(25, 38)).moved((0, 0, 0), way),
    ]
    plate = _side_plate(random)
    screws = plate_screws(random, plate, screw_mm=4.5, lengths=(30, 46), filled=0.95, family=family)
    solids = [*shaft, lag, plate_solid(plate), *screws]
    if family == "unseen":
        second = sample_screw(random, random.uniform(6.5, 7.3), length * 0.85, family=family)
        solids += [*hooks(plate, size=random.uniform(9, 14)), *(p.moved((7, 0, 14), way) for p in screw_solids(second))]
    return (Implant("hip_screw", choose_metal(random, steel=0.7, titanium=0.3), tuple(solids)),)


def _lag_thread(random: np.random.Generator, family: Family) -> Solid:
    radius = random.uniform(6.2, 7)
    if family == "training":
        return thread(4.0, radius, random.uniform(2.8, 3.5), 24, tip=12)
    half = np.array([4.0, radius, radius, radius - 1.5])
    return loft((0, 4, 20, 24), half_x=half, half_y=random.uniform(1.6, 2.6), corner=0.3)


def _side_plate(random: np.random.Generator) -> Plate:
    thick, wide, count = random.uniform(5.5, 7), random.uniform(16, 19), int(random.integers(2, 7))
    z = np.linspace(-16.0 * count - random.uniform(12, 16), random.uniform(10, 18), 12)
    holes = -20.0 - 16.0 * np.arange(count, dtype=np.float64)
    return Plate(z, 0 * z, 0 * z, np.full_like(z, wide / 2), thick, 2.6, holes, corner=random.uniform(0.3, 0.9))


def nail(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """Intramedullary nail with a lag screw up the neck and one or two locking bolts.

    Origin: the nail's upper end; it runs along -z, bowed forward (to -y); the lag screw runs to -x and +z.
    Nail 9 to 13 mm, 170 to 400 mm long, upper end 15 to 17 mm, bow radius 1 to 2 m, lag screw 10 to 11 mm and 75 to
    115 mm, angle 120 to 130 degrees, bolts 5 mm. Unseen: hollow, not round, with two thinner lag screws.
    """
    radius, length = random.uniform(4.5, 6.5), random.choice([1.0, 2.0]) * random.uniform(170, 200)
    top = max(random.uniform(7.5, 8.5), radius + 1)
    z = np.linspace(-length, 0, 41)
    wide = (radius + (top - radius) * np.clip((z + 100) / 40, 0, 1)) * np.clip(0.6 + (z + length) / 20, 0.6, 1)
    bow = -(length**2) / 8 / random.uniform(1000, 2000) * (1 - (2 * z / length + 1) ** 2)
    shaft = loft(z, half_x=wide, half_y=wide, y=bow)
    if family == "unseen":
        solid = loft(z, half_x=wide, half_y=wide * random.uniform(0.8, 0.9), y=bow, corner=0.5)
        shaft = solid.without([loft(z, half_x=radius * 0.42, half_y=radius * 0.42, y=bow)])
    solids = [shaft, *_lag_screws(random, family), *_bolts(random, z, bow)]
    return (Implant("nail", choose_metal(random, titanium=0.8, steel=0.2), tuple(solids)),)


def _lag_screws(random: np.random.Generator, family: Family) -> list[Solid]:
    way = toward(neck := _neck(random.uniform(120, 130)))
    sizes = [random.uniform(10, 11)] if family == "training" else [random.uniform(6, 7)] * 2
    solids = []
    for n, size in enumerate(sizes):
        length = random.uniform(75, 115)
        start = np.array([0, 0, -48.0 - 13 * n]) - neck * 22
        crest = thread(size * 0.34, size / 2, random.uniform(2.5, 3.5), 28, tip=10)
        solids += [cylinder(size * 0.4, length - 20).moved(start, way), crest.moved(start + neck * (length - 26), way)]
    return solids


def _bolts(random: np.random.Generator, z: FloatArray, bow: FloatArray) -> list[Solid]:
    bolt = sample_screw(random, random.uniform(4.5, 5.2), random.uniform(32, 48))
    heights = z[0] + 22 + 18 * np.arange(int(random.integers(1, 3)))
    starts = [(bolt.length / 2, float(np.interp(height, z, bow)), height) for height in heights]
    return [solid.moved(start, toward((-1, 0, 0))) for start in starts for solid in screw_solids(bolt)]


def plate(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """Bone plate with screws through some of its holes.

    Origin: the middle of its bone side; it lies along z, its outer side to +x, its screws run to -x.
    2 to 6 mm (rarely 8) thick, 8 to 20 mm wide, 50 to 200 mm long, screws 2.7 to 5 mm by the plate's width (AO small
    and large fragment sets). Unseen: anatomical, tubular or notched plates, hooks, and unseen screws.
    """
    wide = random.uniform(8, 20)
    thick = wide * random.uniform(0.24, 0.4)
    screw_mm = float(np.clip(wide * random.uniform(0.26, 0.34), 2.7, 5))
    length = wide * random.uniform(6, 11)
    sizes = sample_plate(random, length=length, thick=max(2.0, thick), wide=wide, screw_mm=screw_mm, family=family)
    filled, lengths = random.uniform(0.4, 0.9), (wide * 1.4, wide * 2.6)
    solids = [plate_solid(sizes)]
    solids += plate_screws(random, sizes, screw_mm=screw_mm, lengths=lengths, filled=filled, family=family)
    if family == "unseen" and random.random() < 0.3:
        solids += hooks(sizes, size=wide * 0.7)
    return (Implant("plate", choose_metal(random, titanium=0.5, steel=0.5), tuple(solids)),)


def screws(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """One to four parallel or single screws. Origin: under the first head; they run along +z.

    1.5 to 7.5 mm thick, length 6 to 16 times that and at most 110 mm. Unseen: cannulated (hollow), headless or
    locking.
    """
    diameter = random.choice([random.uniform(1.5, 3.5), random.uniform(3.5, 5), random.uniform(6.5, 7.5)])
    length = float(np.clip(diameter * random.uniform(6, 16), 8, 110))
    count = int(random.choice([1, 1, 2, 3, 4]))
    screw = sample_screw(random, float(diameter), length, family=family)
    circle = diameter * random.uniform(2.2, 4)
    solids: list[Solid] = []
    for n in range(count):
        angle = 2 * np.pi * n / count
        start = (circle * (np.cos(angle) - 1), circle * np.sin(angle), random.uniform(-3, 3) * (n > 0))
        tilt = toward((*random.uniform(-0.05, 0.05, 2), 1.0))
        solids += [solid.moved(start, tilt) for solid in screw_solids(screw)]
    return (Implant("screws", choose_metal(random, titanium=0.6, steel=0.4), tuple(solids)),)


def pins(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """One to three smooth wires, pins or rods (Kirschner, Steinmann, Ender). Origin: one end; they run along +z.

    1 to 6 mm thick, 40 to 200 mm long. Unseen: bent, with a hook at the end (Rush pin), or square.
    """
    radius, solids = random.uniform(0.5, 3.0), []
    for _ in range(int(random.integers(1, 4))):
        length, start = random.uniform(40, 120) + 25 * radius, np.append(random.uniform(-12, 12, 2), 0)
        z = np.linspace(0, length, 15)
        bow = random.uniform(0.05, 0.12) * length * (1 - (2 * z / length - 1) ** 2) * (family == "unseen")
        point = radius * np.clip((length - z) / (4 * radius) + 0.2, 0.2, 1)
        square = 0.2 if family == "unseen" and random.random() < 0.5 else 1.0
        pin = [loft(z, half_x=point, half_y=point, x=bow, corner=square)]
        if family == "unseen":
            pin += wire(np.array([(0, 0, 0), (0, 2, -2), (0, 5, -2), (0, 6, 1), (0, 6, 5)]) * radius, radius)
        tilt = toward((*random.uniform(-0.25, 0.25, 2), 1.0))
        solids += [solid.moved(start, tilt) for solid in pin]
    return (Implant("pins", choose_metal(random, titanium=0.3, steel=0.7), tuple(solids)),)


def cerclage(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """Wires around a bone, twisted. Origin: in the bone's axis, which is z; the twist is at +x.

    One to four rings of 13 to 22 mm radius, wire 1 to 1.8 mm, 12 to 30 mm apart. Unseen: cables of two turns with a
    crimp (a block).
    """
    radius, wire_mm = random.uniform(13, 22), random.uniform(0.5, 0.9)
    count, apart, solids = int(random.integers(1, 5)), random.uniform(12, 30), []
    for n in range(count):
        tilt = toward((*random.uniform(-0.15, 0.15, 2), 1.0))
        z = (n - (count - 1) / 2) * apart
        t = np.linspace(0, 1, 13)
        twist = np.stack([radius + 9 * t, 1.3 * wire_mm * np.cos(12 * t), 1.3 * wire_mm * np.sin(12 * t)], axis=1)
        one = [ring(radius, wire_mm), *wire(twist, wire_mm), *wire(twist * (1, -1, -1), wire_mm)]
        if family == "unseen":
            crimp = loft((-4, 4), half_x=2.2, half_y=3.5, x=radius + 0.8, corner=0.4)
            one = [ring(radius, wire_mm).moved((0, 0, s * wire_mm * 1.6)) for s in (-1, 1)] + [crimp]
        solids += [solid.moved((0, 0, z), tilt) for solid in one]
    return (Implant("cerclage", choose_metal(random, steel=0.6, cobalt_chromium=0.3, titanium=0.1), tuple(solids)),)
