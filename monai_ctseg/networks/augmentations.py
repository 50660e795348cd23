"""Random transforms of training patches in HU, before the window: what differs between scanners.

Each draws from a state of its own, as MONAI's do, so that `Reseed` reaches it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, RandCropByPosNegLabeld, RandomizableTransform
from scipy import ndimage

Item = dict[Hashable, Any]
Bounds = tuple[float, float]


class RandPeakd(RandomizableTransform, MapTransform):  # type: ignore[misc]
    """Changes what lies above a random knee: how high scanners let metal read, and how flat its top is.

    The same metal peaks at 7,000 HU on one scanner and at 20,000 on another, by its reconstruction and by how its scale
    goes on above bone. x HU above the knee become limit (1 - exp(-factor x / limit)): continuous and monotone.
    knees: HU. factors, and limits in HU above the knee: drawn evenly on a logarithmic scale.
    """

    def __init__(self, keys: KeysCollection, *, prob: float, knees: Bounds, factors: Bounds, limits: Bounds) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.knees = knees
        self.factors = factors
        self.limits = limits

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Floating-point images of any shape."""
        item = dict(data)
        self.randomize(None)
        if self._do_transform:
            knee = self.R.uniform(*self.knees)
            factor, limit = (math.exp(self.R.uniform(*np.log(bounds))) for bounds in (self.factors, self.limits))
            for key in self.key_iterator(item):
                above = (item[key] - knee).clamp(min=0)
                item[key] = item[key] - above - limit * torch.expm1(-factor / limit * above)
        return item


class RandKerneld(RandomizableTransform, MapTransform):  # type: ignore[misc]
    """Blurs or sharpens in the plane (i, j), as smooth and sharp reconstruction kernels do.

    image + s (image - blurred image): s from -1 (the blurred image) to `sharpest` (edges overshoot). sigmas: of the
    Gaussian, in pixels.
    """

    def __init__(self, keys: KeysCollection, *, prob: float, sigmas: Bounds, sharpest: float = 1.0) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.sigmas = sigmas
        self.sharpest = sharpest

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Floating-point images (1, i, j) or (1, i, j, k)."""
        item = dict(data)
        self.randomize(None)
        if self._do_transform:
            sigma, strength = self.R.uniform(*self.sigmas), self.R.uniform(-1.0, self.sharpest)
            for key in self.key_iterator(item):
                item[key] = item[key] + strength * (item[key] - _blurred(item[key], sigma))
        return item


class RandSaturated(RandomizableTransform, MapTransform):  # type: ignore[misc]
    """Cuts the image off at a random ceiling, as scanners of twelve bits do. ceilings: HU, whole ones are drawn."""

    def __init__(self, keys: KeysCollection, *, prob: float, ceilings: tuple[int, int]) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.ceilings = ceilings

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Images of any shape."""
        item = dict(data)
        self.randomize(None)
        if self._do_transform:
            ceiling = int(self.R.randint(self.ceilings[0], self.ceilings[1] + 1))
            for key in self.key_iterator(item):
                item[key] = item[key].clamp(max=ceiling)
        return item


class RandCropSpacedd(RandCropByPosNegLabeld):  # type: ignore[misc]
    """RandCropByPosNegLabeld whose patches hold at least `spatial_size` voxels once they are resampled to `spacing_mm`.

    So each patch is resampled by itself, after what a scanner does to its own voxels. A volume that is smaller along an
    axis is taken whole there. The label's axes are to be turned as `spacing_mm` counts them.
    """

    def __init__(
        self,
        keys: KeysCollection,
        label_key: str,
        *,
        spatial_size: Sequence[int],
        spacing_mm: Sequence[float],
        **more: Any,
    ) -> None:
        super().__init__(keys, label_key, spatial_size=spatial_size, allow_smaller=True, **more)
        self.spatial_size = tuple(spatial_size)
        self.spacing_mm = tuple(spacing_mm)

    def __call__(self, data: Mapping[Hashable, Any], lazy: bool | None = None) -> list[Item]:
        """A dictionary a patch; patches of one volume have one size."""
        own = data[self.label_key].pixdim.tolist()
        self.cropper.spatial_size = native_size(self.spatial_size, self.spacing_mm, own)
        patches: list[Item] = super().__call__(data, lazy)
        return patches


def native_size(size: Sequence[int], spacing_mm: Sequence[float], own_mm: Sequence[float]) -> tuple[int, ...]:
    """Voxels of `own_mm` that reach from the first to the last centre of `size` voxels of `spacing_mm`.

    >>> native_size((4, 4, 4), (1.0, 1.0, 1.5), (0.5, 1.0, 3.0))
    (7, 4, 3)
    """
    return tuple(math.ceil((n - 1) * to / mm - 1e-6) + 1 for n, to, mm in zip(size, spacing_mm, own_mm, strict=True))


def _blurred(image: torch.Tensor, sigma: float) -> torch.Tensor:
    voxels = (image.as_tensor() if isinstance(image, MetaTensor) else image).cpu().numpy()
    for axis in (1, 2):
        voxels = ndimage.gaussian_filter1d(voxels, sigma, axis=axis, mode="nearest", truncate=3.0)
    return torch.from_numpy(voxels).to(image.device)
