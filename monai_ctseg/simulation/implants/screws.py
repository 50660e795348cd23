"""Screws and plates.

A screw runs along +z from under its head, at z = 0, to its tip; the head lies at z < 0. A plate lies along z with
its bone side in the plane x = 0, its outer side at x = thickness and its width along y; its screws run along -x.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.implants.implant import Family
from monai_ctseg.simulation.sdf import Solid, cylinder, loft, rod, thread, toward, wire


@dataclass(frozen=True)
class Screw:
    """Sizes of a screw in mm; `diameter`, `core`, `head` and `bore` are diameters, `shank` is a smooth length."""

    diameter: float
    length: float
    core: float
    pitch: float
    head: float
    shank: float = 0.0
    bore: float = 0.0
    style: str = "round"


def sample_screw(random: np.random.Generator, diameter: float, length: float, *, family: Family = "training") -> Screw:
    """A cortical or, from 4 mm on, cancellous screw; unseen: cannulated, headless or locking.

    By ISO 5835: HA 1.5 to 4.5 has a core of 0.67 to 0.73 and a pitch of 0.33 to 0.4 of the diameter, HB 4.0 and 6.5 a
    core of 0.47 and a pitch of 0.42; heads are about 1.75 times as wide as the thread.
    """
    cancellous = diameter >= 4 and random.random() < 0.35
    core = diameter * (random.uniform(0.46, 0.55) if cancellous else random.uniform(0.66, 0.74))
    pitch = diameter * (random.uniform(0.4, 0.44) if cancellous else random.uniform(0.32, 0.42))
    shank = length * random.uniform(0.3, 0.7) if cancellous else 0.0
    screw = Screw(diameter, length, core, pitch, diameter * random.uniform(1.6, 1.85), shank)
    if family == "training":
        return screw
    style = str(random.choice(["cannulated", "headless", "locking"]))
    bore = diameter * random.uniform(0.3, 0.38) if style == "cannulated" else 0.0
    return replace(screw, style=style, bore=bore, core=max(core, 1.5 * bore))


def screw_solids(screw: Screw) -> tuple[Solid, ...]:
    """Thread, smooth shank and head of a screw."""
    solids = [
        thread(screw.core / 2, screw.diameter / 2, screw.pitch, screw.length - screw.shank, tip=screw.diameter).moved(
            (0, 0, screw.shank)
        )
    ]
    if screw.shank:
        solids.append(cylinder(screw.core * 0.55, screw.shank + 0.5))
    solids.append(_head(screw))
    # The bore is on the axis, along which alone the solids are shifted.
    bore: list[Solid] = [rod((0, 0, -200), (0, 0, 200), screw.bore / 2)] if screw.bore else []
    return tuple(solid.without(bore) for solid in solids)


def _head(screw: Screw) -> Solid:
    radius, core = screw.head / 2, screw.core / 2
    if screw.style == "headless":
        return thread(core, screw.diameter * 0.6, screw.pitch * 0.8, screw.diameter * 1.5)
    if screw.style == "locking":
        head = thread(radius * 0.84, radius * 0.95, screw.diameter * 0.2, radius * 1.2)
    else:
        head = loft(
            (0, 0.3 * radius, 0.7 * radius, radius), half_x=(p := radius * np.array([0.8, 1, 1, 0.6])), half_y=p
        )
    socket = rod((0, 0, -1), (0, 0, 0.5 * radius), radius * 0.45)
    return head.without([socket]).moved((0, 0, -head.high[2]))


@dataclass(frozen=True)
class Plate:
    """Sizes of a plate in mm: heights along it, its middle in x and y and its half width there, and where holes are.

    hug: radius of the bone that its section hugs. holes: z of each hole, whose radius is `hole`.
    """

    heights: FloatArray
    x: FloatArray
    y: FloatArray
    half_width: FloatArray
    thick: float
    hole: float
    holes: FloatArray
    hug: float = float("inf")
    corner: float = 0.5


def sample_plate(
    random: np.random.Generator,
    *,
    length: float,
    thick: float,
    wide: float,
    screw_mm: float,
    family: Family = "training",
) -> Plate:
    """A straight or slightly bowed plate about z = 0; unseen: anatomical, tubular, or notched at each hole."""
    z = np.linspace(-0.5, 0.5, 25) * length
    t = z / length
    bow = random.choice([0.0, 1.0]) * random.uniform(-1, 1) * length**2 / 8 / 300
    spacing = max(screw_mm * random.uniform(2.6, 4.0), 2 * screw_mm + 2)
    count = max(2, int((length - 1.5 * spacing * 0.5) / spacing))
    holes = np.asarray((np.arange(count) - (count - 1) / 2) * spacing, dtype=np.float64)
    half = np.full_like(z, wide / 2)
    plate = Plate(z, bow * (1 - 4 * t**2), 0 * z, half, thick, 0.55 * screw_mm, holes, corner=random.uniform(0.2, 0.9))
    if family == "training":
        return plate
    style = random.choice(["anatomical", "tubular", "notched"])
    if style == "tubular":
        return replace(plate, hug=wide * random.uniform(0.5, 0.8), corner=0.5, thick=min(thick, 3.0))
    if style == "notched":
        nodes = np.linspace(-length / 2, length / 2, 8 * count + 1)
        narrow = 1 + 0.16 * np.cos(2 * np.pi * (nodes - holes[0]) / spacing)
        return replace(plate, heights=nodes, x=0 * nodes, y=0 * nodes, half_width=wide / 2 * narrow / 1.16)
    flare = 1 + random.uniform(0.5, 0.9) * np.clip(t * 3 - 0.4, 0, 1) ** 1.5
    sideways = random.choice([-1, 1]) * random.uniform(0.06, 0.14) * length * np.clip(t + 0.2, 0, 1) ** 2 * 2
    return replace(plate, y=sideways, half_width=half * flare, x=plate.x + 0.12 * length * np.clip(t, 0, 1) ** 2)


def plate_solid(plate: Plate) -> Solid:
    """The plate with its holes."""
    body = loft(
        plate.heights,
        half_x=plate.thick / 2,
        half_y=plate.half_width,
        x=plate.x + plate.thick / 2,
        y=plate.y,
        corner=plate.corner,
        bend_radius=plate.hug,
    )
    return body.without(
        [rod(at - np.array([60, 0, 0]), at + np.array([60, 0, 0]), plate.hole) for at in hole_centers(plate)]
    )


def hole_centers(plate: Plate) -> FloatArray:
    """Middle of the outer side at each hole, n x 3."""
    rows = [np.interp(plate.holes, plate.heights, row) for row in (plate.x + plate.thick, plate.y)]
    return np.stack([*rows, plate.holes], axis=1)


def plate_screws(
    random: np.random.Generator,
    plate: Plate,
    *,
    screw_mm: float,
    lengths: tuple[float, float],
    filled: float = 0.7,
    family: Family = "training",
) -> tuple[Solid, ...]:
    """Screws through some of the holes, the head sunk into the plate, each tilted by up to 8 degrees."""
    screw = sample_screw(random, screw_mm, float(random.uniform(*lengths)), family=family)
    if screw.style == "headless":
        screw = replace(screw, style="locking")
    solids: list[Solid] = []
    for center in hole_centers(plate):
        if random.random() < filled:
            along = toward((-1.0, *random.uniform(-0.14, 0.14, 2)))
            own = replace(screw, length=float(random.uniform(*lengths)))
            sunk = center - (min(plate.thick * 0.6, own.head / 2 * 0.7), 0, 0)
            solids += [solid.moved(sunk, along) for solid in screw_solids(own)]
    return tuple(solids)


def hooks(plate: Plate, *, size: float) -> tuple[Solid, ...]:
    """Two hooks that reach around the bone from the plate's upper end."""
    end, half = float(plate.heights[-1]), float(plate.half_width[-1]) * 0.6
    x, radius = float(plate.x[-1]) + plate.thick / 2, plate.thick * 0.4
    path = np.array([(0, 0), (-0.1, 0.45), (-0.5, 0.75), (-1.0, 0.6), (-1.2, 0.3)]) * size
    ways = (np.stack([x + path[:, 0], np.full(5, side * half), end - 1 + path[:, 1]], axis=1) for side in (-1, 1))
    return tuple(solid for way in ways for solid in wire(way, radius))
