"""Half-maximum over a whole scan: objects up to edges half-way between their own plateau and what is around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from monai_ctseg.scan import Box, Scan
from monai_ctseg.segmentation.components import Components
from monai_ctseg.segmentation.half_maximum.boxes import boxes_around, grow
from monai_ctseg.segmentation.half_maximum.edges import STREAK_MM, Edges, find_edges
from monai_ctseg.segmentation.half_maximum.ridges import Floats, Ints
from monai_ctseg.segmentation.intensity import IntensityVerdict, equals
from monai_ctseg.segmentation.records import Component
from monai_ctseg.segmentation.scan_facts import ScanFacts

MARGIN_MM = 9.0
"""Around a box, so that the surroundings of its objects are seen."""
BEYOND_MM = 2.5
"""So far outside the box around its seeds an object may reach."""
NOTHING_HU = -1000.0
DENSE = 1.4
"""Times `seed_hu`: what an object reads at least, without blur, if it is metal (titanium 5,000 HU and more). Enamel and
contrast that exceed 3000 HU here and there stay below it."""
HIGH_SATURATION_HU = 15_000.0
"""A scale that ends up here clips the tops of the densest metals only, and their edges are found all the same."""
DENSE_SHARE = 0.25
"""Of an object, that reads as dense as metal."""


@dataclass(frozen=True, eq=False)
class Objects:
    """What half-maximum marks in a scan, before the body decides.

    Attributes:
        components: of all metal objects.
        ijk: indices of voxels that were marked, (n, 3).
        facts_hu: plateau, edge and surroundings of each of them in HU, (n, 3).
    """

    components: Components
    ijk: Ints
    facts_hu: Floats

    def describe(self, listed: tuple[Component, ...]) -> tuple[Component, ...]:
        """The listed components, largest first, with the medians of their plateau, edge and surroundings."""
        if not listed:
            return listed
        numbers = self.components.by_size[: len(listed)]
        shape = self.components.labels.shape
        local = tuple((self.ijk - self.components.origin).T)
        inside = np.all([(line >= 0) & (line < n) for line, n in zip(local, shape, strict=True)], axis=0)
        labels = self.components.labels[tuple(line[inside] for line in local)]
        rows = np.stack([ndimage.median(values, labels, numbers) for values in self.facts_hu[inside].T], axis=1)
        return tuple(
            replace(component, plateau_hu=float(row[0]), edge_hu=float(row[1]), surroundings_hu=float(row[2]))
            for component, row in zip(listed, rows, strict=True)
        )


def shows_plateaus(intensity: IntensityVerdict) -> bool:
    """Whether the scan's scale reaches high enough for metal to have plateaus of its own."""
    return not intensity.saturated or intensity.highest_hu >= HIGH_SATURATION_HU


def edges_around(facts: ScanFacts, seed_hu: float) -> Iterator[tuple[Box, Edges]]:
    """Boxes that hold all that exceeds `seed_hu` and a little around it, one by one, and the edges in each.

    Boxes overlap; in them an object's shares agree but for the box's end.
    """
    scan = facts.scan
    for box in boxes_around(facts.above(seed_hu)):
        outer, edges = _edges_in(scan, box, seed_hu, facts.intensity)
        inner = grow(box, _voxels(scan, BEYOND_MM), scan.grid.shape)
        i, j, k = (slice(a.start - o.start, a.stop - o.start) for a, o in zip(inner, outer, strict=True))
        yield inner, edges.within((i, j, k))


def find_objects(facts: ScanFacts, seed_hu: float) -> Objects:
    """Metal objects that exceed `seed_hu` somewhere, by their own edges.

    Edges are found between voxels; a voxel is metal when at least half of it is. Bright objects too faint for metal
    (enamel, contrast medium) are left out.

    Args:
        facts: of a scan that shows the metal's plateaus (`shows_plateaus`).
        seed_hu: HU that an object exceeds somewhere.
    """
    voxels = np.zeros(facts.scan.grid.shape, dtype=bool, order="F")
    dense = voxels.copy(order="F")
    places = [np.zeros((0, 3), dtype=np.int64)]
    values = [np.zeros((0, 3), dtype=np.float32)]
    for box, edges in edges_around(facts, seed_hu):
        here = edges.shares >= 0.5
        voxels[box] |= here
        dense[box] |= here & (edges.plateau_hu > DENSE * seed_hu)
        places.append(np.argwhere(here) + [side.start for side in box])
        values.append(np.stack([hu[here] for hu in edges.facts_hu()], axis=1))
    ijk, first = np.unique(np.concatenate(places), axis=0, return_index=True)
    components = Components.of(voxels)
    metal = (components.highest_hu(facts.scan.hu) > seed_hu) & (components.shares_in(dense) > DENSE_SHARE)
    components = components.select(metal)
    if facts.intensity.sentinels:  # without their voxels a component may fall apart
        components = Components.of(facts.without_sentinels(components.paint()))
    return Objects(components, ijk, np.concatenate(values)[first])


def _edges_in(scan: Scan, box: Box, seed_hu: float, intensity: IntensityVerdict) -> tuple[Box, Edges]:
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
