"""Metal: what implants fill of a slice, on pixels finer than the image's, and the true mask that follows from it."""

from __future__ import annotations

from collections.abc import Sequence

import cc3d
import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects

from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.scan import BoolArray
from monai_ctseg.simulation.acquire import AIR_HU, MetalPixels
from monai_ctseg.simulation.implants import Implant
from monai_ctseg.simulation.plane import SlicePlane
from monai_ctseg.simulation.sdf import Floats

FINE_MM = 0.4
"""Metal is drawn on pixels of at most this size."""
FULL = 200
"""What a voxel reads that is all metal."""

Window = tuple[slice, slice]
"""Fine pixels along i and j; they may lie beyond the image."""


def mark_metal(filled: npt.NDArray[np.uint8]) -> BoolArray:
    """The true mask: voxels of which half is metal, and of each smaller component the fullest voxel, from a tenth on.

    Args:
        filled: how much of each voxel is metal, [i, j, k] uint8, FULL for all of it.

    Returns:
        [i, j, k] bool.
    """
    truth = np.asarray(filled >= FULL // 2, order="F")
    some = filled >= FULL // 10
    for metal in find_objects(some.view(np.uint8)):  # the one box that holds it all
        labels, total = cc3d.connected_components(some[metal], connectivity=26, return_N=True)
        boxes = cc3d.statistics(labels)["bounding_boxes"]
        for lone in np.setdiff1d(np.arange(1, total + 1), labels[truth[metal]]):
            component = np.where(labels[boxes[lone]] == lone, filled[metal][boxes[lone]], 0)
            truth[metal][boxes[lone]].flat[component.argmax()] = True
    return truth


class MetalSlice:
    """The metal of one slice, drawn layer by layer on fine pixels that divide the image's.

    Attributes:
        pixels: the metal so far, for the rays.
    """

    def __init__(self, grid: Grid, plane: SlicePlane, implants: Sequence[Implant], layers: int) -> None:
        self.grid, self.plane, self.implants, self.layers = grid, plane, implants, layers
        self.divisions = tuple(max(1, int(np.ceil(mm / FINE_MM))) for mm in grid.spacing_mm[:2])
        self.fine_mm = tuple(mm / n for mm, n in zip(grid.spacing_mm[:2], self.divisions, strict=True))
        self.pixels: list[MetalPixels] = []
        self.filled = np.zeros(grid.shape[:2], dtype=np.float32)
        self.counted = 0
        self.corners = [self._corners(implant) for implant in implants]

    def _corners(self, implant: Implant) -> tuple[FloatArray, FloatArray]:
        """The implant's box in the plane's frame: lowest and highest u, v, w."""
        choices = np.array(np.meshgrid(*zip(implant.low, implant.high, strict=True))).reshape(3, -1).T
        corners = (choices - self.plane.center) @ self.plane.axes
        return corners.min(axis=0), corners.max(axis=0)

    def draw(self, layer: int, w: float, *, within: bool) -> None:
        """Add a layer; `within` says whether it counts for the truth, as slices may be thicker than their spacing."""
        self.counted += within
        done: list[tuple[slice, slice, Floats]] = []
        for implant, (low, high) in zip(self.implants, self.corners, strict=True):
            if not low[2] <= w <= high[2]:
                continue
            window = self._window(low, high)
            share = self._share(implant, window, w)
            for other, others, before in done:
                _subtract(share, window, (other, others), before)
            done.append((*window, share))
            self._add(implant, window, share, layer, within=within)

    def _window(self, low: FloatArray, high: FloatArray) -> Window:
        """The fine pixels that the box covers; also beyond the image, since metal there makes streaks as well."""
        origin = self.plane.origin_mm(self.grid)
        first = [
            int(np.floor((lo - o) / mm)) - self.divisions[0]
            for lo, o, mm in zip(low, origin, self.fine_mm, strict=False)
        ]
        last = [
            int(np.ceil((hi - o) / mm)) + self.divisions[0]
            for hi, o, mm in zip(high, origin, self.fine_mm, strict=False)
        ]
        return slice(first[0], last[0] + 1), slice(first[1], last[1] + 1)

    def _centers(self, window: Window) -> tuple[Floats, Floats]:
        """Of fine pixels, mm in the plane: u (n, 1) and v (1, m). Fine pixel 0 is the first part of voxel 0."""
        origin = self.plane.origin_mm(self.grid)
        u, v = (
            (o + (np.arange(s.start, s.stop) - (n - 1) / 2) * mm).astype(np.float32)
            for o, s, n, mm in zip(origin, window, self.divisions, self.fine_mm, strict=True)
        )
        return u[:, None], v[None, :]

    def _share(self, implant: Implant, window: Window, w: float) -> Floats:
        """How much of each fine pixel the implant fills, from its distance to the surface."""
        u, v = self._centers(window)
        distance = np.broadcast_to(implant.distance(self.plane.points(u, v, w)), (u.shape[0], v.shape[1]))
        return np.asarray(np.clip(0.5 - distance / np.mean(self.fine_mm), 0, 1), dtype=np.float32)

    def _add(self, implant: Implant, window: Window, share: Floats, layer: int, *, within: bool) -> None:
        u, v = np.broadcast_arrays(*self._centers(window))
        some = share > 0.01
        if not some.any():
            return
        fine = (float(self.fine_mm[0]), float(self.fine_mm[1]))
        self.pixels.append(MetalPixels(implant.metal, layer, u[some], v[some], share[some], fine))
        if within and implant.inside:
            i, j = np.nonzero(some)
            i, j = (i + window[0].start) // self.divisions[0], (j + window[1].start) // self.divisions[1]
            seen = (i >= 0) & (j >= 0) & (i < self.grid.shape[0]) & (j < self.grid.shape[1])
            np.add.at(self.filled, (i[seen], j[seen]), share[some][seen])

    def fraction(self) -> Floats:
        """How much of each voxel of the slice is metal of an implant [i, j]."""
        return np.asarray(self.filled / (np.prod(self.divisions) * max(self.counted, 1)), dtype=np.float32)

    def displace(self, tissue: Floats, grid: Grid) -> Floats:
        """The body's slice with nothing where metal is: its share there is taken from the tissue."""
        if not self.pixels:
            return tissue
        origin, (du, dv) = self.plane.origin_mm(grid), grid.spacing_mm[:2]
        metal = np.zeros_like(tissue)
        for metal_pixels in self.pixels:
            i = np.rint((metal_pixels.u - origin[0]) / du).astype(int)
            j = np.rint((metal_pixels.v - origin[1]) / dv).astype(int)
            seen = (i >= 0) & (j >= 0) & (i < tissue.shape[0]) & (j < tissue.shape[1])
            np.add.at(metal, (i[seen], j[seen]), metal_pixels.share[seen])
        metal *= np.float32(np.prod(self.fine_mm) / (du * dv * self.layers))
        left = 1 - np.minimum(metal, 1)
        return np.asarray((tissue - AIR_HU) * left + AIR_HU, dtype=np.float32)


def _subtract(share: Floats, window: Window, other: Window, taken: Floats) -> None:
    """Take away from `share` what an earlier implant fills."""
    low = [max(a.start, b.start) for a, b in zip(window, other, strict=True)]
    high = [min(a.stop, b.stop) for a, b in zip(window, other, strict=True)]
    if low[0] >= high[0] or low[1] >= high[1]:
        return
    here = tuple(slice(a - s.start, b - s.start) for a, b, s in zip(low, high, window, strict=True))
    there = tuple(slice(a - s.start, b - s.start) for a, b, s in zip(low, high, other, strict=True))
    share[here] = np.maximum(share[here] - taken[there], 0)
