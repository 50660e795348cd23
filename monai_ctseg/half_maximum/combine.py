"""Combination: a network says what is metal, and half-maximum helps it to say where the edge lies."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from monai_ctseg.half_maximum.find import look_around, shows_plateaus
from monai_ctseg.metal import DEFAULT_THRESHOLD_HU, judge_scale
from monai_ctseg.pieces import Pieces
from monai_ctseg.scan import Scan

METAL = 128
"""A voxel is metal from here on, in 255ths."""
NEAR = 2
"""Voxels around an object in which its edge may lie."""

Shares = npt.NDArray[np.uint8]


def combine_edges(scan: Scan, probability: Shares, *, weight: float = 0.5) -> Shares | None:
    """Near objects that the network and half-maximum both see: a weighted mean of probability and share of the voxel.

    probability: [i, j, k] in 255ths, as is what comes back. weight: of half-maximum's share, from 0 to 1.
    What only one of them sees is left as the network has it.
    None: the scale of the scan ends under the metal's plateaus, where half-maximum says nothing.
    """
    intensity = judge_scale(scan)
    if not shows_plateaus(intensity):
        return None
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
