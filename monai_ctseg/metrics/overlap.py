"""How well one mask agrees with another, by volume and by surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.scan import BoolArray, Mask, bounding_box, surface_voxels


@dataclass(frozen=True)
class Overlap:
    """Agreement of a predicted mask with the true one; plain numbers, so `dataclasses.asdict` gives JSON.

    Attributes:
        dice: Dice coefficient, from 0 to 1.
        iou: Intersection over union (Jaccard index), from 0 to 1.
        voxels_predicted: Number of voxels of the predicted mask.
        voxels_truth: Number of voxels of the true mask.
        voxels_shared: Number of voxels that both have.
        volume_predicted_mm3: Volume of the predicted mask.
        volume_truth_mm3: Volume of the true mask.
        volume_difference_percent: Predicted minus true volume, in percent of the true one; None without truth.
        false_positive_mm3: Predicted but not true.
        false_negative_mm3: True but not predicted.
        hd95_mm: See `compare_masks`; None where a mask is empty, or distances were not asked for.
        average_surface_distance_mm: Likewise.
    """

    dice: float
    iou: float
    voxels_predicted: int
    voxels_truth: int
    voxels_shared: int
    volume_predicted_mm3: float
    volume_truth_mm3: float
    volume_difference_percent: float | None
    false_positive_mm3: float
    false_negative_mm3: float
    hd95_mm: float | None
    average_surface_distance_mm: float | None


def compare_masks(predicted: Mask, truth: Mask, *, distances: bool = True) -> Overlap:
    """Compare two masks on one grid.

    A surface voxel is one of the mask with a face neighbour (of six) outside the mask or outside the volume.
    Distances are between the centres of surface voxels; a sheared grid is measured as it is. From the distances of each
    predicted surface voxel to the nearest true one, and of each true one to the nearest predicted one, follow

    - `hd95_mm`: the larger of the two directed 95th percentiles (not the percentile of both together, which some tools
      give), as in Maier-Hein et al., Metrics reloaded, Nature Methods 21 (2024), and in monai.metrics;
    - `average_surface_distance_mm`: the mean of all of them (average symmetric surface distance).

    Empty masks: with both empty, Dice and IoU are 1; with one empty they are 0. In both cases there are no distances.

    Args:
        predicted: Voxels [i, j, k] bool.
        truth: On the same grid.
        distances: False where neighbours along k are not adjacent in space, so that there is no surface to measure.

    Returns:
        Overlap, volumes in mm3 and surface distances in mm.

    Raises:
        GridMismatch: The masks do not lie on one grid.
    """
    predicted.grid.require(truth.grid)
    voxel_mm3 = truth.grid.voxel_mm3
    n_predicted, n_truth = predicted.count, truth.count
    shared = int(np.count_nonzero(predicted.voxels & truth.voxels))
    hd95_mm, average_mm = _surface_distances(predicted, truth) if distances else (None, None)
    return Overlap(
        dice=_ratio(2 * shared, n_predicted + n_truth),
        iou=_ratio(shared, n_predicted + n_truth - shared),
        voxels_predicted=n_predicted,
        voxels_truth=n_truth,
        voxels_shared=shared,
        volume_predicted_mm3=n_predicted * voxel_mm3,
        volume_truth_mm3=n_truth * voxel_mm3,
        volume_difference_percent=100.0 * (n_predicted - n_truth) / n_truth if n_truth else None,
        false_positive_mm3=(n_predicted - shared) * voxel_mm3,
        false_negative_mm3=(n_truth - shared) * voxel_mm3,
        hd95_mm=hd95_mm,
        average_surface_distance_mm=average_mm,
    )


def _ratio(part: int, whole: int) -> float:
    """1 where there is nothing to agree on: two empty masks are the same."""
    return part / whole if whole else 1.0


def _surface_distances(predicted: Mask, truth: Mask) -> tuple[float | None, float | None]:
    """HD95 and average symmetric surface distance in mm; None where a mask is empty."""
    from scipy.spatial import KDTree

    a, b = (_surface_lps(mask.voxels, truth.grid) for mask in (predicted, truth))
    if not len(a) or not len(b):
        return None, None
    there, back = KDTree(b).query(a)[0], KDTree(a).query(b)[0]
    hd95_mm = max(np.percentile(there, 95), np.percentile(back, 95))
    return float(hd95_mm), float(np.concatenate([there, back]).mean())


def _surface_lps(voxels: BoolArray, grid: Grid) -> FloatArray:
    """Centres of the surface voxels, (n, 3) mm in LPS; searched in the mask's own box, for speed."""
    box = bounding_box(voxels)
    if box is None:
        return np.empty((0, 3))
    # Slice by slice in memory: scans are Fortran-ordered.
    surface = np.argwhere(surface_voxels(np.ascontiguousarray(voxels[box].T)))[:, ::-1]
    return grid.to_lps(surface + [s.start for s in box])
