"""Scores as lines to read."""

from __future__ import annotations

from monai_ctseg.metrics.overlap import Overlap
from monai_ctseg.metrics.scores import ScoreTable
from monai_ctseg.metrics.summary import Spread, Summary

LISTED = 20


def describe_summary(summary: Summary) -> dict[str, str]:
    """One method over all cases: values by the name of the figure."""
    return {
        "cases": f"{summary.cases}, {summary.cases_with_metal} with metal",
        "Dice, mean": _mean(summary.dice, "{:.4f}", summary),
        "Dice, median and range": _range(summary.dice),
        "IoU, mean": _mean(summary.iou, "{:.4f}", summary),
        "Dice, all voxels": _number(summary.pooled_dice, "{:.4f}"),
        "HD95, mean": _mean(summary.hd95_mm, "{:.3f} mm", summary),
        "surface distance, mean": _mean(summary.average_surface_distance_mm, "{:.3f} mm", summary),
        "volume": f"{summary.volume_predicted_mm3:,.1f} mm3",
        "volume of the truth": f"{summary.volume_truth_mm3:,.1f} mm3",
        "false positive": f"{summary.false_positive_mm3:,.1f} mm3",
        "false negative": f"{summary.false_negative_mm3:,.1f} mm3",
        "missed cases": f"{summary.cases_missed} of {summary.cases_with_metal}",
        "slices without metal": f"{summary.false_metal_on_slices_mm3:,.1f} mm3 false, "
        f"on {summary.slices_with_false_metal} of {summary.slices_without_metal}",
        "scans without metal": f"{summary.false_metal_on_scans_mm3:,.1f} mm3 false, "
        f"in {summary.cases_with_false_metal} of {summary.cases_without_metal}",
    }


def worst_cases(table: ScoreTable) -> list[list[str]]:
    """The worst cases by the first method: a heading, then one row for each case."""
    methods = list(table.overall)
    found = {(score.case, score.method): score.overlap for score in table.cases}
    cases = dict.fromkeys(score.case for score in table.cases)
    rows = [["worst cases", *(f"Dice, {name}" for name in methods), "HD95", "false positive", "false negative"]]
    for case in sorted(cases, key=lambda case: found[case, methods[0]].dice)[:LISTED]:
        overlap = found[case, methods[0]]
        dices = [_dice(found.get((case, name))) for name in methods]
        volumes = [f"{mm3:,.1f} mm3" for mm3 in (overlap.false_positive_mm3, overlap.false_negative_mm3)]
        rows.append([case, *dices, _number(overlap.hd95_mm, "{:.3f} mm"), *volumes])
    return rows


def describe_overlap(overlap: Overlap) -> dict[str, str]:
    """One mask compared with the truth: values by the name of the figure."""
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


def _dice(overlap: Overlap | None) -> str:
    if overlap is None:
        return "saturated"
    return f"{overlap.dice:.4f}" if overlap.voxels_truth else "no metal"


def _number(value: float | None, form: str) -> str:
    return "not defined" if value is None else form.format(value)


def _mean(spread: Spread | None, form: str, summary: Summary) -> str:
    if spread is None:
        return "not defined"
    mean = form.format(spread.mean)
    return mean if spread.cases == summary.cases_with_metal else f"{mean}, of {spread.cases} cases"


def _range(spread: Spread | None) -> str:
    return "not defined" if spread is None else f"{spread.median:.4f}, {spread.minimum:.4f} to {spread.maximum:.4f}"
