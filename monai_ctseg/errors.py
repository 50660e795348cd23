"""Every refusal of monai_ctseg.

CtsegError
├── ScanError              a scan that cannot be read without guessing
│   ├── NoScanFound        nothing there is a CT slice or a NIfTI volume
│   ├── NotCT              images, but not of CT
│   ├── AmbiguousScan      several series or stacks: one has to be named
│   ├── GeometryError      the slices do not form one regular stack
│   └── PixelDataError     voxels that are missing, truncated or not numbers
├── GridMismatch           two volumes that do not lie on one grid
├── MaskError              a mask with other values than 0 and 1
├── SaturatedScan          a threshold that no voxel of this scan can exceed
├── DatasetError           a dataset.json, or a split, that cannot be used
├── TrainingError          a training that cannot continue
├── BundleError            a bundle or its weights that cannot be used
├── MeasurementsError      a table of measurements that cannot be used
├── ProtocolError          a study's protocol, sheet or key that cannot be used
├── OutputError            a path where nothing can be written
└── MissingExtra           a command whose optional packages are not installed

Each message is one line: what was found, where, and what to do about it.
The command line prints that line and exits with 1.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EXTRAS = {
    "simulation": ("spekpy", "xraydb"),
    "agreement": ("jinja2", "statsmodels"),
    "export": ("onnx", "onnxscript"),
}
"""The modules that each extra installs, as pyproject.toml lists them."""


class CtsegError(Exception):
    """Base of every refusal."""


class ScanError(CtsegError):
    """A scan that cannot be read without guessing."""


class NoScanFound(ScanError):
    """Nothing there is a CT slice or a NIfTI volume."""


class NotCT(ScanError):
    """Images, but of another modality, or localizers and captures only."""


class AmbiguousScan(ScanError):
    """Several series or stacks where one is needed.

    Attributes:
        table: the series and stacks that there are, as text; "" where there is no list.
    """

    def __init__(self, message: str, table: str = "") -> None:
        super().__init__(message)
        self.table = table


class GeometryError(ScanError):
    """The slices do not form one regular stack in space."""


class PixelDataError(ScanError):
    """Voxels that are missing, truncated or not numbers."""


class GridMismatch(CtsegError):
    """Two volumes that should lie on one grid do not."""


class MaskError(CtsegError):
    """A mask with other values than 0 and 1."""


class SaturatedScan(CtsegError):
    """The highest value of the scan is at or below the threshold, so nothing can exceed it."""


class DatasetError(CtsegError):
    """A dataset.json, or a split, that cannot be used."""


class TrainingError(CtsegError):
    """A training that cannot continue: a loss of NaN, a checkpoint of another training."""


class BundleError(CtsegError):
    """A bundle or its weights that cannot be used."""


class MeasurementsError(CtsegError):
    """A table of measurements that cannot be used."""


class ProtocolError(CtsegError):
    """A study's protocol, sheet or key that cannot be used."""


class OutputError(CtsegError):
    """A path where nothing can be written: it is in use, the disk is full, or rights are missing."""


class MissingExtra(CtsegError):
    """A command whose optional packages are not installed."""


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turn a missing module of an extra into one line that says what to install.

    Args:
        extra: a key of `EXTRAS`. Imports of its modules go inside the `with` block.

    Raises:
        MissingExtra: a module of this extra is not installed. Other import errors pass through.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRAS[extra]:
            raise
        raise MissingExtra(
            f"this needs the extra '{extra}', which is not installed (there is no module {missing}): "
            f'pip install "monai_ctseg[{extra}]"'
        ) from error


def plural(count: int, noun: str) -> str:
    """A count with its noun, for messages.

    >>> plural(1, "voxel"), plural(2000, "voxel")
    ('1 voxel', '2,000 voxels')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


_ADVICE = {
    errno.ENOSPC: "make room, or name another path",
    errno.EDQUOT: "make room, or name another path",
    errno.EACCES: "change its permissions, or name another path",
    errno.EPERM: "change its permissions, or name another path",
    errno.EROFS: "name another path",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def output_error(error: OSError, where: Path | str, *, advice: str = "") -> OutputError:
    """The one mapping of the system's errors on writing (full disk, missing rights, too long name) to a refusal.

    Args:
        error: What the system raised.
        where: The file or folder that could not be written, or words for it.
        advice: What to do about it; by default it depends on the error.

    Returns:
        The refusal, to be raised.
    """
    advice = advice or _ADVICE.get(error.errno or 0, "name another path")
    reason = error.strerror or str(error).partition("\n")[0]
    return OutputError(f"{where}: cannot be written ({reason}); {advice}")


@contextmanager
def writing_errors(where: Path | str, *, advice: str = "") -> Iterator[None]:
    """Raise `output_error` for any OSError in the block; with `advice`, also in place of an `output_error` of it."""
    try:
        yield
    except OSError as error:
        raise output_error(error, where, advice=advice) from error
    except OutputError as error:
        cause = error.__cause__
        if not advice or not isinstance(cause, OSError):
            raise
        raise output_error(cause, where, advice=advice) from cause
