"""Sites: which kinds of implants belong to which landmarks, how often, and the choice among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monai_ctseg.errors import CtsegError
from monai_ctseg.simulation.implants import GROUPS, kinds_in
from monai_ctseg.simulation.phantom.scene import BodyPart, Landmark

KIND_WEIGHTS = {
    "total_hip": 3.0,
    "hip_screw": 2.0,
    "plate": 3.0,
    "screws": 3.0,
    "pedicle_screws": 3.0,
    "cerclage": 0.4,
    "pins": 0.6,
}
"""How often kinds are chosen, beside 1 for each other kind of their site."""
SITE_WEIGHTS = {"hip": 8.0, "femur": 4.0, "spine": 0.25, "trunk": 0.5, "chest": 0.5}
"""How often a landmark of a site is chosen, beside 1 for others: a jaw has many teeth, a spine many pedicles."""
SITES: dict[BodyPart, tuple[str, ...]] = {
    "pelvis": ("hip", "femur", "skin", "table"),
    "limb": ("femur", "skin", "table"),
    "spine": ("spine", "trunk", "skin", "table"),
    "head": ("jaw", "skin", "table"),
    "trunk": ("trunk", "sternum", "chest", "spine", "skin", "table"),
}
"""The sites of each part of the body that take implants."""
ALONG_THE_ARCH = ("bridge", "braces")
"""Kinds that follow the arch of teeth from its front."""
ON_THE_SHAFT = ("hip_screw", "nail")
"""Kinds of the femur that belong at the hip."""
OWN_SITES = {"sternal_wires": "sternum", "generator": "chest"}
"""Sites of the trunk that take one kind only."""
NO_SITE = "this patient has no place for such an implant; take another --seed or --part"
COUNTS = {"jaw": (1, 8), "trunk": (1, 5), "spine": (1, 1)}
"""Fewest and most implants about a site, where not 1 or 2."""

Random = np.random.Generator


def kinds_at(site: str) -> tuple[str, ...]:
    """The kinds of implants that belong to landmarks of a site."""
    if site == "hip":
        return (*kinds_in("hip"), *ON_THE_SHAFT)
    if site == "femur":
        return tuple(kind for kind in kinds_in("femur") if kind not in ON_THE_SHAFT)
    if site == "table":
        return ("table_rail",)
    if site == "skin":
        return tuple(kind for kind in kinds_in("outside") if kind != "table_rail")
    if site == "trunk":
        return tuple(kind for kind in kinds_in("trunk") if kind not in OWN_SITES)
    own = tuple(kind for kind, own_site in OWN_SITES.items() if own_site == site)
    return own or (kinds_in(site) if site in GROUPS else ())


def takes_all(part: BodyPart, kinds: Sequence[str]) -> bool:
    """Whether a part of the body has a site for each of the kinds."""
    return all(any(kind in kinds_at(site) for site in SITES[part]) for kind in kinds)


def choose_sites(
    random: Random, landmarks: Sequence[Landmark], kinds: Sequence[str] | None
) -> list[tuple[str, Landmark]]:
    """Kinds of implants and the landmarks at which they are inserted.

    Args:
        random: chooses.
        landmarks: of the patient.
        kinds: one implant of each; None for one implant, and sometimes more beside it, of any kind.

    Raises:
        CtsegError: the patient has no landmark for a kind.
    """
    if kinds is not None:
        marks = [
            _choose_landmark(random, [mark for mark in landmarks if kind in kinds_at(mark.site)]) for kind in kinds
        ]
        pairs = list(zip(kinds, marks, strict=True))
    else:
        inside = [mark for mark in landmarks if mark.site not in ("skin", "table") and kinds_at(mark.site)]
        first = _choose_landmark(random, inside)
        others = [mark for mark in inside if mark is not first and mark.site not in OWN_SITES.values()]
        others.sort(key=lambda mark: float(np.linalg.norm(np.subtract(mark.point_lps, first.point_lps))))
        count = int(random.integers(*COUNTS.get(first.site, (1, 2)), endpoint=True))
        pairs = [(_choose_kind(random, mark), mark) for mark in [first, *others][:count]]
    return [(kind, _exact_landmark(kind, mark, landmarks)) for kind, mark in pairs]


def _choose_landmark(random: Random, landmarks: Sequence[Landmark]) -> Landmark:
    if not landmarks:
        raise CtsegError(NO_SITE)
    weights = np.array([SITE_WEIGHTS.get(mark.site, 1.0) for mark in landmarks])
    return landmarks[int(random.choice(len(landmarks), p=weights / weights.sum()))]


def _choose_kind(random: Random, mark: Landmark) -> str:
    kinds = kinds_at(mark.site)
    weights = np.array([KIND_WEIGHTS.get(kind, 1.0) for kind in kinds])
    return str(random.choice(kinds, p=weights / weights.sum()))


def _exact_landmark(kind: str, mark: Landmark, landmarks: Sequence[Landmark]) -> Landmark:
    """The socket for a cup that was chosen for a hip, the foremost tooth for what follows the arch, else the same."""
    if kind == "hip_cup":
        return next(other for other in landmarks if (other.site, other.side) == ("socket", mark.side))
    if kind not in ALONG_THE_ARCH:
        return mark
    row = [other for other in landmarks if other.site == "jaw" and np.dot(other.axis_lps, mark.axis_lps) > 0]
    return min(row, key=lambda other: float(other.point_lps[1]))
