"""Caching: prepared scans are kept in memory, on disk or not at all, by the room there is; the choice is logged.

What is kept is the outcome of the transforms before the first random one. All three kinds give the same items, to the
bit, so the choice changes the speed and nothing else.
"""

from __future__ import annotations

import hashlib
import logging
import math
import pickle
import shutil
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
import torch
from monai.data import CacheDataset, Dataset, MetaTensor, PersistentDataset
from monai.data.utils import pickle_hashing
from monai.transforms.utils import convert_to_contiguous

from monai_ctseg.errors import CtsegError, DatasetError, OutputError, writing_errors
from monai_ctseg.io.dicom.files import find_frames
from monai_ctseg.io.nifti import is_nifti
from monai_ctseg.io.walk import walk_files
from monai_ctseg.output import new_file
from monai_ctseg.parallel import free_memory_bytes, version_of

logger = logging.getLogger(__name__)

CacheKind = Literal["auto", "memory", "disk", "none"]

MEMORY_SHARE = 0.5
"""Of the free memory; the network, its patches and the reading of one scan need the rest."""
DISK_SHARE = 0.8


def open_items(
    data: Sequence[Mapping[str, Any]],
    transform: Callable[..., Any],
    *,
    cache: CacheKind = "auto",
    cache_dir: str | Path | None = None,
    memory_bytes: int | None = None,
    processes: int = 1,
    voxel_bytes: float = 6,
) -> Dataset:
    """A MONAI dataset of the items, kept in memory, on disk or not at all.

    data: items as `DataSplit.items` gives them. cache: "auto" takes memory where all items fit in half of what is free,
    else cache_dir where they fit in what is free there, else reads and transforms each item anew.
    memory_bytes: the free memory, where it is not to be measured. processes: how many of them on this machine keep
    the same items. voxel_bytes: what a voxel of the scan takes once it is prepared, all keys together.
    The disk cache's files are safe to delete at any time; none is used after its scan, label or transforms changed.
    Raises DatasetError for another kind of cache, or "disk" without cache_dir; OutputError for a cache_dir that cannot
    be written.
    """
    items = [dict(item) for item in data]
    kind = _choose(items, cache, cache_dir, memory_bytes, processes, voxel_bytes)
    if kind == "memory":
        return CacheDataset(items, transform, num_workers=0, progress=False, copy_cache=False)
    if kind == "disk" and cache_dir is not None:
        return DiskItems(items, transform, Path(cache_dir))
    return Dataset(items, transform)


def _choose(
    items: Sequence[Mapping[str, Any]],
    cache: CacheKind,
    cache_dir: str | Path | None,
    memory_bytes: int | None,
    processes: int,
    voxel_bytes: float,
) -> CacheKind:
    if cache not in ("auto", "memory", "disk", "none"):
        raise DatasetError(f"there is no cache '{cache}'; take auto, memory, disk or none")
    if cache == "disk" and cache_dir is None:
        raise DatasetError("a cache on disk needs a folder; name it as cache_dir, or take auto, memory or none")
    if cache != "auto":
        logger.info("%d scans: %s, as asked for", len(items), _WORDS[cache])
        return cache
    need = round(voxel_bytes * sum(count_voxels(item) for item in items))
    free = free_memory_bytes() if memory_bytes is None else memory_bytes
    room = f"{_count(items)} {_size(need)} of {_size(free)} free memory"
    room += f" in each of {processes} processes" if processes > 1 else ""
    if need * max(1, processes) <= MEMORY_SHARE * free:
        kind: CacheKind = "memory"
    elif cache_dir is None:
        kind = "none"
    else:
        disk = _free_disk_bytes(Path(cache_dir))
        room += f", {_size(disk)} free on disk"
        kind = "disk" if need <= DISK_SHARE * disk else "none"
    logger.info("%s: %s", room, _WORDS[kind])
    return kind


_WORDS = {"memory": "kept in memory", "disk": "kept on disk", "none": "read again each time"}


def _count(items: Sequence[Any]) -> str:
    return "1 scan needs" if len(items) == 1 else f"{len(items)} scans need"


def count_voxels(item: Mapping[str, Any]) -> int:
    """Voxels of the item's image that count, from headers: of NIfTI exact, of DICOM the first image's times the files.

    0 where nothing can be read, which loading will refuse.
    """
    image, slices = Path(item["image"]), item.get("slices")
    try:
        shape = _nifti_shape(image) if is_nifti(image) else _dicom_shape(image)
    except Exception:  # whatever damaged bytes lead to: it is an estimate, and the reader will say what is wrong
        return 0
    return math.prod(shape[:2]) * (shape[2] if slices is None else min(len(slices), shape[2]))


def _nifti_shape(image: Path) -> tuple[int, ...]:
    return tuple(int(n) for n in (*nib.load(image).shape, 1)[:3])


