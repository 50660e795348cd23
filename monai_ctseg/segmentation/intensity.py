"""The scan's intensities judged before anything is thresholded: saturation and sentinel values.

Scanners with a 12-bit range clip all that is denser at their saturation level (2952 to 3095 HU on real scans): metal
is a plateau there, and no voxel exceeds it. Scans of an extended scale reach 20,000 HU and more.
The rules were found on 26 real scans: two pelves and 24 heads and necks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from monai_ctseg.errors import plural
from monai_ctseg.scan import BoolArray, HUArray

LOWEST_HU = -32768
"""The lowest value of int16: the first bin of the histogram."""
TWELVE_BIT_HU = 3095
"""The highest saturation level seen with a 12-bit range."""
TWELVE_BIT_FROM_HU = 2952
"""The lowest saturation level seen with a 12-bit range."""
STRAY_SHARE = 0.05
"""As many voxels, of those at the saturation level of a 12-bit range, may lie above it: hot pixels. Chosen by hand."""
LOWEST_SATURATION_HU = 1000
"""Equal voxels at a lower maximum are a uniform object (water, soft tissue), not saturation."""
PLATEAU_VOXELS = 5
"""A plateau, or a sentinel value, is held by at least so many voxels: fewer may coincide. Chosen by hand."""
PLATEAU_EXCESS = 5
"""A plateau holds so many times the voxels per HU of the 100 HU under it. Chosen by hand."""
SENTINEL_HU = 30_000
"""From here up, and from its negative down, a value may be the end of the 16-bit scale, written on purpose."""
METAL_HU = 3000.0
"""The usual threshold for metal, and the default of every command; it is not the right one (docs/limits.md)."""
BONE_HU = 2500.0
"""The densest bone and enamel of 26 real scans stay below it."""


@dataclass(frozen=True)
class ValueCount:
    """One value in HU and the number of voxels that hold it."""

    hu: int
    voxels: int


@dataclass(frozen=True)
class IntensityVerdict:
    """What the scan's scale can show.

    Attributes:
        kind: "saturated": a plateau of voxels stands at the maximum; "extended": values above any 12-bit range, and no
            plateau; "ordinary": neither, the scan holds nothing so dense.
        highest_hu, highest_voxels: the highest value below the sentinel values, and the voxels that hold it. Of a
            saturated scan this is the saturation level.
        sentinels: values at the end of the 16-bit scale that are no measurement (lines or text drawn into the image).
        strays: the few voxels above the saturation level of a saturated scan.
    """

    kind: Literal["saturated", "extended", "ordinary"]
    highest_hu: float
    highest_voxels: int
    sentinels: tuple[ValueCount, ...] = ()
    strays: int = 0

    @property
    def saturated(self) -> bool:
        """Whether denser matter than `highest_hu` would not show."""
        return self.kind == "saturated"

    def advise(self) -> str:
        """The threshold that finds metal where the scan is saturated."""
        if self.highest_hu > BONE_HU:
            return f"use a threshold of {BONE_HU:g} HU"
        return f"only a threshold of {self.highest_hu - 1:g} HU finds anything, and dense bone may reach that too"

    def describe(self) -> str:
        """One line for people."""
        above = f"only {self.strays:,}" if self.strays else "nothing"
        at = f"{plural(self.highest_voxels, 'voxel')} at {self.highest_hu:g} HU"
        text = {
            "saturated": f"saturated: {at}, and {above} above; for metal {self.advise()}",
            "extended": f"extended scale: up to {self.highest_hu:g} HU, not saturated",
            "ordinary": f"not saturated: the highest value is {self.highest_hu:g} HU",
        }[self.kind]
        values = ", ".join(f"{plural(s.voxels, 'voxel')} of {s.hu} HU" for s in self.sentinels)
        return f"{text}; sentinel values, no measurement: {values}" if values else text


def judge_intensity(hu: HUArray, *, padding_hu: float | None = None) -> IntensityVerdict:
    """Judge what the scale of a scan can show.

    Needs a slice's worth of memory beside the volume.

    Args:
        hu: [i, j, k], int16 or float32; float32 is judged in steps of 1 HU.
        padding_hu: the value of padding, which is no sentinel; None without padding.
    """
    counts = histogram(hu, from_hu=_lowest_judged(hu))
    sentinels = _take_sentinels(hu, counts, padding_hu)
    level = _twelve_bit_level(counts)
    if level is not None:
        return IntensityVerdict("saturated", level, int(counts[level - LOWEST_HU]), sentinels, _above(counts, level))
    top = int(np.flatnonzero(counts)[-1]) if counts.any() else 0
    highest = top + LOWEST_HU
    voxels = int(counts[top])
    plateau = _is_plateau(counts, highest) and highest >= LOWEST_SATURATION_HU
    kind: Literal["extended", "ordinary"] = "extended" if highest > TWELVE_BIT_HU else "ordinary"
    if hu.dtype != np.int16 and not sentinels:
        return IntensityVerdict("saturated" if plateau else kind, float(hu.max()), voxels)
    return IntensityVerdict("saturated" if plateau else kind, highest, voxels, sentinels)


def _lowest_judged(hu: HUArray) -> int:
    """The lowest value that `judge_intensity` counts: without sentinels, 100 HU below a possible plateau."""
    if hu.dtype != np.int16 or not hu.size:
        return LOWEST_HU
    low, high = int(hu.min()), int(hu.max())
    plain = low > -SENTINEL_HU and high < SENTINEL_HU
    return max(LOWEST_HU, min(TWELVE_BIT_FROM_HU, high) - 100) if plain else LOWEST_HU


def _is_plateau(counts: npt.NDArray[np.int64], hu: int) -> bool:
    """Whether far more voxels stand at `hu` than at the 100 HU below it."""
    n = hu - LOWEST_HU
    below = counts[max(0, n - 100) : n].sum() / 100
    return bool(counts[n] >= PLATEAU_VOXELS and counts[n] > PLATEAU_EXCESS * below)


def _above(counts: npt.NDArray[np.int64], hu: int) -> int:
    return int(counts[hu - LOWEST_HU + 1 :].sum())


def _twelve_bit_level(counts: npt.NDArray[np.int64]) -> int | None:
    """The fullest plateau at the end of a 12-bit range with nothing above it but hot pixels or drawn lines."""
    first = TWELVE_BIT_FROM_HU - LOWEST_HU
    level = int(counts[first : TWELVE_BIT_HU - LOWEST_HU + 1].argmax()) + TWELVE_BIT_FROM_HU
    strays = _above(counts, level)
    if strays and _is_plateau(counts, level) and strays <= STRAY_SHARE * counts[level - LOWEST_HU]:
        return level
    return None


def histogram(hu: HUArray, *, from_hu: int = LOWEST_HU) -> npt.NDArray[np.int64]:
    """Voxels of `hu` per HU: element n counts HU n - 32768. float32 is rounded; values beyond 16 bits join the ends.

    Values below `from_hu` are not counted, which is fast where few are left.
    """
    counts = np.zeros(65536, dtype=np.int64)
    slowest = int(np.argmax(np.abs(hu.strides)))  # slices across it are contiguous where the volume is
    for slab in np.moveaxis(hu, slowest, 0):
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
    """Whether voxels of `value` mostly border on no metal, as a drawn line does. Clipped metal borders on metal."""
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
