"""Reading: one door for whatever a scan comes as."""

from __future__ import annotations

from pathlib import Path

from monai_ctseg.errors import NoScanFound
from monai_ctseg.io.dicom import read_series
from monai_ctseg.io.walk import exists
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Scan


def read_scan(source: str | Path, *, series: str | None = None, progress: Progress | None = None) -> Scan:
    """Read a CT scan: a folder of DICOM files, one DICOM file, or a NIfTI volume.

    series: SeriesInstanceUID, or what `monai-ctseg series` calls the stack, where a folder holds several.
    progress: called with (slices done, slices in all).
    Raises ScanError (see monai_ctseg.errors) where the scan cannot be read without guessing.
    """
    place = Path(source).expanduser()
    if not exists(place):
        raise NoScanFound(f"{place}: there is no such file or folder")
    if place.is_dir():
        return read_series(place, series=series, progress=progress)
    from monai_ctseg.io.nifti import is_nifti, read_nifti

    if is_nifti(place):
        if series is not None:
            raise NoScanFound(f"{place.name}: a NIfTI volume has no series to choose from; leave --series out")
        return read_nifti(place)
    return read_series(place, series=series, progress=progress)
