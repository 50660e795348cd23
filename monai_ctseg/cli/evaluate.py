"""`monai-ctseg evaluate`: how well two masks agree."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from monai_ctseg.cli.console import JsonOption, print_facts, print_json, progress
from monai_ctseg.nifti import read_mask
from monai_ctseg.overlap import Overlap, compare_masks


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example:  monai-ctseg evaluate out/mask.nii.gz truth.nii.gz")(evaluate)


def evaluate(
    predicted: Annotated[Path, typer.Argument(help="A mask as NIfTI, 0 and 1.", show_default=False)],
    truth: Annotated[Path, typer.Argument(help="The mask to hold it against, on the same grid.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Compare two masks on one grid: Dice, IoU, volumes, false volume, surface distances."""
    with progress("comparing"):
        overlap = compare_masks(read_mask(predicted), read_mask(truth))
    if as_json:
        print_json(asdict(overlap))
    else:
        print_facts(describe(overlap))


def describe(overlap: Overlap) -> dict[str, str]:
    """The facts as lines to read."""
    difference = overlap.volume_difference_percent
    return {
        "Dice": f"{overlap.dice:.4f}",
        "IoU": f"{overlap.iou:.4f}",
        "volume, predicted": f"{overlap.volume_predicted_mm3:.1f} mm3 ({overlap.voxels_predicted:,} voxels)",
        "volume, truth": f"{overlap.volume_truth_mm3:.1f} mm3 ({overlap.voxels_truth:,} voxels)",
        "volume difference": "not defined" if difference is None else f"{difference:+.1f} %",
        "false positive": f"{overlap.false_positive_mm3:.1f} mm3",
        "false negative": f"{overlap.false_negative_mm3:.1f} mm3",
        "95th percentile Hausdorff": _distance(overlap.hd95_mm),
        "average surface distance": _distance(overlap.average_surface_distance_mm),
    }


def _distance(mm: float | None) -> str:
    return "not defined: a mask is empty" if mm is None else f"{mm:.3f} mm"
