"""Catalogue: every kind of implant by name, in groups by the part of the body in which it is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np

from monai_ctseg.simulation.implants import femur, hip, outside, spine, teeth, trunk
from monai_ctseg.simulation.implants.implant import Family, Implant

ImplantGroup: TypeAlias = Literal["hip", "femur", "spine", "jaw", "trunk", "outside"]
Maker: TypeAlias = Callable[[np.random.Generator, Family], tuple[Implant, ...]]

_MAKERS: dict[ImplantGroup, tuple[Maker, ...]] = {
    "hip": (hip.total_hip, hip.hip_stem, hip.hip_cup),
    "femur": (femur.hip_screw, femur.nail, femur.plate, femur.screws, femur.pins, femur.cerclage),
    "spine": (spine.pedicle_screws, spine.cage),
    "jaw": (teeth.filling, teeth.crown, teeth.bridge, teeth.dental_implant, teeth.braces),
    "trunk": (trunk.clips, trunk.staples, trunk.coil, trunk.stent, trunk.sternal_wires, trunk.generator),
    "outside": (outside.ecg_lead, outside.buckle, outside.marker, outside.table_rail),
}
_BY_NAME = {maker.__name__: maker for makers in _MAKERS.values() for maker in makers}
KINDS: tuple[str, ...] = tuple(_BY_NAME)
"""Every kind; each has a function of its name, which says its frame, its sizes and what its unseen family is."""
GROUPS: tuple[ImplantGroup, ...] = tuple(_MAKERS)


def kinds_in(group: ImplantGroup) -> tuple[str, ...]:
    """The kinds of a group, by name. Screws, pins, plates, clips and staples also occur elsewhere in patients."""
    return tuple(maker.__name__ for maker in _MAKERS[group])


def make_implants(kind: str, random: np.random.Generator, *, family: Family = "training") -> tuple[Implant, ...]:
    """Implants of a kind, of plausible random size and metal.

    Args:
        kind: one of KINDS.
        random: chooses sizes and metals.
        family: "unseen" for shapes that "training" never has; they are for measuring quality only.

    Returns:
        One or several implants of different metals, in the frame that the kind's own function describes. Where they
        overlap, the earlier one counts.

    Raises:
        ValueError: the kind or the family is unknown.
    """
    if kind not in _BY_NAME:
        raise ValueError(f"no implant is called {kind!r}; there are: {', '.join(KINDS)}")
    if family not in ("training", "unseen"):
        raise ValueError(f'family is "training" or "unseen", not {family!r}')
    return _BY_NAME[kind](random, family)
