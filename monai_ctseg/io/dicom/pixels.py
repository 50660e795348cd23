"""Pixels: frames in order -> one volume of Hounsfield units.

Uncompressed pixels are read straight from the file; the others go through pydicom's decoders.
MONOCHROME1 turns the display, not the HU: the rescale comes before it (DICOM PS3.3 C.7.6.3.1.2 and C.11.1),
so nothing is inverted here.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLETransferSyntaxes,
)

from monai_ctseg.errors import PixelDataError
from monai_ctseg.io.dicom.frame import Frame
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import HUArray

Stored = npt.NDArray[Any]

_INT16 = np.iinfo(np.int16)
_PLAIN = {ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, ""}
_STRICT_DECODERS = {
    **dict.fromkeys(JPEGTransferSyntaxes, "gdcm"),
    **dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls"),
    **dict.fromkeys([*JPEG2000TransferSyntaxes, *RLETransferSyntaxes], "pylibjpeg"),
}
"""Decoders that refuse a truncated stream; others (pylibjpeg-libjpeg) fill it up and say nothing."""
SURPLUS_BYTES = 128
"""Some writers pad the pixel data; more than this is no padding."""
_OPEN_LENGTH = 0xFFFFFFFF
_one_at_a_time = Lock()


class _DoesNotFitError(Exception):
    """HU that int16 cannot hold."""


def hu_volume(frames: Sequence[Frame], *, progress: Progress | None = None) -> HUArray:
    """HU of frames in order, [i, j, k]: int16 where every rescale is integral and the values fit, else float32.

    Raises PixelDataError naming the file where pixels are missing, truncated or cannot be decoded.
    """
    if all(float(frame.slope).is_integer() and float(frame.intercept).is_integer() for frame in frames):
        try:
            return _fill(frames, np.int16, _rescaled_int16, progress)
        except _DoesNotFitError:
            pass
    return _fill(frames, np.float32, _rescaled_float32, progress)


def _fill(
    frames: Sequence[Frame], dtype: type, rescale: Callable[[Stored, Frame], Stored], progress: Progress | None
) -> HUArray:
    volume: Stored = np.empty((len(frames), frames[0].rows, frames[0].columns), dtype=dtype)

    def fill(k: int) -> None:
        into = volume[k] if dtype is np.int16 else None
        values = rescale(stored_values(frames[k], into=into), frames[k])
        if into is None or not np.may_share_memory(values, into):
            volume[k] = values

    with ThreadPoolExecutor() as pool:  # reading and decoding happen outside the interpreter's lock
        for k, _ in enumerate(pool.map(fill, range(len(frames)))):
            if progress:
                progress(k + 1, len(frames))
    _whole.cache_clear()
    return volume.transpose(2, 1, 0)


def _rescaled_int16(stored: Stored, frame: Frame) -> Stored:
    slope, intercept = int(frame.slope), int(frame.intercept)
    if (slope, intercept) == (1, 0) and stored.dtype.newbyteorder("=") == np.int16:
        return stored
    ends = [int(end) * slope + intercept for end in (stored.min(), stored.max())]
    if min(ends) < _INT16.min or max(ends) > _INT16.max:
        raise _DoesNotFitError
    hu: Stored = stored.astype(np.int64 if stored.dtype.itemsize > 2 or abs(slope) > 1 else np.int32)
    if slope != 1:
        np.multiply(hu, slope, out=hu)
    return np.add(hu, intercept, out=hu)


def _rescaled_float32(stored: Stored, frame: Frame) -> Stored:
    return (stored * np.float64(frame.slope) + np.float64(frame.intercept)).astype(np.float32)


def stored_values(frame: Frame, *, into: Stored | None = None) -> Stored:
    """Stored values of one frame, [row, column], unused bits cleared and sign right.

    into: int16 [row, column] to read 16-bit values into, which spares a copy; what is returned may be a view of it.
    """
    raw = _read_plain(frame, into) if frame.layout.transfer_syntax in _PLAIN else None
    if raw is None:
        raw = _decode(frame)
    return _significant_bits(raw, frame)


def _read_plain(frame: Frame, into: Stored | None) -> Stored | None:
    """Uncompressed values straight from the file; None where the element is not as expected."""
    layout = frame.layout
    big = layout.transfer_syntax == ExplicitVRBigEndian
    dtype = np.dtype(f"{'>' if big else '<'}u{layout.allocated // 8}")
    if into is None or dtype.itemsize != into.dtype.itemsize:
        into = np.empty((frame.rows, frame.columns), dtype=dtype)
    with frame.path.open("rb", buffering=0) as file:
        file.seek(layout.offset)
        element = _value_of(file.read(12), big)
        if element is None:
            return None
        start, length = element
        _require_no_more(frame, length, into.nbytes)
        before = frame.number * into.nbytes
        file.seek(layout.offset + start + before)
        there = min(file.readinto(into.data.cast("B")), max(length - before, 0))
    if there < into.nbytes:
        raise _truncated(frame, there, into.nbytes)
    return into.view(dtype)


def _require_no_more(frame: Frame, length: int, size: int) -> None:
    """Refuse pixel data that would hold more than the header says: a picture of another size."""
    expected = int(frame.header.get("NumberOfFrames") or 1) * size
    if length > expected + SURPLUS_BYTES:
        raise PixelDataError(
            f"{frame.label}: {length:,} bytes of pixels where rows and columns make {expected:,}; export it again"
        )


def _value_of(head: bytes, big: bool) -> tuple[int, int] | None:
    """Bytes from a PixelData element's start to its value, and the value's; None where it is none of a given length."""
    order = ">" if big else "<"
    if len(head) < 12 or struct.unpack(f"{order}HH", head[:4]) != (0x7FE0, 0x0010):
        return None
    explicit = head[4:6] in (b"OW", b"OB")
    (length,) = struct.unpack(f"{order}L", head[8:12] if explicit else head[4:8])
    return None if length == _OPEN_LENGTH else (12 if explicit else 8, length)


def _decode(frame: Frame) -> Stored:
    """Values of a compressed, deflated or unusual frame, by pydicom."""
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
        raise _truncated(frame, values.nbytes, count * dtype.itemsize)
    return values.reshape(frame.rows, frame.columns)


def _truncated(frame: Frame, there: int, needed: int) -> PixelDataError:
    return PixelDataError(f"{frame.label}: truncated, {there:,} of {needed:,} bytes of pixels; copy or export it again")


def _significant_bits(raw: Stored, frame: Frame) -> Stored:
    """The stored bits alone (old scanners kept overlays in the rest), with their sign."""
    layout = frame.layout
    size = raw.dtype.itemsize * 8
    kind = f"{'i' if layout.signed else 'u'}{raw.dtype.itemsize}"
    values = raw.astype(raw.dtype.newbyteorder("="), copy=False)
    if layout.stored == size:
        return values.view(kind)
    if values.dtype.kind == "i":  # a decoder has already placed the bits and the sign
        return values
    top = (values << np.array(size - 1 - layout.high_bit, values.dtype)).view(kind)
    return np.asarray(top >> np.array(size - layout.stored, top.dtype))
