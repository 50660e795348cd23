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


@dataclass(frozen=True, eq=False)
class Scan:
    """A CT volume in Hounsfield units.

    hu: [i, j, k], i along a row, j down a column, k along the slice normal; int16 where the rescale is
        integral and fits, else float32. Usually Fortran-ordered, so that `hu[:, :, k]` is one contiguous slice.
    grid: where the voxels lie.
    names: one a slice, [k]: the stem of the source file, for naming outputs.
    headers: one a slice, [k]: the DICOM dataset without pixels; empty for other sources. They hold the
        patient's identity where the source does: never print or write them whole.
    padding_hu: the value outside the reconstruction circle, where the source names it.
    notes: what was repaired or left out on reading, a sentence each.
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
    """A segmentation: voxels [i, j, k] bool, on its grid."""

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


def voxels_sha256(scan: Scan) -> str:
    """Hash of the HU, slice by slice along k: the same for the same voxels under any name."""
    digest = hashlib.sha256()
    for k in range(scan.grid.shape[2]):
        digest.update(np.ascontiguousarray(scan.hu[:, :, k].T).data)
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
