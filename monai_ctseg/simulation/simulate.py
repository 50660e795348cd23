"""Simulate: a body without metal + implants + a scanner -> the scan that would be read, and the true mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cc3d
import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects

from monai_ctseg.errors import CtsegError
from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.parallel import Progress, run_in_order
from monai_ctseg.scan import BoolArray, Mask, Scan
from monai_ctseg.simulation.acquire import AIR_HU, MetalPixels, SliceTask, acquire, circle
from monai_ctseg.simulation.implants.implant import Implant
from monai_ctseg.simulation.projection import Floats
from monai_ctseg.simulation.scanner import Scanner

FINE_MM = 0.4
"""Metal is drawn on pixels of at most this size,"""
LAYER_MM = 0.8
"""and in layers of at most this thickness, at most 6 a slice."""
MOST_LAYERS = 6
FULL = 200
"""What a voxel reads that is all metal."""


@dataclass(frozen=True, eq=False)
class Simulated:
    """A scan and what is true of it.

    scan: int16 HU. truth: voxels of which at least half is metal of an implant, and of a piece that fills none by half
    the voxel that it fills most, where that is a tenth: large voxels would lose a filling otherwise. What lies outside
    the body (ECG leads and the like) or under padding is not in the truth.
    """

    scan: Scan
    truth: Mask
    scanner: Scanner
    seed: int


def simulate(
    body: Scan,
    implants: Sequence[Implant],
    *,
    scanner: Scanner | None = None,
    grid: Grid | None = None,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Simulated:
    """Scan `body` with `implants` in it.

    body: free of metal, at least as wide and as long as what is reconstructed.
    grid: of the result, the body's own by default; its axes run as the body's. Tissue gives way to metal.
    The same arguments give the same voxels, whatever `jobs`.
    Raises CtsegError where the grids' axes differ or are sheared, or where the result has slices beyond the body's.
    """
    scanner, grid = scanner or Scanner(), grid or body.grid
    plane = _Plane.of(body.grid, grid)
    _require_slices(body.grid, grid, plane)
    hu = np.empty(grid.shape, dtype=np.int16, order="F")
    filled = np.zeros(grid.shape, dtype=np.uint8, order="F")
    tasks = _tasks(body, implants, scanner, grid, plane, seed, filled)
    for done, (k, image) in enumerate(run_in_order(acquire, tasks, jobs=jobs), start=1):
        hu[:, :, k] = image
        if progress:
            progress(done, grid.shape[2])
    truth = mark_metal(filled)
    if scanner.padding_hu is not None:
        truth &= circle(grid.shape[:2], grid.spacing_mm[:2])[:, :, None]
    scan = Scan(hu, grid, padding_hu=scanner.padding_hu)
    return Simulated(scan, Mask(truth, grid), scanner, seed)


def _require_slices(body: Grid, grid: Grid, plane: _Plane) -> None:
    """CtsegError where slices of a grid lie beyond the body's; its last one would be repeated."""
    ends = [
        sorted(float((one.to_lps((0, 0, k)) - plane.center) @ plane.axes[:, 2]) for k in (0, one.shape[2] - 1))
        for one in (body, grid)
    ]
    (low, high), (first, last) = ends
    half = body.spacing_mm[2] / 2
    if first < low - half or last > high + half:
        raise CtsegError(
            f"the result's slices lie at {first - low:g} to {last - low:g} mm from the body's first, "
            f"and the body ends at {high - low:g} mm; ask for fewer slices, or give a longer body"
        )


