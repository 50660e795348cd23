"""Summary: what a clinician should know in ten seconds, as lines that every output shares."""

from __future__ import annotations

from dataclasses import dataclass

from monai_ctseg.agreement.report.wording import Numbers, count, interval, level, listed, number, numbers_for
from monai_ctseg.agreement.statistics.records import Agreement, Estimate, FailureRate, Icc, Judgement


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
    """Verdict, bias, limits, failures, the protocol's ICC, and what all that is based on."""
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
    """What was compared: monai-ctseg against clinician, femoral head diameter."""
    protocol = agreement.protocol
    return f"{protocol.test} against {protocol.reference}" + (f", {quantity(agreement)}" if agreement.quantity else "")


def quantity(agreement: Agreement) -> str:
    """The quantity's name as words."""
    return agreement.quantity.replace("_", " ")


def numbers_of(agreement: Agreement) -> str:
    """How much was attempted, has a value, and was used."""
    parts = [f"{count(agreement.hips, 'hip')} of {count(agreement.subjects, 'subject')}"]
    if agreement.hips_attempted > agreement.hips:
        attempted = f"{count(agreement.hips_attempted, 'hip')} of {count(agreement.subjects_attempted, 'subject')}"
        parts[0] += f" (attempted: {attempted})"
    used = count(agreement.readings_used, "reading")
    if agreement.readings > agreement.readings_used:
        used += f" (attempted: {agreement.readings:,}, with a value: {agreement.readings_with_value:,})"
    parts.append(used)
    if agreement.failed_by_both:
        parts.append(f"{count(len(agreement.failed_by_both), 'hip')} without a value by either method")
    if agreement.raters:
        parts.append(count(len(agreement.raters), "rater"))
    if len(agreement.sessions) > 1:
        parts.append(count(len(agreement.sessions), "session"))
    return ", ".join(parts)


def verdicts(agreement: Agreement) -> tuple[Line, ...]:
    """The verdict on single readings and on the mean; one line where neither was judged."""
    mean, limits = agreement.equivalence.mean, agreement.equivalence.limits
    if mean.verdict == limits.verdict == "not judged":
        return (Line("verdict", "not judged", limits.statement.removeprefix("not judged: ")),)
    return tuple(
        Line(name, _verdict(judged), judged.statement)
        for name, judged in (("single readings", limits), ("on average", mean))
    )


def _verdict(judged: Judgement) -> str:
    return judged.verdict if judged.verdict == "not judged" else f"agreement {judged.verdict}"


def failures(agreement: Agreement) -> str:
    """Failed readings of each method."""
    whole = {row.method: row for row in reversed(agreement.failures)}  # a method's first row is over all its raters
    compared = (agreement.protocol.reference, agreement.protocol.test)
    return "; ".join(f"{_failed(whole[name])} by {name}" for name in compared if name in whole)


def chosen_icc(agreement: Agreement) -> tuple[Icc, int] | None:
    """The ICC that the protocol named, between the methods, and its number of hips."""
    for found in agreement.reliability:
        for icc in found.iccs:
            if found.between == "methods" and icc.form == agreement.protocol.icc_form:
                return icc, found.hips
    return None


def _failed(row: FailureRate) -> str:
    return f"{row.failed:,} of {count(row.attempted, 'reading')}"


def _bias(agreement: Agreement, numbers: Numbers) -> Line:
    bias, protocol = agreement.bland_altman.bias, agreement.protocol
    if bias.value is None:
        return Line("bias", "not estimable", bias.reason)
    nought = 1.0 if numbers.ratio else 0.0
    note = f"{level(bias)} {interval(bias, numbers.decimals)}" if interval(bias) else bias.reason
    if bias.low is not None and bias.high is not None:
        if bias.low > nought:
            note += f"; {protocol.test} reads higher"
        elif bias.high < nought:
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
    icc, hips = chosen
    if icc.estimate.value is None:
        return Line(name, "not estimable", icc.estimate.reason)
    between = interval(icc.estimate)
    note = f"{level(icc.estimate)} {between}, {count(hips, 'hip')}" if between else icc.estimate.reason
    if "mean per hip" in icc.name:
        note += f", {icc.name.rpartition(', ')[2]}"
    return Line(name, number(icc.estimate.value), note)


def raters_of(agreement: Agreement) -> str:
    """The raters' labels, or that there are none."""
    return listed(agreement.raters) if agreement.raters else "none is named"
