"""`monai-ctseg agreement`: how well two methods agree that measured the same subjects."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from monai_ctseg.cli.agreement_choice import Plan, Scale, Wanted, from_file, from_options
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
    from monai_ctseg.agreement.statistics import Agreement

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
            metavar="N",
            help="The largest difference without consequence, fixed before the data were seen.",
            show_default=False,
        ),
    ] = None,
    acceptable_ratio: Annotated[
        float | None, typer.Option(metavar="N", help="The same for ratios, such as 1.05.", show_default=False)
    ] = None,
    scale: Annotated[
        Scale | None,
        typer.Option(
            metavar="SCALE",
            help="difference, ratio, or auto (the default): ratios where the spread grows with size.",
            show_default=False,
        ),
    ] = None,
    protocol: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A study's protocol; it replaces the options above.", show_default=False),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Report how well two methods of measurement agree.

    Both measured the same subjects. The report follows the order of GRRAS. It gives bias and limits of agreement (Bland
    and Altman), ICC, Lin's concordance, Deming and Passing-Bablok regression, failure rates, and a verdict by the
    acceptable difference. Each figure has its interval, or the reason why it cannot be estimated. All results hold for
    the readers in the table, not for others.

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
