"""`monai-ctseg agreement`: how well two methods agree that measured the same hips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

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
from monai_ctseg.errors import MeasurementsError
from monai_ctseg.output import file_sha256, new_folder, write_run

if TYPE_CHECKING:
    from monai_ctseg.agreement.statistics import Agreement, Protocol, Table

PROGRAM = "monai-ctseg"
"""What `measure` calls its own method; it is the one under test unless another is named."""


class Scale(StrEnum):
    """How readings are compared."""

    auto = "auto"
    difference = "difference"
    ratio = "ratio"


@dataclass(frozen=True)
class Wanted:
    """What the options name; None where they do not."""

    reference: str | None
    method: str | None
    quantity: str | None
    acceptable_difference: float | None
    acceptable_ratio: float | None
    scale: Scale | None


@dataclass(frozen=True)
class Plan:
    """What the statistics take as fixed, and what a study's protocol says to the items of the report."""

    protocol: Protocol
    statements: Mapping[str, str] = field(default_factory=dict)


app = typer.Typer()


@app.command(
    epilog="Example:  monai-ctseg agreement readings.csv -o agreement --reference clinician --acceptable-difference 2"
)
def agreement(
    measurements: Annotated[
        list[Path],
        typer.Argument(
            metavar="MEASUREMENTS...",
            help="CSV, a row a reading: subject, side, method, rater, session, value; also quantity, unit, reason.",
            show_default=False,
        ),
    ],
    output: OutputOption,
    reference: Annotated[
        str | None,
        typer.Option(help="The method to hold the other against.", show_default=False),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="The method under test; without it monai-ctseg, or the only other.", show_default=False),
    ] = None,
    quantity: Annotated[
        str | None, typer.Option(help="What was measured, where the table has several.", show_default=False)
    ] = None,
    acceptable_difference: Annotated[
        float | None,
        typer.Option(help="The largest difference that does no harm, fixed before the data.", show_default=False),
    ] = None,
    acceptable_ratio: Annotated[
        float | None, typer.Option(help="The same for ratios, such as 1.05.", show_default=False)
    ] = None,
    scale: Annotated[
        Scale | None,
        typer.Option(help="Differences or ratios; auto: ratios where spread grows with size. [default: auto]"),
    ] = None,
    protocol: Annotated[
        Path | None,
        typer.Option(
            metavar="PROTOCOL.yaml", help="A study's protocol in place of the options above.", show_default=False
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say how well two methods agree that measured the same hips, and write a report in the order of GRRAS.

    Bias and limits of agreement (Bland and Altman), ICC, Lin's concordance, Deming and Passing-Bablok regression,
    failure rates, and a verdict against the acceptable difference, each with its interval; what cannot be estimated
    says why. All is for the readers in the table, not for others.
    Two hips of one subject are not taken as independent. An empty value is a failure: it is counted, never dropped.
    Writes report.html, report.md, agreement.json, hips.csv, plots as PNG and SVG, and run.json.
    """
    wanted = Wanted(reference, method, quantity, acceptable_difference, acceptable_ratio, scale)
    if protocol and any(value is not None for value in asdict(wanted).values()):
        raise typer.BadParameter(
            "fixes methods, quantity, scale and what is acceptable; leave those options out", param_hint="--protocol"
        )
    from monai_ctseg.agreement.report import write_report
    from monai_ctseg.agreement.statistics import analyse, read_table
    from monai_ctseg.agreement.statistics.notes import data_notes

    start = perf_counter()
    with new_folder(output, overwrite=overwrite) as folder, progress("comparing"):
        table = read_table(*measurements)
        plan = from_file(protocol) if protocol else from_options(table, wanted)
        found = analyse(table, plan.protocol)
        require_estimates(found)
        analysed = perf_counter()
        write_report(found, table, folder, statements=plan.statements)
        write_run(
            folder,
            "agreement",
            {**asdict(plan.protocol), "protocol_sha256": file_sha256(protocol) if protocol else None},
            inputs=[{"measurements_sha256": file_sha256(path)} for path in measurements],
            seconds={"analyse": analysed - start, "write": perf_counter() - analysed},
        )
    for note in data_notes(table.readings):
        warn(note)
    report(found, plan, output, as_json=as_json)


def from_options(table: Table, wanted: Wanted) -> Plan:
    """What the options fix. Raises MeasurementsError where the table leaves open which methods are meant."""
    from monai_ctseg.agreement.statistics import Protocol

    reference, test = choose_methods(table, wanted)
    if wanted.quantity is None and len(table.quantities) > 1:
        raise MeasurementsError(f"the quantities are {', '.join(table.quantities)}; choose one with --quantity")
    return Plan(
        Protocol(
            reference=reference,
            test=test,
            quantity=wanted.quantity,
            acceptable_difference=wanted.acceptable_difference,
            acceptable_ratio=wanted.acceptable_ratio,
            scale=(wanted.scale or Scale.auto).value,
        )
    )


def from_file(path: Path) -> Plan:
    """What a study's protocol fixes, and says; but not what only the study's own sheets and key can prove."""
    from monai_ctseg.agreement.study.protocol import sha256
    from monai_ctseg.agreement.study.protocol_file import read_protocol
    from monai_ctseg.agreement.study.statements import statements

    study = read_protocol(path)
    said = statements(study, sha256(study.fixed()))
    return Plan(
        study.as_agreement(), {key: text for key, text in said.items() if key not in ("independence", "analysis")}
    )


def choose_methods(table: Table, wanted: Wanted) -> tuple[str, str]:
    """Reference and test: as named, else the one that is left, else monai-ctseg as the test."""
    reference, test = wanted.reference, wanted.method
    others = [name for name in table.methods if name not in (reference, test)]
    if test is None and PROGRAM in others and (reference or len(others) == 2):
        test = PROGRAM
        others.remove(PROGRAM)
    if reference and test:
        return reference, test
    if len(others) != 1 or not (reference or test):
        named = ", ".join(table.methods)
        if len(table.methods) < 2:
            raise MeasurementsError(f"there is one method only, {named}; two are needed that measured the same hips")
        one = "--method" if reference else "--reference"
        option = one if reference or test or len(table.methods) == 2 else "--reference and --method"
        raise MeasurementsError(f"the methods are {named}, and which to compare is open; name {option}")
    return reference or others[0], test or others[0]


def require_estimates(found: Agreement) -> None:
    """Refuses where the data allow no estimate at all: an empty report would look like an answer."""
    protocol, bias = found.protocol, found.bland_altman.bias
    if not found.hips:
        raise MeasurementsError(
            f"no subject and side has a value by both {protocol.reference} and {protocol.test}; "
            "use the same names for the same hips"
        )
    if bias.value is None:
        raise MeasurementsError(
            f"agreement of {protocol.test} with {protocol.reference} cannot be estimated: {bias.reason}; "
            "measure more hips"
        )


def report(found: Agreement, plan: Plan, output: Path, *, as_json: bool) -> None:
    """Print the summary and where the rest was written."""
    from monai_ctseg.agreement.report.report import missing_items

    missing = missing_items(found, plan.statements)
    if as_json:
        print_json({**asdict(found), "missing_items": [filled.item.key for filled in missing], "output": str(output)})
    else:
        print_facts(describe(found))
        typer.echo(f"\nwritten to {output}: report.html, report.md, agreement.json, hips.csv, plots, run.json")
    if missing:
        numbers = ", ".join(str(filled.item.number) for filled in missing)
        warn(f"the report names what is still to be stated: GRRAS items {numbers}")


def describe(found: Agreement) -> dict[str, str]:
    """The summary as lines to read."""
    from monai_ctseg.agreement.report.summary import subject_of, summary
    from monai_ctseg.agreement.report.wording import plain

    return {"compared": subject_of(found)} | {line.name: plain(line.text()) for line in summary(found)}
