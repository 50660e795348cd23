"""Outside: metal that lies outside the body and is no part of the truth.

Frame: origin on the skin or the table, +z away from it, x to the left where that matters. Sizes by everyday objects.
"""

from __future__ import annotations

import numpy as np

from monai_ctseg.simulation.implants.implant import Family, Implant, choose_metal
from monai_ctseg.simulation.sdf import Solid, block, cylinder, loft, rod, sphere, wire


def ecg_lead(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """A button of 8 to 12 mm on the skin and a cable along +x, 100 to 250 mm, conductor 0.8 to 1.5 mm.

    Unseen: a crocodile clip in place of the button.
    """
    t = np.linspace(0, 1, 37)
    length, swing = random.uniform(100, 250), random.uniform(5, 30)
    path = np.stack([length * t, swing * np.sin(random.uniform(2, 9) * t), 2.5 + 4 * np.sin(6 * t) ** 2], axis=1)
    solids = [*wire(path, random.uniform(0.4, 0.75))]
    radius = random.uniform(4, 6)
    if family == "training":
        solids += [
            cylinder(radius, 1.0),
            sphere(1.9).moved((0, 0, 2.2)),
            cylinder(radius * 0.8, 1.2).moved((0, 0, 3.2)),
        ]
    else:
        jaws = np.array([(0, 0, 5.0), (-9, 0, 3.5), (-18, 0, 0.8)])
        solids += [*wire(jaws, 1.2), *wire(jaws * (1, 1, 0.1) + (0, 0, 0.6), 1.2), cylinder(2.5, 5.0)]
    return (Implant("ecg_lead", "steel", tuple(solids), inside=False),)


def buckle(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """A belt's frame of 40 to 60 x 30 to 45 mm with a prong, of bars 3 to 5 mm thick.

    Unseen: a solid plate, or a zip with a button.
    """
    half_x, half_y, bar_mm = random.uniform(20, 30), random.uniform(15, 22), random.uniform(1.5, 2.5)
    metal = choose_metal(random, steel=0.8, cobalt_chromium=0.2)
    if family == "training":
        corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) * (half_x, half_y)
        frame = wire(np.insert(corners, 2, bar_mm, axis=1), bar_mm)
        prong = wire(np.array([(-half_x, 0, bar_mm), (half_x, 0, 2.6 * bar_mm)]), 0.8 * bar_mm)
        return (Implant("buckle", metal, (*frame, *prong), inside=False),)
    if random.random() < 0.5:
        plate = loft((0, 1.2 * bar_mm), half_x=half_x, half_y=half_y, corner=0.3)
        pin = cylinder(2.0, 5.0).moved((0.6 * half_x, 0, -4.5))
        return (Implant("buckle", metal, (plate, pin), inside=False),)
    teeth = [
        block((1.6, 1.2, 2.0)).moved((side * 1.2, 2.2 * n + 1.1 * (side > 0), 1)) for n in range(40) for side in (-1, 1)
    ]
    button = cylinder(8.5, 3.0).moved((0, 98, 0))
    return (Implant("buckle", metal, (*teeth, button), inside=False),)


def marker(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """One to four balls of 1.5 to 4 mm, a ball of 25 to 30 mm (planning), or a straight wire of 40 to 150 mm along y.

    Unseen: a ring or a cross.
    """
    metal = choose_metal(random, steel=0.9, gold=0.1)
    radius = random.uniform(0.75, 2)
    if family == "unseen":
        size = random.uniform(5, 15)
        t = np.linspace(0, 2 * np.pi, 37)
        loop = np.stack([size * np.cos(t), size * np.sin(t), np.full_like(t, radius)], axis=1)
        cross = [np.array([(-size, 0, radius), (size, 0, radius)]), np.array([(0, -size, radius), (0, size, radius)])]
        ways = [loop] if random.random() < 0.5 else cross
        solids = tuple(solid for way in ways for solid in wire(way, 0.6 * radius))
        return (Implant("marker", metal, solids, inside=False),)
    style = random.choice(["balls", "planning", "wire"], p=[0.5, 0.2, 0.3])
    if style == "balls":
        spots = [np.append(random.uniform(-40, 40, 2) * (n > 0), radius) for n in range(int(random.integers(1, 5)))]
        balls = tuple(sphere(radius).moved(spot) for spot in spots)
        return (Implant("marker", metal, balls, inside=False),)
    if style == "planning":
        large = random.uniform(12.5, 15)
        return (Implant("marker", "steel", (sphere(large).moved((0, 0, large)),), inside=False),)
    half = random.uniform(20, 75)
    return (
        Implant("marker", metal, wire(np.array([(0, -half, radius), (0, half, radius)]), 0.6 * radius), inside=False),
    )


def table_rail(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """A bar of 8 to 12 x 20 to 30 mm or a rod of 6 to 16 mm, 300 to 600 mm along the patient's z. Origin: its middle.

    Unseen: a tube, or a bar with a C for a section.
    """
    length, high, deep = random.uniform(300, 600), random.uniform(20, 30), random.uniform(8, 12)
    radius = random.uniform(3, 8)
    solid: Solid
    if family == "training":
        solid = (
            block((deep, high, length))
            if random.random() < 0.5
            else cylinder(radius, length).moved((0, 0, -length / 2))
        )
    elif random.random() < 0.5:
        tube = cylinder(radius * 1.5, length).without([rod((0, 0, -1), (0, 0, length + 1), radius * 1.5 - 1.5)])
        solid = tube.moved((0, 0, -length / 2))
    else:
        groove = block((deep, high * 0.6, length + 2)).moved((0.35 * deep, 0, 0))
        solid = block((deep, high, length)).without([groove])
    metal = choose_metal(random, steel=0.8, titanium=0.2)
    return (Implant("table_rail", metal, (solid,), inside=False),)
