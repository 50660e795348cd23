"""Caching: prepared scans are kept in memory, on disk or not at all, by the space there is; the choice is logged.

What is kept is the outcome of the transforms before the first random one. All three kinds give the same items, to the
bit, so the choice changes the speed and nothing else.
"""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from monai.data import CacheDataset, Dataset

from monai_ctseg.errors import CtsegError, DatasetError
from monai_ctseg.io.dicom.files import find_frames
from monai_ctseg.io.nifti import is_nifti, nifti_shape
from monai_ctseg.networks.disk_cache import DiskItems, files_in
from monai_ctseg.parallel import free_memory_bytes

logger = logging.getLogger(__name__)

CacheKind = Literal["auto", "memory", "disk", "none"]

MEMORY_SHARE = 0.5
"""Of the free memory; the network, its patches and the reading of one scan need the rest."""
DISK_SHARE = 0.8
"""Of what is free on the disk; checkpoints and pictures need some, too."""
VOXEL_BYTES = 6
"""Of a prepared voxel, all keys together: float32 image, uint8 label and body."""

_CHOICES = {"memory": "kept in memory", "disk": "kept on disk", "none": "read again each time"}


def open_items(
    data: Sequence[Mapping[str, Any]],
    transform: Callable[..., Any],
    *,
    cache: CacheKind = "auto",
    cache_dir: str | Path | None = None,
    processes: int = 1,
) -> Dataset:
    """A MONAI dataset of the items, kept in memory, on disk or not at all.

    Args:
        data: Items as `DataSplit.items` gives them.
        transform: MONAI's Compose.
        cache: "auto" takes memory where all items fit in half of what is free, else `cache_dir` where they fit in what
            is free there, else none: each item is read and prepared again each time.
        cache_dir: The folder of a cache on disk, see `DiskItems`.
        processes: How many processes on this machine keep items of the same size.

    Raises:
        DatasetError: There is no such kind of cache, or "disk" has no `cache_dir`.
        OutputError: `cache_dir` cannot be written.

    """
    items = [dict(item) for item in data]
    kind = _choose(items, cache, None if cache_dir is None else Path(cache_dir), processes)
    if kind == "memory":
        return CacheDataset(items, transform, num_workers=0, progress=False, copy_cache=False)
    if kind == "disk" and cache_dir is not None:
        return DiskItems(items, transform, Path(cache_dir))
    return Dataset(items, transform)


def _choose(items: Sequence[Mapping[str, Any]], cache: CacheKind, cache_dir: Path | None, processes: int) -> CacheKind:
    if cache not in ("auto", *_CHOICES):
        raise DatasetError(f"there is no cache '{cache}'; take auto, memory, disk or none")
    if cache == "disk" and cache_dir is None:
        raise DatasetError("a cache on disk needs a folder; name it as cache_dir, or take auto, memory or none")
    if cache != "auto":
        logger.info("%d scans: %s, as asked for", len(items), _CHOICES[cache])
        return cache
    need, free = VOXEL_BYTES * sum(count_voxels(item) for item in items), free_memory_bytes()
    scans = "1 scan needs" if len(items) == 1 else f"{len(items)} scans need"
    room = f"{scans} {_size(need)} of {_size(free)} free memory"
    room += f" in each of {processes} processes" if processes > 1 else ""
    kind: CacheKind = "none"
    if need * max(1, processes) <= MEMORY_SHARE * free:
        kind = "memory"
    elif cache_dir is not None:
        disk = _free_disk_bytes(cache_dir)
        room += f", {_size(disk)} free on disk"
        kind = "disk" if need <= DISK_SHARE * disk else "none"
    logger.info("%s: %s", room, _CHOICES[kind])
    return kind


def count_voxels(item: Mapping[str, Any]) -> int:
    """How many voxels an item holds, from headers alone.

    Args:
        item: A path under "image", and maybe slices k under "slices".

    Returns:
        Exact for NIfTI; for DICOM the first image's voxels times the files; 0 where nothing can be read, which loading
        will refuse.

    """
    image, slices = Path(item["image"]), item.get("slices")
    try:
        shape = (*nifti_shape(image), 1)[:3] if is_nifti(image) else _dicom_shape(image)
    except Exception:  # whatever damaged bytes lead to: this is an estimate, and the reader will say what is wrong
        return 0
    return math.prod(shape[:2]) * (shape[2] if slices is None else min(len(slices), shape[2]))


def _dicom_shape(image: Path) -> tuple[int, ...]:
    files = files_in(image)
    for file in files:
        try:
            frames = find_frames(file).frames
        except CtsegError:
            continue
        return frames[0].columns, frames[0].rows, len(frames) * len(files)
    return 0, 0, 0


def _free_disk_bytes(folder: Path) -> int:
    home = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(home).free


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
