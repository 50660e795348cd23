"""A cache on disk: prepared items in files of tensors and plain values."""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor, PersistentDataset
from monai.data.utils import pickle_hashing
from monai.transforms.utils import convert_to_contiguous

from monai_ctseg.errors import DatasetError, OutputError, writing_errors
from monai_ctseg.io.walk import walk_files
from monai_ctseg.output import new_file
from monai_ctseg.parallel import version_of

logger = logging.getLogger(__name__)


class DiskItems(PersistentDataset):  # type: ignore[misc]
    """Items that are prepared once and kept in files.

    A file's name is a hash of the item, of the size and time of each file behind it, of the transforms before the first
    random one, and of the versions. A file that cannot be read is made again. All of them may be deleted at any time.

    Args:
        data: Items, with paths under "image" and "label".
        transform: MONAI's Compose.
        cache_dir: The folder of the files; it is made.

    Raises:
        OutputError: The folder cannot be made or written.

    """

    def __init__(self, data: Sequence[Mapping[str, Any]], transform: Callable[..., Any], cache_dir: Path) -> None:
        try:
            super().__init__(data, transform, cache_dir=cache_dir, hash_transform=pickle_hashing)
        except (OSError, ValueError) as error:
            raise OutputError(f"{cache_dir}: no folder to keep scans in ({error}); name another cache_dir") from error
        self._names = [self._name(item) for item in self.data]

    def set_data(self, data: Sequence[Mapping[str, Any]]) -> None:
        """Take other items; the files of the earlier ones stay."""
        self.data = data
        self._names = [self._name(item) for item in data]

    def _transform(self, index: int) -> Any:
        file = self.cache_dir / self._names[index]
        stored = _load(file)
        if stored is None:
            stored = to_plain(convert_to_contiguous(self._pre_transform(deepcopy(self.data[index]))))
            _store(stored, file)
        return self._post_transform(from_plain(stored))

    def _name(self, item: Mapping[str, Any]) -> str:
        stamps = [
            (key, _stamp(Path(item[key]))) for key in ("image", "label") if isinstance(item.get(key), (str, Path))
        ]
        versions = (version_of("monai_ctseg"), version_of("monai"))
        content = repr((sorted(item.items()), stamps, versions, self.transform_hash))
        return hashlib.sha256(content.encode()).hexdigest() + ".pt"


def files_in(path: Path) -> list[Path]:
    """All files below a folder, sorted; or the file itself."""
    return [file for file in walk_files(path) if file.is_file()] if path.is_dir() else [path]


def _stamp(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of each file."""
    return [(str(file), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files_in(path)]


def to_plain(value: Any) -> Any:
    """Prepared data as tensors, plain values and the names of their types: all that `weights_only` loads.

    Raises:
        DatasetError: The data hold another type.

    """
    if isinstance(value, MetaTensor):
        meta = {to_plain(key)[1]: to_plain(entry) for key, entry in value.meta.items() if key != "affine"}
        return ("MetaTensor", value.as_tensor(), value.affine, meta, to_plain(list(value.applied_operations)))
    if isinstance(value, np.ndarray):
        return ("ndarray", torch.from_numpy(np.ascontiguousarray(value)))
    if isinstance(value, np.generic):
        return ("generic", torch.from_numpy(np.array(value)))
    if isinstance(value, Mapping):
        return ("dict", {to_plain(key)[1]: to_plain(entry) for key, entry in value.items()})
    if isinstance(value, (list, tuple)):
        return ("list" if isinstance(value, list) else "tuple", [to_plain(entry) for entry in value])
    if isinstance(value, str):  # MONAI's keys are enumerations of text
        return ("plain", str.__str__(value))
    if value is None or isinstance(value, (bool, int, float, torch.Tensor)):
        return ("plain", value)
    raise DatasetError(
        f"a prepared scan holds a {type(value).__name__}, which a cache on disk cannot keep; take another cache"
    )


def from_plain(stored: Any) -> Any:
    """The data that `to_plain` was given."""
    kind, value = stored[0], stored[1]
    if kind == "MetaTensor":
        meta = {key: from_plain(entry) for key, entry in stored[3].items()}
        return MetaTensor(value, affine=stored[2], meta=meta, applied_operations=from_plain(stored[4]))
    if kind == "ndarray":
        return value.numpy()
    if kind == "generic":
        return value.numpy()[()]
    if kind == "dict":
        return {key: from_plain(entry) for key, entry in value.items()}
    if kind in ("list", "tuple"):
        entries = [from_plain(entry) for entry in value]
        return entries if kind == "list" else tuple(entries)
    return value


def _load(file: Path) -> Any:
    """The stored data; None where there is no such file, or it cannot be read."""
    if not file.is_file():
        return None
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, pickle.UnpicklingError):
        logger.info("a file of the disk cache cannot be read and is made again")
        return None


def _store(stored: Any, file: Path) -> None:
    advice = "make room, or train without a disk cache"
    try:
        with writing_errors(file.parent, advice=advice), new_file(file, overwrite=True) as partial:
            torch.save(stored, partial)
    except RuntimeError as error:  # torch raises one when the disk is full
        raise OutputError(f"{file.parent}: cannot be written (is the disk full?); {advice}") from error
