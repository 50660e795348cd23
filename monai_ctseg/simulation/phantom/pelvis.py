"""Pelvis: hip bones, sacrum and femora."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monai_ctseg.grid import FloatArray, unit
from monai_ctseg.simulation.phantom.canvas import Bone, Layer, fill
from monai_ctseg.simulation.phantom.fields import Profile
from monai_ctseg.simulation.phantom.person import Field, HipJoint, Person
from monai_ctseg.simulation.sdf import (
    Floats,
    Points,
    Solid,
    cut_by_plane,
    dot,
    ellipsoid,
    round_cone,
    shifted,
    smooth_max,
    tube,
    xyz,
)

SOCKET_GAP_MM = 3.5


@dataclass(frozen=True, eq=False)
class Hip:
    """Axes of a femur and its socket in the body frame; side 1 is left.

    head: its centre; neck: from the shaft to the head; trochanter: where neck and shaft axes meet; knee: the shaft's
    lower end; opening: where the socket looks; joint: only where its measures are to be known.
    """

    side: int
    head: FloatArray
    neck: FloatArray
    trochanter: FloatArray
    knee: FloatArray
    opening: FloatArray
    joint: HipJoint | None = None

    @property
    def shaft(self) -> FloatArray:
        """Upwards."""
        return unit(self.trochanter - self.knee)

    def on_shaft(self, z: float) -> FloatArray:
        """The shaft's middle at a height; the shaft bows forward."""
        t = (z - self.knee[2]) / (self.trochanter[2] - self.knee[2])
        point: FloatArray = self.knee + t * (self.trochanter - self.knee) - np.array([0, 26 * t * (1 - t), 0])
        return point

    def ball(self, head_mm: float) -> Solid:
        """What the socket is hollowed out to."""
        if self.joint is None:
            return ellipsoid(self.head, 3 * [head_mm + SOCKET_GAP_MM])
        return ellipsoid(self.head + self.joint.offset_mm, 3 * [head_mm + self.joint.gap_mm])


