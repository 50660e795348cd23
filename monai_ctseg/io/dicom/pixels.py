"""Frames in order -> one volume of Hounsfield units.

Uncompressed pixels are read straight from the file; the others go through pydicom's decoders.
MONOCHROME1 inverts the display, not the HU: the rescale comes before it (DICOM PS3.3 C.7.6.3.1.2 and C.11.1).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from monai_ctseg.errors import PixelDataError
from monai_ctseg.io.dicom.decode import Stored, decode, forget_file, truncated
from monai_ctseg.io.dicom.frame import Frame
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import HUArray

_INT16 = np.iinfo(np.int16)
_PLAIN = {ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, ""}
SURPLUS_BYTES = 128
"""Some writers pad the pixel data; more than this is not padding."""
_OPEN_LENGTH = 0xFFFFFFFF


class _DoesNotFitError(Exception):
    """HU that int16 cannot hold."""


def hu_volume(frames: Sequence[Frame], *, progress: Progress | None = None) -> HUArray:
    """Read the HU of frames.

    Args:
        frames: In order along the normal, all of one size.
        progress: Called with the number of slices done and of all slices.

    Returns:
        [i, j, k], Fortran-ordered: int16 where every rescale is integral and the values fit, else float32.

    Raises:
        PixelDataError: Pixels are missing, truncated or cannot be decoded; the message names the file.
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
    forget_file()
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
    """Stored values of one frame, with unused bits cleared and the right sign.

    Args:
        frame: One slice.
        into: int16 [row, column] to read 16-bit values into, which saves a copy.

    Returns:
        Integers [row, column]; may be a view of `into`.

    Raises:
        PixelDataError: Pixels are missing, truncated or cannot be decoded.
    """
    raw = _read_plain(frame, into) if frame.layout.transfer_syntax in _PLAIN else None
    if raw is None:
        raw = decode(frame)
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
        raise truncated(frame, there, into.nbytes)
    return into.view(dtype)


def _require_no_more(frame: Frame, length: int, size: int) -> None:
    """Refuse pixel data that holds more than the header says: an image of another size."""
    expected = int(frame.header.get("NumberOfFrames") or 1) * size
    if length > expected + SURPLUS_BYTES:
        raise PixelDataError(
            f"{frame.label}: {length:,} bytes of pixels where rows and columns make {expected:,}; export it again"
        )


def _value_of(head: bytes, big: bool) -> tuple[int, int] | None:
    """Bytes from the start of a PixelData element to its value, and in the value; None without a given length."""
    order = ">" if big else "<"
    if len(head) < 12 or struct.unpack(f"{order}HH", head[:4]) != (0x7FE0, 0x0010):
        return None
    explicit = head[4:6] in (b"OW", b"OB")
    (length,) = struct.unpack(f"{order}L", head[8:12] if explicit else head[4:8])
    return None if length == _OPEN_LENGTH else (12 if explicit else 8, length)


def _significant_bits(raw: Stored, frame: Frame) -> Stored:
    """The stored bits only (old scanners kept overlays in the others), with their sign."""
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
