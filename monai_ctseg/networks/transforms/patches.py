"""Where training patches may be centred."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from monai.config import KeysCollection
from monai.transforms import MapTransform

from monai_ctseg.networks.transforms.scans import Item, volume_of
from monai_ctseg.scan import BoolArray

Indices = npt.NDArray[np.int64]


class PatchCentersd(MapTransform):  # type: ignore[misc]
    """Lists centres of patches for RandCropByPosNegLabeld, by `patch_centers`.

    They go under `<label>_fg_indices` and `<label>_bg_indices`.

    Args:
        keys: The label (one), (1, i, j, k).
        image_key: The image, in HU on the label's grid.
        dense_hu: As in `patch_centers`.
        limit: As in `patch_centers`.

    """

    def __init__(self, keys: KeysCollection, *, image_key: str = "image", dense_hu: float, limit: int = 50_000) -> None:
        super().__init__(keys)
        self.image_key = image_key
        self.dense_hu = dense_hu
        self.limit = limit

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Add both lists."""
        item = dict(data)
        for key in self.key_iterator(item):
            label, hu = volume_of(item[key]) > 0, volume_of(item[self.image_key])
            metal, background = patch_centers(label, hu, dense_hu=self.dense_hu, limit=self.limit)
            item[f"{key}_fg_indices"], item[f"{key}_bg_indices"] = metal, background
        return item


def patch_centers(
    label: BoolArray, hu: npt.NDArray[Any], *, dense_hu: float, limit: int = 50_000
) -> tuple[Indices, Indices]:
    """Voxels that patches may be centred on: metal, and background.

    Background is what lies above `dense_hu`, because what looks like metal teaches most; where nothing does, any voxel
    without metal.

    Args:
        label: Metal, [i, j, k].
        hu: HU, [i, j, k].
        dense_hu: Bone and streaks lie above it.
        limit: About the most voxels of each list, because the cropper copies the lists for every patch.

    Returns:
        Flat C-order indices into [i, j, k] of metal and of background, sorted, as in `sample_indices`.

    """
    dense = (hu > dense_hu) & ~label
    background = dense if dense.any() else ~label
    return sample_indices(label, limit=limit), sample_indices(background, limit=limit)


def sample_indices(chosen: BoolArray, *, limit: int, seed: int = 0) -> Indices:
    """A random sample of set voxels, in which each slice has an equal part.

    Args:
        chosen: [i, j, k].
        limit: About the most voxels in all.
        seed: The same seed gives the same sample.

    Returns:
        Flat C-order indices into [i, j, k], sorted.

    """
    slices = np.flatnonzero(chosen.any(axis=(0, 1)))
    quota = math.ceil(limit / max(1, slices.size))
    rng = np.random.default_rng(seed)
    found = []
    for k in slices:
        flat = np.flatnonzero(chosen[:, :, k])
        flat = flat if flat.size <= quota else rng.choice(flat, quota, replace=False)
        found.append(flat * chosen.shape[2] + k)
    return np.sort(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)
