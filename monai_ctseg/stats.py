"""Scan -> ScanStats: what `monai-ctseg stats` prints, draws and writes."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.scan import HUArray, Scan
from monai_ctseg.segmentation.intensity import IntensityVerdict
from monai_ctseg.segmentation.padding import Padding
from monai_ctseg.segmentation.scan_facts import ScanFacts


@dataclass(frozen=True)
class SliceStats:
    """One slice.

    Attributes:
        index: k.
        name: Of the source file.
        position_mm: Along the slice normal, which may point to the feet.
        center_lps: Centre of the slice in mm.
        maximum_hu: Over all its voxels, padding included.
        mean_hu: Likewise.
    """

    index: int
    name: str
    position_mm: float
    center_lps: tuple[float, float, float]
    maximum_hu: float
    mean_hu: float


@dataclass(frozen=True)
class ScanStats:
    """Measures of a scan; plain numbers and strings, so that `dataclasses.asdict` is JSON.

    Attributes:
        shape: Voxels along i, j, k.
        spacing_mm: Length of one step along i, j, k.
        orientation: The letters of `Grid.orientation`.
        slice_count: Voxels along k.
        center_lps: Centre of the volume, voxel index (N - 1) / 2, in mm.
        center_ras: The same point in RAS.
        maximum_hu: Over all voxels, padding and sentinel values included; a whole number for int16.
        minimum_hu: Likewise.
        mean_hu: Over the same voxels.
        mean_in_fov_hu: In the reconstruction field of view: over all voxels except the padding. Equals mean_hu where
            there is no padding; None where all is padding.
        padding: The voxels that were never measured; None where there are none.
        intensity: What the scan's scale can show.
        notes: What was repaired on reading.
        slices: The measures of each slice, [k].
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    orientation: str
    slice_count: int
    center_lps: tuple[float, float, float]
    center_ras: tuple[float, float, float]
    maximum_hu: float
    minimum_hu: float
    mean_hu: float
    mean_in_fov_hu: float | None
    padding: Padding | None
    intensity: IntensityVerdict
    notes: tuple[str, ...]
    slices: tuple[SliceStats, ...]

    @property
    def field_of_view(self) -> str:
        """What `mean_in_fov_hu` is the mean of."""
        if self.padding is None:
            return "all voxels: no padding was found"
        kinds = {"circle": "inside the reconstruction field of view", "background": "without the constant background"}
        return kinds[self.padding.kind]


def scan_stats(scan: Scan) -> ScanStats:
    """Measure a scan.

    Args:
        scan: HU on a grid. Sums of int16 voxels are exact; float32 voxels are summed in float64.

    Returns:
        Geometry, extremes and means in HU, padding and intensity scale, of the whole scan and of each slice.
    """
    grid = scan.grid
    with ThreadPoolExecutor(1) as pool:  # numpy works outside the interpreter's lock
        scale = pool.submit(_judge_scale, scan)
        planes = [_measure(scan.hu[:, :, k]) for k in range(grid.shape[2])]
        padding, intensity = scale.result()
    total = sum(plane.total for plane in planes)
    return ScanStats(
        shape=grid.shape,
        spacing_mm=grid.spacing_mm,
        orientation=grid.orientation,
        slice_count=grid.shape[2],
        center_lps=_triple(grid.center_lps),
        center_ras=_triple(grid.center_ras),
        maximum_hu=max(plane.maximum_hu for plane in planes),
        minimum_hu=min(plane.minimum_hu for plane in planes),
        mean_hu=total / scan.hu.size,
        mean_in_fov_hu=_mean_in_fov(total, scan.hu.size, padding),
        padding=padding,
        intensity=intensity,
        notes=scan.notes,
        slices=_slices(scan, planes),
    )


def write_csv(stats: ScanStats, path: str | Path) -> None:
    """Write one row for each slice: index, name, position along the normal, centre in LPS (mm), maximum and mean (HU).

    Raises:
        OSError: The file cannot be written.
    """
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "name", "position_mm", "x_lps", "y_lps", "z_lps", "maximum_hu", "mean_hu"])
        for s in stats.slices:
            places = [f"{mm:.3f}" for mm in (s.position_mm, *s.center_lps)]
            writer.writerow([s.index, s.name, *places, f"{s.maximum_hu:g}", f"{s.mean_hu:.3f}"])


def _judge_scale(scan: Scan) -> tuple[Padding | None, IntensityVerdict]:
    facts = ScanFacts(scan)
    return facts.padding, facts.intensity


class _Plane(NamedTuple):
    """Sum, highest and lowest value of a slice, in HU."""

    total: float
    maximum_hu: float
    minimum_hu: float


def _measure(plane: HUArray) -> _Plane:
    total = (
        int(plane.sum(axis=0, dtype=np.int32).sum(dtype=np.int64))  # int32 holds 65,536 voxels of int16
        if plane.dtype == np.int16
        else float(plane.sum(dtype=np.float64))
    )
    return _Plane(total, plane.max().item(), plane.min().item())


def _slices(scan: Scan, planes: list[_Plane]) -> tuple[SliceStats, ...]:
    positions = _positions_mm(scan.grid)
    columns, rows, count = scan.grid.shape
    area = columns * rows
    centers = [_triple(scan.grid.to_lps(((columns - 1) / 2, (rows - 1) / 2, k))) for k in range(count)]
    return tuple(
        SliceStats(k, scan.names[k], positions[k], centers[k], plane.maximum_hu, plane.total / area)
        for k, plane in enumerate(planes)
    )


def _positions_mm(grid: Grid) -> list[float]:
    """Position of each slice along the normal (row direction x column direction): z on an axial scan."""
    normal = np.cross(grid.index_to_lps[:3, 0], grid.index_to_lps[:3, 1])
    normal /= np.linalg.norm(normal)
    indices = np.zeros((grid.shape[2], 3))
    indices[:, 2] = np.arange(grid.shape[2])
    return [float(mm) for mm in grid.to_lps(indices) @ normal]


def _mean_in_fov(total: float, voxels: int, padding: Padding | None) -> float | None:
    if padding is None:
        return total / voxels
    inside = voxels - padding.voxels
    return (total - padding.hu * padding.voxels) / inside if inside else None


def _triple(point: FloatArray) -> tuple[float, float, float]:
    x, y, z = (float(mm) for mm in point)
    return x, y, z