def _dicom_shape(image: Path) -> tuple[int, ...]:
    files = _files(image)
    for file in files:
        try:
            frames = find_frames(file).frames
        except CtsegError:
            continue
        return frames[0].columns, frames[0].rows, len(frames) * len(files)
    return 0, 0, 0


def _files(place: Path) -> list[Path]:
    return [path for path in walk_files(place) if path.is_file()] if place.is_dir() else [place]


class DiskItems(PersistentDataset):  # type: ignore[misc]
    """Items prepared once and kept in files of tensors and plain values.

    A file's name is a hash of the item, of size and time of each file behind it, of the transforms before the first
    random one, and of the versions. A file is written beside and renamed; one that cannot be read is made anew.
    """

    def __init__(self, data: Sequence[Mapping[str, Any]], transform: Callable[..., Any], cache_dir: Path) -> None:
        try:
            super().__init__(data, transform, cache_dir=cache_dir, hash_transform=pickle_hashing)
        except (OSError, ValueError) as error:
            raise OutputError(f"{cache_dir}: no folder to keep scans in ({error}); name another cache_dir") from error
        self._names = [self._name(item) for item in self.data]

    def set_data(self, data: Sequence[Mapping[str, Any]]) -> None:
        """Other items; the files of the earlier ones stay."""
        self.data = data
        self._names = [self._name(item) for item in data]

    def _transform(self, index: int) -> Any:
        file = self.cache_dir / self._names[index]
        stored = _load(file)
        if stored is None:
            prepared = convert_to_contiguous(self._pre_transform(deepcopy(self.data[index])))
            stored = _to_plain(prepared)
            _store(stored, file)
        return self._post_transform(_from_plain(stored))

    def _name(self, item: Mapping[str, Any]) -> str:
        stamps = [
            (key, _stamp(Path(item[key]))) for key in ("image", "label") if isinstance(item.get(key), (str, Path))
        ]
        versions = (version_of("monai_ctseg"), version_of("monai"))
        content = repr((sorted(item.items()), stamps, versions, self.transform_hash))
        return hashlib.sha256(content.encode()).hexdigest() + ".pt"


def _stamp(place: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of each file."""
    return [(str(file), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in _files(place)]


def _to_plain(value: Any) -> Any:
    """Prepared data as tensors, plain values and their names, which is all that `weights_only` loads."""
    if isinstance(value, MetaTensor):
        meta = {_to_plain(key)[1]: _to_plain(entry) for key, entry in value.meta.items() if key != "affine"}
        operations = _to_plain(list(value.applied_operations))
        return ("MetaTensor", value.as_tensor(), value.affine, meta, operations)
    if isinstance(value, np.ndarray):
        return ("ndarray", torch.from_numpy(np.ascontiguousarray(value)))
    if isinstance(value, np.generic):
        return ("generic", torch.from_numpy(np.array(value)))
    if isinstance(value, Mapping):
        return ("dict", {_to_plain(key)[1]: _to_plain(entry) for key, entry in value.items()})
    if isinstance(value, (list, tuple)):
        return ("list" if isinstance(value, list) else "tuple", [_to_plain(entry) for entry in value])
    if isinstance(value, str):  # MONAI's keys are enumerations of text
        return ("plain", str.__str__(value))
    if value is None or isinstance(value, (bool, int, float, torch.Tensor)):
        return ("plain", value)
    raise DatasetError(
        f"a prepared scan holds a {type(value).__name__}, which a cache on disk cannot keep; take another"
    )


def _from_plain(stored: Any) -> Any:
    kind, value = stored[0], stored[1]
    if kind == "MetaTensor":
        meta = {key: _from_plain(entry) for key, entry in stored[3].items()}
        return MetaTensor(value, affine=stored[2], meta=meta, applied_operations=_from_plain(stored[4]))
    if kind == "ndarray":
        return value.numpy()
    if kind == "generic":
        return value.numpy()[()]
    if kind == "dict":
        return {key: _from_plain(entry) for key, entry in value.items()}
    if kind in ("list", "tuple"):
        entries = [_from_plain(entry) for entry in value]
        return entries if kind == "list" else tuple(entries)
    return value


def _load(file: Path) -> Any:
    """The stored data; None where there is no such file, or it cannot be read."""
    if not file.is_file():
        return None
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, pickle.UnpicklingError):
        logger.info("a file of the disk cache cannot be read and is made anew")
        return None


def _store(stored: Any, file: Path) -> None:
    advice = "make room, or train without a disk cache"
    try:
        with writing_errors(file.parent, advice=advice), new_file(file, overwrite=True) as partial:
            torch.save(stored, partial)
    except RuntimeError as error:  # what torch makes of a full disk
        raise OutputError(f"{file.parent}: cannot be written (is the disk full?); {advice}") from error


def _free_disk_bytes(folder: Path) -> int:
    home = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(home).free


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
