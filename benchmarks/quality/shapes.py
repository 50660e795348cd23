"""Plain test implants of known sizes, centred on the origin: plates, screws, rods, balls, cups.

No training uses them. Kinds and sizes are those on which simple methods were measured before.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from monai_ctseg.simulation.implants import Implant
from monai_ctseg.simulation.sdf import Solid, block, cylinder, half_shell, sphere, toward

Random = np.random.Generator
METALS = ("titanium", "steel", "cobalt_chromium")


def plate(random: Random) -> list[Solid]:
    """3 to 7 mm thick, 12 to 20 mm wide, along z; half of them with one or two screws through them."""
    thick, wide = random.uniform(3, 7), random.uniform(12, 20)
    solids = [block((thick, wide, random.uniform(60, 120)))]
    for _ in range(int(random.integers(1, 3)) if random.random() < 0.5 else 0):
        screw = cylinder(random.uniform(1.6, 2.5), random.uniform(25, 45))
        solids.append(
            screw.moved((thick / 2 + 2, 0, random.uniform(-8, 8)), toward((-1, *random.uniform(-0.15, 0.15, 2))))
        )
    return solids


def screws(random: Random) -> list[Solid]:
    """Two to five side by side, 1.6 to 5 mm thick, each tilted a little."""
    solids: list[Solid] = []
    thick = random.uniform(1.6, 5)
    for n in range(int(random.integers(2, 6))):
        length = random.uniform(20, 50)
        own = cylinder(max(0.8, thick * random.uniform(0.8, 1.1) / 2), length).moved((0, 0, -length / 2))
        tilt = toward((*random.uniform(-0.2, 0.2, 2), 1.0))
        solids.append(own.moved((n * (thick + random.uniform(3, 9)) - 10, random.uniform(-6, 6), 0), tilt))
    return solids


def rod(random: Random) -> list[Solid]:
    """One or two rods of 5 to 12 mm."""
    radius, length = random.uniform(2.5, 6), random.uniform(60, 120)
    one = cylinder(radius, length).moved((0, 0, -length / 2))
    return [one, *([one.moved((radius * 2 + random.uniform(6, 25), 0, 0))] if random.random() < 0.3 else [])]


def ball(random: Random) -> list[Solid]:
    """A ball head of 22 to 36 mm on a neck of 10 to 14 mm."""
    radius = random.uniform(11, 18)
    return [
        sphere(radius),
        cylinder(random.uniform(5, 7), random.uniform(25, 40)).moved((0, 0, 0), toward((0.6, 0, -0.8))),
    ]


def cup(random: Random) -> list[Solid]:
    """A shell of 2 to 5 mm with a ball in it, 4 to 9 mm of plastic between them."""
    radius, wall = random.uniform(11, 16), random.uniform(2, 5)
    inner = radius + random.uniform(4, 9)
    return [
        half_shell(inner, inner + wall, top=random.uniform(-3, 2)).moved((0, 0, 0), toward((0.7, -0.2, -0.7))),
        sphere(radius),
    ]


MAKERS: dict[str, Callable[[Random], list[Solid]]] = {
    "plate": plate,
    "screws": screws,
    "rod": rod,
    "ball": ball,
    "cup": cup,
}


def make_test_implant(kind: str, metal: str, random: Random) -> Implant:
    """An implant of one metal, rotated at random: any angle about z, z tilted a little, or anyhow for screws."""
    lean = random.normal(0, 1.0 if kind == "screws" else 0.25, 2)
    turn = toward((lean[0], lean[1], 1.0), side=(np.cos(a := random.uniform(0, 2 * np.pi)), np.sin(a), 0))
    return Implant(kind, metal, tuple(solid.moved((0, 0, 0), turn) for solid in MAKERS[kind](random)))
