"""Teeth: fillings, crowns, bridges, dental implants, wires and brackets.

Frame of one tooth: origin on its axis at the gum, +z to the tip of the root, x along the arch, y to the tongue; the
crown of the tooth is at z < 0. Frame of what follows the arch: origin at its front, y to the back, +z to the roots.
Sizes: crowns of teeth are 5 to 11 mm wide and 6 to 11 mm high (Wheeler's dental anatomy); the rest catalogue ranges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray, unit
from monai_ctseg.simulation.implants.implant import Family, Implant, choose_metal
from monai_ctseg.simulation.sdf import Solid, block, cylinder, loft, lump, rod, thread, wire


@dataclass(frozen=True)
class Tooth:
    """Half widths at its widest and its height above the gum, in mm."""

    half_x: float
    half_y: float
    high: float


def _tooth(random: np.random.Generator) -> Tooth:
    return Tooth(random.uniform(2.8, 5.4), random.uniform(3.2, 5.5), random.uniform(6, 9.5))


def _outline(tooth: Tooth, shrink: float = 0.0, *, top: float = 0.0) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Heights and half widths of a tooth's crown, everywhere `shrink` mm less; `top` makes it end deeper."""
    z = np.linspace(-tooth.high + shrink, top, 9)
    wide = np.interp(z / tooth.high, (-1, -0.8, -0.45, 0), (0.8, 0.97, 1.0, 0.85))
    return z, tooth.half_x * wide - shrink, tooth.half_y * wide - shrink


def _solid_crown(tooth: Tooth) -> Solid:
    z, half_x, half_y = _outline(tooth)
    return loft(z, half_x=half_x, half_y=half_y, corner=0.7)


