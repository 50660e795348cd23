"""Draw: patient, table, metal, blur, streaks and noise on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from monai_ctseg.grid import Grid
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.simulation.phantom.anatomy import draw_patient, hip_screw, table_marker
from monai_ctseg.simulation.phantom.bodies import paint_body
from monai_ctseg.simulation.phantom.canvas import Space, every
from monai_ctseg.simulation.phantom.streaks import streaks
from monai_ctseg.simulation.sdf import Points, occupancy

SCENE_MM = (384.0, 384.0, 180.0)
CENTER_LPS = (3.4, 27.7, 1206.4)
PADDING_HU = -2048
POINT_SPREAD_SIGMA_MM = (1.0, 1.0, 0.6)
NOISE_HU = 20.0


@dataclass(frozen=True)
class Phantom:
    """A drawn CT and what is true of it.

    scan: int16 HU; -2048 outside the reconstruction circle, not named in `padding_hu`, as on many real scans.
    truth: the implant; a voxel counts when more than half of its volume lies inside the implant.
    marker: a steel rod on the table, outside the body and not in `truth`, by the same rule.
    """

    scan: Scan
    truth: Mask
    marker: Mask


def make_phantom(
    *,
    shape: tuple[int, int, int] = (192, 192, 60),
    spacing_mm: tuple[float, float, float] | None = None,
    seed: int = 0,
) -> Phantom:
    """Draw a phantom; the same arguments give the same voxels, bit for bit, on one installation.

    shape: voxels along i, j and k. spacing_mm: by default what spreads the scene of 384 x 384 x 180 mm over `shape`
    (2 x 2 x 3 mm at the default shape); another spacing shows less or more of the scene, about its centre.
    seed: chooses the side, size, pose, screws, metal and noise.

    Raises ValueError when no voxel of the grid is implant.
    """
    random = np.random.default_rng(seed)
    grid = _make_grid(shape, spacing_mm)
    patient = draw_patient(random, grid)
    on_table = _voxel_centers(grid)
    in_body = Space(grid.shape, patient.from_lps @ grid.index_to_lps).points(every(grid.shape))
    implant = occupancy(hip_screw(patient, random), in_body, grid)
    marker = occupancy([table_marker(patient, random)], on_table, grid)
    if not (implant > 0.5).any():
        raise ValueError(f"no implant on this grid, show more of the scene or use smaller voxels: {grid.describe()}")
    hu = paint_body(grid, patient.lying)
    hu += implant * (np.float32(random.uniform(12_000, 18_000)) - hu) + marker * (9_000 - hu)
    hu = gaussian_filter(hu, np.divide(POINT_SPREAD_SIGMA_MM, grid.spacing_mm), mode="nearest")
    hu += streaks(implant + marker, on_table, random)
    hu += np.float32(NOISE_HU) * random.standard_normal(hu.shape, dtype=np.float32)
    x, y, _ = on_table
    hu[np.hypot(x, y)[:, :, 0] > min(-x.min(), -y.min())] = PADDING_HU
    scan = Scan(np.asfortranarray(np.rint(hu).astype(np.int16)), grid)
    return Phantom(scan, *(Mask(np.asfortranarray(fraction > 0.5), grid) for fraction in (implant, marker)))


def _make_grid(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float] | None) -> Grid:
    spacing = np.divide(SCENE_MM, shape) if spacing_mm is None else np.array(spacing_mm)
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = np.array(CENTER_LPS) - (np.array(shape) - 1) / 2 * spacing
    return Grid(shape, matrix)


def _voxel_centers(grid: Grid) -> Points:
    """In the table frame."""
    offset = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(grid.shape, grid.spacing_mm, strict=True)]
    x, y, z = np.meshgrid(*(o.astype(np.float32) for o in offset), indexing="ij", sparse=True)
    return x, y, z
