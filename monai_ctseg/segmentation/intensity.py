"""The scan's intensities judged before anything is thresholded: its ceiling, burned-in values, padding.

Twelve-bit scanners cut everything off at their ceiling (2952 to 3095 HU on real scans), so that metal stands there as a
plateau and no voxel exceeds it. Extended-scale scans go on to 20,000 HU and more.
The rules were pinned down on 26 real scans: two pelves and 24 heads and necks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from monai_ctseg.errors import plural
from monai_ctseg.scan import BoolArray, HUArray

LOWEST_HU = -32768
TWELVE_BIT_HU = 3095
"""The highest ceiling seen on a scanner of twelve bits."""
TWELVE_BIT_FROM_HU = 2952
STRAY_SHARE = 0.05
"""So many voxels, of those at a ceiling of twelve bits, may lie above it: hot pixels and the like."""
LOWEST_CEILING_HU = 1000
"""Equal voxels at a lower maximum are a plain object (water, soft tissue), not a ceiling."""
PLATEAU_VOXELS = 5
PLATEAU_EXCESS = 5
"""A plateau holds at least so many voxels, and so many times the voxels per HU of the 100 HU under it."""
SENTINEL_HU = 30_000
"""From here up, and from its negative down, a value may be the end of the 16-bit scale, written in on purpose."""
METAL_HU = 3000
MATTER_HU = -500.0
BONE_HU = 2500.0
"""The densest bone and enamel of 26 real scans stay under it."""


@dataclass(frozen=True)
class ValueCount:
    """One value in HU and the number of voxels that hold it."""

    hu: int
    voxels: int


@dataclass(frozen=True)
class IntensityVerdict:
    """What the scan's scale can show.

    kind: "saturated", a plateau of voxels stands at the maximum; "extended", values above the twelve-bit
        ceilings and no plateau; "ordinary", neither: the scan holds nothing so dense.
    ceiling_hu, ceiling_voxels: the highest value under the sentinels, and the voxels that hold it.
    strays: the few voxels above the ceiling of a saturated scan.
    sentinels: values at the end of the 16-bit scale that are no measurement (lines or text burned in).
    """

    kind: Literal["saturated", "extended", "ordinary"]
    ceiling_hu: float
    ceiling_voxels: int
    sentinels: tuple[ValueCount, ...] = ()
    strays: int = 0

    @property
    def saturated(self) -> bool:
        """Whether denser matter than `ceiling_hu` would not show."""
        return self.kind == "saturated"

    def advise(self) -> str:
        """The threshold that finds metal where the scan is saturated."""
        if self.ceiling_hu > BONE_HU:
            return f"use a threshold of {BONE_HU:g} HU"
        return f"only a threshold of {self.ceiling_hu - 1:g} HU finds anything, and dense bone may reach that too"

    def describe(self) -> str:
        """One line for people."""
        above = f"only {self.strays:,}" if self.strays else "nothing"
        at = f"{plural(self.ceiling_voxels, 'voxel')} at {self.ceiling_hu:g} HU"
        text = {
            "saturated": f"saturated: {at}, and {above} above; for metal {self.advise()}",
            "extended": f"extended scale: up to {self.ceiling_hu:g} HU, no ceiling",
            "ordinary": f"not saturated: the highest value is {self.ceiling_hu:g} HU",
        }[self.kind]
        burned = ", ".join(f"{s.voxels:,} voxels of {s.hu} HU" for s in self.sentinels)
        return f"{text}; burned in, no measurement: {burned}" if burned else text


@dataclass(frozen=True)
class Padding:
    """Voxels that were never measured.

    kind: "circle", the outside of the reconstruction circle (a value under that of air, or the same pixels in every
        slice); "background", a constant that somebody wrote around the patient, slice by slice.
    source: "header", the scan names the value; "corners", found as the value of the slices' corners.
    """

    hu: float
    voxels: int
    kind: Literal["circle", "background"]
    source: Literal["header", "corners"]

    def describe(self) -> str:
        """One line for people."""
        where = "outside the reconstruction circle" if self.kind == "circle" else "of constant background"
        origin = "named by the header" if self.source == "header" else "found in the slices' corners"
        return f"{self.voxels:,} voxels of {self.hu:g} HU {where} ({origin})"


def judge_intensity(hu: HUArray, *, padding_hu: float | None = None) -> IntensityVerdict:
    """Judge the scale of `hu` [i, j, k], HU; a padding value is no sentinel.

    Needs a slice's worth of memory beside the volume. float32 is judged in steps of 1 HU.
    """
    counts = histogram(hu, from_hu=_lowest_judged(hu))
    sentinels = _take_sentinels(hu, counts, padding_hu)
    cut = _twelve_bit_ceiling(counts)
    if cut is not None:
        return IntensityVerdict("saturated", cut, int(counts[cut - LOWEST_HU]), sentinels, _above(counts, cut))
    top = int(np.flatnonzero(counts)[-1]) if counts.any() else 0
    ceiling = top + LOWEST_HU
    voxels = int(counts[top])
    plateau = _is_plateau(counts, ceiling) and ceiling >= LOWEST_CEILING_HU
    kind: Literal["extended", "ordinary"] = "extended" if ceiling > TWELVE_BIT_HU else "ordinary"
    if hu.dtype != np.int16 and not sentinels:
        return IntensityVerdict("saturated" if plateau else kind, float(hu.max()), voxels)
    return IntensityVerdict("saturated" if plateau else kind, ceiling, voxels, sentinels)


def _lowest_judged(hu: HUArray) -> int:
    """The lowest value that `judge_intensity` looks at: without sentinels, 100 HU under a possible plateau."""
    if hu.dtype != np.int16 or not hu.size:
        return LOWEST_HU
    low, high = int(hu.min()), int(hu.max())
    plain = low > -SENTINEL_HU and high < SENTINEL_HU
    return max(LOWEST_HU, min(TWELVE_BIT_FROM_HU, high) - 100) if plain else LOWEST_HU


def _is_plateau(counts: npt.NDArray[np.int64], hu: int) -> bool:
    """Whether far more voxels stand at `hu` than at the 100 HU under it."""
    n = hu - LOWEST_HU
    below = counts[max(0, n - 100) : n].sum() / 100
    return bool(counts[n] >= PLATEAU_VOXELS and counts[n] > PLATEAU_EXCESS * below)


def _above(counts: npt.NDArray[np.int64], hu: int) -> int:
    return int(counts[hu - LOWEST_HU + 1 :].sum())


def _twelve_bit_ceiling(counts: npt.NDArray[np.int64]) -> int | None:
    """The fullest plateau at a ceiling of twelve bits with (next to) nothing above: hot pixels, lines burned in."""
    first = TWELVE_BIT_FROM_HU - LOWEST_HU
    ceiling = int(counts[first : TWELVE_BIT_HU - LOWEST_HU + 1].argmax()) + TWELVE_BIT_FROM_HU
    strays = _above(counts, ceiling)
    if strays and _is_plateau(counts, ceiling) and strays <= STRAY_SHARE * counts[ceiling - LOWEST_HU]:
        return ceiling
    return None


def find_padding(hu: HUArray, *, named_hu: float | None = None) -> Padding | None:
    """The value outside the reconstruction circle of `hu` [i, j, k], or None.

    The value that the header names counts when voxels hold it; else the one value of (nearly) all slice corners.
    Padding of exactly the value of measured air cannot be told from it.
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


