"""`monai-ctseg study plan`: the sample size, and the protocol to edit."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monai_ctseg.cli.console import JsonOption, OverwriteOption, print_facts, print_json, progress, warn
from monai_ctseg.errors import plural

if TYPE_CHECKING:
    from monai_ctseg.agreement.study.plan import Plan
    from monai_ctseg.agreement.study.protocol import StudyProtocol

FEW_READERS = 5
"""Fewer show little of how readers differ, which an ICC of absolute agreement depends on."""


def plan(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The protocol to write, YAML.", show_default=False)
    ],
    quantity: Annotated[
        str, typer.Option(help="What is measured, as `monai-ctseg measure` names it.")
    ] = "femoral_head_diameter",
    unit: Annotated[str, typer.Option(help="mm or degrees.")] = "mm",
    acceptable_difference: Annotated[
        float, typer.Option(help="Largest difference without consequence for a patient, in the unit.")
    ] = 2.0,
    expected_sd: Annotated[float, typer.Option(help="Expected SD of differences, in the unit.")] = 0.7,
    expected_bias: Annotated[float, typer.Option(help="Expected mean difference, in the unit.")] = 0.0,
    limit_width: Annotated[
        float, typer.Option(help="Wanted full width of the confidence interval of a limit, in the unit.")
    ] = 0.5,
    power: Annotated[float, typer.Option(help="Wanted probability to show that the limits are acceptable.")] = 0.8,
    expected_icc: Annotated[float, typer.Option(help="Expected ICC between readers.")] = 0.9,
    icc_width: Annotated[float, typer.Option(help="Wanted full width of its confidence interval.")] = 0.1,
    raters: Annotated[int, typer.Option(help="How many readers; at least two.")] = 2,
    sessions: Annotated[int, typer.Option(help="How often each reader reads each case.")] = 2,
    sides: Annotated[int, typer.Option(help="Sides measured per patient, 1 or 2.")] = 2,
    side_correlation: Annotated[
        float, typer.Option(help="Correlation of the differences of two sides of a patient.")
    ] = 0.5,
    dropout: Annotated[float, typer.Option(help="Share of targets without a pair of values.")] = 0.1,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compute the sample size and write the protocol: a YAML file to edit before anybody measures."""
    from monai_ctseg.agreement.study.plan import make_plan
    from monai_ctseg.agreement.study.protocol_file import write_protocol
    from monai_ctseg.agreement.study.sections import DataCollection, SampleSize
    from monai_ctseg.cli.study_draft import first_draft, requirements
    from monai_ctseg.output import new_file

    if output.suffix.lower() not in (".yaml", ".yml"):
        raise typer.BadParameter(f"{output.name} does not end with .yaml", param_hint="--output")
    draft = first_draft(
        requirements(quantity, unit, acceptable_difference),
        SampleSize(
            expected_sd=expected_sd,
            expected_bias=expected_bias,
            limit_width=limit_width,
            power=power,
            expected_icc=expected_icc,
            icc_width=icc_width,
            sides_per_subject=sides,
            side_correlation=side_correlation,
            dropout_share=dropout,
        ),
        DataCollection(raters=tuple(f"R{n}" for n in range(1, raters + 1)), sessions=sessions),
    )
    with progress("planning") as bar:
        planned = make_plan(draft, bar)
    protocol = draft.replaced(sample_size=draft.sample_size.replaced(subjects=planned.subjects))
    with new_file(output, overwrite=overwrite) as path:
        write_protocol(protocol, path)
    _warn_of_plan(protocol, planned)
    if as_json:
        print_json({"protocol": output.name, **asdict(planned)})
    else:
        print_facts(_plan_facts(output, protocol, planned))


def _warn_of_plan(protocol: StudyProtocol, planned: Plan) -> None:
    for need in planned.needs:
        if need.pairs is None:
            warn(f"not reachable: {need.question}, as {need.reason}")
    form, readers = protocol.analysis.icc_form, len(protocol.data_collection.raters)
    if form.startswith("A") and readers < FEW_READERS:
        warn(
            f"the targets for the ICC do not allow for differences between readers; with {readers} readers its "
            f"interval (ICC({form})) may never get as narrow as wanted: plan more readers"
        )
    if protocol.data_collection.sessions < 2:
        warn("with one session there is no test-retest reliability; plan two or more")


def _plan_facts(output: Path, protocol: StudyProtocol, planned: Plan) -> dict[str, str]:

    size, collection = protocol.sample_size, protocol.data_collection
    readers, sessions = plural(len(collection.raters), "reader"), plural(collection.sessions, "session")
    needs = "\n".join(
        f"{'none' if need.pairs is None else need.pairs:>5}  {need.question} ({need.method})" for need in planned.needs
    )
    return {
        "protocol": f"{output.name}: edit it, then `monai-ctseg study sheet`",
        "independent targets": needs,
        "design effect": f"{planned.design_effect:g}, for {plural(size.sides_per_subject, 'target')} per subject",
        "without a value": f"{size.dropout_share:.0%}",
        "to enrol": f"{plural(planned.subjects, 'subject')}, {plural(planned.targets, 'target')}",
        "readings": f"{planned.readings}: {readers}, {sessions}",
    }
