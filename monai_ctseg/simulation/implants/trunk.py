"""Trunk: clips, staples, coils, stents, sternal wires, generators. Sizes are makers' catalogue ranges."""

from __future__ import annotations

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.implants.implant import Family, Implant, choose_metal
from monai_ctseg.simulation.sdf import Solid, block, helix, loft, mesh, ring, rod, toward, wire, zigzag


def _anyhow(random: np.random.Generator) -> FloatArray:
    """A rotation with a random axis."""
    return toward(random.normal(size=3), side=random.normal(size=3))


def clips(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """One to eight surgical clips, scattered. Origin: the middle of the cloud, which is 5 to 30 mm in radius.

    A closed V of wire 0.6 to 1.5 mm thick and 4 to 11 mm long. Unseen: aneurysm clips (two long blades and a spring).
    """
    length, wire_mm, cloud = random.uniform(4, 11), random.uniform(0.3, 0.75), random.uniform(5, 30)
    gap = wire_mm * random.uniform(1.0, 1.6)
    if family == "training":
        path = np.array([(gap, 0, length), (1.4 * gap, 0, 0.3), (0, 0, -0.4), (-1.4 * gap, 0, 0.3), (-gap, 0, length)])
        one = wire(path, wire_mm)
    else:
        blades = np.array([(gap, 0, 1.6 * length), (gap, 0, 3), (-2 * gap, 0, 0)])
        spring = ring(2.2 * wire_mm + 1, wire_mm).moved((0, 0, -2), toward((0, 1, 0)))
        one = (*wire(blades, wire_mm), *wire(blades * (-1, 1, 1), wire_mm), spring)
    count = int(random.integers(1, 9))
    spots = random.normal(0, cloud / 2, (count, 3)) * (count > 1)
    turns = [_anyhow(random) for _ in range(count)]
    solids = [solid.moved(spot, turn) for spot, turn in zip(spots, turns, strict=True) for solid in one]
    return (Implant("clips", choose_metal(random, titanium=0.6, steel=0.4), tuple(solids)),)


def staples(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """A row of staples along z. Origin: its middle; the legs point to -y.

    5 to 20 staples 4 to 7 mm wide and 3 to 5 mm high of wire 0.6 to 1 mm, 5 to 9 mm apart; or one to three bone staples
    of 12 to 25 mm, wire 2 to 3 mm. Unseen: a ring of B-shaped staples (a stapled bowel).
    """
    large = random.random() < 0.25
    wide, high = (
        (random.uniform(12, 25), random.uniform(12, 20)) if large else (random.uniform(4, 7), random.uniform(3, 5))
    )
    radius = random.uniform(1, 1.5) if large else random.uniform(0.3, 0.5)
    metal = choose_metal(random, titanium=0.5, steel=0.5)
    if family == "unseen":
        return (Implant("staples", metal, tuple(_stapled_ring(random))),)
    path = np.array([(-0.5, -1), (-0.5, 0), (0.5, 0), (0.5, -1)]) * (wide, high)
    one = wire(np.insert(path, 2, 0, axis=1), radius)
    count = int(random.integers(1, 4)) if large else int(random.integers(5, 21))
    apart, wave = random.uniform(5, 9) * (3 if large else 1), random.uniform(0, 4)
    solids = []
    for n in range(count):
        z = (n - (count - 1) / 2) * apart
        tilt = toward((*random.uniform(-0.2, 0.2, 2), 1.0))
        solids += [solid.moved((wave * np.sin(z / 25), wave * np.cos(z / 30), z), tilt) for solid in one]
    return (Implant("staples", metal, tuple(solids)),)


def _stapled_ring(random: np.random.Generator) -> list[Solid]:
    path = np.array([(-2, -0.4), (-0.7, -0.9), (-2, -1.4), (-2, 0), (2, 0), (2, -1.4), (0.7, -0.9), (2, -0.4)])
    one = wire(np.insert(path, 1, 0, axis=1), 0.3)
    radius, solids = random.uniform(10, 15), []
    for row in (0, 1):
        for angle in np.arange(12) * np.pi / 6 + row * np.pi / 12:
            out = np.array([np.cos(angle), np.sin(angle), 0])
            turn = np.stack([np.cross((0, 0, 1), out), out, (0.0, 0.0, 1.0)], axis=1)
            solids += [solid.moved(out * (radius + 3 * row), turn) for solid in one]
    return solids


def coil(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """Embolisation coil: a helix of wire, or a packed ball of loops. Origin: its middle; a helix runs along z.

    Wire 0.5 to 1 mm (the wound primary coil), helix 3 to 12 mm wide and 4 to 25 mm long, ball 4 to 16 mm wide. Mostly
    platinum, for which gold stands. Unseen: a cone ("tornado") and a flattened nest with a second one beside it.
    """
    metal = choose_metal(random, gold=0.8, titanium=0.1, steel=0.1)
    radius, wire_mm = random.uniform(1.5, 6), random.uniform(0.25, 0.5)
    if random.random() < 0.5:
        length = random.uniform(4, 25)
        end = radius if family == "training" else radius * random.uniform(2, 3)
        solid = helix(radius, random.uniform(2.4, 5) * wire_mm, wire_mm, length, radius_end=end)
        return (Implant("coil", metal, (solid.moved((0, 0, -length / 2)),)),)
    solids = _ball(random, radius * 1.3, wire_mm)
    if family == "unseen":
        squeezed = [
            solid.moved((0, 0, 0), toward((*random.uniform(-0.35, 0.35, 2), 1.0)))
            for solid in _flat(random, radius, wire_mm)
        ]
        solids = [*squeezed, *(solid.moved((2 * radius, radius, 0)) for solid in _ball(random, radius * 0.6, wire_mm))]
    return (Implant("coil", metal, tuple(solids)),)


def _ball(random: np.random.Generator, radius: float, wire_mm: float) -> list[Solid]:
    """Loops of every tilt, outer ones first: a cage filled with smaller loops."""
    sizes = radius * np.sqrt(random.uniform(0.05, 1, int(random.integers(12, 30))))
    return [ring(float(r), wire_mm).moved((0, 0, 0), _anyhow(random)) for r in sizes]


def _flat(random: np.random.Generator, radius: float, wire_mm: float) -> list[Solid]:
    heights = random.uniform(-0.4, 0.4, 10) * radius
    return [ring(radius * float(random.uniform(0.6, 1.3)), wire_mm).moved((0, 0, z)) for z in heights]


def stent(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """A tube of meshed wire along z. Origin: its middle. Nitinol counts as titanium.

    4 to 30 mm wide, 15 to 120 mm long, struts 0.25 to 0.5 mm. Training: crossing helices, sometimes with a waist.
    Unseen: rings of zigzag wire, with two legs (an aortic bifurcation).
    """
    radius = float(random.choice([random.uniform(2, 5), random.uniform(5, 9), random.uniform(10, 15)]))
    length, strut = radius * random.uniform(5, 9), random.uniform(0.12, 0.25) * (1.3 if radius > 9 else 1)
    metal = choose_metal(random, titanium=0.6, steel=0.2, cobalt_chromium=0.2)
    if family == "training":
        waist = 1.0 if random.random() < 0.7 else random.uniform(0.6, 0.9)
        crossings, pitch = int(random.integers(6, 13)), 2 * np.pi * radius * random.uniform(0.7, 1.6)
        return (Implant("stent", metal, (mesh(radius, length, strut, crossings=crossings, pitch=pitch, waist=waist),)),)
    high = radius * random.uniform(0.5, 0.8)
    count = max(2, int(length / 2 / (1.15 * high)))
    body = [zigzag(radius, high, strut, peaks=8).moved((0, 0, 1.15 * high * (n + 0.5))) for n in range(count)]
    leg = zigzag(radius * 0.48, high, strut, peaks=5)
    legs = [
        leg.moved((side * radius * (0.5 + 0.05 * n), 0, -1.15 * high * (n + 0.5)))
        for side in (-1, 1)
        for n in range(count)
    ]
    return (Implant("stent", metal, (*body, *legs)),)


def sternal_wires(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """Four to seven loops of wire about the sternum, twisted in front. Origin: the middle, z along the bone.

    Loops 14 to 24 x 10 to 14 mm, 15 to 25 mm apart, wire 0.8 to 1.2 mm; steel.
    Unseen: figures of eight, some of titanium.
    """
    half_x, half_y, radius = random.uniform(7, 12), random.uniform(5, 7), random.uniform(0.4, 0.6)
    angle = np.linspace(-np.pi / 2, 3 * np.pi / 2, 25)
    apart, solids = random.uniform(15, 25), []
    rise = apart * 0.4 * np.sin(angle * 2) if family == "unseen" else 0 * angle
    loop = np.stack([half_x * np.cos(angle), half_y * np.sin(angle), rise], axis=1)
    t = np.linspace(0, 1, 9)
    twist = np.stack([radius * np.cos(14 * t), -half_y - 7 * t, radius * np.sin(14 * t)], axis=1)
    count = int(random.integers(4, 8))
    for n in range(count):
        turn = toward((*random.uniform(-0.2, 0.2, 2), 1.0))
        ways = (loop, twist, twist * (-1, 1, -1))
        solids += [p.moved((0, 0, (n - (count - 1) / 2) * apart), turn) for way in ways for p in wire(way, radius)]
    metal = "steel" if family == "training" else choose_metal(random, titanium=0.5, steel=0.5)
    return (Implant("sternal_wires", metal, tuple(solids)),)


def generator(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """Pacemaker with one or two leads, which leave along +z; origin: its middle, +y is its flat side.

    38 to 50 x 38 to 55 x 6 to 8 mm: a wall of 0.4 to 0.6 mm titanium, a battery and a circuit; leads 1.2 to 2 mm
    wide. Unseen: an infusion port (a ring and a floor) with a tube's marker.
    """
    if family == "unseen":
        radius, high = random.uniform(11, 15), random.uniform(8, 12)
        bowl = loft((0, high), half_x=(radius, radius * 0.75), half_y=(radius, radius * 0.75))
        hollow = bowl.without([rod((0, 0, 1.5), (0, 0, high + 1), radius * 0.6)])
        tube = wire(np.array([(radius, 0, 2), (radius + 12, 3, 2), (radius + 25, 16, 2)]), 0.7)
        return (Implant("generator", "titanium", (hollow, *tube)),)
    half_x, thick, half_z = random.uniform(19, 25), random.uniform(3, 4), random.uniform(19, 27)
    wall = random.uniform(0.4, 0.6)
    can = block((2 * half_x, 2 * thick, 2 * half_z), corner=0.9)
    room = block((2 * (half_x - wall), 2 * (thick - wall), 2 * (half_z - wall)), corner=0.85)
    battery = block((1.6 * half_x, 1.2 * thick, 0.8 * half_z), corner=0.6).moved((0, 0, -0.45 * half_z))
    circuit = block((1.4 * half_x, 0.8 * thick, 0.5 * half_z), corner=0.2).moved((0, 0, 0.45 * half_z))
    solids = [can.without([room]), battery, circuit]
    for _ in range(int(random.integers(1, 3))):
        solids += wire(_wander(random, (0.5 * half_x, 0, half_z - 1)), random.uniform(0.6, 1.0))
    return (Implant("generator", "titanium", tuple(solids)),)


def _wander(random: np.random.Generator, start: tuple[float, float, float]) -> FloatArray:
    """A smooth random path upwards of 120 to 200 mm."""
    t = np.linspace(0, 1, 25)
    bend = [random.uniform(-25, 25) * np.sin(random.uniform(1, 5) * t) for _ in range(2)]
    return np.stack([bend[0], 0.4 * bend[1], random.uniform(120, 200) * t], axis=1) + start