def histogram(hu: HUArray, *, from_hu: int = LOWEST_HU) -> npt.NDArray[np.int64]:
    """Voxels of `hu` per HU: element n counts HU n - 32768. float32 is rounded; values beyond 16 bits join the ends.

    Values under `from_hu` are not counted, which is fast where few are left.
    """
    counts = np.zeros(65536, dtype=np.int64)
    for slab in _slabs(hu):
        if slab.dtype != np.int16:
            slab = np.clip(np.rint(slab), LOWEST_HU, 32767).astype(np.int16)
        values = slab.ravel("K")
        if from_hu > LOWEST_HU:
            values = values[values >= from_hu]
        counts += np.bincount(values.view(np.uint16), minlength=65536)
    return np.roll(counts, -LOWEST_HU)


def equals(hu: HUArray, value: float) -> BoolArray:
    """Voxels that hold the integral HU `value`, as `histogram` counts them; same shape as `hu`."""
    if hu.dtype == np.int16:
        return np.asarray(hu == value)
    rounded = np.rint(hu)
    if value == 32767:
        return np.asarray(rounded >= value)
    return np.asarray(rounded <= value if value == LOWEST_HU else rounded == value)


def _slabs(hu: HUArray) -> Iterator[npt.NDArray[Any]]:
    """The volume in slices across its slowest axis, each contiguous where the volume is."""
    yield from np.moveaxis(hu, int(np.argmax(np.abs(hu.strides))), 0)


