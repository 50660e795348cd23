"""Real body: a real scan without metal, into which implants are inserted along its bone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monai_ctseg.errors import CtsegError
from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.scan import Scan
from monai_ctseg.segmentation.body import locate_body
from monai_ctseg.segmentation.intensity import equals, judge_intensity
from monai_ctseg.segmentation.pipeline import segment

BONE_HU = 250.0
AROUND_MM = 40.0
EXISTING_METAL_HU = 2500.0
"""A body with components above it holds metal already; below metal's own threshold, to miss none."""
AIR_HU = -1000


def cut_slices(scan: Scan, first: int, last: int) -> Scan:
    """Slices first to last, both included.

    Raises:
        CtsegError: the scan has no such slices.
    """
    count = scan.grid.shape[2]
    if not 0 <= first <= last < count:
        raise CtsegError(f"slices {first}:{last} are not within 0:{count - 1}; name others")
    matrix = scan.grid.index_to_lps.copy()
    matrix[:3, 3] = scan.grid.to_lps((0, 0, first))
    shape = (*scan.grid.shape[:2], last - first + 1)
    return replace(
        scan,
        hu=scan.hu[:, :, first : last + 1],
        grid=Grid(shape, matrix),
        names=scan.names[first : last + 1],
        headers=(),
    )


def require_no_metal(scan: Scan) -> None:
    """Refuse a scan that holds metal already, since the truth would miss it.

    Raises:
        CtsegError: the scan holds metal.
    """
    found = segment(scan, threshold_hu=EXISTING_METAL_HU) if scan.hu.max() > EXISTING_METAL_HU else None
    if found is not None and found.mask.count:
        slices = np.flatnonzero(found.mask.voxels.any(axis=(0, 1)))
        raise CtsegError(
            f"the body holds metal already, on slices {slices[0]} to {slices[-1]}; "
            "choose slices without it by --slices, since the truth would miss it"
        )


def without_sentinels(scan: Scan) -> Scan:
    """The scan with air instead of sentinel values (lines and text drawn into it), which are no measurement.

    Padding at the end of the scale that no header names becomes air, too: it is judged as a sentinel value here.
    """
    sentinels = judge_intensity(scan.hu, padding_hu=scan.padding_hu).sentinels
    hu = scan.hu.copy(order="K") if sentinels else scan.hu
    for value in sentinels:
        hu[equals(scan.hu, value.hu)] = AIR_HU
    return replace(scan, hu=hu)


def sample_bone_axis(scan: Scan, random: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """A point in bone at random, and the direction in which the bone around it runs.

    Args:
        scan: a body without metal.
        random: chooses the bone.

    Returns:
        The point, (3,) LPS mm: the bone nearest to the middle of the bone within 40 mm of a random voxel, since the
        middle itself may lie in marrow or, in a head, in the brain. And the main axis of that bone, a unit vector.

    Raises:
        CtsegError: there is no bone.
    """
    hu = np.where(locate_body(scan).voxels(scan.grid), scan.hu, AIR_HU)
    bone = np.argwhere(hu > BONE_HU)
    if len(bone) < 50:
        raise CtsegError(
            f"no bone (above {BONE_HU:g} HU) to insert an implant into; choose other slices or another body"
        )
    points = scan.grid.to_lps(bone)
    point = points[int(random.integers(len(points)))]
    near = points[np.linalg.norm(points - point, axis=1) < AROUND_MM]
    middle = near.mean(axis=0)
    axis = np.linalg.svd(near - middle, full_matrices=False)[2][0]
    return near[np.linalg.norm(near - middle, axis=1).argmin()], axis if axis[2] >= 0 else -axis
