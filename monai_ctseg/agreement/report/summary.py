"""Summary: the main results as lines, the same in every output."""

from __future__ import annotations

from dataclasses import dataclass

from monai_ctseg.agreement.report.wording import Numbers, enumerated, interval, level, number, numbers_for
from monai_ctseg.agreement.statistics.estimate import Estimate
from monai_ctseg.agreement.statistics.records import Agreement, Icc
from monai_ctseg.errors import plural


@dataclass(frozen=True)
class Line:
    """One fact: its name, the figure, and what to know about it."""

    name: str
    value: str
    note: str = ""

    def text(self) -> str:
        """Figure and note on one line."""
        return f"{self.value} ({self.note})" if self.note else self.value


def summary(agreement: Agreement) -> tuple[Line, ...]:
    """Verdict, bias, limits, failures, the protocol's ICC, and the sample sizes."""
    numbers = numbers_for(agreement)
    return (
        *verdicts(agreement),
        _bias(agreement, numbers),
        _limits(agreement, numbers),
        Line("failures", failures(agreement)),
        _icc(agreement),
        Line("based on", numbers_of(agreement)),
    )


def subject_of(agreement: Agreement) -> str:
    """What was compared, such as: program against clinician, diameter."""
    protocol = agreement.protocol
    return f"{protocol.test} against {protocol.reference}" + (f", {quantity(agreement)}" if agreement.quantity else "")


def quantity(agreement: Agreement) -> str:
    """The quantity's name as words."""
    return agreement.quantity.replace("_", " ")


def numbers_of(agreement: Agreement) -> str:
    """How many targets and readings were attempted, have a value, and were used."""
    parts = [f"{plural(agreement.targets, 'target')} of {plural(agreement.subjects, 'subject')}"]
    if agreement.targets_attempted > agreement.targets:
        attempted = (
            f"{plural(agreement.targets_attempted, 'target')} of {plural(agreement.subjects_attempted, 'subject')}"
        )
        parts[0] += f" (attempted: {attempted})"
    used = plural(agreement.readings_used, "reading")
    if agreement.readings > agreement.readings_used:
        used += f" (attempted: {agreement.readings:,}, with a value: {agreement.readings_with_value:,})"
    parts.append(used)
    if agreement.failed_by_both:
        parts.append(f"{plural(len(agreement.failed_by_both), 'target')} without a value by either method")
    if agreement.raters:
        parts.append(plural(len(agreement.raters), "rater"))
    if len(agreement.sessions) > 1:
        parts.append(plural(len(agreement.sessions), "session"))
    return ", ".join(parts)


def verdicts(agreement: Agreement) -> tuple[Line, ...]:
    """The verdicts on single readings and on the mean; one line where neither was judged."""
    mean, limits = agreement.equivalence.mean, agreement.equivalence.limits
    if mean.verdict == limits.verdict == "not judged":
        return (Line("verdict", "not judged", limits.statement.removeprefix("not judged: ")),)
    return tuple(
        Line(
            name,
            judged.verdict if judged.verdict == "not judged" else f"agreement {judged.verdict}",
            judged.statement,
        )
        for name, judged in (("single readings", limits), ("on average", mean))
    )


def failures(agreement: Agreement) -> str:
    """Failed readings of each method."""
    whole = {row.method: row for row in reversed(agreement.failures)}  # the first row of a method covers all its raters
    compared = (agreement.protocol.reference, agreement.protocol.test)
    rows = [whole[name] for name in compared if name in whole]
    return "; ".join(f"{row.failed:,} of {plural(row.attempted, 'reading')} by {row.method}" for row in rows)


def chosen_icc(agreement: Agreement) -> tuple[Icc, int] | None:
    """The ICC that the protocol named, between the methods, and its number of targets."""
    for found in agreement.reliability:
        for icc in found.iccs:
            if found.between == "methods" and icc.form == agreement.protocol.icc_form:
                return icc, found.targets
    return None


def _bias(agreement: Agreement, numbers: Numbers) -> Line:
    bias, protocol = agreement.bland_altman.bias, agreement.protocol
    if bias.value is None:
        return Line("bias", "not estimable", bias.reason)
    none = 1.0 if numbers.ratio else 0.0
    note = f"{level(bias)} {interval(bias, numbers.decimals)}" if interval(bias) else bias.reason
    if bias.low is not None and bias.high is not None:
        if bias.low > none:
            note += f"; {protocol.test} reads higher"
        elif bias.high < none:
            note += f"; {protocol.test} reads lower"
    return Line("bias", numbers.with_unit(bias.value, signed=True), note)


def _limits(agreement: Agreement, numbers: Numbers) -> Line:
    found = agreement.bland_altman
    low, high = found.lower_limit, found.upper_limit
    if low.value is None or high.value is None:
        return Line("limits", "not estimable", low.reason or high.reason)
    value = f"{numbers.value(low.value, signed=True)} to {numbers.with_unit(high.value, signed=True)}"
    share = f"{100 * found.limits_share:g} % of single {'ratios' if numbers.ratio else 'differences'}"
    return Line("limits", value, "; ".join([share, *_ends(low, "lower", numbers), *_ends(high, "upper", numbers)]))


def _ends(found: Estimate, name: str, numbers: Numbers) -> list[str]:
    if not interval(found):
        return [found.reason] if found.reason else []
    return [f"{name} {level(found)} {interval(found, numbers.decimals)}"]


def _icc(agreement: Agreement) -> Line:
    form = agreement.protocol.icc_form
    name = f"ICC({form})"
    chosen = chosen_icc(agreement)
    if chosen is None:
        return Line(name, "not estimable", "the methods were not compared by this form")
    icc, targets = chosen
    if icc.estimate.value is None:
        return Line(name, "not estimable", icc.estimate.reason)
    between = interval(icc.estimate)
    note = f"{level(icc.estimate)} {between}, {plural(targets, 'target')}" if between else icc.estimate.reason
    if "mean per target" in icc.name:
        note += f", {icc.name.rpartition(', ')[2]}"
    return Line(name, number(icc.estimate.value), note)


def raters_of(agreement: Agreement) -> str:
    """The labels of the raters, or that there are none."""
    return enumerated(agreement.raters) if agreement.raters else "none is named"
