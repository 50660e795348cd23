"""`monai-ctseg study`: a validation study, from the protocol over blind reader sheets to the report."""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monai_ctseg.cli.console import (
    JsonOption,
    OutputOption,
    OverwriteOption,
    print_facts,
    print_json,
    progress,
    warn,
)
from monai_ctseg.cli.study_plan import plan
from monai_ctseg.errors import OutputError, plural

if TYPE_CHECKING:
    from monai_ctseg.agreement.study.analyse import StudyResult
    from monai_ctseg.agreement.study.protocol import StudyProtocol

app = typer.Typer(help="Plan a validation study, make blind sheets, analyse them.", no_args_is_help=True)
PANELS = {
    "What is measured": ("quantity", "unit", "acceptable_difference", "raters", "sessions", "sides"),
    "Sample size": (
        "expected_sd",
        "expected_bias",
        "limit_width",
        "power",
        "expected_icc",
        "icc_width",
        "side_correlation",
        "dropout",
    ),
}


class Images(StrEnum):
    """How a reader's sheet refers to images."""

    given = "given"
    link = "link"
    copy = "copy"


app.command(epilog="Example:  monai-ctseg study plan -o protocol.yaml --acceptable-difference 2")(plan)


@app.command(epilog="Example:  monai-ctseg study sheet protocol.yaml cases.csv -o hips --images link")
def sheet(
    protocol: Annotated[Path, typer.Argument(metavar="PROTOCOL", help="What `study plan` wrote, edited.")],
    cases: Annotated[
        Path, typer.Argument(metavar="SUBJECTS.csv", help="One row per target: subject (pseudonym), side, image.")
    ],
    output: OutputOption,
    images: Annotated[
        Images,
        typer.Option(help="Pointers as given; or links to, or copies of, the images, named by code."),
    ] = Images.given,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Seed of orders and codes, for the same sheets again; by default random.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fix the protocol, and make a blind sheet in random order for each reader and session, with a separate key."""
    from monai_ctseg.agreement.study.cases import read_cases
    from monai_ctseg.agreement.study.key import KEY
    from monai_ctseg.agreement.study.protocol import sha256
    from monai_ctseg.agreement.study.protocol_file import read_protocol
    from monai_ctseg.agreement.study.sheets import KEY_FOLDER, READERS, SheetOptions, write_sheets
    from monai_ctseg.output import file_sha256, new_folder, write_run

    start, fixed, targets = time.monotonic(), read_protocol(protocol), read_cases(cases)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise OutputError(f"{output}: exists already, and a study's key must not be lost; name another folder")
    _warn_of_cases(fixed, [(case.subject, case.side) for case in targets], images)
    drawn = secrets.randbits(48) if seed is None else seed
    with progress("writing sheets") as bar, new_folder(output) as folder:
        options = SheetOptions(drawn, images.value, cases.parent)
        key = write_sheets(fixed, targets, folder, options, bar)
        facts: dict[str, Any] = {
            "subjects": len({case.subject for case in targets}),
            "targets": len(targets),
            "raters": list(fixed.data_collection.raters),
            "sessions": fixed.data_collection.sessions,
            "readings": len(key.entries),
            "protocol_sha256": sha256(key.fixed),
            "key_sha256": file_sha256(folder / KEY_FOLDER / KEY),
        }
        seconds = {"total": time.monotonic() - start}
        write_run(folder, "study sheet", {"images": images.value}, seconds=seconds, study=facts)
    if as_json:
        print_json({"seed": drawn, **facts})
        return
    readers = ", ".join(facts["raters"])
    print_facts(
        {
            "for readers": f"{output.name}/{READERS}: {readers}, {facts['sessions']} sessions each",
            "key": f"{output.name}/{KEY_FOLDER}: keep it from the readers",
            "cases": f"{facts['targets']} targets of {facts['subjects']} subjects, {facts['readings']} readings",
            "seed": f"{drawn}, kept in {output.name}/{KEY_FOLDER}: with the list of cases it reproduces the key",
            "protocol SHA-256": f"{facts['protocol_sha256']}\nregister it: it proves what was fixed beforehand",
        }
    )


@app.command(epilog="Example:  monai-ctseg study analyse hips filled/*.csv measurements.csv -o result")
def analyse(
    study: Annotated[Path, typer.Argument(metavar="STUDY_FOLDER", help="What `study sheet` wrote.")],
    measurements: Annotated[
        list[Path],
        typer.Argument(metavar="MEASUREMENTS.csv...", help="All filled sheets, and what `measure` wrote."),
    ],
    output: OutputOption,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Count readings that are missing or not blind as failures.")
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check sheets by the key and the protocol, join them with the program's measurements, and report."""
    from monai_ctseg.agreement.study.analyse import analyse_study, write_result
    from monai_ctseg.output import file_sha256, new_folder, write_run

    start = time.monotonic()
    with progress("analysing"):
        result = analyse_study(study, measurements, allow_missing=allow_missing)
        for note in result.joined.notes:
            warn(note)
        with new_folder(output, overwrite=overwrite) as folder:
            write_result(result, folder)
            write_run(
                folder,
                "study analyse",
                {"allow_missing": allow_missing, "overwrite": overwrite},
                inputs=[{"measurements_sha256": file_sha256(path)} for path in measurements],
                seconds={"total": time.monotonic() - start},
                study=_result_facts(result),
            )
    if result.joined.gaps:
        warn(f"{plural(len(result.joined.gaps), 'reading')} missing or not blind, counted as failures")
    if as_json:
        print_json(_result_facts(result))
    else:
        print_facts(_describe(result, output))


def _warn_of_cases(protocol: StudyProtocol, targets: list[tuple[str, str]], images: Images) -> None:
    subjects, planned = len({subject for subject, _ in targets}), protocol.sample_size.subjects
    if subjects < planned:
        warn(f"{subjects} subjects, where the protocol plans {planned}: intervals will be wider than planned")
    if images is Images.given and protocol.data_collection.sessions > 1:
        warn(
            "a case has the same image pointer in each session, so a reader may recognise it; --images link avoids that"
        )


def _result_facts(result: StudyResult) -> dict[str, Any]:
    from monai_ctseg.agreement.study.join import losses

    found, wanted = result.agreement, result.protocol.requirements
    altman = found.bland_altman
    estimates = {"bias": altman.bias, "sd": altman.sd, "lower": altman.lower_limit, "upper": altman.upper_limit}
    return {
        "quantity": wanted.quantity,
        "unit": wanted.unit,
        "scale": altman.scale,
        "subjects": found.subjects,
        "targets": found.targets,
        "readings": found.readings,
        **{name: [estimate.value, estimate.low, estimate.high] for name, estimate in estimates.items()},
        "acceptable_difference": wanted.acceptable_difference,
        "limits_acceptable": found.equivalence.limits.verdict,
        "mean_acceptable": found.equivalence.mean.verdict,
        "failed": sum(loss.failed for loss in losses(result.joined)),
        "missing": [asdict(gap) for gap in result.joined.gaps],
        "protocol_sha256": result.protocol_sha256,
    }


def _describe(result: StudyResult, output: Path) -> dict[str, str]:
    """The facts of `monai-ctseg agreement`, with failures and missing readings apart."""
    from monai_ctseg.agreement.report.summary import subject_of, summary
    from monai_ctseg.agreement.report.wording import plain
    from monai_ctseg.agreement.study.join import losses

    found = result.agreement
    lines = {line.name: plain(line.text()) for line in summary(found)}
    return {
        "compared": subject_of(found),
        **lines,
        "failures": "\n".join(loss.text for loss in losses(result.joined)),
        "report": f"{output.name}/report.html, report.md",
    }
