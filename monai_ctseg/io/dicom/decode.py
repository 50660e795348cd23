"""Compressed, deflated and unusual pixels, decoded by pydicom."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLETransferSyntaxes,
)

from monai_ctseg.errors import PixelDataError
from monai_ctseg.io.dicom.frame import Frame

Stored = npt.NDArray[Any]

_STRICT_DECODERS = {
    **dict.fromkeys(JPEGTransferSyntaxes, "gdcm"),
    **dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls"),
    **dict.fromkeys([*JPEG2000TransferSyntaxes, *RLETransferSyntaxes], "pylibjpeg"),
}
"""Decoders that refuse a truncated stream; others (pylibjpeg-libjpeg) fill it up silently."""
_one_at_a_time = Lock()


def decode(frame: Frame) -> Stored:
    """Stored values of one frame.

    Returns:
        Integers [row, column] as the decoder gives them.

    Raises:
        PixelDataError: The pixels are missing, truncated or cannot be decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _one_at_a_time:
                dataset = _whole(frame.path)
            if frame.layout.transfer_syntax == DeflatedExplicitVRLittleEndian or "PixelData" not in dataset:
                return _from_bytes(frame, dataset)
            if frame.layout.high_bit != frame.layout.stored - 1:
                raise PixelDataError(
                    f"{frame.label}: compressed, with a high bit of {frame.layout.high_bit}; export it uncompressed"
                )
            syntax = UID(frame.layout.transfer_syntax)
            plugin = _STRICT_DECODERS.get(syntax, "")
            values, _ = get_decoder(syntax).as_array(dataset, index=frame.number, raw=True, decoding_plugin=plugin)
    except (PixelDataError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # decoders of five libraries raise what they like, one of them a panic in Rust
        reason = " ".join(str(error).split())[:120]
        raise PixelDataError(
            f"{frame.label}: its pixels cannot be decoded ({reason}); copy or export it again"
        ) from None
    if values.shape != (frame.rows, frame.columns):
        raise PixelDataError(
            f"{frame.label}: decodes to {values.shape} pixels, the header says {(frame.rows, frame.columns)}"
        )
    return np.asarray(values)


def forget_file() -> None:
    """Release the memory of the last file that `decode` read."""
    _whole.cache_clear()


@lru_cache(maxsize=1)
def _whole(path: Path) -> Dataset:
    """A file with its pixels; kept for the next frame of the same file."""
    dataset = pydicom.dcmread(path, force=True)
    standard = {"PhotometricInterpretation": "MONOCHROME2", "SamplesPerPixel": 1, "BitsStored": dataset.BitsAllocated}
    for name, value in standard.items():
        if name not in dataset:
            setattr(dataset, name, value)
    if "HighBit" not in dataset:
        dataset.HighBit = dataset.BitsStored - 1
    return dataset


def _from_bytes(frame: Frame, dataset: Dataset) -> Stored:
    if "PixelData" not in dataset:
        raise PixelDataError(f"{frame.label}: no pixel data that can be read as CT; copy or export it again")
    dtype = np.dtype(f"<u{frame.layout.allocated // 8}")
    count = frame.rows * frame.columns
    values = np.frombuffer(dataset.PixelData, dtype=dtype)[frame.number * count : (frame.number + 1) * count]
    if values.size < count:
        raise truncated(frame, values.nbytes, count * dtype.itemsize)
    return values.reshape(frame.rows, frame.columns)


def truncated(frame: Frame, found: int, needed: int) -> PixelDataError:
    """The refusal of a frame with fewer bytes of pixels than needed."""
    return PixelDataError(f"{frame.label}: truncated, {found:,} of {needed:,} bytes of pixels; copy or export it again")
