"""Values before and after the network: HU in a logarithmic window, logits over a temperature."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from monai_ctseg.errors import BundleError
from monai_ctseg.networks.transforms.scans import Item

OCTAVE_HU = 1000.0
"""Water lies this much above air: the first octave of the window."""


class CompressHUd(MapTransform):  # type: ignore[misc]
    """HU as the network sees them: 0 to 1, by `compress_hu`. Metadata are kept.

    Args:
        keys: The images, in HU.
        hu_min: What becomes 0.
        hu_max: What becomes 1.
        allow_missing_keys: Whether an item may lack some of the keys.

    """

    def __init__(self, keys: KeysCollection, *, hu_min: float, hu_max: float, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.hu_min = hu_min
        self.hu_max = hu_max

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Images of any shape become float32."""
        item = dict(data)
        for key in self.key_iterator(item):
            item[key] = compress_hu(item[key], hu_min=self.hu_min, hu_max=self.hu_max)
        return item


class DivideByTemperatured(MapTransform):  # type: ignore[misc]
    """Divides logits by a temperature, so that their sigmoid says how often the network is right. No sign changes.

    Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks. ICML 2017.

    Args:
        keys: The logits.
        temperature: Above 0; above 1 probabilities move towards 0.5, at 1 nothing changes.

    Raises:
        BundleError: The temperature is not a number above 0.

    """

    def __init__(self, keys: KeysCollection, *, temperature: float) -> None:
        super().__init__(keys)
        if not 0 < temperature < math.inf:
            raise BundleError(f"temperature is {temperature}; it takes a number above 0, and 1 changes nothing")
        self.temperature = temperature

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Logits of any shape and type keep both."""
        item = dict(data)
        for key in self.key_iterator(item):
            item[key] = item[key] / self.temperature
        return item


def compress_hu(hu: torch.Tensor, *, hu_min: float, hu_max: float) -> torch.Tensor:
    """HU in a logarithmic window: log2(1 + (HU - hu_min) / 1000), scaled to 0 to 1.

    The window is fine in tissue and coarse in metal, and keeps the order of values. One channel shows both the peak of
    20,000 HU that tells a thin plate from its bloom, and fat beside muscle.

    Args:
        hu: HU of any shape and type; it is not changed.
        hu_min: What becomes 0; lower values are clipped.
        hu_max: What becomes 1; higher values are clipped.

    Returns:
        float32 of the same shape.

    """
    shifted = hu.to(torch.float32).clamp(hu_min, hu_max).sub_(hu_min).div_(OCTAVE_HU)
    return shifted.log1p_().div_(math.log1p((hu_max - hu_min) / OCTAVE_HU))


def expand_hu(values: torch.Tensor, *, hu_min: float, hu_max: float) -> torch.Tensor:
    """The inverse of `compress_hu`: values from 0 to 1 of any shape -> HU."""
    return (values * math.log1p((hu_max - hu_min) / OCTAVE_HU)).expm1() * OCTAVE_HU + hu_min
