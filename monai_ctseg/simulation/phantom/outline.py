"""Outline: the body without its fat, and the skin over the fat, as distances from the axis of each limb outwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from monai_ctseg.simulation.phantom.canvas import Block, Space, distance_in
from monai_ctseg.simulation.phantom.fields import Profile, waves
from monai_ctseg.simulation.phantom.person import Person
from monai_ctseg.simulation.sdf import FAR_MM, Floats, Points, Solid, smooth_min

# z: half width, half depth and y of the centre, without fat; the torso's includes neck and head
TORSO = {
    -104: (6, 6, 5), -92: (34, 34, 8), -75: (92, 72, 10), -60: (136, 86, 10), -30: (164, 96, 8),
    0: (167, 100, 7), 60: (158, 101, 4), 110: (149, 100, 0), 170: (137, 98, -2), 250: (139, 100, -4),
    330: (146, 106, -8), 430: (158, 108, -6), 500: (160, 96, 2), 545: (160, 78, 8), 558: (144, 70, 9),
    573: (106, 62, 10),
    590: (66, 60, 8), 610: (58, 60, 5), 634: (56, 60, 5), 646: (57, 80, -9), 665: (58, 88, -12),
    690: (64, 100, -10), 720: (72, 104, -8), 760: (78, 103, -6), 790: (76, 98, -6), 815: (62, 82, -6),
    832: (38, 52, -6), 840: (4, 6, -6),
}  # fmt: skip
LEG = {
    40: (8, 8, -4), 30: (40, 45, -2), 0: (72, 82, 0), -40: (82, 90, 4), -100: (82, 90, 6),
    -200: (73, 79, 2), -300: (60, 66, 0), -400: (53, 60, -2), -430: (54, 58, -3), -480: (49, 54, 2),
    -550: (50, 58, 8), -650: (40, 46, 6), -760: (29, 37, 2), -800: (29, 46, 0), -835: (27, 46, 0),
    -850: (5, 6, -10),
}  # fmt: skip
FAT = {
    -850: 0.12,
    -500: 0.3,
    -400: 0.35,
    -250: 0.6,
    -90: 0.85,
    0: 1,
    120: 1.05,
    300: 0.85,
    480: 0.7,
    600: 0.35,
    700: 0.12,
    840: 0.08,
}
BELLY = {40: 0, 130: 0.9, 230: 1, 330: 0.5, 420: 0.1, 500: 0}
TOP_Z, BOTTOM_Z = 842.0, -856.0
SKIN_MM = 1.8


class Outline:
    """The body's outer shape; `more` are arms and other parts beside torso and legs, without their fat."""

    def __init__(
        self, person: Person, *, more: Sequence[Solid] = (), torso: bool = True, sides: Sequence[int] = (-1, 1)
    ) -> None:
        self.person, self.more = person, more
        self.torso = _profiles(TORSO) if torso else None
        self.legs = [_leg(person, side) for side in sides]
        self.fat = Profile(list(FAT.items()))
        self.belly = Profile([(z, share * person.belly_mm) for z, share in BELLY.items()])
        self.lumps = waves(person.random, shortest_mm=90, longest_mm=260, count=3)

    def distances(self, space: Space, block: Block) -> tuple[Floats, Floats]:
        """Distance to the body without its fat, and to the skin, in a block, both mm."""
        at = space.points(block)
        z = at[2]
        fat = self._fat_mm(at)
        lean = skin = np.full([part.stop - part.start for part in block], np.float32(FAR_MM))
        if self.torso and z.max() > -125:
            belly = self.belly(z)
            width, depth, y = (profile(z) for profile in self.torso)
            lean = _radial(at[0], at[1] - y + belly, width + belly, depth + belly)
            skin = np.maximum(lean - fat, z - np.float32(TOP_Z))
            lean = np.maximum(lean, z - np.float32(TOP_Z - 3))
        if z.min() < 60:
            for x, *leg in self.legs:
                width, depth, y = (profile(z) for profile in leg)
                near = np.maximum(_radial(at[0] - x(z), at[1] - y, width, depth), np.float32(BOTTOM_Z) - z)
                lean, skin = np.minimum(lean, near), smooth_min(skin, near - np.float32(0.8) * fat, 10.0)
        if self.more:
            more = distance_in(space, block, self.more, 8.0, 5 + self.person.fat_mm)
            lean, skin = np.minimum(lean, more), np.minimum(skin, more - np.float32(0.3) * fat - 2)
        return lean, skin

    def _fat_mm(self, at: Points) -> Floats:
        _, y, z = at
        front = np.clip(y * np.float32(-1 / 90), -1, 1)
        share = (1 + np.float32(0.25) * front + np.float32(0.15) * self.lumps(at)) * self.fat(z)
        result: Floats = np.float32(self.person.fat_mm) * share + np.float32(SKIN_MM + 1)
        return result


def _profiles(table: Mapping[int, tuple[float, float, float]]) -> tuple[Profile, Profile, Profile]:
    width, depth, y = (Profile([(z, row[n]) for z, row in table.items()]) for n in range(3))
    return width, depth, y


def _leg(person: Person, side: int) -> tuple[Profile, Profile, Profile, Profile]:
    knee = person.knee_x[(side + 1) // 2]
    hip = person.hip_x + 8
    x = [(40, hip - 2), (-40, hip + 2), (-430, knee), (-850, knee + 5)]
    return Profile([(z, side * at) for z, at in x]), *_profiles(LEG)


def _radial(x: Floats, y: Floats, width: Floats, depth: Floats) -> Floats:
    """Distance along the radius to an ellipse with somewhat square shoulders."""
    u, v = x / width, y / depth
    u, v = u * u, v * v
    size = np.float32(0.5) * np.sqrt(u + v) + np.float32(0.5) * np.sqrt(np.sqrt(u * u + v * v)) + np.float32(1e-3)
    distance: Floats = np.sqrt(x * x + y * y) * (1 - 1 / size)
    return distance
