"""Out of distribution: in which ways a scan is unlike those that a network was trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from monai_ctseg.grid import FloatArray
from monai_ctseg.scan import BoolArray, Scan
from monai_ctseg.segmentation.body import Body
from monai_ctseg.segmentation.intensity import equals
from monai_ctseg.segmentation.scan_facts import ScanFacts

# All chosen by hand.
SAMPLED_SLICES = 12
"""As many slices are evaluated, evenly spread, so that a long scan takes no longer than a short one."""
NOISE_SIDE_MM = 6.0
"""Side of a window for noise: small enough to lie within one tissue."""
TISSUE_HU = (-150.0, 150.0)
"""The mean of a window of soft tissue, fat included, lies between."""
FEWEST_NOISE_WINDOWS = 200
"""With fewer windows the commonest deviation is a matter of chance."""
WIDEST_PIXEL_MM = 2.0
"""Wider pixels make windows that hold anatomy, not noise."""
LOWEST_AIR_HU = -1024.0
"""The lowest value of a 12-bit scale at the usual offset; padding below it does not read as air does."""
AIR_MARGIN_HU = 500.0
"""A scan whose darkest voxel is so far above the training's shows no air."""


def out_of_distribution(
    facts: ScanFacts, training_range: Mapping[str, tuple[float, float]], *, body_mask: bool
) -> tuple[str, ...]:
    """In which ways a scan lies outside what a network was trained on.

    Args:
        facts: of the scan.
        training_range: as in `Calibration`; what it does not name is not judged.
        body_mask: whether the body is looked for; noise is then measured in it.

    Returns:
        A sentence for each way; none where the scan is like the training scans.
    """
    if not training_range:
        return ()
    scan, body = facts.scan, facts.body if body_mask else None
    x, y, z = scan.grid.spacing_mm
    noise = measure_noise(scan, body) if "noise_hu" in training_range else None
    lengths: list[tuple[str, str, str, float | None]] = [
        ("spacing_mm", "its pixels are {:.3g} mm wide", "mm", x),
        ("spacing_mm", "its pixels are {:.3g} mm high", "mm", y if abs(x - y) > 0.01 * x else None),
        ("slice_spacing_mm", "its slices lie {:.3g} mm apart", "mm", z if scan.grid.shape[2] > 1 else None),
        ("noise_hu", "its noise is about {:.0f} HU", "HU", noise),
    ]
    found = [_outside(*length, training_range) for length in lengths]
    found += _odd_scale(facts, training_range)
    if scan.grid.orientation[2] not in "SI":
        found.append(f"its slices are not axial ({scan.grid.orientation}); the network was trained on axial ones")
    if body is not None and not body.blocks.any():
        found.append("no body was found in it")
    return tuple(sentence for sentence in found if sentence)


def measure_noise(scan: Scan, body: Body | None = None) -> float | None:
    """The commonest standard deviation in small windows of soft tissue.

    Windows with an edge in them, or a vessel, deviate more and are rarer: the "global noise level" of Christianson,
    Winslow, Frush, Samei 2015 (doi 10.2214/AJR.14.13613). Windows measure 6 mm, and 5 pixels at least.

    Args:
        scan: HU on a grid.
        body: where to look; None: everywhere.

    Returns:
        HU; None with pixels over 2 mm, or too little soft tissue.
    """
    if max(scan.grid.spacing_mm[:2]) > WIDEST_PIXEL_MM:
        return None
    counts = np.zeros(600)  # windows by standard deviation, half an HU each
    for k in _sample(scan.grid.shape[2]):
        deviations = _deviations(scan, k, None if body is None else _plane(body, k))
        counts += np.bincount((2 * deviations).astype(np.int64), minlength=600)[:600]
    if counts.sum() < FEWEST_NOISE_WINDOWS:
        return None
    return float(ndimage.uniform_filter1d(counts, 5, mode="constant").argmax()) / 2 + 0.25


def _outside(
    name: str, words: str, unit: str, value: float | None, ranges: Mapping[str, tuple[float, float]]
) -> str | None:
    """The sentence for a value out of its range by more than 1 %."""
    if value is None or name not in ranges:
        return None
    low, high = ranges[name]
    if 0.99 * low <= value <= 1.01 * high:
        return None
    return f"{words.format(value)}; the network was trained on {low:g} to {high:g} {unit}"


def _odd_scale(facts: ScanFacts, ranges: Mapping[str, tuple[float, float]]) -> list[str | None]:
    """What is odd about the brightest and the darkest voxels; what is darker than air looks like air to a network."""
    if "hu" not in ranges:
        return []
    low, high = ranges["hu"]
    trained = f"the network was trained on {low:g} to {high:g} HU"
    darkest = _darkest(facts)
    found: list[str | None] = []
    if low + AIR_MARGIN_HU < darkest < math.inf:
        found.append(f"it shows no air, nothing is darker than {darkest:g} HU (is it in HU?); {trained}")
    if facts.intensity.highest_hu > high:
        found.append(f"it reaches {facts.intensity.highest_hu:g} HU; {trained}")
    return found


def _darkest(facts: ScanFacts) -> float:
    """The lowest HU measured, in a sample of slices; infinite where nothing was. Padding may read as air does."""
    scan, padding = facts.scan, facts.padding
    padded = padding is not None and padding.kind == "circle" and padding.hu < LOWEST_AIR_HU
    no_measures = [s.hu for s in facts.intensity.sentinels] + ([padding.hu] if padding and padded else [])
    darkest = math.inf
    for k in _sample(scan.grid.shape[2]):
        plane = scan.hu[:, :, k]
        for value in no_measures:
            plane = plane[~equals(plane, value)]
        darkest = min(darkest, float(plane.min())) if plane.size else darkest
    return darkest


def _sample(count: int) -> list[int]:
    """Some slices, evenly spread."""
    some = min(count, SAMPLED_SLICES)
    return [(2 * n + 1) * count // (2 * some) for n in range(some)]


def _plane(body: Body, k: int) -> BoolArray:
    i, j, slices = body.block_of
    return np.asarray(body.blocks[:, :, slices[k]][np.ix_(i, j)])


def _deviations(scan: Scan, k: int, inside: BoolArray | None) -> FloatArray:
    """Standard deviations of windows about voxels of soft tissue in a slice."""
    hu = np.clip(scan.hu[:, :, k], -1000, 1000).astype(np.float64)
    sides = [max(5, 2 * round(NOISE_SIDE_MM / mm / 2) + 1) for mm in scan.grid.spacing_mm[:2]]
    if hu.shape[0] < sides[0] or hu.shape[1] < sides[1]:
        return np.zeros(0)
    mean, square = (ndimage.uniform_filter(values, sides) for values in (hu, hu * hu))
    tissue = (mean > TISSUE_HU[0]) & (mean < TISSUE_HU[1])
    if inside is not None:
        tissue &= inside
    variance = np.maximum(square[tissue] - mean[tissue] ** 2, 0) * math.prod(sides) / (math.prod(sides) - 1)
    return np.asarray(np.sqrt(variance))
