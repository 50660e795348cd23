"""`monai-ctseg evaluate`: how well masks agree, two at a time or many; or a network with the truth of a dataset."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from monai_ctseg.cli.console import JsonOption, OverwriteOption, finite, print_facts, print_json, progress, warn
from monai_ctseg.metrics.overlap import Overlap
from monai_ctseg.metrics.pairs import MaskPair, pair_masks, score_pairs
from monai_ctseg.metrics.scores import POLICY, ScoreTable
from monai_ctseg.metrics.summary import Spread, Summary
from monai_ctseg.metrics.tables import write_scores
from monai_ctseg.output import file_sha256, new_folder, write_run

LISTED = 20


class Section(StrEnum):
    """A part of a dataset.json."""

    validation = "validation"
    test = "test"
    training = "training"


app = typer.Typer()
PANELS = {"With a dataset": ("weights", "section", "threshold", "device", "bundle")}


@app.command(epilog="Example:  monai-ctseg evaluate hip_run/dataset.json -o hip_scores --weights hip_run/model.pt")
def evaluate(
    predicted: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTED|DATASET",
            help="A mask as NIfTI (0 and 1), a folder of masks, or a dataset.json.",
            show_default=False,
        ),
    ],
    truth: Annotated[
        Path | None,
        typer.Argument(
            help="The mask or folder of masks to hold it against, on the same grids; none with a dataset.json.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="The folder to write; needed with a dataset.", show_default=False
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="A model.pt. Default: the bundle's own.", show_default=False)
    ] = None,
    section: Annotated[
        Section | None, typer.Option(help="Of the dataset. Default: validation.", show_default=False)
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            callback=lambda value: value if value is None else finite(value),
            help="In HU, of the threshold beside the network. Default: as the bundle says.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1. Default: CUDA where it is.", show_default=False)
    ] = None,
    bundle: Annotated[
        str | None, typer.Option(help="Name or folder of a MONAI bundle. Default: metal_unet2d.", show_default=False)
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare masks, or a network's masks with the truth of a dataset.

    Two masks: Dice, IoU, volumes, false volume, surface distances. Two folders: masks are matched by name. A
    dataset.json: the network runs over one of its sections, and the threshold for comparison.

    Writes cases.csv, scores.json, run.json and, of a dataset, sheet.png (the worst slice of each case).
    """
    of_dataset: dict[str, Any] = {
        "bundle": bundle,
        "weights": weights,
        "section": section.value if section else None,
        "threshold_hu": threshold,
        "device": device,
    }
    of_dataset = {name: value for name, value in of_dataset.items() if value is not None}
    if truth is None:
        _evaluate_dataset(predicted, output, of_dataset, overwrite=overwrite, as_json=as_json)
        return
    if of_dataset:
        raise typer.BadParameter(
            f"{', '.join(of_dataset)} belong to the evaluation of a dataset; leave them out with two masks"
        )
    _evaluate_masks(predicted, truth, output, overwrite=overwrite, as_json=as_json)


def _evaluate_masks(predicted: Path, truth: Path, output: Path | None, *, overwrite: bool, as_json: bool) -> None:
    folders = predicted.is_dir() and truth.is_dir()
    start = perf_counter()
    with new_folder(output, overwrite=overwrite) if output else nullcontext() as folder:
        pairs = pair_masks(predicted, truth) if folders else (MaskPair(predicted.name, predicted, truth),)
        with progress("comparing") as callback:
            table = score_pairs(pairs, progress=callback)
        if folder:
            write_scores(table, folder)
            inputs = [
                {
                    "case": pair.case,
                    **{f"{side}_sha256": file_sha256(getattr(pair, side)) for side in ("predicted", "truth")},
                }
                for pair in pairs
            ]
            write_run(folder, "evaluate", {}, inputs=inputs, seconds={"all": perf_counter() - start})
    if folders:
        report(table, output, as_json=as_json)
    elif as_json:
        print_json(asdict(table.cases[0].overlap))
    else:
        print_facts(describe(table.cases[0].overlap))


def _evaluate_dataset(
    dataset: Path, output: Path | None, options: dict[str, Any], *, overwrite: bool, as_json: bool
) -> None:
    if output is None:
        raise typer.BadParameter(
            "one mask needs a second, TRUTH, to be held against; and a dataset.json needs -o FOLDER"
        )
    if dataset.suffix != ".json" and not (dataset / "dataset.json").is_file():
        raise typer.BadParameter(f"{dataset.name} is no dataset.json and holds none; name one, or give TRUTH, too")
    from monai_ctseg.networks.evaluate import evaluate as run_evaluation

    with new_folder(output, overwrite=overwrite) as folder:
        with progress("evaluating") as callback:
            result = run_evaluation(dataset, folder, progress=callback, **options)
        write_run(
            folder,
            "evaluate",
            {name: value for name, value in options.items() if name != "weights"},
            inputs=result.inputs,
            section=result.section,
            note=result.note,
            dataset_sha256=file_sha256(dataset if dataset.suffix == ".json" else dataset / "dataset.json"),
            weights_sha256=file_sha256(result.weights),
            seconds={"all": result.seconds},
        )
    report(result.table, output, as_json=as_json, pictures=True)
    if result.made_by_hu is not None:
        warn(
            f"the labels of this dataset were made by a threshold of {result.made_by_hu:g} HU (unless you put others "
            "in their place): they are no ground truth, and beside them that threshold is right by definition"
        )


def report(table: ScoreTable, output: Path | None, *, as_json: bool, pictures: bool = False) -> None:
    """Print all cases summed up, the worst ones, and how to read it."""
    if as_json:
        print_json({**table.as_json(), "output": None if output is None else str(output)})
        return
    overall = table.overall
    summaries = {name: describe_summary(summary) for name, summary in overall.items()}
    titles = [f"{name} {table.threshold_hu:g} HU" if name == "threshold" else name for name in overall]
    facts = next(iter(summaries.values()))
    _print_table([["", *titles], *([fact, *(column[fact] for column in summaries.values())] for fact in facts)])
    typer.echo()
    _print_table(list_cases(table))
    for note in table.notes:
        typer.echo(f"\nnote: {note}")
    typer.echo(f"\npolicy: {POLICY}")
    if output is not None:
        typer.echo(f"\nwritten to {output}: cases.csv, scores.json, {'sheet.png, ' if pictures else ''}run.json")


def describe_summary(summary: Summary) -> dict[str, str]:
    """One method over all cases, as lines to read."""
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


def list_cases(table: ScoreTable) -> list[list[str]]:
    """The worst cases by the first method, a line each, under a heading."""
    methods = list(table.overall)
    found = {(score.case, score.method): score.overlap for score in table.cases}  # a saturated scan has no "threshold"
    cases = dict.fromkeys(score.case for score in table.cases)
    lines = [["worst cases", *(f"Dice, {name}" for name in methods), "HD95", "false positive", "false negative"]]
    for case in sorted(cases, key=lambda case: found[case, methods[0]].dice)[:LISTED]:
        overlap = found[case, methods[0]]
        dices = [_dice(found.get((case, name))) for name in methods]
        volumes = [f"{mm3:,.1f} mm3" for mm3 in (overlap.false_positive_mm3, overlap.false_negative_mm3)]
        lines.append([case, *dices, _number(overlap.hd95_mm, "{:.3f} mm"), *volumes])
    return lines


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


def _print_table(rows: list[list[str]]) -> None:
    """Aligned columns."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
