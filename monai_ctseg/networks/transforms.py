"""Dictionary transforms: the one door into MONAI.

LoadScand is no MONAI ImageReader on purpose: LoadImage goes on to other readers when one refuses a scan.
Everything after these is MONAI's own.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from monai_ctseg.datasets.dataset_file import read_label
from monai_ctseg.errors import BundleError, DatasetError
from monai_ctseg.grid import Grid
from monai_ctseg.io.read import read_scan
from monai_ctseg.scan import Scan
from monai_ctseg.segmentation.threshold import find_body, find_metal, keep_in_body

Item = dict[Hashable, Any]

OCTAVE_HU = 1000.0
"""What water is above air: the window's first octave."""


class LoadScand(MapTransform):  # type: ignore[misc]
    """Path or Scan (or what this made of one) -> MetaTensor (1, i, j, k) of HU, int16 or float32, with the RAS affine.

    series_key: where the item holds a SeriesInstanceUID, for folders with several series.
    The metadata hold the slice names and no word of the patient.
    """

    def __init__(self, keys: KeysCollection, *, series_key: str = "series", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.series_key = series_key

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Raises what `read_scan` raises."""
        item = dict(data)
        series = item.pop(self.series_key, None)
        for key in self.key_iterator(item):
            source = item[key]
            if isinstance(source, MetaTensor):
                continue  # loaded already
            if isinstance(source, Scan):
                item[key] = scan_to_tensor(source)
            else:
                item[key] = scan_to_tensor(read_scan(source, series=series))
        return item


class LabelMetald(MapTransform):  # type: ignore[misc]
    """Adds the label (1, i, j, k) uint8: the mask file named under `label_key`, or the metal in the image.

    keys: the loaded image (one). A mask file has to lie on the image's grid and to hold 0 and 1 only.
    """

    def __init__(self, keys: KeysCollection, *, label_key: str = "label", threshold_hu: float = 3000.0) -> None:
        super().__init__(keys)
        self.label_key = label_key
        self.threshold_hu = float(threshold_hu)

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Raises GridMismatch, MaskError, and what `find_metal` raises."""
        item = dict(data)
        for key in self.key_iterator(item):
            scan = tensor_to_scan(item[key])
            path = item.get(self.label_key)
            if path is None:
                mask = find_metal(scan, threshold_hu=self.threshold_hu).mask
            else:
                mask = read_label(scan, Path(path), threshold_hu=self.threshold_hu)
            voxels = torch.from_numpy(mask.voxels.astype(np.uint8))[None]
            item[self.label_key] = MetaTensor(voxels, affine=item[key].affine)
        return item


class CompressHUd(MapTransform):  # type: ignore[misc]
    """HU as the network sees them: 0 to 1, by `compress_hu`. Keeps the metadata."""

    def __init__(self, keys: KeysCollection, *, hu_min: float, hu_max: float, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.hu_min = hu_min
        self.hu_max = hu_max

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """To float32 of the same shape."""
        item = dict(data)
        for key in self.key_iterator(item):
            item[key] = compress_hu(item[key], hu_min=self.hu_min, hu_max=self.hu_max)
        return item


class DivideByTemperatured(MapTransform):  # type: ignore[misc]
    """Divides logits by a temperature, so that their sigmoid says how often the network is right; no sign changes.

    Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks. ICML 2017.
    """

    def __init__(self, keys: KeysCollection, *, temperature: float) -> None:
        super().__init__(keys)
        if not 0 < temperature < math.inf:
            raise BundleError(f"temperature is {temperature}; it takes a number above 0, and 1 changes nothing")
        self.temperature = temperature

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Logits of any shape."""
        item = dict(data)
        for key in self.key_iterator(item):
            item[key] = item[key] / self.temperature
        return item


class FindBodyd(MapTransform):  # type: ignore[misc]
    """Adds the patient's body (1, i, j, k) uint8 under `body_key`, for KeepInBodyd. keys: the image (one), in HU."""

    def __init__(self, keys: KeysCollection, *, body_key: str = "body") -> None:
        super().__init__(keys)
        self.body_key = body_key

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """On the image's grid."""
        item = dict(data)
        for key in self.key_iterator(item):
            body = find_body(tensor_to_scan(item[key])).voxels
            item[self.body_key] = MetaTensor(torch.from_numpy(body.view(np.uint8))[None], affine=item[key].affine)
        return item


class KeepInBodyd(MapTransform):  # type: ignore[misc]
    """Drops the pieces of a mask (1, i, j, k) that do not lie in the body, by the rule of `find_metal`."""

    def __init__(self, keys: KeysCollection, *, body_key: str = "body") -> None:
        super().__init__(keys)
        self.body_key = body_key

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """The mask keeps its type, device and metadata."""
        item = dict(data)
        body = _plain(item[self.body_key])[0] > 0
        for key in self.key_iterator(item):
            kept = keep_in_body(_plain(item[key])[0] > 0, body)
            item[key] = item[key] * torch.from_numpy(kept)[None].to(item[key].device)
        return item


class SelectSlicesd(MapTransform):  # type: ignore[misc]
    """Keeps the slices k listed under `slices_key`, in that order; without that key, all of them.

    The affine moves to the first slice kept; its step along k is right where the slices are evenly spaced.
    """

    def __init__(self, keys: KeysCollection, *, slices_key: str = "slices", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.slices_key = slices_key

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Raises DatasetError for a slice that the scan does not have."""
        item = dict(data)
        slices = item.pop(self.slices_key, None)
        if slices is not None:
            for key in self.key_iterator(item):
                item[key] = select_slices(item[key], [int(k) for k in slices])
        return item


class PatchCentersd(MapTransform):  # type: ignore[misc]
    """Lists voxels that patches may be centred on, for RandCropByPosNegLabeld: `<label>_fg_indices` and `_bg_indices`.

    keys: the label (one). Background is taken above `dense_hu` in `image_key`, where any is: what looks like metal
    teaches most, air nothing. Each list is a random sample of about `limit` voxels at most, because the cropper copies
    them for every patch, and each slice has an equal part in it.
    """

    def __init__(self, keys: KeysCollection, *, image_key: str = "image", dense_hu: float, limit: int = 50_000) -> None:
        super().__init__(keys)
        self.image_key = image_key
        self.dense_hu = dense_hu
        self.limit = limit

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Flat indices into [i, j, k], int64."""
        item = dict(data)
        for key in self.key_iterator(item):
            label, image = _plain(item[key])[0] > 0, _plain(item[self.image_key])[0]
            item[f"{key}_fg_indices"] = sample_indices(label, limit=self.limit)
            dense = (image > self.dense_hu) & ~label
            item[f"{key}_bg_indices"] = sample_indices(dense if dense.any() else ~label, limit=self.limit)
        return item


def compress_hu(hu: torch.Tensor, *, hu_min: float, hu_max: float) -> torch.Tensor:
    """log2(1 + (HU - hu_min) / 1000), scaled so that hu_min is 0 and hu_max 1; beyond them clipped. float32.

    Monotone, fine in tissue and coarse in metal: both the peak of 20,000 HU, which tells a thin plate from its bloom,
    and fat from muscle can be seen in one channel.
    """
    shifted = hu.to(torch.float32).clamp(hu_min, hu_max).sub_(hu_min).div_(OCTAVE_HU)
    return shifted.log1p_().div_(math.log1p((hu_max - hu_min) / OCTAVE_HU))


def expand_hu(values: torch.Tensor, *, hu_min: float, hu_max: float) -> torch.Tensor:
    """The way back from `compress_hu`."""
    return (values * math.log1p((hu_max - hu_min) / OCTAVE_HU)).expm1() * OCTAVE_HU + hu_min


def contiguous_runs(items: Sequence[Mapping[str, Any]], *, cut: bool = True, shortest: int = 8) -> list[dict[str, Any]]:
    """Items with gaps in their "slices" as one item for each run without: a volume has no seams.

    Runs under `shortest` slices are left out. cut: False refuses gaps instead, where each item is to stay one volume.
    Raises DatasetError for an item that is no volume.
    """
    found: list[dict[str, Any]] = []
    for item in items:
        runs = [None] if item.get("slices") is None else _runs(item["slices"])
        long = runs if len(runs) == 1 else [run for run in runs if run and len(run) >= shortest and cut]
        if not long:
            raise DatasetError(
                f"the slices of {Path(str(item['image'])).name} lie in {len(runs)} runs, which are no volume for a 3D "
                "network; split in blocks, or take the 2D bundle"
            )
        found += [dict(item) if run is None else {**item, "slices": run} for run in long]
    return found


def _runs(slices: Sequence[int]) -> list[list[int]]:
    cuts = np.flatnonzero(np.diff(slices) != 1) + 1
    return [run.tolist() for run in np.split(np.asarray(slices), cuts)]


def scan_to_tensor(scan: Scan) -> MetaTensor:
    """Scan -> MetaTensor (1, i, j, k), no copy, affine in RAS. Its name is "scan": folders may name patients."""
    hu = scan.hu if scan.hu.flags.writeable else scan.hu.copy(order="K")
    # One string of names: MONAI's collate would transpose a tuple.
    meta = {"filename_or_obj": "scan", "names": "\n".join(scan.names), "padding_hu": _padding(scan.padding_hu)}
    return MetaTensor(torch.from_numpy(hu)[None], affine=torch.from_numpy(scan.grid.affine_ras.copy()), meta=meta)


def tensor_to_scan(image: MetaTensor) -> Scan:
    """The way back, without the headers."""
    hu = _plain(image)[0]
    padding = image.meta.get("padding_hu", np.nan)
    return Scan(
        hu=hu,
        grid=Grid.from_ras(hu.shape, image.affine.numpy()),
        names=slice_names(image),
        padding_hu=None if np.isnan(padding) else float(padding),
    )


def slice_names(image: MetaTensor) -> tuple[str, ...]:
    """Names of the slices, [k], of a loaded image."""
    return tuple(str(image.meta["names"]).split("\n"))


def select_slices(image: MetaTensor, slices: list[int]) -> MetaTensor:
    """(1, i, j, k) -> (1, i, j, len(slices))."""
    count = image.shape[-1]
    wrong = [k for k in slices if not 0 <= k < count]
    if wrong or not slices or sorted(set(slices)) != slices:
        raise DatasetError(
            f"slices {(wrong or slices)[:5]} are wanted of a scan with slices 0 to {count - 1}, "
            "each once and in order; write dataset.json anew"
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
    run = slices == list(range(slices[0], slices[0] + len(slices)))
    chosen = voxels[..., slices[0] : slices[0] + len(slices)] if run else voxels[..., slices]
    return MetaTensor(chosen, affine=affine, meta=meta)


def sample_indices(chosen: npt.NDArray[np.bool_], *, limit: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Flat C-order indices of set voxels, sorted: of each slice at most its equal part of `limit`, drawn at random."""
    slices = np.flatnonzero(chosen.any(axis=(0, 1)))
    quota = math.ceil(limit / max(1, slices.size))
    rng = np.random.default_rng(seed)
    found = []
    for k in slices:
        flat = np.flatnonzero(chosen[:, :, k])
        flat = flat if flat.size <= quota else rng.choice(flat, quota, replace=False)
        found.append(flat * chosen.shape[2] + k)
    return np.sort(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)


def _plain(tensor: Any) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = (tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor).cpu().numpy()
    return array


def _padding(value: float | None) -> float:
    return float("nan") if value is None else float(value)
