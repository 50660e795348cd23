"""One source -> image, label and component report of a case, named by the hash of its voxels, not after the patient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from monai_ctseg.datasets.sources import Source
from monai_ctseg.errors import CtsegError, NotCT, OutputError, writing_errors
from monai_ctseg.io.dicom import find_stacks
from monai_ctseg.io.nifti import is_nifti, write_mask, write_scan
from monai_ctseg.io.read import read_scan
from monai_ctseg.output import write_json
from monai_ctseg.scan import Scan, provenance
from monai_ctseg.segmentation.pipeline import segment

CASE_FILES = {"images": ".nii.gz", "labels": ".nii.gz", "component_reports": ".json"}
"""The folders of a cohort, and the ending of a case's file in each."""

RESTART = "make room and start the same command again, or name another path"
"""Advice where the cohort cannot be written."""

_HIGHEST_OF_PICTURE = 255


@dataclass(frozen=True)
class Task:
    """A source to make cases of, in a folder of its own."""

    source: Source
    folder: Path
    threshold_hu: float


@dataclass(frozen=True)
class MadeCase:
    """A case whose files are written.

    name: "case_" and the first 12 digits of the hash of its voxels.
    voxels_sha256: See `scan.voxels_sha256`.
    metal_voxels: Set in the label.
    source: See `scan.provenance`.
    """

    name: str
    voxels_sha256: str
    metal_voxels: int
    source: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """The result of a task.

    made: Its cases.
    refused: Kind and message of each refusal.
    """

    made: tuple[MadeCase, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


def make_cases(task: Task) -> Outcome:
    """Read every stack of a source and write its cases into the task's folder.

    Args:
        task: What to read, and where to write.

    Returns:
        The cases, and what was refused.

    Raises:
        OutputError: The folder cannot be written.
    """
    made: list[MadeCase] = []
    refused: list[tuple[str, str]] = []
    with TemporaryDirectory(prefix="monai_ctseg.") as links:
        _link(task.source, Path(links))
        with _refusals(refused):
            path, stacks = _stacks(Path(links), task.source)
            for stack in stacks:
                with _refusals(refused):
                    made.append(_make(read_scan(path, series=stack), task))
    return Outcome(tuple(made), tuple(refused))


def _link(source: Source, folder: Path) -> None:
    """Make links with plain names to the files: no note and no refusal then repeats a name that may be a patient's."""
    for n, path in enumerate(source.files):
        link = "volume.nii.gz" if path.name.lower().endswith(".gz") else "volume.nii"
        (folder / (link if is_nifti(path) else f"file{n:06d}")).symlink_to(path.absolute())


def _stacks(folder: Path, source: Source) -> tuple[Path, list[str | None]]:
    """The path to read, and the names of the stacks in it; None where there is only one."""
    if is_nifti(source.files[0]):
        return next(folder.iterdir()), [None]
    stacks, _ = find_stacks(folder)
    return folder, [None] if len(stacks) == 1 else [stack.name for stack in stacks]


def _make(scan: Scan, task: Task) -> MadeCase:
    _require_hu(scan)
    source = provenance(scan)
    metal = segment(scan, threshold_hu=task.threshold_hu)
    voxels = str(source["voxels_sha256"])
    made = MadeCase(f"case_{voxels[:12]}", voxels, metal.mask.count, source)
    with writing_errors("the cases", advice=RESTART):
        files = {folder: task.folder / folder / (made.name + ending) for folder, ending in CASE_FILES.items()}
        for file in files.values():
            file.parent.mkdir(parents=True, exist_ok=True)
        write_scan(scan, files["images"])
        write_mask(metal.mask, files["labels"])
        write_json(files["component_reports"], {"case": made.name, "source": source, **metal.component_report()})
    return made


def _require_hu(scan: Scan) -> None:
    low, high = float(scan.hu.min()), float(scan.hu.max())
    if low >= 0 and high <= _HIGHEST_OF_PICTURE and np.issubdtype(scan.hu.dtype, np.integer):
        raise NotCT(f"holds values from {low:g} to {high:g} only: a mask or a picture, not CT in HU")


@contextmanager
def _refusals(refused: list[tuple[str, str]]) -> Iterator[None]:
    """Collect what is wrong with a scan, as a kind and a line; OutputError passes."""
    try:
        yield
    except OutputError:
        raise
    except CtsegError as error:
        refused.append((type(error).__name__, str(error)))
    except MemoryError:
        refused.append(("MemoryError", "not enough memory for this scan; use a machine with more, or fewer --jobs"))
    except OSError as error:
        refused.append(("ScanError", f"cannot be read ({error.strerror or error}); check the files"))
    except Exception as error:  # a fault of ours in one scan is no reason to lose the others
        refused.append(
            (type(error).__name__, f"a fault of monai-ctseg itself ({type(error).__name__}); please report it")
        )


def with_names(message: str, source: Source) -> str:
    """A refusal with the files' own names in place of the links', for the screen."""
    message = re.sub(r"file(\d{6})", lambda found: source.files[int(found[1])].name, message)
    return re.sub(r"volume\.nii(\.gz)?: ", "", message)
