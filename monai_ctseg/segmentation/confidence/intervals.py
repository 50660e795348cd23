"""A volume interval for each object of a mask, by the probability map around it.

The interval of an object is the volume that its probability map reaches at two levels, in the object and in what lies
nearest to it. Where the levels were set on cases of known truth (`matching_levels`, `set_levels`), so many in a hundred
objects hold their true volume in the interval: split conformal prediction (Lei, G'Sell, Rinaldo, Tibshirani,
Wasserman 2018, doi 10.1080/01621459.2017.1307116). An object that was missed whole has no interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.scan import BoolArray, surface_voxels
from monai_ctseg.segmentation.components import Components
from monai_ctseg.segmentation.records import Volumes

Probability: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.floating[Any]]
"""[i, j, k]: uint8 in 255ths, or numbers from 0 to 1."""
LEVELS = (0.1, 0.9)
"""Of an interval, where nobody has set others."""
MARGIN_MM = 3.0
"""So far around an object its interval reaches, and at least to the next slice."""
SLAB = 32
"""Slices at a time, so that the memory needed does not grow with the scan."""


@dataclass(frozen=True)
class VolumeIntervals:
    """Volumes of a mask.

    Attributes:
        whole: the sum over the objects.
        objects: one for each component of the mask, the largest first, as `Components.by_size` has them.
    """

    whole: Volumes
    objects: tuple[Volumes, ...]


def volume_intervals(
    probability: Probability,
    mask: BoolArray,
    grid: Grid,
    *,
    components: Components | None = None,
    levels: tuple[float, float] = LEVELS,
    margin_mm: float = MARGIN_MM,
) -> VolumeIntervals:
    """For each component the volume where the probability reaches the higher level, and the lower.

    A voxel outside the mask counts for the nearest component, if that is `margin_mm` away or less. The interval is
    widened to the component's own volume where that lies outside.

    Args:
        probability: [i, j, k], uint8 in 255ths or numbers from 0 to 1.
        mask: [i, j, k].
        grid: of both.
        components: of the mask, where they are known.
        levels: two probabilities, the lower first.
        margin_mm: reach of a component around itself.
    """
    components = components or Components.of(mask)
    low, high = (level * unit(probability) for level in levels)
    least, most = np.zeros(len(components.voxels)), np.zeros(len(components.voxels))
    for owners, values, _ in _owned(probability, mask, components, grid, low, margin_mm):
        most += np.bincount(owners[values >= low], minlength=len(most))
        least += np.bincount(owners[values >= high], minlength=len(least))
    least = np.minimum(least, components.voxels)[components.by_size] * grid.voxel_mm3
    most = np.maximum(most, components.voxels)[components.by_size] * grid.voxel_mm3
    objects = tuple((float(a), float(b)) for a, b in zip(least, most, strict=True))
    return VolumeIntervals((float(least.sum()), float(most.sum())), objects)


def matching_levels(
    probability: Probability, mask: BoolArray, truth: BoolArray, grid: Grid, *, margin_mm: float = MARGIN_MM
) -> FloatArray:
    """The two probabilities between which the level lies that gives a component its true volume.

    The lower level of an interval that holds the true volume is at most the first; the higher is above the second.
    True voxels belong to components as in `volume_intervals`; those farther away count for none.

    Returns:
        (n, 2), a row for each component of `mask`, the largest first.
    """
    components = Components.of(mask)
    parts = list(_owned(probability, mask, components, grid, 0.0, margin_mm))
    owners = np.concatenate([part[0] for part in parts] or [np.zeros(0, np.int64)])
    values = np.concatenate([part[1] for part in parts] or [np.zeros(0)]) / unit(probability)
    true = np.concatenate([truth[part[2]] for part in parts] or [np.zeros(0, bool)])
    found = np.empty((len(components.by_size), 2))
    for row, component in zip(found, components.by_size, strict=True):
        mine = owners == component
        ranked = np.concatenate([[1.0], np.sort(values[mine])[::-1], [0.0]])
        count = int(true[mine].sum())
        row[:] = ranked[count], ranked[count + 1]
    return found


def set_levels(matching: FloatArray, *, coverage: float = 0.9) -> tuple[float, float]:
    """The levels whose intervals hold the true volume of a share of objects.

    Half of the rest may be missed on either side. The levels lie between those that uint8 tells from 0, 0.5 and 1;
    too few objects, or a network too sure of itself, leave the outermost ones.

    Args:
        matching: from `matching_levels`, (n, 2).
        coverage: the share of objects whose interval holds the truth.
    """
    if not len(matching):
        return LEVELS
    rank = max(1, math.floor((len(matching) + 1) * (1 - coverage) / 2))  # of the object that is just held
    below, above = np.sort(matching[:, 0])[rank - 1], np.sort(matching[:, 1])[-rank]
    half = 0.5 / 255
    return float(np.clip(below - half, half, 0.5 - half)), float(np.clip(above + half, 0.5 + half, 1 - half))


def _owned(
    probability: Probability, mask: BoolArray, components: Components, grid: Grid, lowest: float, margin_mm: float
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any], tuple[npt.NDArray[Any], ...]]]:
    """Slab by slab, the voxels of `lowest` and more that belong to components: their labels, probabilities, indices."""
    reach = 1.001 * max(margin_mm, *grid.spacing_mm)
    steps = [math.ceil(reach / mm) for mm in grid.spacing_mm]
    ends = [(o, o + n) for o, n in zip(components.origin, components.labels.shape, strict=True)]
    starts = [max(0, first - step) for (first, _), step in zip(ends, steps, strict=True)]
    stops = [min(n, last + step) for (_, last), step, n in zip(ends, steps, mask.shape, strict=True)]
    if not len(components.by_size):
        return
    i, j = slice(starts[0], stops[0]), slice(starts[1], stops[1])
    for first in range(starts[2], stops[2], SLAB):
        k = slice(first, min(first + SLAB, stops[2]))
        chosen = np.nonzero((probability[i, j, k] >= lowest) | mask[i, j, k])
        voxels = (chosen[0] + starts[0], chosen[1] + starts[1], chosen[2] + first)
        owners = _labels_at(components, voxels)
        free = owners == 0
        if free.any():
            around = (max(first - steps[2], 0), min(k.stop + steps[2], mask.shape[2]))
            owners[free] = _nearest(components, [axis[free] for axis in voxels], around, grid, reach)
        mine = owners > 0
        inside = tuple(axis[mine] for axis in voxels)
        yield owners[mine], probability[inside], inside


def _labels_at(components: Components, voxels: tuple[npt.NDArray[Any], ...]) -> npt.NDArray[np.int64]:
    """The label at each voxel; 0 outside the components' box."""
    local = [axis - o for axis, o in zip(voxels, components.origin, strict=True)]
    inside = np.all([(a >= 0) & (a < n) for a, n in zip(local, components.labels.shape, strict=True)], axis=0)
    labels = np.zeros(len(inside), dtype=np.int64)
    labels[inside] = components.labels[tuple(axis[inside] for axis in local)]
    return labels


def _nearest(
    components: Components, voxels: list[npt.NDArray[Any]], around: tuple[int, int], grid: Grid, reach: float
) -> npt.NDArray[np.int64]:
    """The label of the nearest component within `reach` of each voxel, 0 without one; `around`: slices to search."""
    first, last = (min(max(k - components.origin[2], 0), components.labels.shape[2]) for k in around)
    labels = components.labels[:, :, first:last]
    surface = np.nonzero(surface_voxels(labels > 0))
    if not len(surface[0]):
        return np.zeros(len(voxels[0]), dtype=np.int64)
    place = np.transpose(surface) + np.array([components.origin[0], components.origin[1], components.origin[2] + first])
    tree = KDTree(grid.to_lps(place))
    _, nearest = tree.query(grid.to_lps(np.transpose(voxels)), distance_upper_bound=reach)
    known = np.append(labels[surface].astype(np.int64), 0)  # the tree names its size where nothing is near
    return np.asarray(known[nearest])


def unit(probability: Probability) -> float:
    """What stands for a probability of 1."""
    return 255.0 if probability.dtype == np.uint8 else 1.0
