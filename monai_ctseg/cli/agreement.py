"""`monai-ctseg agreement`: how well two methods agree that measured the same subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
"""The method of `measure`; it is the one under test unless another is named."""


class Scale(StrEnum):
    """How readings are compared."""

    auto = "auto"
    difference = "difference"
    ratio = "ratio"


@dataclass(frozen=True)
class Wanted:
    """The options that a study's protocol replaces; None where one is not given."""

    reference: str | None
    method: str | None
    quantity: str | None
    acceptable_difference: float | None
    acceptable_ratio: float | None
    scale: Scale | None


@dataclass(frozen=True)
class Plan:
    """The protocol of the statistics, and what a study's protocol states for the items of the report."""

    protocol: Protocol
    statements: Mapping[str, str] = field(default_factory=dict)


app = typer.Typer()
PANELS = {
    "What is compared": ("reference", "method", "quantity"),
    "Verdict": ("acceptable_difference", "acceptable_ratio", "scale", "protocol"),
}


@app.command(
    epilog="Example:  monai-ctseg agreement readings.csv -o agreement --reference clinician --acceptable-difference 2"
)
def agreement(
    measurements: Annotated[
        list[Path],
        typer.Argument(
            metavar="MEASUREMENTS...",
            help="CSV, one row per reading: subject, side, method, rater, session, value; also quantity, unit, reason.",
            show_default=False,
        ),
    ],
    output: OutputOption,
    reference: Annotated[
        str | None,
        typer.Option(help="The method that the other is compared with.", show_default=False),
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
        typer.Option(
            help="The largest difference without consequence, fixed before the data were seen.", show_default=False
        ),
    ] = None,
    acceptable_ratio: Annotated[
        float | None, typer.Option(help="The same for ratios, such as 1.05.", show_default=False)
    ] = None,
    scale: Annotated[
        Scale | None,
        typer.Option(help="Differences or ratios; auto, the default: ratios where the spread grows with size."),
    ] = None,
    protocol: Annotated[
        Path | None,
        typer.Option(
            metavar="PROTOCOL.yaml", help="A study's protocol; it replaces the options above.", show_default=False
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Report how well two methods agree that measured the same subjects.

    The report follows the order of GRRAS. It gives bias and limits of agreement (Bland and Altman), ICC, Lin's
    concordance, Deming and Passing-Bablok regression, failure rates, and a verdict by the acceptable difference. Each
    figure has its interval, or the reason why it cannot be estimated. All results hold for the readers in the table,
    not for others.

    A subject may have several targets, such as a left and a right side; they are not taken as independent. An empty
    value is a failure: it is counted, never dropped.

    Writes report.html, report.md, agreement.json, targets.csv, plots as PNG and SVG, and run.json.
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
    """The protocol by the options. Raises MeasurementsError where the methods or the quantity are not determined."""
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
    """The protocol of a study and its statements, without those that only the study's sheets and key can prove."""
    from monai_ctseg.agreement.study.protocol import sha256
    from monai_ctseg.agreement.study.protocol_file import read_protocol
    from monai_ctseg.agreement.study.statements import statements

    study = read_protocol(path)
    said = statements(study, sha256(study.fixed()))
    return Plan(
        study.as_agreement(), {key: text for key, text in said.items() if key not in ("independence", "analysis")}
    )


def choose_methods(table: Table, wanted: Wanted) -> tuple[str, str]:
    """Reference and test as named; else monai-ctseg is the test, and the only method left is the other one."""
    reference, test = wanted.reference, wanted.method
    if test is None and PROGRAM in table.methods and reference != PROGRAM and (reference or len(table.methods) == 2):
        test = PROGRAM
    left = [name for name in table.methods if name not in (reference, test)]
    if (reference or test) and len(left) == 1:
        reference, test = reference or left[0], test or left[0]
    if not reference or not test:
        raise MeasurementsError(open_choice(table.methods, wanted))
    return reference, test


def open_choice(methods: Sequence[str], wanted: Wanted) -> str:
    """Why the methods to compare are not determined, and which option determines them."""
    names = ", ".join(methods)
    if len(methods) < 2:
        return f"there is one method only, {names}; a comparison needs two that measured the same subjects"
    if wanted.reference:
        option = "--method"
    else:
        option = "--reference" if wanted.method or len(methods) == 2 else "--reference and --method"
    return f"the methods are {names}, and which to compare is open; name {option}"


def require_estimates(found: Agreement) -> None:
    """Refuse data that allow no estimate at all: an empty report would look like a result."""
    protocol, bias = found.protocol, found.bland_altman.bias
    if not found.targets:
        raise MeasurementsError(
            f"no subject and side has a value by both {protocol.reference} and {protocol.test}; "
            "use the same names for the same subjects"
        )
    if bias.value is None:
        raise MeasurementsError(
            f"agreement of {protocol.test} with {protocol.reference} cannot be estimated: {bias.reason}; "
            "measure more subjects"
        )


def report(found: Agreement, plan: Plan, output: Path, *, as_json: bool) -> None:
    """Print the summary, and what was written."""
    from monai_ctseg.agreement.report.report import missing_items

    missing = missing_items(found, plan.statements)
    if as_json:
        print_json({**asdict(found), "missing_items": [filled.item.key for filled in missing], "output": str(output)})
    else:
        print_facts(describe(found))
        typer.echo(f"\nwritten to {output}: report.html, report.md, agreement.json, targets.csv, plots, run.json")
    if missing:
        numbers = ", ".join(str(filled.item.number) for filled in missing)
        warn(f"the report names what still has to be stated: GRRAS items {numbers}")


def describe(found: Agreement) -> dict[str, str]:
    """The summary as facts to print."""
    from monai_ctseg.agreement.report.summary import subject_of, summary
    from monai_ctseg.agreement.report.wording import plain

    return {"compared": subject_of(found)} | {line.name: plain(line.text()) for line in summary(found)}
