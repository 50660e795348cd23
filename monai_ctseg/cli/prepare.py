"""`monai-ctseg prepare`: image/label pairs and dataset.json of a cohort."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from monai_ctseg.cli.console import (
    JsonOption,
    OverwriteOption,
    ThresholdOption,
    print_facts,
    print_json,
    progress,
    warn,
)
from monai_ctseg.datasets import CohortOptions, Failure, Prepared, prepare_cohort
from monai_ctseg.segmentation.intensity import METAL_HU

LISTED = 20


app = typer.Typer()


@app.command(epilog="Example:  monai-ctseg prepare ~/scans ~/more/scan.nii.gz -o cohort --jobs 4")
def prepare(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Folders, searched with all folders in them, DICOM files and NIfTI volumes.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="The folder to write; an interrupted run resumes there.",
            show_default=False,
        ),
    ],
    threshold: ThresholdOption = METAL_HU,
    validation: Annotated[float, typer.Option(min=0, max=0.9, help="Share of the patients that validates.")] = 0.2,
    test: Annotated[float, typer.Option(min=0, max=0.9, help="Share of the patients kept for a last test.")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Of the split.")] = 0,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Scans at once. Default: as cores and memory allow for the largest scan.", show_default=False
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a training dataset from the CT series in some folders.

    Labels are what lies above the threshold in the body: replace them with better masks where you have them. Cases are
    named by a hash of their voxels; no name, ID or path of a patient is written.

    Patients (by PatientID, study, frame of reference, or the same voxels) are split as a whole, those with metal and
    those without each in these shares.

    A scan that is refused is listed and left out, and the rest is done: exit code 0, or 1 if no scan could be used. An
    interrupted run resumes when the same command is given again. --overwrite brings a finished folder up to date:
    scans that did not change, at the same threshold, are not read again.

    Writes images/, labels/ and component_reports/ with one file for each case, dataset.json, failures.json, run.json,
    and done/, from which an interrupted run resumes.
    """
    if validation + test >= 1:
        raise typer.BadParameter("--validation and --test leave nothing to train on", param_hint="--test")
    with progress("preparing") as callback:
        listed = 0

        def say(failure: Failure) -> None:
            nonlocal listed
            listed += 1
            if listed <= LISTED:
                warn(f"left out {failure.where}: {failure.message}")

        prepared = prepare_cohort(
            paths,
            output,
            CohortOptions(threshold, validation, test, seed, overwrite),
            jobs=jobs,
            progress=callback,
            on_failure=say,
        )
    if as_json:
        print_json(as_facts(prepared, output))
    else:
        print_facts(describe(prepared))
        typer.echo(
            f"\nwritten to {output}: images/, labels/, component_reports/, dataset.json, failures.json, run.json"
        )
    _warn(prepared)


def as_facts(prepared: Prepared, output: Path) -> dict[str, object]:
    """The result as JSON values."""
    dataset = prepared.dataset
    return {
        "cases": prepared.cases,
        "with_metal": prepared.with_metal,
        "patients": prepared.patients,
        "unidentified": prepared.unidentified,
        "kept": prepared.kept,
        **{name: len(dataset.cases(name)) for name in ("training", "validation", "test")},
        "note": dataset.note,
        "duplicates": [{"where": where, "case": case} for where, case in prepared.duplicates],
        "failures": [asdict(failure) for failure in prepared.failures],
        "seconds": round(prepared.seconds, 3),
        "output": str(output),
    }


def describe(prepared: Prepared) -> dict[str, str]:
    """The result as lines to read."""
    dataset = prepared.dataset
    kept = f", {prepared.kept} of them done before" if prepared.kept else ""
    doubles = [f"{where} has the voxels of {case}" for where, case in prepared.duplicates]
    shown = doubles[:LISTED] + ([f"... {len(doubles) - LISTED} more"] if len(doubles) > LISTED else [])
    return {
        "cases": f"{prepared.cases} of {prepared.patients} patients{kept}",
        "with metal": f"{prepared.with_metal}",
        "training": f"{len(dataset.training)}, validation {len(dataset.validation)}, test {len(dataset.test)}",
        "split": dataset.note,
        "left out": f"{len(prepared.failures)}",
        "duplicates": "\n".join(shown) or "none",
        "took": f"{prepared.seconds:.0f} s",
    }


def _warn(prepared: Prepared) -> None:
    if prepared.unidentified > 1:
        warn(f"{prepared.unidentified} cases name no patient; each counts as a patient of its own")
    if not prepared.with_metal:
        warn("no case holds metal at this threshold, and `train` will refuse them; try a lower --threshold")
    elif not prepared.dataset.validation:
        warn(f"nothing validates, and `train` will refuse this dataset.json: {prepared.dataset.note}")
    if prepared.failures:
        warn(f"{len(prepared.failures)} scans were left out, see above and failures.json; the others are done")
