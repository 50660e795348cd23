"""Captions: titles and axis labels that several plots share."""

from __future__ import annotations

from monai_ctseg.agreement.report.wording import number, short, with_unit
from monai_ctseg.agreement.statistics.records import Agreement
from monai_ctseg.errors import plural


def acceptable(agreement: Agreement) -> tuple[float, ...]:
    """The acceptable bounds that the protocol fixed on the scale that is shown; empty where it fixed none."""
    protocol = agreement.protocol
    if agreement.bland_altman.scale == "ratio":
        return (1 / protocol.acceptable_ratio, protocol.acceptable_ratio) if protocol.acceptable_ratio else ()
    return (-protocol.acceptable_difference, protocol.acceptable_difference) if protocol.acceptable_difference else ()


def compared(agreement: Agreement) -> str:
    """What the vertical axis shows: test minus reference, or test over reference."""
    protocol = agreement.protocol
    reference, test = short(protocol.reference, 19), short(protocol.test, 19)
    if agreement.bland_altman.scale == "ratio":
        return f"{test} / {reference}"
    return with_unit(f"{test} {number(-1, 0)[0]} {reference}", agreement.unit)


def sample_title(agreement: Agreement) -> str:
    """The quantity and the sample size."""
    found = agreement.bland_altman
    what = f"{short(agreement.quantity, 30).replace('_', ' ')}: " if agreement.quantity else ""
    return f"{what}{plural(found.targets, 'target')} of {plural(found.subjects, 'subject')}"
