"""A Scan as MONAI's MetaTensor and back, and the transform that loads one."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from monai_ctseg.grid import Grid
from monai_ctseg.io.read import read_scan
from monai_ctseg.scan import Scan

Item: TypeAlias = dict[Hashable, Any]
"""What MONAI hands from transform to transform: one case, its values by key."""


class LoadScand(MapTransform):  # type: ignore[misc]
    """Loads a scan: path or Scan -> MetaTensor (1, i, j, k) of HU, int16 or float32, with the affine in RAS.

    A MetaTensor is taken as it is. The metadata hold the names of the slices and nothing about the patient.

    Args:
        keys: The images.
        series_key: Where the item holds a SeriesInstanceUID, for folders with several series. It is removed.
        allow_missing_keys: Whether an item may lack some of the keys.

    """

    def __init__(self, keys: KeysCollection, *, series_key: str = "series", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.series_key = series_key

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Load the images.

        Args:
            data: The item; each image is a path that `read_scan` takes, a Scan or a MetaTensor.

        Returns:
            A copy of the item with the images as MetaTensors, and without `series_key`.

        Raises:
            ScanError: A scan cannot be read, see `read_scan`.
            KeyError: The item lacks an image, and `allow_missing_keys` is False.

        """
        item = dict(data)
        series = item.pop(self.series_key, None)
        for key in self.key_iterator(item):
            source = item[key]
            if not isinstance(source, MetaTensor):
                scan = source if isinstance(source, Scan) else read_scan(source, series=series)
                item[key] = scan_to_tensor(scan)
        return item


def scan_to_tensor(scan: Scan) -> MetaTensor:
    """A scan as MONAI takes it, without a copy of its voxels.

    Args:
        scan: Any scan.

    Returns:
        HU (1, i, j, k) of the scan's type, with the affine in RAS. It calls itself "scan", because a file's name may
        be a patient's.

    """
    hu = scan.hu if scan.hu.flags.writeable else scan.hu.copy(order="K")
    padding_hu = float("nan") if scan.padding_hu is None else float(scan.padding_hu)
    # The names are one string, because MONAI's collate would transpose a tuple.
    meta = {"filename_or_obj": "scan", "names": "\n".join(scan.names), "padding_hu": padding_hu}
    return MetaTensor(torch.from_numpy(hu)[None], affine=torch.from_numpy(scan.grid.affine_ras.copy()), meta=meta)


def tensor_to_scan(image: MetaTensor) -> Scan:
    """The scan that `scan_to_tensor` was given, without its headers.

    Args:
        image: HU (1, i, j, k) with the affine in RAS, on any device.

    Returns:
        The scan; its voxels are the tensor's where that lies on the CPU.

    """
    hu = volume_of(image)
    padding_hu = image.meta.get("padding_hu", np.nan)
    return Scan(
        hu=hu,
        grid=Grid.from_ras(hu.shape, image.affine.numpy()),
        names=slice_names(image),
        padding_hu=None if np.isnan(padding_hu) else float(padding_hu),
    )


def slice_names(image: MetaTensor) -> tuple[str, ...]:
    """The names of the slices of a loaded image, [k]."""
    return tuple(str(image.meta["names"]).split("\n"))


def volume_of(tensor: Any) -> npt.NDArray[Any]:
    """A tensor (1, i, j, k) on any device as an array [i, j, k] of the same type."""
    plain = tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor
    array: npt.NDArray[Any] = plain.detach().cpu().numpy()[0]
    return array
