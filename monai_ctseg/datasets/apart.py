"""No slice is in two sections of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ctseg.errors import DatasetError

if TYPE_CHECKING:
    from monai_ctseg.datasets.records import Case


def require_apart(one: Sequence[Case], other: Sequence[Case], where: Path | str) -> None:
    """Raise DatasetError, which names `where`, if a slice of a scan is in both sections, under whatever name."""
    known: dict[Any, list[Case]] = {}
    for a in one:
        for key in _identities(a):
            known.setdefault(key, []).append(a)
    for b in other:
        for a in [a for key in _identities(b) for a in known.get(key, ())]:
            if a.series and b.series and a.series != b.series:
                continue
            if a.slices is None or b.slices is None or set(a.slices) & set(b.slices):
                names = dict.fromkeys((a.image.name, b.image.name))
                raise DatasetError(
                    f"{where} has the same slices of {' and '.join(names)} in two sections; hold some out"
                )


def _identities(case: Case) -> list[Any]:
    """What two cases of one scan share."""
    image = _resolved(case.image)
    return [image] if case.voxels_sha256 is None else [image, case.voxels_sha256]


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):
        return path
