"""Scan and Mask: a volume of Hounsfield units or of yes and no, on its grid."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from monai_ctseg.grid import Grid

HUArray: TypeAlias = npt.NDArray[np.int16] | npt.NDArray[np.float32]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
Box: TypeAlias = tuple[slice, slice, slice]
"""Voxels from start to stop along i, j and k."""


@dataclass(frozen=True, eq=False)
class Scan:
    """A CT volume in Hounsfield units.

    Attributes:
        hu: [i, j, k], i along a row, j down a column, k along the slice normal; int16 where the rescale is
            integral and fits, else float32. Usually Fortran-ordered, so that `hu[:, :, k]` is one contiguous slice.
        grid: where the voxels lie.
        names: one a slice, [k]: the stem of the source file, for naming outputs.
        headers: one a slice, [k]: the DICOM dataset without pixels; empty for other sources. They hold the
            patient's identity where the source does: never print or write them whole.
        padding_hu: the value outside the reconstruction field of view, where the source names it.
        notes: what was repaired or left out on reading, a sentence each.

    Raises:
        ValueError: voxels, names or headers do not fit the grid.
    """

    hu: HUArray
    grid: Grid
    names: tuple[str, ...] = ()
    headers: tuple[Dataset, ...] = ()
    padding_hu: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.hu.shape != self.grid.shape:
            raise ValueError(f"voxels of shape {self.hu.shape} on a grid of shape {self.grid.shape}")
        slices = self.grid.shape[2]
        if not self.names:
            object.__setattr__(self, "names", tuple(f"slice_{k:04d}" for k in range(slices)))
        if len(self.names) != slices or len(self.headers) not in (0, slices):
            raise ValueError(f"{len(self.names)} names and {len(self.headers)} headers for {slices} slices")


@dataclass(frozen=True, eq=False)
class Mask:
    """A segmentation on its grid.

    Attributes:
        voxels: [i, j, k] bool, i along a row, j down a column, k along the slice normal.
        grid: where the voxels lie.

    Raises:
        ValueError: the voxels are not bool, or do not fit the grid.
    """

    voxels: BoolArray
    grid: Grid

    def __post_init__(self) -> None:
        if self.voxels.shape != self.grid.shape:
            raise ValueError(f"voxels of shape {self.voxels.shape} on a grid of shape {self.grid.shape}")
        if self.voxels.dtype != np.bool_:
            raise ValueError(f"a mask is bool, not {self.voxels.dtype}")

    @property
    def count(self) -> int:
        """Number of voxels set."""
        return int(np.count_nonzero(self.voxels))

    @property
    def volume_mm3(self) -> float:
        """Volume of the voxels set, in cubic millimetres."""
        return self.count * self.grid.voxel_mm3


def bounding_box(voxels: BoolArray, within: Box | None = None) -> Box | None:
    """The smallest box that holds all set voxels.

    Args:
        voxels: [i, j, k].
        within: where to look; None: everywhere.

    Returns:
        The box in indices of `voxels`; None where nothing is set.

    """
    part = voxels if within is None else voxels[within]
    slices = np.flatnonzero(part.any(axis=(0, 1)))
    if not slices.size:
        return None
    plane = np.asarray(part[:, :, slices[0] : slices[-1] + 1].any(axis=2))
    lines = (np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0)), slices)
    first = (0, 0, 0) if within is None else [side.start for side in within]
    i, j, k = (slice(int(o + line[0]), int(o + line[-1]) + 1) for o, line in zip(first, lines, strict=True))
    return i, j, k


def surface_voxels(voxels: BoolArray) -> BoolArray:
    """Set voxels with a face neighbour (2 along each axis) that is not set or lies beyond the array; same shape."""
    inner = voxels.copy(order="K")
    for axis in range(voxels.ndim):
        into, whole = np.moveaxis(inner, axis, 0), np.moveaxis(voxels, axis, 0)
        into[1:] &= whole[:-1]
        into[:-1] &= whole[1:]
        into[[0, -1]] = False
    return np.asarray(voxels & ~inner)


def voxels_sha256(scan: Scan) -> str:
    """Hash of the HU, slice by slice along k: the same for the same voxels under any name and type of number."""
    digest = hashlib.sha256(str(scan.grid.shape).encode())
    planes = [scan.hu[:, :, k] for k in range(scan.grid.shape[2])]  # views: a mask of the whole takes much memory
    integral = scan.hu.dtype.kind == "i" or all(np.array_equal(plane, np.rint(plane)) for plane in planes)
    for plane in planes:
        digest.update(np.ascontiguousarray(plane.T, dtype="<i4" if integral else "<f4").data)
    return digest.hexdigest()


def provenance(scan: Scan) -> dict[str, Any]:
    """What identifies a scan in a record, and no word of the patient: series UID, size, voxel hash, notes."""
    uid = scan.headers[0].get("SeriesInstanceUID") if scan.headers else None
    return {
        "series_instance_uid": str(uid) if uid else None,
        "shape": list(scan.grid.shape),
        "spacing_mm": list(scan.grid.spacing_mm),
        "voxels_sha256": voxels_sha256(scan),
        "notes": list(scan.notes),
    }


_PATIENT = ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID")


def patient_keys(header: Dataset) -> frozenset[str]:
    """What two scans of one patient share. For comparing in memory only: even a hash of it could be guessed."""
    return frozenset(f"{name} {text}" for name in _PATIENT if (text := header_text(header, name)))


def header_text(header: Dataset, name: str) -> str:
    """An element's value as text; "" where it is missing or damaged."""
    try:
        return str(header.get(name) or "").strip()
    except Exception:  # damaged bytes in an element that may be missing as well
        return ""
