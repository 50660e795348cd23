"""Every CT series and NIfTI volume in any number of folders, found by headers alone."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from monai_ctseg.errors import NoScanFound, NotCT, ScanError
from monai_ctseg.io.dicom.files import find_frames
from monai_ctseg.io.nifti import is_nifti, nifti_shape
from monai_ctseg.io.walk import exists, unreadable, walk_files
from monai_ctseg.scan import patient_keys


@dataclass(frozen=True)
class Seen:
    """What one file is: a CT image, a NIfTI volume, or a damaged file.

    series: SeriesInstanceUID; "" for a volume.
    patient: See `scan.patient_keys`.
    voxels: Number of voxels; 0 where the header cannot be read.
    damage: Why it cannot be used.
    """

    path: Path
    series: str = ""
    patient: frozenset[str] = frozenset()
    voxels: int = 0
    damage: str = ""


@dataclass(frozen=True)
class Source:
    """One CT series or NIfTI volume before it is read. `files` and `patient` may name people: never write them.

    series: SeriesInstanceUID; "" for a volume.
    voxels: Number of voxels, by the headers.
    damage: Why it cannot be used, as far as it is known before reading; "" where nothing is.
    """

    files: tuple[Path, ...]
    series: str = ""
    patient: frozenset[str] = frozenset()
    voxels: int = 0
    damage: str = ""

    def describe(self) -> str:
        """Path, and the number of files of a series, for the screen."""
        if len(self.files) == 1:
            return str(self.files[0])
        folder = os.path.commonpath([path.parent for path in self.files])
        return f"{folder} ({len(self.files)} files, series {self.series or 'without UID'})"

    def fingerprint(self) -> str:
        """A hash that changes whenever a file is added, removed, moved or written."""
        digest = hashlib.sha256(self.series.encode())
        for path in self.files:
            stat = path.stat()
            digest.update(f"{os.fsencode(path.resolve())!r} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()[:32]


def list_files(paths: Sequence[Path], *, leave_out: Path) -> tuple[list[Path], list[Source]]:
    """Every file in the folders, each once, and the folders that cannot be read; hidden files are left out.

    Args:
        paths: Folders and files.
        leave_out: A folder that is not searched: the output.

    Returns:
        The files, sorted, and a damaged source for each folder that cannot be read and each link in a circle.

    Raises:
        NoScanFound: A path does not exist.
    """
    for path in paths:
        if not exists(path):
            raise NoScanFound(f"{path}: there is no such file or folder")
    closed: list[Source] = []
    found: dict[Path, Path] = {}

    def close(error: OSError) -> None:
        closed.append(Source((Path(error.filename),), damage=unreadable(error)))

    for path in paths:
        for file in walk_files(path, leave_out=leave_out, on_unreadable=close) if path.is_dir() else [path]:
            try:
                found.setdefault(file.resolve(), file)
            except (OSError, RuntimeError):  # a link to itself
                closed.append(Source((file,), damage="a link in a circle; remove it"))
    return sorted(found.values()), closed


def inspect_file(path: Path) -> Seen | None:
    """What one file is; None where it is neither a CT image nor a NIfTI volume."""
    try:
        if is_nifti(path) and path.is_file():
            with suppress(Exception):  # damaged: the reader will say so
                return Seen(path, voxels=math.prod(nifti_shape(path)))
            return Seen(path)
        frames = find_frames(path).frames
    except (NoScanFound, NotCT):
        return None
    except ScanError as error:
        return Seen(path, damage=str(error))
    first = frames[0]
    voxels = first.rows * first.columns * len(frames)
    return Seen(path, series=first.series_uid, patient=patient_keys(first.header), voxels=voxels)


def inspect_files(paths: Sequence[Path]) -> list[Seen]:
    """What each file is; those that are neither a CT image nor a NIfTI volume are left out."""
    return [seen for path in paths if (seen := inspect_file(path)) is not None]


def group_sources(files: Iterable[Seen]) -> list[Source]:
    """Group files into series and volumes, in an order that does not depend on the order of the files.

    A series without SeriesInstanceUID is what lies in one folder. Two patients or studies never share a series.
    A damaged DICOM file may belong to any series of its folder, so all of these are marked as damaged.

    Args:
        files: What was found.
    """
    groups: dict[tuple[object, ...], list[Seen]] = {}
    damaged: dict[Path, Seen] = {}
    for seen in files:
        if seen.damage:
            damaged.setdefault(seen.path.parent, seen)
        elif is_nifti(seen.path):
            groups[(seen.path,)] = [seen]
        else:
            patient = frozenset(key for key in seen.patient if key.startswith(("PatientID", "StudyInstanceUID")))
            groups.setdefault((seen.series or seen.path.parent, patient), []).append(seen)
    sources = [_source(group, damaged) for group in groups.values()]
    blamed = {folder for source in sources if source.damage for folder in {path.parent for path in source.files}}
    sources += [Source((seen.path,), damage=seen.damage) for folder, seen in damaged.items() if folder not in blamed]
    return sorted(sources, key=lambda source: (source.series, source.files))


def _source(group: list[Seen], damaged: dict[Path, Seen]) -> Source:
    files = tuple(sorted(seen.path for seen in group))
    hits = [] if is_nifti(files[0]) else [damaged[path.parent] for path in files if path.parent in damaged]
    damage = f"{hits[0].damage}, or remove it: it may be a slice of this series" if hits else ""
    patient = frozenset[str]().union(*(seen.patient for seen in group))
    return Source(files, group[0].series, patient, sum(seen.voxels for seen in group), damage)