def _take_sentinels(hu: HUArray, counts: npt.NDArray[np.int64], padding_hu: float | None) -> tuple[ValueCount, ...]:
    """Take the sentinels out of `counts` and name them, lowest first."""
    found = []
    for n in np.flatnonzero(counts[: -SENTINEL_HU - LOWEST_HU + 1]):  # no tissue and no streak reads so low
        if counts[n] >= PLATEAU_VOXELS and n + LOWEST_HU != padding_hu:
            found.append(ValueCount(int(n) + LOWEST_HU, int(counts[n])))
            counts[n] = 0
    high = []
    for n in np.flatnonzero(counts[SENTINEL_HU - LOWEST_HU :])[::-1] + SENTINEL_HU - LOWEST_HU:
        value = int(n) + LOWEST_HU
        if counts[n] < PLATEAU_VOXELS or not _stands_alone(hu, value):
            break
        high.append(ValueCount(value, int(counts[n])))
        counts[n] = 0
    return (*found, *reversed(high))


def _stands_alone(hu: HUArray, value: int) -> bool:
    """Whether voxels of `value` mostly border on no metal: a burned-in line, where clipped metal shades off."""
    alone = bordering = 0
    for k in range(hu.shape[2]):
        plane = hu[:, :, k]
        i, j = np.nonzero(equals(plane, value))
        if not len(i):
            continue
        near: HUArray = np.array(
            [plane[np.clip(i + a, 0, plane.shape[0] - 1), np.clip(j + b, 0, plane.shape[1] - 1)] for a, b in _AROUND]
        )
        other = ~equals(near, value)
        edge = other.any(axis=0)
        brightest = np.where(other, near, LOWEST_HU).max(axis=0)
        bordering += int(edge.sum())
        alone += int((edge & (brightest <= METAL_HU)).sum())
    return bordering > 0 and alone > bordering / 2


_AROUND = tuple((a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b)


def _corner_value(hu: HUArray) -> float | None:
    """The value of at least nine in ten slice corners, or None."""
    corners = hu[np.ix_((0, -1), (0, -1))].ravel()
    values, counts = np.unique(corners, return_counts=True)
    best = int(counts.argmax())
    return values[best].item() if counts[best] >= 0.9 * corners.size else None


def _spread(hu: HUArray, value: float) -> tuple[int, float]:
    """Voxels that hold `value`, and which share of them stands in columns that hold it in every slice (0 of one)."""
    always = np.ones_like(hu[:, :, 0], dtype=bool)  # in the volume's memory order: seven times as fast
    voxels = 0
    for k in range(hu.shape[2]):
        plane = hu[:, :, k] == value
        voxels += int(np.count_nonzero(plane))
        always &= plane
    return voxels, float(always.sum() * hu.shape[2] / voxels) if voxels and hu.shape[2] > 1 else 0.0
