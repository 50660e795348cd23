"""Random transforms of training patches in HU, before the window: what differs between scanners.

Each draws from a random state of its own, as MONAI's do, so that `Reseed` reaches it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, RandCropByPosNegLabeld, RandomizableTransform
from scipy import ndimage

Item = dict[Hashable, Any]
Bounds: TypeAlias = tuple[float, float]
"""Lowest and highest."""


class RandPeakd(RandomizableTransform, MapTransform):  # type: ignore[misc]
    """Changes how high metal reads and how flat its top is, by `change_peak`.

    The same metal peaks at 7,000 HU on one scanner and at 20,000 HU on another: reconstructions differ, and so does the
    scale above bone.

    Args:
        keys: Floating-point images in HU, of any shape.
        prob: The chance that a patch is changed.
        knees: HU, drawn evenly.
        factors: Drawn evenly on a logarithmic scale.
        limits: HU above the knee, drawn evenly on a logarithmic scale.

    """

    def __init__(self, keys: KeysCollection, *, prob: float, knees: Bounds, factors: Bounds, limits: Bounds) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.knees = knees
        self.factors = factors
        self.limits = limits

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Draw, and change the images alike."""
        item = dict(data)
        self.randomize(None)
        if self._do_transform:
            knee = self.R.uniform(*self.knees)
            factor, limit = (math.exp(self.R.uniform(*np.log(bounds))) for bounds in (self.factors, self.limits))
            for key in self.key_iterator(item):
                item[key] = change_peak(item[key], knee=knee, factor=factor, limit=limit)
        return item


class RandKerneld(RandomizableTransform, MapTransform):  # type: ignore[misc]
    """Blurs or sharpens in the plane (i, j), as smooth and sharp reconstruction kernels do, by `change_kernel`.

    Args:
        keys: Floating-point images (1, i, j) or (1, i, j, k).
        prob: The chance that a patch is changed.
        sigmas: Of the Gaussian, in pixels, drawn evenly.
        sharpest: Strengths are drawn evenly from -1 to this.

    """

    def __init__(self, keys: KeysCollection, *, prob: float, sigmas: Bounds, sharpest: float = 1.0) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.sigmas = sigmas
        self.sharpest = sharpest

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Draw, and change the images alike."""
        item = dict(data)
        self.randomize(None)
        if self._do_transform:
            sigma, strength = self.R.uniform(*self.sigmas), self.R.uniform(-1.0, self.sharpest)
            for key in self.key_iterator(item):
                item[key] = change_kernel(item[key], sigma=sigma, strength=strength)
        return item


class RandSaturated(RandomizableTransform, MapTransform):  # type: ignore[misc]
    """Clips images at a random saturation level, as scanners with a 12-bit range do.

    Args:
        keys: Images in HU, of any shape.
        prob: The chance that a patch is changed.
        levels_hu: Lowest and highest level; whole numbers are drawn.

    """

    def __init__(self, keys: KeysCollection, *, prob: float, levels_hu: tuple[int, int]) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.levels_hu = levels_hu

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Draw, and clip the images alike."""
        item = dict(data)
        self.randomize(None)
        if self._do_transform:
            level = int(self.R.randint(self.levels_hu[0], self.levels_hu[1] + 1))
            for key in self.key_iterator(item):
                item[key] = item[key].clamp(max=level)
        return item


class RandCropSpacedd(RandCropByPosNegLabeld):  # type: ignore[misc]
    """RandCropByPosNegLabeld whose patches hold at least `spatial_size` voxels once they are resampled.

    Each patch is resampled by itself, after the changes that a scanner makes to its own voxels. A volume that is
    smaller along an axis is taken whole there.

    Args:
        keys: Images and label, (1, i, j, k).
        label_key: The label; its axes have to be in the order of `spacing_mm`.
        spatial_size: Voxels after resampling.
        spacing_mm: Spacing after resampling.
        more: As in RandCropByPosNegLabeld.

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
        """An item for each patch; patches of one volume have one size."""
        own = data[self.label_key].pixdim.tolist()
        self.cropper.spatial_size = native_size(self.spatial_size, self.spacing_mm, own)
        patches: list[Item] = super().__call__(data, lazy)
        return patches


def change_peak(hu: torch.Tensor, *, knee: float, factor: float, limit: float) -> torch.Tensor:
    """Stretch or flatten what lies above a knee: x HU above it become limit (1 - exp(-factor x / limit)).

    The curve is continuous and monotone.

    Args:
        hu: Floating-point HU of any shape; it is not changed.
        knee: HU; values below it stay.
        factor: The slope just above the knee.
        limit: HU above the knee that are never reached.

    """
    above = (hu - knee).clamp(min=0)
    return hu - above - limit * torch.expm1(-factor / limit * above)


def change_kernel(image: torch.Tensor, *, sigma: float, strength: float) -> torch.Tensor:
    """Blur or sharpen in the plane (i, j): image + strength (image - blurred image).

    Args:
        image: Floating-point (1, i, j) or (1, i, j, k); it is not changed.
        sigma: Of the Gaussian, in pixels.
        strength: -1 gives the blurred image, 0 the image, above 0 edges overshoot.

    """
    blurred = (image.as_tensor() if isinstance(image, MetaTensor) else image).cpu().numpy()
    for axis in (1, 2):
        blurred = ndimage.gaussian_filter1d(blurred, sigma, axis=axis, mode="nearest", truncate=3.0)
    return image + strength * (image - torch.from_numpy(blurred).to(image.device))


def native_size(size: Sequence[int], spacing_mm: Sequence[float], own_mm: Sequence[float]) -> tuple[int, ...]:
    """Voxels of `own_mm` that reach from the first to the last centre of `size` voxels of `spacing_mm`.

    >>> native_size((4, 4, 4), (1.0, 1.0, 1.5), (0.5, 1.0, 3.0))
    (7, 4, 3)
    """
    return tuple(math.ceil((n - 1) * to / mm - 1e-6) + 1 for n, to, mm in zip(size, spacing_mm, own_mm, strict=True))