def mark_metal(filled: npt.NDArray[np.uint8]) -> BoolArray:
    """The true mask of how far voxels are filled, [i, j, k], FULL where all of a voxel is metal."""
    truth = np.asarray(filled >= FULL // 2, order="F")
    some = filled >= FULL // 10
    for metal in find_objects(some.view(np.uint8)):  # the one box that holds it all
        labels, total = cc3d.connected_components(some[metal], connectivity=26, return_N=True)
        boxes = cc3d.statistics(labels)["bounding_boxes"]
        for lone in np.setdiff1d(np.arange(1, total + 1), labels[truth[metal]]):
            piece = np.where(labels[boxes[lone]] == lone, filled[metal][boxes[lone]], 0)
            truth[metal][boxes[lone]].flat[piece.argmax()] = True
    return truth


@dataclass(frozen=True, eq=False)
class _Plane:
    """The slices' plane: unit vectors along i, j and k (LPS), and the isocentre, which is the image's centre."""

    axes: FloatArray
    center: FloatArray

    @classmethod
    def of(cls, body: Grid, grid: Grid) -> _Plane:
        axes = grid.index_to_lps[:3, :3] / np.array(grid.spacing_mm)
        others = body.index_to_lps[:3, :3] / np.array(body.spacing_mm)
        if np.abs(axes - others).max() > 1e-3 or np.abs(axes.T @ axes - np.eye(3)).max() > 1e-3:
            raise CtsegError(
                f"simulate needs slices stacked at right angles, the result's along the body's: "
                f"{body.describe()} against {grid.describe()}; resample the body"
            )
        return cls(axes, grid.center_lps)

    def origin_mm(self, grid: Grid) -> tuple[float, float]:
        """Where voxel (0, 0) of a grid lies in the plane."""
        u, v, _ = (grid.to_lps((0, 0, 0)) - self.center) @ self.axes
        return float(u), float(v)

    def points(self, u: Floats, v: Floats, w: float) -> tuple[Floats, Floats, Floats]:
        """LPS coordinates of u (n, 1), v (1, m) in the plane and w along the normal; they broadcast to (n, m)."""
        along, down, normal = self.axes.T
        x, y, z = (
            sum((a * p for a, p in ((along[c], u), (down[c], v)) if abs(a) > 1e-9), np.zeros((1, 1)))
            + (self.center[c] + w * normal[c])
            for c in range(3)
        )
        return x.astype(np.float32), y.astype(np.float32), z.astype(np.float32)


def _tasks(
    body: Scan, implants: Sequence[Implant], scanner: Scanner, grid: Grid, plane: _Plane, seed: int, filled: np.ndarray
) -> Iterator[SliceTask]:
    """The slices' tasks, one after the other; each slice of `filled` is written on the way, FULL where all is metal."""
    thickness = scanner.slice_mm or grid.spacing_mm[2]
    layers = min(MOST_LAYERS, max(1, int(np.ceil(thickness / LAYER_MM))))
    offsets = ((np.arange(layers) + 0.5) / layers - 0.5) * thickness
    for k in range(grid.shape[2]):
        middle = (k - (grid.shape[2] - 1) / 2) * grid.spacing_mm[2]
        canvas = _Canvas(grid, plane, implants, layers)
        tissue = _body_slice(body, plane, middle + offsets)
        for layer, w in enumerate(middle + offsets):
            canvas.draw(layer, float(w), within=abs(offsets[layer]) <= grid.spacing_mm[2] / 2)
        filled[:, :, k] = FULL * np.minimum(canvas.fraction(), 1)
        yield SliceTask(
            k=k,
            seed=(seed, k),
            scanner=scanner,
            hu=canvas.displace(tissue, body.grid),
            body_mm=body.grid.spacing_mm[:2],
            body_origin_mm=plane.origin_mm(body.grid),
            metal=tuple(canvas.pixels),
            layers=layers,
            shape=grid.shape[:2],
            pixel_mm=grid.spacing_mm[:2],
            origin_mm=plane.origin_mm(grid),
        )


def _body_slice(body: Scan, plane: _Plane, at_mm: FloatArray) -> Floats:
    """The body's mean over a slice [i, j]: interpolated between its own slices at each of `at_mm` along the normal."""
    first = float((body.grid.to_lps((0, 0, 0)) - plane.center) @ plane.axes[:, 2])
    last = body.grid.shape[2] - 1
    index = np.clip((at_mm - first) / body.grid.spacing_mm[2], 0, last)
    mean = np.zeros(body.grid.shape[:2], dtype=np.float32)
    for position in index:
        low = int(position)
        share = np.float32(position - low)
        mean += (1 - share) * body.hu[:, :, low] + (share * body.hu[:, :, min(low + 1, last)] if share else 0)
    return np.asarray(np.maximum(mean / len(index), AIR_HU), dtype=np.float32)


class _Canvas:
    """The metal of one slice, drawn layer by layer on fine pixels that divide the image's."""

    def __init__(self, grid: Grid, plane: _Plane, implants: Sequence[Implant], layers: int) -> None:
        self.grid, self.plane, self.implants, self.layers = grid, plane, implants, layers
        self.parts = tuple(max(1, int(np.ceil(mm / FINE_MM))) for mm in grid.spacing_mm[:2])
        self.fine_mm = tuple(mm / n for mm, n in zip(grid.spacing_mm[:2], self.parts, strict=True))
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

    def _window(self, low: FloatArray, high: FloatArray) -> tuple[slice, slice]:
        """The fine pixels that the box covers; also beyond the image, since metal there makes streaks as well."""
        origin = self.plane.origin_mm(self.grid)
        first = [
            int(np.floor((lo - o) / mm)) - self.parts[0] for lo, o, mm in zip(low, origin, self.fine_mm, strict=False)
        ]
        last = [
            int(np.ceil((hi - o) / mm)) + self.parts[0] for hi, o, mm in zip(high, origin, self.fine_mm, strict=False)
        ]
        return slice(first[0], last[0] + 1), slice(first[1], last[1] + 1)

    def _centers(self, window: tuple[slice, slice]) -> tuple[Floats, Floats]:
        """Of fine pixels, mm in the plane: u (n, 1) and v (1, m). Fine pixel 0 is the first part of voxel 0."""
        origin = self.plane.origin_mm(self.grid)
        u, v = (
            (o + (np.arange(s.start, s.stop) - (parts - 1) / 2) * mm).astype(np.float32)
            for o, s, parts, mm in zip(origin, window, self.parts, self.fine_mm, strict=True)
        )
        return u[:, None], v[None, :]

    def _share(self, implant: Implant, window: tuple[slice, slice], w: float) -> Floats:
        """How much of each fine pixel the implant fills, from its distance to the surface."""
        u, v = self._centers(window)
        distance = np.broadcast_to(implant.distance(self.plane.points(u, v, w)), (u.shape[0], v.shape[1]))
        return np.asarray(np.clip(0.5 - distance / np.mean(self.fine_mm), 0, 1), dtype=np.float32)

    def _add(self, implant: Implant, window: tuple[slice, slice], share: Floats, layer: int, *, within: bool) -> None:
        u, v = np.broadcast_arrays(*self._centers(window))
        some = share > 0.01
        if not some.any():
            return
        fine = (float(self.fine_mm[0]), float(self.fine_mm[1]))
        self.pixels.append(MetalPixels(implant.metal, layer, u[some], v[some], share[some], fine))
        if within and implant.inside:
            i, j = np.nonzero(some)
            i, j = (i + window[0].start) // self.parts[0], (j + window[1].start) // self.parts[1]
            seen = (i >= 0) & (j >= 0) & (i < self.grid.shape[0]) & (j < self.grid.shape[1])
            np.add.at(self.filled, (i[seen], j[seen]), share[some][seen])

    def fraction(self) -> Floats:
        """How much of each voxel of the slice is metal of an implant [i, j]."""
        return np.asarray(self.filled / (np.prod(self.parts) * max(self.counted, 1)), dtype=np.float32)

    def displace(self, tissue: Floats, grid: Grid) -> Floats:
        """The body's slice with nothing where metal is: its share there is taken from the tissue."""
        if not self.pixels:
            return tissue
        origin, (du, dv) = self.plane.origin_mm(grid), grid.spacing_mm[:2]
        metal = np.zeros_like(tissue)
        for part in self.pixels:
            i = np.rint((part.u - origin[0]) / du).astype(int)
            j = np.rint((part.v - origin[1]) / dv).astype(int)
            seen = (i >= 0) & (j >= 0) & (i < tissue.shape[0]) & (j < tissue.shape[1])
            np.add.at(metal, (i[seen], j[seen]), part.share[seen])
        metal *= np.float32(np.prod(self.fine_mm) / (du * dv * self.layers))
        left = 1 - np.minimum(metal, 1)
        return np.asarray((tissue - AIR_HU) * left + AIR_HU, dtype=np.float32)


def _subtract(share: Floats, window: tuple[slice, slice], other: tuple[slice, slice], taken: Floats) -> None:
    """Take away from `share` what an earlier implant fills."""
    low = [max(a.start, b.start) for a, b in zip(window, other, strict=True)]
    high = [min(a.stop, b.stop) for a, b in zip(window, other, strict=True)]
    if low[0] >= high[0] or low[1] >= high[1]:
        return
    here = tuple(slice(a - s.start, b - s.start) for a, b, s in zip(low, high, window, strict=True))
    there = tuple(slice(a - s.start, b - s.start) for a, b, s in zip(low, high, other, strict=True))
    share[here] = np.maximum(share[here] - taken[there], 0)
