"""Which files are DICOM images, and their headers without pixels."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from monai_ctseg.errors import NoScanFound, NotCT, PixelDataError, ScanError
from monai_ctseg.io.dicom.frame import Frame, frames_of
from monai_ctseg.io.dicom.header import (
    CT_SOP_CLASSES,
    modality_of,
    raw_value,
    sop_class_of_meta,
    transfer_syntax,
    why_not_ct,
)
from monai_ctseg.io.walk import walk_files
from monai_ctseg.parallel import Progress

NO_IMAGE = "no DICOM image"

_IMAGE_ELEMENTS = ("Rows", "Columns", "BitsAllocated")


@dataclass(frozen=True)
class Found:
    """What a folder or file holds: the frames of all images, and what was left out."""

    frames: tuple[Frame, ...]
    left_out: dict[str, tuple[str, ...]]
    """Reason -> names of the files: "no DICOM image", "localizer", "colour image", "MR" and the like."""

    def notes(self) -> tuple[str, ...]:
        """One sentence for each reason why files were left out."""
        return tuple(f"left out {_counted(names)}: {why}" for why, names in sorted(self.left_out.items()))


def find_frames(path: Path, *, progress: Progress | None = None) -> Found:
    """All frames of all DICOM images in a folder, or in one file.

    Args:
        path: A folder, searched with the folders in it, or a file.
        progress: Called with the number of files done and of all files.

    Raises:
        NoScanFound: There is no DICOM image.
        NotCT: There are only images of other kinds.
        ScanError: The header of a CT file, or a folder, cannot be read.
    """
    files = list(walk_files(path)) if path.is_dir() else [path]
    frames: list[Frame] = []
    left_out: dict[str, list[str]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's remarks on values that do not matter here
        for n, file in enumerate(files):
            found = _frames_in(file)
            if isinstance(found, str):
                left_out.setdefault(found, []).append(file.name)
            else:
                frames.extend(found)
            if progress:
                progress(n + 1, len(files))
    if not frames:
        raise _nothing_found(path, files, set(left_out) - {NO_IMAGE})
    return Found(tuple(frames), {why: tuple(names) for why, names in left_out.items()})


def _counted(names: tuple[str, ...]) -> str:
    listed = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} {'file' if len(names) == 1 else 'files'} ({listed})"


def _frames_in(path: Path) -> list[Frame] | str:
    """The CT frames of one file, or why it has none; ScanError where the file is damaged."""
    if not path.is_file():  # a pipe, a socket, a link to nowhere
        return NO_IMAGE
    try:
        header = _read_header(path)
        return NO_IMAGE if header is None else _frames_of_header(path, *header)
    except ScanError:
        raise
    except OSError as error:
        if error.errno is None:  # pydicom's own, of a damaged file
            raise _damaged(path, error) from None
        raise ScanError(f"{path.name}: cannot be read ({error.strerror}); check the file's permissions") from None
    except Exception as error:  # what pydicom raises on damaged bytes has no common base
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> ScanError:
    logging.getLogger(__name__).debug("%s: %s", path.name, error)
    return ScanError(f"{path.name}: a truncated or damaged DICOM file; copy or export it again")


def _frames_of_header(path: Path, dataset: Dataset, offset: int) -> list[Frame] | str:
    if offset >= 0 and all(raw_value(dataset, name) is not None for name in _IMAGE_ELEMENTS):
        return why_not_ct(dataset) or list(frames_of(path, dataset, offset))
    sop_class = dataset.get("SOPClassUID") or sop_class_of_meta(dataset)
    if sop_class in CT_SOP_CLASSES or (not sop_class and modality_of(dataset) == "CT") or not len(dataset):
        raise PixelDataError(f"{path.name}: a DICOM file that is truncated before its pixels; copy or export it again")
    return NO_IMAGE


def _read_header(path: Path) -> tuple[Dataset, int] | None:
    """Header and offset of the pixel data element (-1: none); None where the file is not DICOM."""
    with path.open("rb") as file:
        if not _looks_like_dicom(file.read(132)):
            return None
        file.seek(0)
        dataset = pydicom.dcmread(file, stop_before_pixels=True, force=True)
        offset = file.tell()
        deflated = transfer_syntax(dataset) == DeflatedExplicitVRLittleEndian  # inflated as a whole: no offset
        return dataset, offset if deflated or file.read(1) else -1


def _looks_like_dicom(start: bytes) -> bool:
    """The DICM prefix, or, in old files without a preamble, an element of group 2 or 8 at the start."""
    return start[128:132] == b"DICM" or (
        start[:2] in (b"\x02\x00", b"\x08\x00") and len(start) == 132 and start[3] == 0
    )


def _nothing_found(path: Path, files: list[Path], kinds: set[str]) -> ScanError:
    if kinds:
        return NotCT(f"{path}: holds no CT slice, but {', '.join(sorted(kinds))}; name the folder of a CT series")
    if not files:
        return NoScanFound(f"{path}: an empty folder; name the folder that holds the DICOM files")
    if not path.is_dir():
        return NoScanFound(f"{path}: not a DICOM image; name a folder of DICOM files, one DICOM file or a .nii.gz")
    nifti = [file for file in files if file.name.endswith((".nii", ".nii.gz"))]
    if nifti:
        return NoScanFound(f"{path}: no DICOM image, but {nifti[0].name}; name that file to read it")
    endings = Counter(file.suffix or "no ending" for file in files)
    listed = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(3))
    return NoScanFound(f"{path}: no DICOM image among its files ({listed}); name the folder of the series")
