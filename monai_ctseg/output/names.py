"""Names of cases: short, unique, and taken from what the user named."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from monai_ctseg.io.nifti import ENDINGS


def unique_names(paths: Sequence[Path]) -> list[str]:
    """A name for each scan, good for a folder: upper and lower case do not tell names apart.

    >>> unique_names([Path("a/hip.nii.gz"), Path("b/hip"), Path("c/knee.dcm")])
    ['a_hip', 'b_hip', 'knee']

    Args:
        paths: Files or folders.

    Returns:
        The `case_name` of each path; where several share one, with the name of the folder above in front, and with
        _2, _3 ... behind it where that does not suffice.
    """
    stems = [case_name(path) for path in paths]
    shared = Counter(stem.casefold() for stem in stems)
    taken: set[str] = set()
    names: list[str] = []
    for path, stem in zip(paths, stems, strict=True):
        name = stem if shared[stem.casefold()] == 1 else f"{_absolute(path).parent.name}_{stem}"
        tries = (name if n == 1 else f"{name}_{n}" for n in range(1, len(paths) + 1))
        names.append(next(name for name in tries if name.casefold() not in taken))
        taken.add(names[-1].casefold())
    return names


def case_name(path: Path) -> str:
    """The name of a folder, or of a file without its ending; never hidden and never empty.

    >>> case_name(Path("a/hip.nii.gz"))
    'hip'
    """
    path = _absolute(path)
    if path.is_dir():
        name = path.name
    else:
        ending = next((ending for ending in ENDINGS if path.name.lower().endswith(ending)), path.suffix)
        name = path.name[: len(path.name) - len(ending)]
    return name.lstrip(".") or "scan"


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - a link's own name
