"""Combination: a network says what is metal, and half-maximum, or a threshold, helps it to say where the edge lies."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from monai_ctseg.scan import Scan
from monai_ctseg.segmentation.components import Pieces
from monai_ctseg.segmentation.half_maximum.find import look_around, shows_plateaus
from monai_ctseg.segmentation.intensity import IntensityVerdict
from monai_ctseg.segmentation.threshold import DEFAULT_THRESHOLD_HU, judge_scale

METAL = 128
"""A voxel is metal from here on, in 255ths."""
NEAR = 2
"""Voxels around an object in which its edge may lie."""

Shares = npt.NDArray[np.uint8]


class Combined(NamedTuple):
    """probability: [i, j, k] in 255ths. partner: who drew edges beside the network."""

    probability: Shares
    partner: Literal["half-maximum", "threshold"]


def combine_edges(
    scan: Scan, probability: Shares, *, half_maximum: float = 0.5, threshold: float = 0.0
) -> Combined | None:
    """A weighted mean of a network's probability, [i, j, k] in 255ths, and of what draws edges without having learned.

    half_maximum: weight of its shares of voxels, from 0 to 1, where the scan's scale shows the metal's plateaus; near
    objects that both see, and what only one of them sees is left as the network has it. threshold: weight of "above
    3000 HU", where the scale ends under the plateaus, but above that. None where neither has a weight.
    """
    intensity = judge_scale(scan)
    if shows_plateaus(intensity):
        if not half_maximum:
            return None
        return Combined(_with_half_maximum(scan, probability, half_maximum, intensity), "half-maximum")
    if not threshold or intensity.ceiling_hu <= DEFAULT_THRESHOLD_HU:
        return None
    combined = np.empty_like(probability)
    for k in range(probability.shape[2]):
        above = scan.hu[:, :, k] > DEFAULT_THRESHOLD_HU
        combined[:, :, k] = np.rint((1 - threshold) * probability[:, :, k] + threshold * 255 * above)
    return Combined(combined, "threshold")


def _with_half_maximum(scan: Scan, probability: Shares, weight: float, intensity: IntensityVerdict) -> Shares:
    shares = np.zeros_like(probability)
    boxes = []
    for box, edges in look_around(scan, DEFAULT_THRESHOLD_HU, intensity):
        shares[box] = np.maximum(shares[box], np.rint(255 * edges.shares).astype(np.uint8))
        boxes.append(box)
    pieces = Pieces.of(shares >= METAL)
    agreed = pieces.paint(pieces.shares_of(probability >= METAL) > 0, scan.grid.shape)
    combined = probability.copy(order="K")
    for box in boxes:
        near = ndimage.maximum_filter(agreed[box], size=2 * NEAR + 1)
        mean = (1 - weight) * probability[box][near] + weight * shares[box][near]
        combined[box][near] = np.rint(mean).astype(np.uint8)
    return combined
