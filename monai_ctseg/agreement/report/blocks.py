"""Blocks: the statistics as tables.

Each figure is shown with its interval and method, or with the reason why there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from monai_ctseg.agreement.report.wording import interval, level, number, numbers_for
from monai_ctseg.agreement.statistics.estimate import Check, Estimate
from monai_ctseg.agreement.statistics.records import Agreement, BlandAltman, Regression, Reliability
from monai_ctseg.errors import plural

Row = tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A table: its title (with n), column headers, rows, and notes below."""

    title: str
    header: Row
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def result_blocks(agreement: Agreement) -> tuple[Block, ...]:
    """All results in order: agreement, judgement, raters, reliability, regression, failures."""
    blocks = [bland_altman_block(agreement, agreement.bland_altman), *judgement_blocks(agreement)]
    if agreement.other_scale:
        blocks.append(other_scale_block(agreement, agreement.other_scale))
    if agreement.per_rater:
        blocks.append(rater_block(agreement))
    blocks += [reliability_block(agreement, found) for found in agreement.reliability]
    blocks += [regression_block(agreement, line) for line in (agreement.deming, agreement.passing_bablok)]
    return _each_note_once([*blocks, failure_block(agreement)])


def _each_note_once(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """A note under an earlier table is not repeated."""
    said: set[str] = set()
    kept = []
    for block in blocks:
        kept.append(replace(block, notes=tuple(note for note in block.notes if note not in said)))
        said.update(block.notes)
    return tuple(kept)


def bland_altman_block(agreement: Agreement, found: BlandAltman) -> Block:
    """Bias and limits of agreement, and the checks of their assumptions."""
    decimals, unit = numbers_for(agreement).decimals, agreement.unit
    ratio = found.scale == "ratio"
    own = "" if ratio else unit
    rows = [
        _row("bias", found.bias, decimals, own),
        _row("lower limit of agreement", found.lower_limit, decimals, own),
        _row("upper limit of agreement", found.upper_limit, decimals, own),
        _row("SD of a single log ratio" if ratio else "SD of a single difference", found.sd, decimals, own),
        _row(f"slope of {'log ratio' if ratio else 'difference'} on mean", found.proportional_bias, 4),
        _check_row("does the spread grow with size?", found.growing_spread),
        _check_row("are differences normal?", found.normality),
    ]
    for part in found.components:
        value = f"not estimable: {part.reason}" if part.variance is None else number(part.variance, 2 * decimals)
        rows.append((f"variance: {part.source}", value, "", f"{part.degrees_of_freedom:,} degrees of freedom"))
    title = f"Agreement by {'ratios' if ratio else 'differences'}: {_n(found)}"
    return Block(title, _header(found.bias), tuple(rows), found.notes)


def other_scale_block(agreement: Agreement, found: BlandAltman) -> Block:
    """The scale that was not chosen, for comparison."""
    ratio = found.scale == "ratio"
    decimals = 3 if ratio else max(numbers_for(agreement).decimals, 1)
    rows = (
        _row("bias", found.bias, decimals, "" if ratio else agreement.unit),
        _row("lower limit of agreement", found.lower_limit, decimals, "" if ratio else agreement.unit),
        _row("upper limit of agreement", found.upper_limit, decimals, "" if ratio else agreement.unit),
    )
    title = f"For comparison, by {'ratios' if ratio else 'differences'}: {_n(found)}"
    return Block(title, _header(found.bias), rows, found.notes)


def judgement_blocks(agreement: Agreement) -> list[Block]:
    """The verdicts; no table where no acceptable difference was fixed."""
    found = agreement.equivalence
    rows = []
    for name, judged in (("single readings", found.limits), ("on average", found.mean)):
        if judged.margin is not None or judged.verdict != "not judged":
            rows.append((name, judged.verdict, judged.statement, judged.method))
    header = ("Question", "Agreement", "Because", "Method")
    return [Block("Compared with the acceptable difference", header, tuple(rows))] if rows else []


def rater_block(agreement: Agreement) -> Block:
    """The test method compared with each rater."""
    numbers = numbers_for(agreement)

    def cell(found: Estimate) -> str:
        if found.value is None:
            return f"not estimable: {found.reason}"
        between = interval(found, numbers.decimals)
        return numbers.value(found.value) + (f" ({between})" if between else "")

    rows = [
        (each.rater, f"{found.targets:,}", cell(found.bias), cell(found.lower_limit), cell(found.upper_limit))
        for each in agreement.per_rater
        for found in (each.bland_altman,)
    ]
    unit = "ratio" if numbers.ratio else agreement.unit or "difference"
    title = f"{agreement.protocol.test} compared with each rater ({unit}, {level(agreement.bland_altman.bias)})"
    return Block(title, ("Rater", "Targets", "Bias", "Lower limit", "Upper limit"), tuple(rows))


def reliability_block(agreement: Agreement, found: Reliability, decimals: int = 3) -> Block:
    """How well repeated readings of a target agree; of the ICCs the protocol's form and the usual single ones."""
    shown = [icc for icc in found.iccs if icc.form in {agreement.protocol.icc_form, "A,1", "C,1"}]
    rows = [_row(f"ICC({icc.form}), {icc.name}", icc.estimate, decimals) for icc in shown]
    rows += [
        _row("Lin's concordance", found.concordance, decimals),
        _row("within-subject SD", found.within_sd, decimals, agreement.unit),
        _row("repeatability coefficient", found.repeatability, decimals, agreement.unit),
    ]
    if found.between == "raters":
        rows.append(_row("reproducibility SD", found.reproducibility_sd, decimals, agreement.unit))
        rows.append(_row("reproducibility coefficient", found.reproducibility, decimals, agreement.unit))
    left_out = f"; {plural(found.left_out, 'target')} with a reading missing" if found.left_out else ""
    title = f"Reliability between {found.between}: {found.of}, {_n(found)}{left_out}"
    more = ("Further forms of the ICC are in agreement.json.",) if len(shown) < len(found.iccs) else ()
    return Block(title, _header(found.within_sd), tuple(rows), (*found.notes, *more))


def regression_block(agreement: Agreement, line: Regression) -> Block:
    """A regression line with errors in both methods."""
    rows = [
        _row("slope (1: no proportional difference)", line.slope, 4),
        _row("intercept (0: no constant difference)", line.intercept, 3, agreement.unit),
    ]
    if line.name == "Passing-Bablok":
        rows.append(_check_row("is it a straight line?", line.linearity))
    if line.error_variance_ratio is not None:
        rows.append(("ratio of error variances", number(line.error_variance_ratio), "", line.ratio_source))
    return Block(f"{line.name} regression: {_n(agreement)}", _header(line.slope), tuple(rows), line.notes)


def failure_block(agreement: Agreement) -> Block:
    """Readings without a value: counted, never dropped."""
    rows = [
        (
            row.method,
            "all" if row.rater is None else row.rater or "(program)",
            f"{row.failed:,} of {row.attempted:,}",
            _percent(row.rate),
            "; ".join(f"{reason or 'no reason given'}: {n:,}" for reason, n in row.reasons) or "",
        )
        for row in agreement.failures
    ]
    header = ("Method", "Rater", "Failed", f"Share ({level(agreement.failures[0].rate)})", "Reasons")
    unpaired = len(agreement.unpaired)
    notes = (f"{plural(unpaired, 'target')} with a value by one method only: counted here, part of no difference.",)
    method = next((row.rate.method for row in agreement.failures if row.rate.method), "")
    title = "Failures" + (f" (intervals: {method})" if method else "")
    return Block(title, header, tuple(rows), notes if unpaired else ())


def _n(found: BlandAltman | Reliability | Agreement) -> str:
    return f"n = {plural(found.targets, 'target')} of {plural(found.subjects, 'subject')}"


def _header(found: Estimate) -> Row:
    return ("Statistic", "Estimate", level(found), "Method, or why there is none")


def _row(name: str, found: Estimate, decimals: int, unit: str = "") -> Row:
    if found.value is None:
        return (name, "not estimable", "", found.reason)
    value = number(found.value, decimals) + (f" {unit}" if unit else "")
    return (name, value, interval(found, decimals), "; ".join(_texts(found.method, found.reason)))


def _check_row(name: str, found: Check) -> Row:
    if found.p_value is None:
        return (name, "not tested", "", found.reason)
    p = "p < 0.001" if found.p_value < 0.001 else f"p = {found.p_value:.3f}"
    return (name, p, "", "; ".join(_texts(found.method, found.note)))


def _texts(*texts: str) -> Iterable[str]:
    return filter(None, texts)


def _percent(rate: Estimate) -> str:
    if rate.value is None:
        return f"not estimable: {rate.reason}"
    ends = "" if rate.low is None or rate.high is None else f" ({100 * rate.low:.1f} to {100 * rate.high:.1f})"
    return f"{100 * rate.value:.1f} %{ends}"
