"""Scan -> metal mask, with an account of every piece that was kept or dropped.

Metal is what lies strictly above a threshold, in one piece where voxels touch (26 neighbours), and in the patient's
body. A piece is judged whole: it is kept when at least a quarter of it lies in the body, so that an implant that
comes out through the skin is not cut. What a threshold cannot tell from metal stays in: dense contrast medium in a
vein, a marker that lies on the skin within the few millimetres to which the body's surface is known.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from monai_ctseg.errors import SaturatedScan
from monai_ctseg.scan import BoolArray, Mask, Scan
from monai_ctseg.segmentation.body import Body, find_body, locate_body
from monai_ctseg.segmentation.components import Pieces
from monai_ctseg.segmentation.intensity import IntensityVerdict, equals, find_padding, judge_intensity

__all__ = [
    "Component",
    "Metal",
    "Sensitivity",
    "Unlisted",
    "find_body",
    "find_metal",
    "judge_mask",
    "judge_scale",
    "keep_in_body",
    "without_sentinels",
]

DEFAULT_THRESHOLD_HU = 3000.0
SENSITIVITY_HU = (2000.0, 2500.0, 3000.0, 3500.0, 4000.0)
LISTED_COMPONENTS = 200
SMALLEST_SHARE = 0.25
SURFACE_MM = 5.0


@dataclass(frozen=True)
class Component:
    """One piece: `label` 1 is the largest. share_in_body is None where the body was not asked for.

    plateau_hu, edge_hu, surroundings_hu: medians over the piece, where its edges were found by half-maximum: what it
    would read without blur, the HU of its edge, and what lies around it.
    """

    label: int
    voxels: int
    volume_mm3: float
    centroid_lps: tuple[float, float, float]
    max_hu: float
    share_in_body: float | None
    kept: bool
    reason: str
    plateau_hu: float | None = None
    edge_hu: float | None = None
    surroundings_hu: float | None = None


@dataclass(frozen=True)
class Unlisted:
    """The pieces smaller than the listed ones, summed."""

    kept_components: int
    kept_voxels: int
    dropped_components: int
    dropped_voxels: int


@dataclass(frozen=True)
class Sensitivity:
    """What another threshold would have kept, by the same rule and in the same body."""

    threshold_hu: float
    voxels: int
    volume_mm3: float


@dataclass(frozen=True, eq=False)
class Metal:
    """The mask and the account of how it came about.

    threshold_hu: None where no threshold was used (`judge_mask`).
    components: the largest pieces, largest first, at most 200; `unlisted` sums up the others.
    method: "threshold"; "half-maximum", where threshold_hu is what an object has to exceed somewhere; "plateau", what
        half-maximum falls back to on a saturated scan; None where the mask came from elsewhere.
    interval_mm3: between which volumes the truth lies, where only that can be known.
    notes: what the reader of the mask should know, a sentence each.
    """

    mask: Mask
    threshold_hu: float | None
    anywhere: bool
    intensity: IntensityVerdict
    components: tuple[Component, ...]
    unlisted: Unlisted
    sensitivity: tuple[Sensitivity, ...]
    method: Literal["threshold", "half-maximum", "plateau"] | None = None
    interval_mm3: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    def audit(self) -> dict[str, Any]:
        """Everything but the voxels, as plain JSON values."""
        return {
            "method": self.method,
            "threshold_hu": self.threshold_hu,
            "anywhere": self.anywhere,
            "voxels": self.mask.count,
            "volume_mm3": self.mask.volume_mm3,
            "slices_with_metal": int(np.count_nonzero(self.mask.voxels.any(axis=(0, 1)))),
            "intensity": asdict(self.intensity),
            "components": [asdict(c) for c in self.components],
            "unlisted": asdict(self.unlisted),
            "sensitivity": [asdict(s) for s in self.sensitivity],
            "interval_mm3": self.interval_mm3,
            "notes": list(self.notes),
        }


def find_metal(scan: Scan, *, threshold_hu: float = DEFAULT_THRESHOLD_HU, anywhere: bool = False) -> Metal:
    """Voxels strictly above `threshold_hu` in the patient's body, or `anywhere`; burned-in values never.

    An empty mask is the answer for a scan without metal. Raises SaturatedScan where the scan's ceiling lies at or
    under the threshold, so that metal could not show.
    """
    intensity = judge_scale(scan)
    _require_headroom(intensity, threshold_hu)
    body = None if anywhere else locate_body(scan)
    account = _account(scan, _pieces_above(scan, threshold_hu, intensity), body, intensity)
    return replace(
        account, method="threshold", threshold_hu=threshold_hu, sensitivity=_try_others(scan, body, intensity)
    )


def judge_mask(scan: Scan, mask: Mask, *, anywhere: bool = False, intensity: IntensityVerdict | None = None) -> Metal:
    """What `find_metal` does with a mask that was found in another way, by a network for instance.

    Pieces outside the body are dropped, unless `anywhere`. There is no threshold (None) and no `sensitivity`.
    intensity: `judge_scale` of the scan, where it is known already.
    Raises GridMismatch where the mask lies on another grid than the scan.
    """
    scan.grid.require(mask.grid)
    body = None if anywhere else locate_body(scan)
    intensity = intensity or judge_scale(scan)
    return _account(scan, Pieces.of(without_sentinels(mask.voxels, scan, intensity)), body, intensity)


def _account(scan: Scan, pieces: Pieces, body: Body | None, intensity: IntensityVerdict) -> Metal:
    """The pieces judged and measured; without a body all are kept."""
    kept = _judge(pieces, body)
    return Metal(
        mask=Mask(pieces.paint(kept, scan.grid.shape), scan.grid),
        threshold_hu=None,
        anywhere=body is None,
        intensity=intensity,
        components=_list(pieces, kept, scan, body),
        unlisted=_sum_up(pieces, kept),
        sensitivity=(),
    )


def keep_in_body(voxels: BoolArray, body: BoolArray) -> BoolArray:
    """The pieces of a mask [i, j, k] that lie in the body by a quarter or more, as `find_metal` keeps them."""
    pieces = Pieces.of(voxels)
    kept = pieces.shares_of(body) >= SMALLEST_SHARE
    kept[0] = False
    return pieces.paint(kept, (voxels.shape[0], voxels.shape[1], voxels.shape[2]))


def judge_scale(scan: Scan) -> IntensityVerdict:
    """What the scan's scale can show, its padding set aside."""
    padding = find_padding(scan.hu, named_hu=scan.padding_hu)
    return judge_intensity(scan.hu, padding_hu=padding.hu if padding else None)


