"""A network says what is metal; half-maximum, or a threshold, helps it to say where the edge lies."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy import ndimage

from monai_ctseg.segmentation.components import Components
from monai_ctseg.segmentation.half_maximum.find import edges_around, shows_plateaus
from monai_ctseg.segmentation.intensity import METAL_HU
from monai_ctseg.segmentation.records import METAL, Shares
from monai_ctseg.segmentation.scan_facts import ScanFacts

NEAR = 2
"""Voxels around an object in which its edge may lie."""


class Averaged(NamedTuple):
    """A probability [i, j, k] in 255ths, and the method whose shares of voxels are averaged into it."""

    probability: Shares
    partner: Literal["half-maximum", "threshold"]


def average_probabilities(
    facts: ScanFacts, probability: Shares, *, half_maximum: float = 0.5, threshold: float = 0.0
) -> Averaged | None:
    """A weighted mean of a network's probability and of what finds edges without having learned.

    Args:
        facts: of the scan.
        probability: the network's, [i, j, k] in 255ths.
        half_maximum: weight, from 0 to 1, of half-maximum's shares of voxels, where the scan's scale shows the metal's
            plateaus: near objects that both see. What only one of them sees is left as the network has it.
        threshold: weight of "above 3000 HU", where the scale ends below the plateaus but above 3000 HU.

    Returns:
        The mean; None where the method that fits the scan has no weight.
    """
    intensity = facts.intensity
    if shows_plateaus(intensity):
        return Averaged(_with_half_maximum(facts, probability, half_maximum), "half-maximum") if half_maximum else None
    if not threshold or intensity.highest_hu <= METAL_HU:
        return None
    averaged = np.empty_like(probability)
    for k in range(probability.shape[2]):
        above = facts.scan.hu[:, :, k] > METAL_HU
        averaged[:, :, k] = np.rint((1 - threshold) * probability[:, :, k] + threshold * 255 * above)
    return Averaged(averaged, "threshold")


def _with_half_maximum(facts: ScanFacts, probability: Shares, weight: float) -> Shares:
    shares = np.zeros_like(probability)
    boxes = []
    for box, edges in edges_around(facts, METAL_HU):
        shares[box] = np.maximum(shares[box], np.rint(255 * edges.shares).astype(np.uint8))
        boxes.append(box)
    components = Components.of(shares >= METAL)
    agreed = components.paint(components.shares_in(probability >= METAL) > 0)
    averaged = probability.copy(order="K")
    for box in boxes:
        near = ndimage.maximum_filter(agreed[box], size=2 * NEAR + 1)
        mean = (1 - weight) * probability[box][near] + weight * shares[box][near]
        averaged[box][near] = np.rint(mean).astype(np.uint8)
    return averaged
