"""Slices of a loaded scan: some of them, and runs of them without a gap."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from monai_ctseg.errors import DatasetError
from monai_ctseg.networks.transforms.scans import Item, slice_names

SHORTEST_RUN = 8
"""Slices; shorter runs are left out of a training in 3D, which has little to see in them."""


class SelectSlicesd(MapTransform):  # type: ignore[misc]
    """Keeps the slices k that are listed under `slices_key`, by `select_slices`; without that key, all of them.

    Args:
        keys: Images and masks.
        slices_key: Where the item lists its slices. It is removed.
        allow_missing_keys: Whether an item may lack some of the keys.

    """

    def __init__(self, keys: KeysCollection, *, slices_key: str = "slices", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.slices_key = slices_key

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Select the slices. Raises DatasetError for a slice that the scan does not have."""
        item = dict(data)
        slices = item.pop(self.slices_key, None)
        if slices is not None:
            for key in self.key_iterator(item):
                item[key] = select_slices(item[key], [int(k) for k in slices])
        return item


def select_slices(image: MetaTensor, slices: list[int]) -> MetaTensor:
    """Some slices of a volume.

    Args:
        image: (1, i, j, k) of any type.
        slices: Indices k, each once and in order.

    Returns:
        (1, i, j, len(slices)). The affine starts at the first slice kept; its step along k is right where the slices
        are evenly spaced.

    Raises:
        DatasetError: A slice is not there, or the list is empty or not in order.

    """
    count = image.shape[-1]
    wrong = [k for k in slices if not 0 <= k < count]
    if wrong or not slices or sorted(set(slices)) != slices:
        raise DatasetError(
            f"slices {(wrong or slices)[:5]} are asked of a scan with slices 0 to {count - 1}; "
            "list slices that it has, each once and in order, in dataset.json"
        )
    affine = image.affine.clone()
    affine[:3, 3] += affine[:3, 2] * slices[0]
    if len(slices) > 1:
        affine[:3, 2] *= slices[1] - slices[0]
    meta = {key: value for key, value in image.meta.items() if key != "affine"}
    if "names" in meta:
        names = slice_names(image)
        meta["names"] = "\n".join(names[k] for k in slices)
    voxels = image.as_tensor()
    gapless = slices == list(range(slices[0], slices[0] + len(slices)))  # then a view will do, without a copy
    chosen = voxels[..., slices[0] : slices[0] + len(slices)] if gapless else voxels[..., slices]
    return MetaTensor(chosen, affine=affine, meta=meta)


def contiguous_runs(
    items: Sequence[Mapping[str, Any]], *, split_at_gaps: bool = True, shortest: int = SHORTEST_RUN
) -> list[dict[str, Any]]:
    """Items for a 3D network: no item has a gap between its slices.

    Args:
        items: Items of a dataset, some with a list of slices k under "slices".
        split_at_gaps: Whether an item with gaps becomes one item for each run; False refuses it, where an item has
            to stay one volume.
        shortest: Runs of fewer slices are left out of items with gaps.

    Returns:
        Copies of the items.

    Raises:
        DatasetError: An item has gaps that cannot be split, or no run that is long enough.

    """
    found: list[dict[str, Any]] = []
    for item in items:
        runs = [None] if item.get("slices") is None else _runs(item["slices"])
        long = runs if len(runs) == 1 else [run for run in runs if run and len(run) >= shortest and split_at_gaps]
        if not long:
            raise DatasetError(
                f"the slices of {Path(str(item['image'])).name} form {len(runs)} runs with gaps between them, "
                "which are no volume for a 3D network; split in blocks, or take the 2D bundle"
            )
        found += [dict(item) if run is None else {**item, "slices": run} for run in long]
    return found


def _runs(slices: Sequence[int]) -> list[list[int]]:
    gaps = np.flatnonzero(np.diff(slices) != 1) + 1
    return [run.tolist() for run in np.split(np.asarray(slices), gaps)]
