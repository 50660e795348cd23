"""Which components of a mask are metal in the patient, and what is said of each.

A component is judged whole: it is kept when at least a quarter of it lies in the body, so that an implant that comes
out through the skin is not cut. What no method here can tell from metal stays in: dense contrast medium in a vein, a
marker on the skin within the few millimetres to which the body's surface is known.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.scan import BoolArray, Scan
from monai_ctseg.segmentation.body import Body
from monai_ctseg.segmentation.components import Components, IntArray
from monai_ctseg.segmentation.records import Component, Unlisted
from monai_ctseg.segmentation.scan_facts import ScanFacts

LISTED_COMPONENTS = 200
SMALLEST_SHARE = 0.25
"""Of a component, in the body."""
ANYWHERE = "kept wherever it lies: no body mask"
SURFACE_MM = 5.0
"""To which the body's surface is known, about one block."""


class Judged(NamedTuple):
    """Components with a verdict.

    Attributes:
        kept: the components that are metal, in order of label.
        listed: the largest ones, kept or dropped, largest first.
        unlisted: the sum of the others.
    """

    kept: Components
    listed: tuple[Component, ...]
    unlisted: Unlisted


def judge(components: Components, facts: ScanFacts, *, body_mask: bool) -> Judged:
    """Keep the components that lie in the body, or all of them, and measure the largest.

    Args:
        components: of a mask on the scan's grid.
        facts: of the scan.
        body_mask: whether to drop what lies outside the patient's body.
    """
    body = facts.body if body_mask else None
    shares = components.shares_in_body(body) if body else None
    kept = kept_labels(np.ones(len(components.voxels)) if shares is None else shares)
    by_size = components.by_size
    largest, rest = by_size[:LISTED_COMPONENTS], by_size[LISTED_COMPONENTS:]
    stay, go = rest[kept[rest]], rest[~kept[rest]]
    return Judged(
        kept=components.select(kept),
        listed=_list(components, largest, facts.scan, shares, body),
        unlisted=Unlisted(len(stay), int(components.voxels[stay].sum()), len(go), int(components.voxels[go].sum())),
    )


def keep_in_body(mask: BoolArray, body: BoolArray) -> BoolArray:
    """The components of a mask that lie in the body by a quarter or more, as `judge` keeps them; both [i, j, k]."""
    components = Components.of(mask)
    return components.paint(kept_labels(components.shares_in(body)))


def kept_labels(shares: FloatArray) -> BoolArray:
    """Which components are kept, by label, from the share of each that lies in the body, by label."""
    kept = np.asarray(shares >= SMALLEST_SHARE)
    kept[0] = False
    return kept


def _list(
    components: Components, largest: IntArray, scan: Scan, shares: FloatArray | None, body: Body | None
) -> tuple[Component, ...]:
    """The largest components, measured; `largest` holds their labels, `shares` what of each lies in the body."""
    if not len(largest):
        return ()
    highest, centroids = components.highest_hu(scan.hu), components.centroids_lps(scan.grid)
    deepest = components.deepest_mm(body) if body else None
    return tuple(
        Component(
            label=rank,
            voxels=int(components.voxels[n]),
            volume_mm3=float(components.voxels[n] * scan.grid.voxel_mm3),
            centroid_lps=(float(centroids[n, 0]), float(centroids[n, 1]), float(centroids[n, 2])),
            max_hu=float(highest[n]),
            share_in_body=None if shares is None else float(shares[n]),
            kept=shares is None or bool(shares[n] >= SMALLEST_SHARE),
            reason=ANYWHERE if shares is None or deepest is None else _reason(shares[n], deepest[n]),
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
