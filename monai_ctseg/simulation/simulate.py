"""Simulate: a body without metal + implants + a scanner -> the scan that would be read, and the true mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.parallel import Progress, run_in_order
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.simulation.acquire import AIR_HU, SliceTask, acquire, circle
from monai_ctseg.simulation.implants import Implant
from monai_ctseg.simulation.materials import make_beam
from monai_ctseg.simulation.metal import FULL, MetalSlice, mark_metal
from monai_ctseg.simulation.plane import SlicePlane
from monai_ctseg.simulation.scanner import Scanner
from monai_ctseg.simulation.sdf import Floats

LAYER_MM = 0.8
"""Metal is drawn in layers of at most this thickness, but at most 6 a slice."""
MOST_LAYERS = 6


@dataclass(frozen=True, eq=False)
class SimulatedScan:
    """A scan and what is true of it.

    Attributes:
        scan: int16 HU [i, j, k], without headers.
        truth: on the scan's grid, voxels of which at least half is metal of an implant. Of a component that fills no
            voxel by half, the voxel that it fills most, from a tenth on: large voxels would lose a filling otherwise.
            What lies outside the body (ECG leads and the like) or under padding is not in the truth.
        scanner: its settings.
        seed: of the noise.
    """

    scan: Scan
    truth: Mask
    scanner: Scanner
    seed: int


@dataclass(frozen=True, eq=False)
class _Setup:
    """What all slices of a scan have in common."""

    body: Scan
    implants: Sequence[Implant]
    scanner: Scanner
    grid: Grid
    plane: SlicePlane
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
) -> SimulatedScan:
    """Scan a body with implants in it; the same arguments give the same voxels, whatever `jobs`.

    Args:
        body: HU, free of metal, at least as wide and as long as what is reconstructed. Tissue gives way to metal.
        implants: solids in LPS, mm, each of one metal.
        scanner: its settings; None for those of `Scanner()`.
        grid: of the result, with axes along the body's; None for the body's own.
        seed: of the noise.
        jobs: number of processes.
        progress: called with the number of slices done and of all slices.

    Returns:
        The scan, int16 HU, and its true mask, both on the grid of the result.

    Raises:
        CtsegError: the grids' axes differ or are sheared, or the result has slices beyond the body's.
        MissingExtra: the extra `simulation` is not installed.
    """
    scanner, grid = scanner or Scanner(), grid or body.grid
    plane = SlicePlane.of(body.grid, grid)
    plane.require_slices(body.grid, grid)
    make_beam(scanner.kv, scanner.aluminium_mm)  # a missing extra is said here, before any process starts
    hu = np.empty(grid.shape, dtype=np.int16, order="F")
    filled = np.zeros(grid.shape, dtype=np.uint8, order="F")
    tasks = _tasks(_Setup(body, implants, scanner, grid, plane, seed), filled)
    for done, (k, image) in enumerate(run_in_order(acquire, tasks, jobs=jobs), start=1):
        hu[:, :, k] = image
        if progress:
            progress(done, grid.shape[2])
    truth = mark_metal(filled)
    if scanner.padding_hu is not None:
        truth &= circle(grid.shape[:2], grid.spacing_mm[:2])[:, :, None]
    return SimulatedScan(Scan(hu, grid, padding_hu=scanner.padding_hu), Mask(truth, grid), scanner, seed)


def _tasks(setup: _Setup, filled: npt.NDArray[np.uint8]) -> Iterator[SliceTask]:
    """The slices' tasks, one after the other; each slice of `filled` is written on the way, FULL where all is metal."""
    grid, plane = setup.grid, setup.plane
    thickness = setup.scanner.slice_mm or grid.spacing_mm[2]
    layers = min(MOST_LAYERS, max(1, int(np.ceil(thickness / LAYER_MM))))
    offsets = ((np.arange(layers) + 0.5) / layers - 0.5) * thickness
    for k in range(grid.shape[2]):
        middle = (k - (grid.shape[2] - 1) / 2) * grid.spacing_mm[2]
        metal = MetalSlice(grid, plane, setup.implants, layers)
        tissue = _body_slice(setup.body, plane, middle + offsets)
        for layer, w in enumerate(middle + offsets):
            metal.draw(layer, float(w), within=abs(offsets[layer]) <= grid.spacing_mm[2] / 2)
        filled[:, :, k] = FULL * np.minimum(metal.fraction(), 1)
        yield SliceTask(
            k=k,
            seed=(setup.seed, k),
            scanner=setup.scanner,
            hu=metal.displace(tissue, setup.body.grid),
            body_mm=setup.body.grid.spacing_mm[:2],
            body_origin_mm=plane.origin_mm(setup.body.grid),
            metal=tuple(metal.pixels),
            layers=layers,
            shape=grid.shape[:2],
            pixel_mm=grid.spacing_mm[:2],
            origin_mm=plane.origin_mm(grid),
        )


def _body_slice(body: Scan, plane: SlicePlane, at_mm: FloatArray) -> Floats:
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