def hip(person: Person, side: int) -> Hip:
    """The axes of one side."""
    steep, forward = np.radians(180 - person.neck_degrees), np.radians(person.forward_degrees)
    neck = np.array([-side * np.sin(steep) * np.cos(forward), -np.sin(steep) * np.sin(forward), np.cos(steep)])
    head = np.array([side * person.hip_x, 0.0, 0.0])
    knee = np.array([side * person.knee_x[(side + 1) // 2], 2.0, -420.0])
    joint = person.joints[(side + 1) // 2] if person.joints else None
    x, y, z = joint.opening if joint else (0.72, -0.28, -0.6)
    return Hip(side, head, neck, head - person.neck_mm * neck, knee, unit((side * x, y, z)), joint)


def femur(person: Person, hip: Hip) -> Bone:
    """A femur: head, neck, trochanters, shaft and condyles."""
    side, head = hip.side, hip.head
    heights = (hip.trochanter[2] + 2, -75, -120, -220, -310, -360, -400)
    radii = np.array((17, 16, 14.5, 13.8, 15, 19, 24))
    solids = [
        ellipsoid(head, 3 * [person.head_mm]),
        round_cone(hip.trochanter, head - 8 * hip.neck, 16.5, 0.68 * person.head_mm),
        ellipsoid(hip.trochanter + xyz(side * 13, 9, 14), (12, 17, 23)),
        ellipsoid(hip.trochanter + xyz(-side * 14, 11, -27), (8, 8, 11)),
        *tube([hip.on_shaft(z) for z in heights], list(radii)),
        round_cone(hip.on_shaft(-90) + xyz(0, 12, 0), hip.on_shaft(-330) + xyz(0, 12, 0), 4, 4),
        *(ellipsoid(hip.knee + xyz(x, 6, -2), (21, 29, 22)) for x in (-22, 22)),
    ]
    wall = [
        (15, 1.2),
        (-20, 1.4),
        (-45, 2.2),
        (-75, 4.5),
        (-130, 6.8),
        (-250, 7.0),
        (-330, 4),
        (-380, 1.6),
        (-420, 1.2),
    ]
    cortex = Profile([(z, max(1.0, mm * person.cortex)) for z, mm in wall])
    spongy = Profile([(-50, 1), (-100, 0), (-340, 0), (-400, 0.9)])

    def inside(at: Points) -> Floats:
        share = spongy(at[2])
        return share * person.spongy(at) + (1 - share) * np.float32(person.marrow_hu)

    if hip.joint is None:
        return Bone(solids, lambda at: cortex(at[2]), person.shell_hu, inside, round_mm=9.0, gap_mm=1.6)
    return _with_head(solids, lambda at: cortex(at[2]), inside, person, hip, hip.joint)


def _with_head(
    solids: Sequence[Solid], cortex: Field, inside: Field, person: Person, hip: Hip, joint: HipJoint
) -> Bone:
    """The femur whose head has a shell of known thickness, a dense middle and a dimple."""
    ball = ellipsoid(hip.head, 3 * [person.head_mm])

    def plate(at: Points) -> Floats:
        return np.asarray(np.where(ball.distance(at) < 1, np.float32(joint.plate_mm), cortex(at)), dtype=np.float32)

    def spongy(at: Points) -> Floats:
        depth = np.maximum(-ball.distance(at) / np.float32(person.head_mm), 0)
        result: Floats = inside(at) + np.float32(joint.core_hu) * depth
        return result

    hollows = [_fovea(hip, joint, person.head_mm)]
    return Bone(solids, plate, person.shell_hu, spongy, hollows, round_mm=9.0, gap_mm=1.6)


def _fovea(hip: Hip, joint: HipJoint, head_mm: float) -> Solid:
    """The dimple in the head, where its ligament begins."""
    way = unit((-0.87 * hip.side, 0.2, -0.3))
    return ellipsoid(hip.head + (head_mm + 6 - joint.fovea_mm) * way, 3 * [6.0])


def joint_space(hip: Hip, head_mm: float) -> list[Layer]:
    """What lies in a joint whose measures are known: fat in its fossa, cartilage and fluid."""
    if hip.joint is None:
        return []
    return [fill(_fossa(hip, hip.joint, head_mm), -50.0), fill(hip.ball(head_mm), hip.joint.fluid_hu)]


def _fossa(hip: Hip, joint: HipJoint, head_mm: float) -> Solid:
    """The hollow in the socket's floor, and the notch below through which it leaves."""
    center, r = hip.head + joint.offset_mm, head_mm + joint.gap_mm
    down = unit(np.array([0, 0, -1.0]) + hip.opening[2] * hip.opening)
    floor = center - (0.3 * r + joint.fossa_mm) * unit(hip.opening - 0.35 * down)
    return round_cone(floor, center + (0.7 * r + joint.fossa_mm) * down, 0.7 * r, 0.3 * r)


def _hollows(hip: Hip, head_mm: float) -> list[Solid]:
    """What a hip bone lacks round its joint; a rim that is to be known lies in one plane as far as bone is near."""
    if hip.joint is None:
        return [hip.ball(head_mm)]
    center, r = hip.head + hip.joint.offset_mm, head_mm + hip.joint.gap_mm
    front = cut_by_plane(ellipsoid(center, 3 * [r + 8]), center + hip.joint.rim_mm * hip.opening, -hip.opening)
    return [hip.ball(head_mm), _fossa(hip, hip.joint, head_mm), front]


def hip_bone(person: Person, hip: Hip) -> Bone:
    """Ilium, ischium and pubis of one side, round the joint."""
    side, head, r = hip.side, hip.head, person.head_mm
    low, symphysis = np.array([side * 60, 28, -56]), np.array([side * 13, -47, -34])
    rim, wall = head + 4 * hip.opening, 0.0
    if hip.joint is not None:
        rim = head + hip.joint.offset_mm + hip.joint.rim_mm * hip.opening
        wall = max(hip.joint.gap_mm - SOCKET_GAP_MM, 0) + 1
    block = ellipsoid(head + xyz(-side * 3, 5, 11), (r + wall + 9, r + wall + 13, r + wall + 15))
    solids = [
        cut_by_plane(block, rim, hip.opening),
        _wing(side, head),
        *tube([head + xyz(-side * 6, 27, -2), head + xyz(-side * 15, 33, -28), low], (15, 14, 14)),
        *tube([low + xyz(0, -4, -8), (side * 36, 0, -62), symphysis + xyz(side * 4, 6, -16)], (9, 6, 7)),
        *tube([head + xyz(-side * 18, -24, 8), (side * 42, -44, -8), symphysis + xyz(side * 2, 0, 8)], (12, 8, 9)),
        ellipsoid(symphysis, (10, 9, 19)),
    ]
    shell = Profile([(-80, 1.8), (0, 1.6), (140, 2.0)])
    return Bone(
        solids,
        lambda at: shell(at[2]) * np.float32(person.cortex),
        0.85 * person.shell_hu,
        person.spongy,
        hollows=_hollows(hip, r),
        round_mm=7.0,
    )


def _wing(side: int, head: FloatArray) -> Solid:
    """The blade of the ilium: a bent sheet, thick at its rim, spread between the sacrum and the front spine."""
    along, across = unit((80, -105, 0)), unit((105, 80, 0))
    middle = np.array([90.0, 14.0, 80.0])
    middle[0] += abs(head[0]) - 88

    def distance(at: Points) -> Floats:
        x, y, z = shifted((at[0] * np.float32(side), at[1], at[2]), middle)
        u, v = dot((x, y, np.float32(0) * z), along), dot((x, y, np.float32(0) * z), across)
        bend = np.float32(0.17) * z - np.float32(9) * (1 - (u / 60) ** 2) + np.float32(4)
        rim = np.sqrt(u * u / 80**2 + (z + 18) ** 2 / 84**2)
        region = smooth_max((rim - 1) * 80, (np.abs(u - 6) - (26 + (z + 65) * np.float32(0.8))) * np.float32(0.78), 8.0)
        region = smooth_max(region, -75 - z, 5.0)
        thick = 6 + 7 * (u / 62) ** 2 + 11 * np.clip((-28 - z) / 35, 0, 1) + 5 * np.clip(rim * 5 - 4, 0, 1)
        return smooth_max(np.abs(v - bend) - thick / 2, region, 4.0)

    low, high = np.array([20.0, -75, 2]), np.array([165.0, 105, 152])
    if side < 0:
        low[0], high[0] = -high[0], -low[0]
    return Solid(distance, low, high)


def sacrum(person: Person) -> Bone:
    """Sacrum and coccyx, with its canal and foramina."""
    row = [((0, 30, 96), (27, 20, 17)), ((0, 52, 69), (24, 15, 18)), ((0, 68, 43), (20, 12, 17)),
           ((0, 75, 19), (16, 9, 16)),
           ((0, 71, -4), (11, 7, 13)), ((0, 57, -23), (6, 5, 13))]  # fmt: skip
    solids = [ellipsoid(*sizes) for sizes in row] + [ellipsoid((0, 87, 66), (6, 8, 32))]
    for side in (-1, 1):
        wide = [((38, 46, 92), (20, 21, 19)), ((35, 62, 66), (15, 15, 20)), ((26, 73, 40), (12, 10, 16))]
        solids += [ellipsoid((side * x, y, z), axes) for (x, y, z), axes in wide]
    holes = tube([(0, 50, 118), (0, 68, 85), (0, 82, 50), (0, 86, 20)], (9, 8, 5, 2))
    holes += [
        round_cone((side * x, y - 22, z + 6), (side * x, y + 22, z - 10), 5, 4)
        for side in (-1, 1)
        for x, y, z in ((25, 55, 80), (22, 68, 54), (18, 75, 30))
    ]
    return Bone(
        solids, 1.2 * person.cortex, 0.8 * person.shell_hu, person.spongy, hollows=holes, round_mm=7.0, gap_mm=2.0
    )