def filling(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """One to three irregular lumps in the crown of a tooth, 2 to 6 mm wide and 1.5 to 4 mm deep; amalgam or gold.

    Unseen: an inlay with straight walls and a post in the root.
    """
    tooth = _tooth(random)
    metal = choose_metal(random, amalgam=0.8, gold=0.2)
    z, half_x, half_y = _outline(tooth)
    room = loft(z, half_x=half_x, half_y=half_y, corner=0.7)
    if family == "unseen":
        inlay = block((1.3 * tooth.half_x, 0.9 * tooth.half_y, 0.5 * tooth.high)).moved((0, 0, -0.75 * tooth.high))
        box = block((0.7 * tooth.half_x, 0.8 * tooth.half_y, 0.7 * tooth.high)).moved(
            (0.7 * tooth.half_x, 0, -0.6 * tooth.high)
        )
        post = cylinder(0.9, random.uniform(9, 14), radius_end=0.5).moved((0, 0, -0.5 * tooth.high))
        return (Implant("filling", metal, (inlay, box, post)),)
    solids = []
    for _ in range(int(random.integers(1, 4))):
        size = random.uniform((1.0, 1.0, 1.2), (0.65 * tooth.half_x, 0.65 * tooth.half_y, 3.0))
        spot = random.uniform(-0.5, 0.5, 3) * (tooth.half_x, tooth.half_y, 1) - (0, 0, tooth.high - 0.7)
        blob = lump(size, random).moved(spot)
        solids.append(blob.within(room))
    return (Implant("filling", metal, tuple(solids)),)


def crown(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """A cap of 0.5 to 1.5 mm on a tooth, open to the root. Unseen: solid, as a post crown of a lost tooth."""
    tooth, metal = _tooth(random), _crown_metal(random)
    if family == "unseen":
        return (Implant("crown", metal, (_solid_crown(tooth), cylinder(0.9, random.uniform(8, 12), radius_end=0.5))),)
    return (Implant("crown", metal, (_cap(tooth, random.uniform(0.5, 1.5)),)),)


def _crown_metal(random: np.random.Generator) -> str:
    return choose_metal(random, gold=0.45, cobalt_chromium=0.35, titanium=0.1, steel=0.1)


def _cap(tooth: Tooth, wall: float) -> Solid:
    z, half_x, half_y = _outline(tooth, wall, top=1.0)
    return _solid_crown(tooth).without([loft(z, half_x=half_x, half_y=half_y, corner=0.7)])


def dental_implant(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """One to three screws in the jaw along +z, each with a post for the crown, sometimes with a metal crown.

    3 to 5 mm thick, 8 to 14 mm long, pitch 0.6 to 1.2 mm, 7 to 12 mm apart along x; titanium.
    Unseen: hollow with a bar that joins them, or a blade.
    """
    count, apart = int(random.integers(1, 4)), random.uniform(7, 12)
    radius, length, pitch = random.uniform(1.5, 2.5), random.uniform(8, 14), random.uniform(0.6, 1.2)
    one = [thread(radius * 0.85, radius, pitch, length, tip=random.uniform(3, 8)), _abutment(random, radius)]
    if family == "unseen":
        blade = loft((2.0, length), half_x=(5.5, 4.5), half_y=0.7, corner=0.5)
        windows: list[Solid] = [rod((x, -3, 0.65 * length), (x, 3, 0.65 * length), 1.2) for x in (-2.5, 2.5)]
        hollow = thread(radius * 0.85, radius, pitch * 1.5, length).without([rod((0, 0, 2), (0, 0, 30), 0.5 * radius)])
        one = (
            [blade.without(windows), cylinder(1.2, 5.0).moved((0, 0, -2.5))]
            if count == 1
            else [hollow, cylinder(radius, 4.5).moved((0, 0, -4))]
        )
    spots = [((n - (count - 1) / 2) * apart, 0.0, 0.0) for n in range(count)]
    solids = [solid.moved(spot) for spot in spots for solid in one]
    if family == "unseen" and count > 1:
        reach = (count - 1) / 2 * apart + 4
        solids.append(loft((-5.0, -2.5), half_x=reach, half_y=1.6, corner=0.6))
    implants = [Implant("dental_implant", "titanium", tuple(solids))]
    if family == "training" and random.random() < 0.3:
        caps = [_cap(_tooth(random), random.uniform(0.5, 1.0)).moved(spot) for spot in spots]
        implants.append(Implant("dental_implant", _crown_metal(random), tuple(caps)))
    return tuple(implants)


def _abutment(random: np.random.Generator, radius: float) -> Solid:
    high = random.uniform(3, 5.5)
    return cylinder(radius * 0.6, high + 0.3, radius_end=radius * 0.95).moved((0, 0, -high))


@dataclass(frozen=True)
class Arch:
    """A curve of fourth degree from its front at the origin to `wide` mm on either side, `deep` mm behind."""

    wide: float
    deep: float

    def at(self, along_mm: float) -> tuple[FloatArray, FloatArray]:
        """Point, and rotation to the frame of a tooth, `along_mm` to the left of the front."""
        x = np.linspace(-self.wide, self.wide, 201)
        y = self._behind(x / self.wide)
        run = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        x0 = float(np.interp(along_mm, run - run[100], x))
        share = x0 / self.wide
        tangent = unit((1.0, self.deep / self.wide * (share + 2 * share**3), 0.0))
        inward = np.array([-tangent[1], tangent[0], 0.0])
        return np.array([x0, self._behind(share), 0.0]), np.stack([tangent, inward, (0.0, 0.0, 1.0)], axis=1)

    def _behind(self, share: npt.ArrayLike) -> FloatArray:
        squared = np.square(np.asarray(share, dtype=np.float64))
        return np.asarray(self.deep * (squared + squared**2) / 2)


def _arch(random: np.random.Generator) -> Arch:
    """Half width 22 to 29 mm and depth 36 to 48 mm, at the second molars."""
    return Arch(random.uniform(22, 29), random.uniform(36, 48))


def bridge(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """Three to six crowns in a row along the arch, joined; the middle ones solid.

    Unseen: a cast framework of a partial denture, with a bar across the palate, clasps and a mesh.
    """
    arch, metal = _arch(random), choose_metal(random, gold=0.4, cobalt_chromium=0.6)
    if family == "unseen":
        return (Implant("bridge", "cobalt_chromium", tuple(_framework(random, arch))),)
    count, high, wall = int(random.integers(3, 7)), random.uniform(6, 8.5), random.uniform(0.5, 1.2)
    run, solids = random.uniform(-40, 10), []
    for n in range(count):
        tooth = Tooth(random.uniform(3, 4.8), random.uniform(3.2, 4.8), high)
        crown = _cap(tooth, wall) if n in (0, count - 1) else _solid_crown(tooth)
        spot, turn = arch.at(run + tooth.half_x)
        solids.append(crown.moved(spot, turn))
        run += 2 * tooth.half_x
        if n < count - 1:
            spot, turn = arch.at(run)
            solids.append(block((3.0, 2.5, 3.0), corner=0.5).moved(spot - (0, 0, 0.5 * high), turn))
    return (Implant("bridge", metal, tuple(solids)),)


def _framework(random: np.random.Generator, arch: Arch) -> list[Solid]:
    far = random.uniform(28, 38)
    solids: list[Solid] = []
    for side in (-1, 1):
        saddle = [arch.at(side * (far + step))[0] for step in np.linspace(-8, 8, 7)]
        solids += [p.moved((0, 0, 0.5)) for p in wire(np.array(saddle), 0.9)]
        spot, turn = arch.at(side * (far - 12))
        clasp = [(4.4 * np.cos(a), 4.4 * np.sin(a), -4.0) for a in np.linspace(-1.2, 3.6, 10)]
        solids += [solid.moved(spot, turn) for solid in wire(clasp, 0.6)]
    ends = [arch.at(side * far)[0] for side in (-1, 1)]
    t = np.linspace(0, 1, 9)[:, None]
    palate = ends[0] * (1 - t) + ends[1] * t + np.array([0, -4.0, 9.0]) * np.sin(np.pi * t)
    return solids + list(wire(palate, random.uniform(1.3, 2.0)))


def braces(random: np.random.Generator, family: Family) -> tuple[Implant, ...]:
    """Brackets of 3 to 4 mm on 8 to 14 teeth, a wire of 0.4 to 0.6 mm through them and bands on the molars; steel.

    Unseen: a retainer behind the front teeth, and a screw that widens the palate, with bands.
    """
    arch = _arch(random)
    metal = choose_metal(random, steel=0.85, titanium=0.15)
    if family == "unseen":
        return (Implant("braces", metal, tuple(_expander(random, arch))),)
    count, apart = 2 * int(random.integers(4, 8)), random.uniform(6.5, 7.8)
    spots = (np.arange(count) - (count - 1) / 2) * apart
    size = random.uniform((2.8, 1.6, 2.6), (4.0, 2.4, 3.6))
    outside = random.uniform(3.8, 4.6)
    solids: list[Solid] = []
    for along in spots:
        spot, turn = arch.at(float(along))
        groove = rod((-5, -size[1] / 2, 0), (5, -size[1] / 2, 0), 0.5)
        bracket = block(size, corner=0.3).without([groove])
        solids.append(bracket.moved(spot + turn @ np.array([0, -outside, -4.0]), turn))
    path = [
        spot + turn @ np.array([0, -outside - 0.4 * size[1], -4.0])
        for spot, turn in map(arch.at, np.linspace(spots[0] - 4, spots[-1] + 4, 43))
    ]
    solids += wire(path, random.uniform(0.2, 0.3))
    for along in (spots[0] - 9, spots[-1] + 9):
        spot, turn = arch.at(float(along))
        solids.append(_band(random).moved(spot - (0, 0, 4.0), turn))
    return (Implant("braces", metal, tuple(solids)),)


def _band(random: np.random.Generator) -> Solid:
    half_x, half_y = random.uniform(4.6, 5.4), random.uniform(4.6, 5.4)
    band = loft((-1.8, 1.8), half_x=half_x, half_y=half_y, corner=0.7)
    return band.without([loft((-3, 3), half_x=half_x - 0.35, half_y=half_y - 0.35, corner=0.7)])


def _expander(random: np.random.Generator, arch: Arch) -> list[Solid]:
    path = [spot + turn @ np.array([0, 3.5, -3.0]) for spot, turn in map(arch.at, np.linspace(-18, 18, 19))]
    solids = [*wire(path, random.uniform(0.35, 0.5))]
    screw = np.array([0.0, 0.75 * arch.deep, 5.0])
    solids.append(block((random.uniform(10, 14), 7.0, 4.0), corner=0.3).moved(screw))
    for side in (-1, 1):
        for along in (24, 40):
            spot, turn = arch.at(side * along)
            solids += wire(np.array([screw + np.array([5 * side, 0, 0]), spot + turn @ np.array([0, 4.0, -3.0])]), 0.75)
            solids.append(_band(random).moved(spot - (0, 0, 4.0), turn))
    return solids
