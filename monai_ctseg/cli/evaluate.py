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
from monai_ctseg.metrics.pairs import MaskPair, pair_masks, score_pairs
from monai_ctseg.metrics.scores import POLICY, ScoreTable
from monai_ctseg.metrics.tables import write_scores
from monai_ctseg.metrics.text import describe_overlap, describe_summary, worst_cases
from monai_ctseg.output import file_sha256, new_folder, write_run


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
            help="The mask or folder of masks to compare it with, on the same grids; none with a dataset.json.",
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
        print_facts(describe_overlap(table.cases[0].overlap))


def _evaluate_dataset(
    dataset: Path, output: Path | None, options: dict[str, Any], *, overwrite: bool, as_json: bool
) -> None:
    if output is None:
        raise typer.BadParameter(
            "one mask needs a second one, TRUTH, to be compared with; a dataset.json needs -o FOLDER"
        )
    if dataset.suffix != ".json" and not (dataset / "dataset.json").is_file():
        raise typer.BadParameter(f"{dataset.name} is not a dataset.json and holds none; name one, or give TRUTH, too")
    from monai_ctseg.networks.evaluate import EvaluateOptions
    from monai_ctseg.networks.evaluate import evaluate as run_evaluation

    with new_folder(output, overwrite=overwrite) as folder:
        with progress("evaluating") as callback:
            result = run_evaluation(dataset, folder, EvaluateOptions(**options), progress=callback)
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
            f"the labels of this dataset were made by a threshold of {result.made_by_hu:g} HU (unless you "
            "replaced them): they are not a ground truth, and compared with them that threshold is right by definition"
        )


def report(table: ScoreTable, output: Path | None, *, as_json: bool, pictures: bool = False) -> None:
    """Print a summary of all cases, the worst ones, and how to read them."""
    if as_json:
        print_json({**table.as_json(), "output": None if output is None else str(output)})
        return
    overall = table.overall
    summaries = {name: describe_summary(summary) for name, summary in overall.items()}
    titles = [f"{name} {table.threshold_hu:g} HU" if name == "threshold" else name for name in overall]
    facts = next(iter(summaries.values()))
    _print_table([["", *titles], *([fact, *(column[fact] for column in summaries.values())] for fact in facts)])
    typer.echo()
    _print_table(worst_cases(table))
    for note in table.notes:
        typer.echo(f"\nnote: {note}")
    typer.echo(f"\npolicy: {POLICY}")
    if output is not None:
        typer.echo(f"\nwritten to {output}: cases.csv, scores.json, {'sheet.png, ' if pictures else ''}run.json")


def _print_table(rows: list[list[str]]) -> None:
    """Aligned columns."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
