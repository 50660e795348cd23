"""Predicted masks and true ones, matched by name and scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_ctseg.errors import CtsegError, MaskError
from monai_ctseg.io.nifti import is_nifti, read_mask
from monai_ctseg.io.walk import walk_files
from monai_ctseg.metrics.score import Score
from monai_ctseg.metrics.scores import ScoreTable, score_masks
from monai_ctseg.output.names import case_name
from monai_ctseg.parallel import Progress

MASK_NAMES = ("mask.nii.gz", "mask.nii")


@dataclass(frozen=True)
class MaskPair:
    """Two mask files of one case."""

    case: str
    predicted: Path
    truth: Path


def pair_masks(predicted: Path, truth: Path) -> tuple[MaskPair, ...]:
    """Match the masks of two folders by case.

    A mask is the mask.nii.gz of a sub-folder, and its case the sub-folder; where a folder holds none of these, each
    NIfTI file in it is one, and its case the file's name without ending.

    Args:
        predicted: Folder of predicted masks.
        truth: Folder of true masks.

    Returns:
        The pairs, sorted by case.

    Raises:
        MaskError: A folder holds no mask, two of one case, or one without a partner in the other folder.
        ScanError: A folder cannot be read.
    """
    sides = [_find_masks(folder) for folder in (predicted, truth)]
    for own, other, folder in ((sides[0], sides[1], truth), (sides[1], sides[0], predicted)):
        alone = sorted(own.keys() - other.keys())
        if alone:
            more = f" and {len(alone) - 5} more" if len(alone) > 5 else ""
            raise MaskError(
                f"{folder}: no mask for {', '.join(alone[:5])}{more}; "
                "masks are matched by name, so rename them, or remove those without a partner"
            )
    return tuple(MaskPair(case, sides[0][case], sides[1][case]) for case in sorted(sides[0]))


def score_pairs(pairs: Sequence[MaskPair], *, progress: Progress | None = None) -> ScoreTable:
    """Score each pair.

    Args:
        pairs: From `pair_masks`.
        progress: Called with the number of pairs done and of all pairs.

    Raises:
        CtsegError: A mask cannot be read, or two do not lie on one grid; the message names the case.
    """
    scores: list[Score] = []
    for pair in pairs:
        try:
            scores.append(score_masks(read_mask(pair.predicted), read_mask(pair.truth), case=pair.case))
        except CtsegError as error:
            said = str(error)
            raise type(error)(said if pair.case in said else f"{pair.case}: {said}") from error
        if progress is not None:
            progress(len(scores), len(pairs))
    return ScoreTable(tuple(scores))


def _find_masks(folder: Path) -> dict[str, Path]:
    """Mask files by case; the case of a mask.nii.gz in the folder itself is "mask"."""
    files = [path for path in walk_files(folder) if path.is_file()]
    named = [path for path in files if path.name in MASK_NAMES]
    found: dict[str, Path] = {}
    if named:
        cases = [(path.parent.relative_to(folder).as_posix(), path) for path in named]
        cases = [("mask" if case == "." else case, path) for case, path in cases]
    else:
        cases = [(case_name(path), path) for path in files if path.parent == folder and is_nifti(path)]
    for case, path in cases:
        if case in found:
            raise MaskError(f"{folder}: two masks for {case}: {found[case].name} and {path.name}; keep one of them")
        found[case] = path
    if not found:
        raise MaskError(f"{folder}: holds no mask; it needs NIfTI files, or folders with a mask.nii.gz each")
    return found
