"""Muscles: each a chain or an ellipsoid; where two meet lies a septum of fat, and gaps fill with fat."""

from __future__ import annotations

from monai_ctseg.simulation.phantom.person import Person
from monai_ctseg.simulation.sdf import Solid, ellipsoid, rotation_about, tube, union

# points (x of the left side, y, z) and radii
CHAINS: dict[str, tuple[tuple[tuple[float, float, float], ...], tuple[float, ...]]] = {
    "rectus femoris": (((102, -44, 35), (110, -56, -60), (112, -52, -180), (100, -46, -370)), (7, 13, 22, 8)),
    "vastus lateralis": (((148, 0, -50), (150, -8, -120), (138, -18, -220), (118, -18, -390)), (12, 26, 30, 13)),
    "vastus lateralis, back": (((146, 24, -50), (148, 30, -120), (140, 26, -220), (122, 16, -380)), (10, 20, 21, 8)),
    "vastus intermedius": (((128, -22, -80), (118, -30, -220), (98, -30, -370)), (14, 24, 12)),
    "vastus medialis": (((112, -18, -100), (90, -22, -250), (74, -18, -395)), (10, 24, 24)),
    "sartorius": (((126, -56, 85), (96, -66, -40), (66, -52, -170), (46, -10, -400)), (6, 10, 12, 9)),
    "adductor longus": (((22, -48, -35), (62, -38, -110), (84, -10, -230)), (8, 21, 8)),
    "gracilis": (((16, -22, -55), (30, 0, -160), (44, 20, -390)), (7, 13, 7)),
    "pectineus": (((40, -46, -12), (92, -16, -75)), (13, 14)),
    "adductor brevis": (((24, -25, -50), (85, 0, -130)), (11, 17)),
    "adductor magnus": (((48, 18, -65), (72, 14, -170), (66, 8, -340)), (17, 33, 13)),
    "biceps femoris": (((70, 42, -75), (108, 46, -220), (112, 38, -400)), (11, 23, 15)),
    "semitendinosus": (((64, 48, -75), (80, 58, -210), (64, 48, -390)), (10, 20, 8)),
    "semimembranosus": (((66, 44, -80), (60, 42, -260), (60, 34, -390)), (7, 20, 17)),
    "psoas": (((36, 22, 250), (50, 12, 160), (76, -14, 80), (96, -34, 10), (104, -2, -60)), (14, 24, 22, 18, 8)),
    "piriformis": (((38, 62, 42), (128, 18, 2)), (14, 9)),
    "quadratus femoris": (((74, 30, -36), (126, 20, -42)), (14, 14)),
    "gemelli": (((66, 32, -10), (125, 18, -12)), (10, 8)),
    "erector spinae": (((26, 88, 60), (40, 76, 130), (42, 74, 260), (34, 78, 400), (24, 74, 560)), (9, 27, 28, 22, 16)),
    "multifidus": (((16, 84, 60), (15, 62, 140), (14, 66, 260), (12, 76, 400), (11, 66, 560)), (10, 15, 13, 10, 9)),
    "quadratus lumborum": (((86, 42, 122), (66, 48, 260)), (15, 15)),
    "calf, outer": (((100, 28, -420), (98, 30, -530), (80, 30, -650), (84, 32, -780)), (10, 27, 14, 5)),
    "calf, inner": (((68, 28, -420), (66, 32, -530), (78, 30, -650)), (10, 29, 12)),
    "soleus": (((84, 20, -470), (86, 18, -600), (86, 20, -700)), (12, 24, 10)),
    "tibialis anterior": (((102, -18, -460), (98, -16, -560), (84, -14, -720)), (9, 18, 7)),
    "peroneus": (((118, 4, -460), (114, 4, -580), (104, 14, -760)), (8, 14, 7)),
    "tibialis posterior": (((86, 2, -470), (86, 2, -600), (82, 8, -740)), (9, 15, 7)),
}
# centre, semi-axes, degrees about z and about x
BELLIES: dict[str, tuple[tuple[float, float, float], tuple[float, float, float], float, float]] = {
    "gluteus maximus": ((82, 74, -2), (66, 23, 84), -26, -8),
    "gluteus medius": ((134, 4, 62), (22, 52, 62), 30, 0),
    "gluteus minimus": ((120, -2, 42), (12, 36, 40), 34, 0),
    "tensor": ((148, -40, -8), (10, 19, 60), 20, 0),
    "iliacus": ((96, -6, 80), (14, 48, 56), 36, 0),
    "obturator internus": ((62, 10, -6), (8, 30, 30), -10, 0),
    "obturator externus": ((58, -14, -42), (26, 14, 12), 0, 0),
}


def muscles(person: Person, sides: tuple[int, ...] = (-1, 1)) -> list[Solid]:
    """The muscles of the sides, swollen by the patient's bulk."""
    random, grow = person.random, person.bulk_mm
    shapes = []
    for side in sides:
        knee = person.knee_x[(side + 1) // 2] - 85
        for points, radii in CHAINS.values():
            jolts = random.normal(0, 2, (len(points), 3))
            moved = [
                (side * (x + j[0] + knee * min(max(-z / 430, 0), 1)), y + j[1], z + j[2])
                for (x, y, z), j in zip(points, jolts, strict=True)
            ]
            shapes.append(union(tube(moved, [r * random.uniform(0.92, 1.08) + grow * min(1.3, r / 14) for r in radii])))
        for (x, y, z), axes, about_z, about_x in BELLIES.values():
            turn = rotation_about(2, side * about_z) @ rotation_about(0, about_x)
            swollen = [r * random.uniform(0.92, 1.06) + grow for r in axes]
            shapes.append(ellipsoid((side * x, y, z), swollen, turn))
    return shapes
