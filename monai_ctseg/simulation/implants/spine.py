"""Spine: pedicle screws joined by rods, and cages.

Frame: z to the head, y to the back, x to the left; screws run forward, to -y. Sizes are makers' catalogue ranges.
"""

from __future__ import annotations

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.implants.implant import Family, Implant, choose_metal
from monai_ctseg.simulation.implants.screws import sample_screw, screw_solids
from monai_ctseg.simulation.sdf import Solid, bar, block, cylinder, loft, rod, thread, toward, wire


def pedicle_screws(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """Pairs of screws with tulip heads and two rods.

    Origin: midway between the rods, in the middle of the construct. Two to five levels 26 to 40 mm apart, screws 4.5
    to 7.5 mm thick and 35 to 55 mm long, 12 to 20 mm from the middle and converging by 5 to 25 degrees, tulips 11 to 14
    mm thick and 14 to 17 mm high, rods 4.75 to 6.35 mm, bowed. Unseen: hollow screws, square rods, cross links, hooks
    in place of some screws.
    """
    levels, apart = int(random.integers(2, 6)), random.uniform(26, 40)
    heights = (np.arange(levels, dtype=np.float64) - (levels - 1) / 2) * apart
    side_mm, rod_mm = random.uniform(12, 20), random.uniform(2.4, 3.2)
    bow = random.uniform(-1, 1) * (heights[-1] ** 2) / 2 / 150
    diameter, length = random.uniform(4.5, 7.5), random.uniform(35, 55)
    inward = min(float(np.tan(np.radians(random.uniform(5, 25)))), (side_mm - 3) / length)
    solids: list[Solid] = []
    for side in (-1, 1):
        solids.append(_rod(heights, side * side_mm, rod_mm, bow, family))
        for z in heights:
            way = (-side * inward, -1.0, random.uniform(-0.12, 0.12))
            start = (side * side_mm, _bow(bow, z, heights), z)
            if family == "unseen" and random.random() < 0.3:
                solids += _hook(start, rod_mm)
                continue
            screw = sample_screw(random, diameter, length, family=family)
            solids += [p.moved(np.add(start, (0, -rod_mm - 2, 0)), toward(way)) for p in screw_solids(screw)[:-1]]
            solids += [p.moved(start, toward((0.0, -1.0, 0.0))) for p in _tulip(random, rod_mm)]
    if family == "unseen":
        solids.append(_link(side_mm, _bow(bow, 0.5 * apart, heights), 0.5 * apart))
    metal = choose_metal(random, titanium=0.8, cobalt_chromium=0.1, steel=0.1)
    return (Implant("pedicle_screws", metal, tuple(solids)),)


def _bow(bow: float, z: float, heights: FloatArray) -> float:
    return float(bow * (1 - (z / max(heights[-1], 1.0)) ** 2))


def _rod(heights: FloatArray, x: float, radius: float, bow: float, family: Family) -> Solid:
    z = np.linspace(heights[0] - 8, heights[-1] + 8, 21)
    y = [_bow(bow, float(at), heights) for at in z]
    corner = 1.0 if family == "training" else 0.25
    return loft(z, half_x=radius, half_y=radius, x=x, y=y, corner=corner)


def _tulip(random: np.random.Generator, rod_mm: float) -> list[Solid]:
    """A cup about the rod (its y axis here) with a slot behind and a set screw; +z is forward."""
    radius, high = random.uniform(5.5, 7), random.uniform(14, 17)
    slot = bar((0, 0, rod_mm), (0, 0, -high), wide=2 * radius + 2, thick=2 * rod_mm + 0.4)
    tulip = rod((0, 0, rod_mm + 4 - high), (0, 0, rod_mm + 4), radius).without([slot])
    return [tulip, cylinder(1.2 * rod_mm, 5.0).moved((0, 0, -rod_mm - 5))]


def _hook(start: tuple[float, float, float], rod_mm: float) -> list[Solid]:
    """A hook from the rod around a lamina."""
    path = np.array([(0, 0, 0), (0, -6, 0), (0, -10, 2), (0, -11, 6), (0, -9, 10)], dtype=np.float64)
    return [*wire(path + start, 2.2), block((10, 12, 10)).moved(np.add(start, (0, -rod_mm, 0)))]


def _link(side_mm: float, y: float, z: float) -> Solid:
    """A bar across both rods, behind them."""
    return block((6.0, 5.0, 2 * side_mm + 12)).moved((0, y + 5, z), toward((1, 0, 0), side=(0, 0, 1)))


def cage(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """Cage between two vertebrae. Origin: its middle; 20 to 32 mm along y, 9 to 24 mm wide, 7 to 14 mm high.

    Training: a box with windows from above and from the sides. Unseen: a threaded hollow cylinder along y.
    """
    high, wide, deep = random.uniform(7, 14), random.uniform(9, 24), random.uniform(20, 32)
    if family == "unseen":
        radius = high * 0.6
        shell = thread(radius * 0.9, radius, 2.2, deep).without([cylinder(radius * 0.65, deep - 2)])
        shell = shell.without([rod((-20, 0, z), (20, 0, z), 2.0) for z in (0.35 * deep, 0.65 * deep)])
        return (Implant("cage", "titanium", (shell.moved((0, -deep / 2, 0), toward((0, 1, 0))),)),)
    wall = random.uniform(1.5, 3)
    windows: list[Solid] = [
        bar((0, 0, -high), (0, 0, high), wide=deep - 2 * wall, thick=wide - 2 * wall),
        bar((-wide, 0, 0), (wide, 0, 0), wide=deep * 0.5, thick=high * 0.45),
    ]
    return (Implant("cage", "titanium", (block((wide, deep, high)).without(windows),)),)
