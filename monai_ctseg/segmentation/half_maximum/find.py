"""Scan -> metal mask by half-maximum edges, with the account that thresholds give, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from monai_ctseg.scan import BoolArray, Box, Mask, Scan
from monai_ctseg.segmentation.components import Pieces
from monai_ctseg.segmentation.half_maximum.boxes import boxes_around, grow
from monai_ctseg.segmentation.half_maximum.edges import STREAK_MM, Edges, find_edges
from monai_ctseg.segmentation.half_maximum.ridges import Floats, Ints
from monai_ctseg.segmentation.half_maximum.saturated import find_plateaus
from monai_ctseg.segmentation.intensity import IntensityVerdict, equals
from monai_ctseg.segmentation.threshold import (
    DEFAULT_THRESHOLD_HU,
    Component,
    Metal,
    judge_mask,
    judge_scale,
    without_sentinels,
)

MARGIN_MM = 9.0
BEYOND_MM = 2.5
"""So far outside the box around its seeds an object may reach."""
NOTHING_HU = -1000.0
DENSE = 1.4
"""Times `seed_hu`: what an object reads at least, without blur, if it is metal (titanium 5,000 HU and more). Enamel and
contrast that exceed 3000 HU here and there stay under it."""
HIGH_CEILING_HU = 15_000.0
"""A scale that ends up here cuts the tops of the densest metals only, and their edges are found all the same."""


def find_metal_half_maximum(scan: Scan, *, seed_hu: float = DEFAULT_THRESHOLD_HU, anywhere: bool = False) -> Metal:
    """Objects that exceed `seed_hu` somewhere, up to edges half-way between their own plateau and what is around them.

    In the patient's body, or `anywhere`, as `find_metal`; bright objects too faint for metal (enamel, contrast) are
    left out. Edges are found between voxels; a voxel is metal when at least half of it is. On a saturated scan whose
    ceiling metal exceeds no edge can be found so: the plateaus at its ceiling are grown to a lower threshold instead,
    whatever `seed_hu`, and `notes` and `interval_mm3` say what that leaves open.
    Raises SaturatedScan where bone reaches the ceiling.
    """
    intensity = judge_scale(scan)
    if not shows_plateaus(intensity):
        return find_plateaus(scan, intensity, anywhere=anywhere)
    found = _search(scan, seed_hu, intensity)
    metal = judge_mask(scan, Mask(found.voxels, scan.grid), anywhere=anywhere, intensity=intensity)
    return replace(
        metal,
        method="half-maximum",
        threshold_hu=seed_hu,
        components=_describe(metal.components, found),
    )


def shows_plateaus(intensity: IntensityVerdict) -> bool:
    """Whether the scan's scale reaches high enough for metal to have plateaus of its own."""
    return not intensity.saturated or intensity.ceiling_hu >= HIGH_CEILING_HU


def look_around(scan: Scan, seed_hu: float, intensity: IntensityVerdict) -> Iterator[tuple[Box, Edges]]:
    """Boxes that hold all that exceeds `seed_hu` and a little around it, one by one, and the edges in each.

    Boxes overlap; in them an object's shares agree but for the box's end.
    """
    seeds = without_sentinels(np.asarray(scan.hu > seed_hu), scan, intensity)
    for box in boxes_around(seeds):
        outer, edges = _look(scan, box, seed_hu, intensity)
        inner = grow(box, _voxels(scan, BEYOND_MM), scan.grid.shape)
        i, j, k = (slice(a.start - o.start, a.stop - o.start) for a, o in zip(inner, outer, strict=True))
        yield inner, edges.within((i, j, k))


@dataclass(frozen=True, eq=False)
class _Found:
    """voxels: [i, j, k] of the scan. ijk: (n, 3), their indices; facts: plateau, edge and surroundings in HU of each,
    (n, 3).
    """

    voxels: BoolArray
    ijk: Ints
    facts: Floats


def _search(scan: Scan, seed_hu: float, intensity: IntensityVerdict) -> _Found:
    voxels = np.zeros(scan.grid.shape, dtype=bool, order="F")
    dense = voxels.copy(order="F")
    places = [np.zeros((0, 3), dtype=np.int64)]
    facts = [np.zeros((0, 3), dtype=np.float32)]
    for box, edges in look_around(scan, seed_hu, intensity):
        here = edges.shares >= 0.5
        voxels[box] |= here
        dense[box] |= here & (edges.plateau_hu > DENSE * seed_hu)
        places.append(np.argwhere(here) + [side.start for side in box])
        facts.append(np.stack([values[here] for values in edges.facts_hu()], axis=1))
    ijk, first = np.unique(np.concatenate(places), axis=0, return_index=True)
    pieces = Pieces.of(voxels)
    metal = (pieces.highest_hu(scan.hu) > seed_hu) & (pieces.shares_of(dense) > 0.25)
    return _Found(pieces.paint(metal, scan.grid.shape), ijk, np.concatenate(facts)[first])


def _look(scan: Scan, box: Box, seed_hu: float, intensity: IntensityVerdict) -> tuple[Box, Edges]:
    """The edges in a box and its margin; what was never measured counts as air."""
    shape, spacing_mm = scan.grid.shape, scan.grid.spacing_mm
    outer, wide = (grow(box, _voxels(scan, mm), shape) for mm in (MARGIN_MM, MARGIN_MM + STREAK_MM))
    part = scan.hu[wide]
    hu = np.ascontiguousarray(part, dtype=np.float32)
    for sentinel in intensity.sentinels:
        hu[equals(part, sentinel.hu)] = NOTHING_HU
    i, j, k = (slice(a.start - w.start, a.stop - w.start) for a, w in zip(outer, wide, strict=True))
    highest = ndimage.maximum_filter(hu, [2 * int(STREAK_MM / mm) + 1 for mm in spacing_mm])[i, j, k]
    return outer, find_edges(np.ascontiguousarray(hu[i, j, k]), spacing_mm, seed_hu=seed_hu, highest=highest)


def _voxels(scan: Scan, mm: float) -> tuple[int, ...]:
    """A margin in voxels along each axis, two at least."""
    return tuple(max(2, int(np.ceil(mm / spacing))) for spacing in scan.grid.spacing_mm)


def _describe(components: tuple[Component, ...], found: _Found) -> tuple[Component, ...]:
    """The components with their plateau, edge and surroundings."""
    if not components:
        return components
    pieces = Pieces.of(found.voxels)
    numbers = pieces.by_size[: len(components)]
    held = found.voxels[tuple(found.ijk.T)]
    labels = pieces.labels[tuple((found.ijk[held] - pieces.origin).T)]
    rows = np.stack([ndimage.median(values, labels, numbers) for values in found.facts[held].T], axis=1)
    return tuple(
        replace(component, plateau_hu=float(row[0]), edge_hu=float(row[1]), surroundings_hu=float(row[2]))
        for component, row in zip(components, rows, strict=True)
    )
