"""One function that reads a scan of any format."""

from __future__ import annotations

from pathlib import Path

from monai_ctseg.errors import NoScanFound
from monai_ctseg.io.dicom import read_series
from monai_ctseg.io.walk import exists
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Scan


def read_scan(source: str | Path, *, series: str | None = None, progress: Progress | None = None) -> Scan:
    """Read a CT scan.

    Args:
        source: A folder of DICOM files, searched with the folders in it, one DICOM file, or a NIfTI volume.
        series: SeriesInstanceUID, or the name of the stack in `monai-ctseg series`, where a folder holds several.
        progress: Called with the number of slices done and of all slices.

    Returns:
        Voxels in HU [i, j, k] on their grid in LPS, with the headers and with notes of what was repaired.

    Raises:
        NoScanFound: Nothing there is a CT slice or a NIfTI volume, or no series has that name.
        AmbiguousScan: Several series or stacks are there, and none is named.
        ScanError: The scan cannot be read without guessing; see its other subclasses in `monai_ctseg.errors`.
    """
    path = Path(source).expanduser()
    if not exists(path):
        raise NoScanFound(f"{path}: there is no such file or folder")
    if path.is_dir():
        return read_series(path, series=series, progress=progress)
    from monai_ctseg.io.nifti import is_nifti, read_nifti

    if is_nifti(path):
        if series is not None:
            raise NoScanFound(f"{path.name}: a NIfTI volume has no series to choose from; leave --series out")
        return read_nifti(path)
    return read_series(path, series=series, progress=progress)
