"""What `monai-ctseg agreement` compares: by its options, or by a study's protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from monai_ctseg.errors import MeasurementsError

if TYPE_CHECKING:
    from monai_ctseg.agreement.statistics import Protocol, Table

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
