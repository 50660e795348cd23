"""Field of view: the grid of an image, sampled as protocols differ, about an implant or a landmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monai_ctseg.errors import CtsegError
from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.simulation.implants import Implant
from monai_ctseg.simulation.insertion import PATIENT
from monai_ctseg.simulation.phantom.scene import Landmark

OFF_CENTER = 0.25
"""How far from the middle of the image its subject may lie, as a share of the image's width."""
MARGIN_MM = 6.0
"""How far the painted body reaches beyond the first and last slice."""

Random = np.random.Generator


@dataclass(frozen=True)
class FieldOptions:
    """What of the grid is not left to chance: pixel and slice spacing in mm, pixels a side, number of slices."""

    pixel_mm: float | None = None
    slice_mm: float | None = None
    size: int | None = None
    slices: int | None = None


def sample_subject(random: Random, implants: Sequence[Implant], landmarks: Sequence[Landmark]) -> FloatArray:
    """What the image is about, (3,) LPS mm: a point of an implant, or near a landmark."""
    if implants:
        one = implants[int(random.integers(len(implants)))]
        share = np.array([0.5, 0.5, random.uniform(0.1, 0.9)])
        return one.low + share * (one.high - one.low)
    mark = landmarks[int(random.integers(len(landmarks)))]
    return np.asarray(mark.point_lps) + random.normal(0, 10, 3)


def sample_grid(random: Random, subject: FloatArray, options: FieldOptions) -> Grid:
    """A grid about a subject, (3,) LPS mm: bodies on large pixels, details on small ones, coarse planning scans."""
    pixel, size, center = _sample_plane(random, subject)
    pixel, size = options.pixel_mm or pixel, options.size or size
    center = _keep_in(subject, center, pixel * size)
    slice_mm = float(np.exp(random.uniform(np.log(0.6), np.log(5))))
    slice_mm = options.slice_mm or slice_mm
    slices = options.slices or int(np.clip(random.uniform(25, 45) / slice_mm, 6, 24))
    matrix = np.diag([pixel, pixel, slice_mm, 1.0])
    matrix[:3, 3] = center - (np.array([size, size, slices]) - 1) / 2 * (pixel, pixel, slice_mm)
    return Grid((size, size, slices), matrix)


def _sample_plane(random: Random, subject: FloatArray) -> tuple[float, int, FloatArray]:
    """Pixel in mm, pixels a side, and the middle of the image."""
    midline = np.array([0.0, subject[1], subject[2]])
    choice = random.random()
    if choice < 0.35:  # the whole body
        size = int(random.choice((256, 288, 320)))
        return float(random.uniform(380, 500)) / size, size, (subject + 2 * midline) / 3
    if choice < 0.5:
        return float(random.uniform(0.85, 0.98)), 448, (subject + midline) / 2
    if choice < 0.6:  # resampled planning scans
        return float(random.uniform(3.0, 5.0)), 112, (subject + 2 * midline) / 3
    return float(random.uniform(0.3, 1.0)), 256, subject + np.append(random.uniform(-15, 15, 2), 0)


def _keep_in(subject: FloatArray, center: FloatArray, width_mm: float) -> FloatArray:
    """The centre of the image, moved back so far that the subject lies well inside an image of this width."""
    shift = center - subject
    far = float(np.linalg.norm(shift))
    return subject + shift * min(1.0, OFF_CENTER * width_mm / far) if far else center


def body_grid(grid: Grid) -> Grid:
    """The grid on which the body is painted for an image: as wide as the body, which makes streaks also where unseen.

    Raises:
        CtsegError: the image is longer than what there is of a patient.
    """
    slice_mm = PATIENT.spacing_mm[2]
    length, longest = grid.shape[2] * grid.spacing_mm[2], PATIENT.shape[2] * slice_mm
    if length > longest:
        raise CtsegError(
            f"{grid.shape[2]} slices of {grid.spacing_mm[2]:g} mm are {length:g} mm, and a simulated patient is "
            f"{longest:g} mm long; ask for a --count of {int(longest / grid.spacing_mm[2])} or for a smaller --slice"
        )
    thick = length + 2 * MARGIN_MM
    matrix = np.array(PATIENT.index_to_lps)
    matrix[2, 3] = grid.center_lps[2] - thick / 2
    return Grid((*PATIENT.shape[:2], int(np.ceil(thick / slice_mm)) + 1), matrix)
