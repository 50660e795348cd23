"""Catalogue: every kind of implant by name, and where in the body it is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np

from monai_ctseg.simulation.implants import femur, hip, outside, spine, teeth, trunk
from monai_ctseg.simulation.implants.implant import Family, Implant

Place: TypeAlias = Literal["hip", "femur", "spine", "jaw", "trunk", "outside"]
Maker: TypeAlias = Callable[[np.random.Generator, Family], tuple[Implant, ...]]

_MAKERS: dict[Place, tuple[Maker, ...]] = {
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
PLACES: tuple[Place, ...] = tuple(_MAKERS)


def kinds_for(place: Place) -> tuple[str, ...]:
    """The kinds found in a place. Screws, pins, plates, clips and staples may well be put elsewhere too."""
    return tuple(maker.__name__ for maker in _MAKERS[place])


def make_implants(kind: str, random: np.random.Generator, *, family: Family = "training") -> tuple[Implant, ...]:
    """Implants of a kind, of plausible random size and metal, in the frame that the kind's own function describes.

    One kind may be several implants of different metals. Where they overlap, the earlier one is there.
    family: "unseen" draws shapes that "training" never draws; they are for measuring quality only.
    Raises ValueError when the kind or the family is unknown.
    """
    if kind not in _BY_NAME:
        raise ValueError(f"no implant is called {kind!r}; there are: {', '.join(KINDS)}")
    if family not in ("training", "unseen"):
        raise ValueError(f'family is "training" or "unseen", not {family!r}')
    return _BY_NAME[kind](random, family)
