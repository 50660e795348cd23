"""Masks in MONAI: the label of a scan, the patient's body, and what is kept of a mask."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from monai_ctseg.datasets.label import read_label
from monai_ctseg.networks.transforms.scans import Item, tensor_to_scan, volume_of
from monai_ctseg.segmentation.body import locate_body
from monai_ctseg.segmentation.intensity import METAL_HU
from monai_ctseg.segmentation.keep import keep_in_body
from monai_ctseg.segmentation.pipeline import segment


class LabelMetald(MapTransform):  # type: ignore[misc]
    """Adds the label (1, i, j, k) uint8: the mask file that is named under `label_key`, or the metal in the image.

    A mask file has to lie on the image's grid and to hold 0 and 1 only.

    Args:
        keys: The loaded image (one), in HU.
        label_key: Where the item names a mask file, and where the label goes.
        threshold_hu: Metal lies above it, where no mask file is named; HU.

    """

    def __init__(self, keys: KeysCollection, *, label_key: str = "label", threshold_hu: float = METAL_HU) -> None:
        super().__init__(keys)
        self.label_key = label_key
        self.threshold_hu = float(threshold_hu)

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Add the label.

        Args:
            data: The item; the image is a MetaTensor (1, i, j, k) in HU.

        Returns:
            A copy of the item with the label, a MetaTensor on the image's grid.

        Raises:
            GridMismatch: The mask file lies on another grid than the image.
            MaskError: The mask file holds other values than 0 and 1.
            SaturatedScan: No mask file is named, and metal could not show above the threshold.
            ScanError: The mask file cannot be read.

        """
        item = dict(data)
        for key in self.key_iterator(item):
            scan, file = tensor_to_scan(item[key]), item.get(self.label_key)
            if file is None:
                mask = segment(scan, threshold_hu=self.threshold_hu).mask
            else:
                mask = read_label(scan, Path(file), threshold_hu=self.threshold_hu)
            item[self.label_key] = MetaTensor(
                torch.from_numpy(mask.voxels.astype(np.uint8))[None], affine=item[key].affine
            )
        return item


class FindBodyd(MapTransform):  # type: ignore[misc]
    """Adds the patient's body (1, i, j, k) uint8, for KeepInBodyd.

    Args:
        keys: The loaded image (one), in HU.
        body_key: Where the body goes.

    """

    def __init__(self, keys: KeysCollection, *, body_key: str = "body") -> None:
        super().__init__(keys)
        self.body_key = body_key

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Add the body, on the image's grid."""
        item = dict(data)
        for key in self.key_iterator(item):
            scan = tensor_to_scan(item[key])
            body = locate_body(scan).voxels(scan.grid)
            item[self.body_key] = MetaTensor(torch.from_numpy(body.view(np.uint8))[None], affine=item[key].affine)
        return item


class KeepInBodyd(MapTransform):  # type: ignore[misc]
    """Drops the components of a mask (1, i, j, k) that do not lie in the body, by the rule of `segment`.

    Args:
        keys: The masks. They keep type, device and metadata.
        body_key: Where FindBodyd left the body.

    """

    def __init__(self, keys: KeysCollection, *, body_key: str = "body") -> None:
        super().__init__(keys)
        self.body_key = body_key

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Keep what lies in the body."""
        item = dict(data)
        body = volume_of(item[self.body_key]) > 0
        for key in self.key_iterator(item):
            kept = keep_in_body(volume_of(item[key]) > 0, body)
            item[key] = item[key] * torch.from_numpy(kept)[None].to(item[key].device)
        return item
