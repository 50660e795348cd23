"""Padding: voxels of a scan that were never measured, by their one value."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np

from monai_ctseg.scan import HUArray

MATTER_HU = -500.0
"""A header's padding value above this names tissue: a mistake."""


@dataclass(frozen=True)
class Padding:
    """Voxels that were never measured.

    Attributes:
        hu: their value.
        voxels: how many hold it.
        kind: "circle": outside the reconstruction field of view (a value below that of air, or the same pixels in every
            slice); "background": a constant that somebody wrote around the patient, slice by slice.
        source: "header": the scan names the value; "corners": found as the value of the slices' corners.
    """

    hu: float
    voxels: int
    kind: Literal["circle", "background"]
    source: Literal["header", "corners"]

    def describe(self) -> str:
        """One line for people."""
        where = "outside the reconstruction field of view" if self.kind == "circle" else "of constant background"
        origin = "named by the header" if self.source == "header" else "found in the slices' corners"
        return f"{self.voxels:,} voxels of {self.hu:g} HU {where} ({origin})"


def find_padding(hu: HUArray, *, named_hu: float | None = None) -> Padding | None:
    """Find the voxels that were never measured, by their one value.

    The value that the header names counts when voxels hold it; else the one value of (nearly) all slice corners.
    Padding of exactly the value of measured air cannot be told from it.

    Args:
        hu: [i, j, k].
        named_hu: the padding value that the scan's header names; None where it names none.

    Returns:
        The padding; None where there is none.
    """
    source: Literal["header", "corners"] = "header"
    value, voxels, share = named_hu, 0, 0.0
    if value is not None and (value <= MATTER_HU or value == _corner_value(hu)):  # else it names tissue: a mistake
        voxels, share = _spread(hu, value)
    if not voxels:
        source, value = "corners", _corner_value(hu)
        if value is None:
            return None
        voxels, share = _spread(hu, value)
    assert value is not None
    return Padding(value, voxels, "circle" if value < -1024 or share > 0.98 else "background", source)


def _corner_value(hu: HUArray) -> float | None:
    """The value of at least nine in ten slice corners, or None."""
    corners = hu[np.ix_((0, -1), (0, -1))].ravel()
    [(value, count)] = Counter(corners.tolist()).most_common(1)
    return value if count >= 0.9 * corners.size else None


def _spread(hu: HUArray, value: float) -> tuple[int, float]:
    """Voxels that hold `value`, and which share of them stands in columns that hold it in every slice (0 of one)."""
    always = np.ones_like(hu[:, :, 0], dtype=bool)  # in the volume's memory order: seven times as fast
    voxels = 0
    for k in range(hu.shape[2]):
        plane = hu[:, :, k] == value
        voxels += int(np.count_nonzero(plane))
        always &= plane
    return voxels, float(always.sum() * hu.shape[2] / voxels) if voxels and hu.shape[2] > 1 else 0.0
