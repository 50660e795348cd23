"""A Scan -> a folder of CT Image Storage files (DICOM PS3.3 A.3)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds

from monai_ctseg.scan import Scan, voxels_sha256


def write_series(
    scan: Scan, folder: Path, *, description: str = "phantom", seed: int = 0, kv: float = 120
) -> tuple[Path, ...]:
    """Write one uncompressed int16 file for each slice. The same arguments give the same bytes: there are no dates.

    Args:
        scan: int16 voxels, [i, j, k]; the files are named after `scan.names`.
        folder: An existing folder.
        description: SeriesDescription.
        seed: A part of PatientID and, with the voxels, of the UIDs.
        kv: Tube voltage, in kilovolts.

    Returns:
        The files, [k].

    Raises:
        ValueError: The voxels are not int16.
        OSError: A file cannot be written.
    """
    if scan.hu.dtype != np.int16:
        raise ValueError(f"a series is written from int16 voxels, not {scan.hu.dtype}")
    entropy = [description, str(seed), scan.grid.describe(), voxels_sha256(scan)]
    paths = []
    for k, name in enumerate(scan.names):
        dataset = _slice_dataset(scan, k, entropy)
        dataset.SeriesDescription = description
        dataset.KVP = _decimal(kv)
        paths.append(folder / f"{name}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return tuple(paths)


def _slice_dataset(scan: Scan, k: int, entropy: list[str]) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[*entropy, "slice", str(k)])
    dataset.Modality = "CT"
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    dataset.Manufacturer = "monai_ctseg"
    dataset.PatientName, dataset.PatientID = "Phantom", f"PHANTOM-{entropy[1]}"
    dataset.PatientBirthDate = dataset.PatientSex = dataset.StudyDate = dataset.StudyTime = ""
    dataset.AccessionNumber = dataset.ReferringPhysicianName = dataset.StudyID = dataset.PositionReferenceIndicator = ""
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[*entropy, "study"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[*entropy, "series"])
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[*entropy, "frame of reference"])
    dataset.SeriesNumber, dataset.InstanceNumber = 1, k + 1
    _add_plane(dataset, scan, k)
    _add_pixels(dataset, scan, k)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def _add_plane(dataset: Dataset, scan: Scan, k: int) -> None:
    i_mm, j_mm, k_mm = scan.grid.spacing_mm
    cosines = scan.grid.index_to_lps[:3, :2] / (i_mm, j_mm)
    dataset.ImagePositionPatient = [_decimal(mm) for mm in scan.grid.to_lps((0, 0, k))]
    dataset.ImageOrientationPatient = [_decimal(cosine) for cosine in cosines.T.ravel()]
    dataset.PixelSpacing = [_decimal(j_mm), _decimal(i_mm)]
    dataset.SliceThickness = _decimal(k_mm)


def _add_pixels(dataset: Dataset, scan: Scan, k: int) -> None:
    dataset.Columns, dataset.Rows, _ = scan.grid.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = "1", "0", "HU"
    if scan.padding_hu is not None:
        dataset.PixelPaddingValue = int(scan.padding_hu)
    dataset.PixelData = np.ascontiguousarray(scan.hu[:, :, k].T).astype("<i2").tobytes()


def _decimal(value: float) -> str:
    """A decimal string of at most 16 characters, as exact as that allows."""
    return format_number_as_ds(float(value))