def _require_headroom(intensity: IntensityVerdict, threshold_hu: float) -> None:
    if not intensity.saturated or intensity.ceiling_hu > threshold_hu:
        return
    raise SaturatedScan(
        f"nothing can exceed the threshold of {threshold_hu:g} HU: the scan is saturated at "
        f"{intensity.ceiling_hu:g} HU, where {intensity.ceiling_voxels:,} voxels stand; {intensity.advise()}"
    )


def without_sentinels(mask: BoolArray, scan: Scan, intensity: IntensityVerdict) -> BoolArray:
    """A mask [i, j, k] without burned-in values, which are no metal."""
    for sentinel in intensity.sentinels:
        mask = mask & ~equals(scan.hu, sentinel.hu)
    return mask


def _pieces_above(scan: Scan, threshold_hu: float, intensity: IntensityVerdict) -> Pieces:
    above = without_sentinels(np.asarray(scan.hu > threshold_hu), scan, intensity)
    return Pieces.of(above)


def _judge(pieces: Pieces, body: Body | None) -> BoolArray:
    """Whether each piece is kept, by label; without a body all are."""
    kept = np.ones(len(pieces.voxels), dtype=bool) if body is None else pieces.shares(body) >= SMALLEST_SHARE
    kept[0] = False
    return np.asarray(kept)


def _list(pieces: Pieces, kept: BoolArray, scan: Scan, body: Body | None) -> tuple[Component, ...]:
    """The largest pieces, measured."""
    largest = pieces.by_size[:LISTED_COMPONENTS]
    if not len(largest):
        return ()
    highest, centroids = pieces.highest_hu(scan.hu), pieces.centroids_lps(scan.grid)
    shares = None if body is None else pieces.shares(body)
    deepest = None if body is None else pieces.deepest_mm(body)
    return tuple(
        Component(
            label=rank,
            voxels=int(pieces.voxels[n]),
            volume_mm3=float(pieces.voxels[n] * scan.grid.voxel_mm3),
            centroid_lps=(float(centroids[n, 0]), float(centroids[n, 1]), float(centroids[n, 2])),
            max_hu=float(highest[n]),
            share_in_body=None if shares is None else float(shares[n]),
            kept=bool(kept[n]),
            reason="kept wherever it lies" if shares is None or deepest is None else _reason(shares[n], deepest[n]),
        )
        for rank, n in enumerate(largest, start=1)
    )


def _reason(share: float, deepest_mm: float) -> str:
    if np.isneginf(deepest_mm):
        return "outside: no body was found"
    if share < SMALLEST_SHARE:
        return "outside the body" + (f" but for {share:.0%} of it" if share else f", {-deepest_mm:.0f} mm away")
    if deepest_mm <= SURFACE_MM:
        return f"at the body's surface, at most {deepest_mm:.0f} mm deep: it may lie on the skin"
    return "in the body" if share > 0.99 else f"in the body, with {share:.0%} of its voxels"


def _sum_up(pieces: Pieces, kept: BoolArray) -> Unlisted:
    rest = pieces.by_size[LISTED_COMPONENTS:]
    stay, go = rest[kept[rest]], rest[~kept[rest]]
    return Unlisted(len(stay), int(pieces.voxels[stay].sum()), len(go), int(pieces.voxels[go].sum()))


def _try_others(scan: Scan, body: Body | None, intensity: IntensityVerdict) -> tuple[Sensitivity, ...]:
    found = []
    for threshold_hu in SENSITIVITY_HU:
        pieces = _pieces_above(scan, threshold_hu, intensity)
        voxels = int(pieces.voxels[_judge(pieces, body)].sum())
        found.append(Sensitivity(threshold_hu, voxels, voxels * scan.grid.voxel_mm3))
    return tuple(found)
