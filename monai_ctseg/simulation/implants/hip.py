"""Hip: stem with neck and ball head, cup shell; the plastic liner between head and cup is left free.

Frames are those of a left hip (mirror x for the right): origin in the centre of the ball head, x to the lateral side,
y to the back, z to the head of the patient along the femur's shaft. Sizes are makers' catalogue ranges.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.implants.implant import Family, Implant, choose_metal, pose_implants
from monai_ctseg.simulation.implants.screws import sample_screw, screw_solids
from monai_ctseg.simulation.sdf import Solid, cylinder, half_shell, loft, rod, sphere, toward


def hip_stem(random: np.random.Generator, family: Family, *, bipolar: bool = True) -> tuple[Implant, ...]:
    """Stem, neck and ball head: the head is an implant of its own, and the neck ends in it.

    The neck runs from the origin to +x and -z, the stem points to -z. Head 22 to 40 mm, offset 35 to 50 mm, neck-shaft
    angle 125 to 135 degrees, neck 11 to 14 mm, stem 100 to 180 mm long, tip 8 to 12 mm. Unseen: rectangular and
    straight with a collar, and large hollow heads (42 to 52 mm) if `bipolar`.
    """
    head_radius = random.choice([11.0, 14, 14, 16, 16, 18, 20]) + random.uniform(-0.2, 0.2)
    neck_mm = random.uniform(5.5, 7)
    offset, angle = random.uniform(35, 50), np.radians(random.uniform(125, 135))
    way = np.array([np.sin(angle), 0, np.cos(angle)])
    neck_length = offset / np.sin(angle)
    neck = cylinder(neck_mm * 0.9, neck_length, radius_end=neck_mm * 1.25).moved((0, 0, 0), toward(way))
    stem = [neck, *_stem(random, family, offset=offset, top=neck_length * np.cos(angle))]
    metal = choose_metal(random, titanium=0.6, cobalt_chromium=0.25, steel=0.15)
    heads = [sphere(head_radius)]
    if family == "unseen" and bipolar and random.random() < 0.5:
        outer = random.uniform(21, 26)
        heads = [sphere(14.0), half_shell(outer - random.uniform(2, 3), outer, top=4.0)]
        heads[1] = heads[1].moved((0, 0, 0), _tilt(45, 15))
    ball_metal = choose_metal(random, cobalt_chromium=0.8, steel=0.2)
    return Implant("hip_stem", ball_metal, tuple(heads)), Implant("hip_stem", metal, tuple(stem))


def _stem(random: np.random.Generator, family: Family, *, offset: float, top: float) -> list[Solid]:
    """The body of the stem below the neck; `top` is the height at which the neck meets the stem's axis."""
    length = random.uniform(100, 180)
    z = top + 14 + np.concatenate([np.linspace(-length, -75, 12), np.linspace(-70, 0, 15)])
    t = (z - z[0]) / (z[-1] - z[0])
    tip, wide = random.uniform(4, 6), random.uniform(12, 17)
    down = 1 - np.clip((z - (top + 14)) / -70, 0, 1)
    half_x = tip + (1.2 * t) + (wide - tip) * down**1.8
    half_y = tip + 0.5 + random.uniform(0.5, 3) * t
    point = np.clip(0.55 + (z - z[0]) / 20, 0.55, 1)
    shift = offset - 0.75 * (half_x - half_x[0])
    if family == "training":
        bow = -random.uniform(0, 3) * np.sin(np.pi * t)
        return [loft(z, half_x=half_x * point, half_y=half_y * point, x=shift, y=bow, corner=random.uniform(0.6, 1))]
    straight = tip + (wide - tip) * t
    stem = loft(z, half_x=straight, half_y=tip + 0.6 * t, x=offset - 0.6 * (straight - straight[0]), corner=0.15)
    collar = loft((-3.0, 0.0), half_x=wide + 2, half_y=tip + 4, x=offset - 4, corner=0.8)
    slot = rod((offset, -20, z[0]), (offset, 20, z[0]), 1.5)
    return [stem.without([slot]), collar.moved((0, 0, top + 4))]


def hip_cup(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """Cup shell around a liner. Origin: its centre; it opens along +z, its screws run to -z.

    Outer diameter 44 to 64 mm, wall 2 to 5 mm, up to three holes in the dome and as many screws of 6.5 mm.
    Unseen: dual mobility (a thin shell with a cylindrical rim, no holes) or a flanged reinforcement ring.
    """
    return _cup(random, family, head_radius=float(random.choice([11, 14, 16, 18])))


def _cup(random: np.random.Generator, family: Family, *, head_radius: float) -> tuple[Implant, ...]:
    wall = random.uniform(2, 5)
    inner = max(head_radius + random.uniform(4, 10), 22 - wall)
    metal = choose_metal(random, titanium=0.7, cobalt_chromium=0.2, steel=0.1)
    if family == "unseen":
        return (Implant("hip_cup", metal, tuple(_unseen_cup(random, inner))),)
    outer = inner + wall
    shell = half_shell(inner, outer, top=random.uniform(-3, 2))
    ways = [np.array([np.sin(a) * 0.5, np.cos(a) * 0.5, -0.87]) for a in (0.3, 2.4, 4.5)[: int(random.integers(0, 4))]]
    holes: list[Solid] = [rod(way * (inner - 2), way * (outer + 2), 3.6) for way in ways]
    solids = [shell.without(holes)]
    for way in ways:
        if random.random() < 0.6:
            screw = replace(sample_screw(random, 6.5, random.uniform(20, 40)), head=8.0)
            solids += [p.moved(way * outer, toward(way)) for p in screw_solids(screw)]
    return (Implant("hip_cup", metal, tuple(solids)),)


def _unseen_cup(random: np.random.Generator, inner: float) -> list[Solid]:
    wall = random.uniform(2, 3)
    shell = half_shell(inner, inner + wall, top=0.5)
    rim = cylinder(inner + wall, random.uniform(3, 6))
    hollow: list[Solid] = [cylinder(inner, 20.0), rod((0, 0, -1), (0, 0, 20), inner)]
    solids = [shell, rim.without(hollow)]
    if random.random() < 0.5:
        for angle in (0.0, 2.1, 4.2):
            flange = loft((0, 14.0), half_x=1.2, half_y=(6.0, 3.5), x=inner + wall, corner=0.8)
            turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
            solids.append(flange.moved((0, 0, 0), turn))
    return solids


def _tilt(inclination: float, anteversion: float) -> FloatArray:
    """Turns +z to where a cup opens: down and lateral by the inclination, forward by the anteversion."""
    i, a = np.radians(inclination), np.radians(anteversion)
    return toward((np.sin(i) * np.cos(a), -np.sin(a), -np.cos(i) * np.cos(a)))


def total_hip(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """Stem, head and cup about one centre: inclination 35 to 55 degrees, anteversion 5 to 25.

    Each component has a metal of its own; between the head and the cup lies 4 to 10 mm of plastic, which is no implant.
    """
    stem = hip_stem(random, family, bipolar=False)
    reach = max(solid.high[0] for solid in stem[0].solids)
    cup = _cup(random, family, head_radius=float(reach))
    return (*stem, *pose_implants(cup, _tilt(random.uniform(35, 55), random.uniform(5, 25)), (0, 0, 0)))
