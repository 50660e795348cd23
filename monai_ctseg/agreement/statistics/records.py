"""Records of agreement: what the protocol fixed, and what the statistics found. Frozen; JSON is `dataclasses.asdict`.

A statistic that cannot be had is a record whose value is None and whose `reason` says why; it is never a figure.
Values are in the table's unit unless a name says otherwise; `hip` stands for one subject and side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from monai_ctseg.errors import ProtocolError

Scale = Literal["difference", "ratio"]
ScaleChoice = Literal["difference", "ratio", "auto"]
IccForm = Literal["1", "C,1", "A,1", "k", "C,k", "A,k"]
TrueValue = Literal["constant", "varying"]
Between = Literal["methods", "raters", "sessions"]
Design = Literal["single pairs", "replicated", "nested", "nested and replicated"]
Verdict = Literal["shown", "not shown", "not judged"]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What was fixed before the data were seen.

    `acceptable_difference` (table's unit) judges differences, `acceptable_ratio` (above 1, e.g. 1.05) judges ratios.
    `scale` auto takes ratios only where the spread of differences grows with size and logs mend that.
    `true_value` constant: a hip's readings all see one truth (anatomy); varying: readings pair up by session.
    `error_variance_ratio` is Deming's: error variance of the test method over that of the reference method; without
    it, it is taken from replicates, else 1. `unit` is that of the figures; empty: not fixed. Raises ProtocolError for
    values that cannot be.
    """

    reference: str
    test: str
    quantity: str | None = None
    acceptable_difference: float | None = None
    acceptable_ratio: float | None = None
    level: float = 0.95
    scale: ScaleChoice = "auto"
    icc_form: IccForm = "A,1"
    true_value: TrueValue = "constant"
    error_variance_ratio: float | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.reference or not self.test or self.reference == self.test:
            raise ProtocolError(
                f"reference {self.reference!r} and test {self.test!r} must be two methods; name both as the table does"
            )
        _one_of("scale", self.scale, get_args(ScaleChoice))
        _one_of("icc_form", self.icc_form, get_args(IccForm))
        _one_of("true_value", self.true_value, get_args(TrueValue))
        _above("acceptable_difference", self.acceptable_difference, 0)
        _above("acceptable_ratio", self.acceptable_ratio, 1)
        _above("error_variance_ratio", self.error_variance_ratio, 0)
        _figure_of_scale(self)
        if not 0.5 <= self.level < 1:
            raise ProtocolError(f"level {self.level!r} is no confidence level; give one from 0.5 to below 1, as 0.95")


def _figure_of_scale(protocol: Protocol) -> None:
    """A fixed scale is judged by its own figure only."""
    figures = {"difference": protocol.acceptable_difference, "ratio": protocol.acceptable_ratio}
    if protocol.scale == "auto" or figures.pop(protocol.scale) is not None:
        return
    for other, figure in figures.items():
        if figure is not None:
            raise ProtocolError(
                f"scale {protocol.scale} is judged by acceptable_{protocol.scale}, and only acceptable_{other} is "
                f"given; fix acceptable_{protocol.scale}, or take scale {other}"
            )


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ProtocolError(f"{name} {value!r} is unknown; choose one of {', '.join(choices)}")


def _above(name: str, value: float | None, bound: float) -> None:
    if value is not None and not (math.isfinite(value) and value > bound):
        raise ProtocolError(f"{name} is {value!r}; give a number above {bound}, or leave it out")


@dataclass(frozen=True)
class Estimate:
    """A figure and its confidence interval.

    `value` None: not estimable, because of `reason`. A value without `low` and `high`: no interval, because of
    `reason`. An end that is infinite is None too, and `reason` says so. `method` names how the interval was made.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    method: str = ""
    reason: str = ""

    @classmethod
    def none(cls, reason: str, *, level: float = 0.95) -> Estimate:
        """Not estimable, because of `reason`."""
        return cls(None, level=level, reason=reason)


@dataclass(frozen=True)
class Check:
    """A test of an assumption: statistic and p-value, or None and the reason. `note` says how to read it."""

    statistic: float | None
    p_value: float | None
    method: str
    note: str = ""
    reason: str = ""

    @classmethod
    def none(cls, method: str, reason: str) -> Check:
        """Not estimable, because of `reason`."""
        return cls(None, None, method, reason=reason)


@dataclass(frozen=True)
class Point:
    """One point of a plot: a hip's mean readings by both methods (one pair by session where the truth varies).

    `mean` and `difference` (test minus reference) are in the unit; `ratio` is test over reference, None unless both
    are above 0. `readings` counts (reference, test).
    """

    subject: str
    side: str
    session: str
    reference: float
    test: float
    mean: float
    difference: float
    ratio: float | None
    readings: tuple[int, int]


@dataclass(frozen=True)
class Component:
    """A part of the variance of one difference, on the analysis scale; None where not estimable.

    `source` is one of: between subjects; between sides of a subject; readings of <method>; readings, paired.
    """

    source: str
    variance: float | None
    degrees_of_freedom: float
    reason: str = ""


@dataclass(frozen=True)
class BlandAltman:
    """Differences test minus reference, or ratios test over reference.

    Raters are taken as fixed: bias, limits and their intervals hold for these readers, not for all there may be.
    On the ratio scale `bias`, `lower_limit` and `upper_limit` are ratios (1 is none), `sd` is of natural logs.
    `limits_share` is the share of single differences between the limits (0.95). `proportional_bias` is the slope of
    difference on mean (per unit), `growing_spread` and `normality` are checks of the limits' assumptions.
    """

    scale: Scale
    scale_reason: str
    design: Design
    subjects: int
    hips: int
    points: tuple[Point, ...]
    bias: Estimate
    sd: Estimate
    lower_limit: Estimate
    upper_limit: Estimate
    limits_share: float
    components: tuple[Component, ...]
    proportional_bias: Estimate
    growing_spread: Check
    normality: Check
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Icc:
    """An intraclass correlation by its McGraw and Wong (1996) form, with its name after Shrout and Fleiss (1979)."""

    form: IccForm
    name: str
    estimate: Estimate


@dataclass(frozen=True)
class Reliability:
    """How well repeated measurements of one hip agree: between methods, raters of a method, or sessions of a rater.

    `of` says in words what was compared; `method` and `rater` are empty where they do not apply. `columns` are the
    compared labels, `hips` the complete rows, `left_out` the hips with a cell missing. `within_sd` is the
    within-subject SD, `repeatability` 1.96 sqrt(2) times it; between raters `reproducibility_sd` adds the raters'
    variance, else it has a reason. `concordance` is Lin's, for two columns.
    """

    between: Between
    of: str
    method: str
    rater: str
    columns: tuple[str, ...]
    subjects: int
    hips: int
    left_out: int
    iccs: tuple[Icc, ...]
    concordance: Estimate
    within_sd: Estimate
    repeatability: Estimate
    reproducibility_sd: Estimate
    reproducibility: Estimate
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RaterAgreement:
    """The test method against one rater of the reference method (his mean reading of a hip)."""

    rater: str
    bland_altman: BlandAltman


@dataclass(frozen=True)
class Regression:
    """A line test = intercept + slope * reference that allows for errors in both methods.

    `name` is Deming or Passing-Bablok; `linearity` is Passing-Bablok's cusum test, for Deming it has a reason.
    `error_variance_ratio` is Deming's, and `ratio_source` says where it came from.
    """

    name: Literal["Deming", "Passing-Bablok"]
    slope: Estimate
    intercept: Estimate
    linearity: Check
    error_variance_ratio: float | None = None
    ratio_source: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FailureRate:
    """Readings without a value: `failed` of `attempted`; `rate` is the share with its interval (0 to 1).

    `reasons` are (reason, count), most frequent first. `rater` is empty for a program, None for all raters at once.
    """

    method: str
    rater: str | None
    attempted: int
    failed: int
    rate: Estimate
    reasons: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Judgement:
    """One question of equivalence: `verdict` shown, not shown or not judged, with the sentence that says why.

    `margin` is the protocol's figure, `low` and `high` the confidence bounds that were held against it, on the
    judged scale (differences within -margin and margin; ratios within 1 / margin and margin).
    """

    verdict: Verdict
    statement: str
    margin: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    method: str = ""


@dataclass(frozen=True)
class Equivalence:
    """Against the acceptable difference: of the mean (two one-sided tests), and of single readings (the limits).

    Both are for these readers, as in `BlandAltman`; where there are several, the statements say so.
    """

    scale: Scale
    mean: Judgement
    limits: Judgement


@dataclass(frozen=True)
class Agreement:
    """All of it. `unpaired` names hips that only one method measured, as (subject, side, method that has no value).

    `failed_by_both` names the hips (subject, side) that neither method has a value for. `hips` and `subjects` have a
    value by both methods; `hips_attempted` and `subjects_attempted` have a row by either. Of `readings` (rows of both
    methods) `readings_with_value` have one, and `readings_used` stand in a pair.
    `bland_altman` is on the chosen scale; `other_scale` is the other one where values allow it, for comparison.
    """

    protocol: Protocol
    quantity: str
    unit: str
    design: Design
    subjects: int
    hips: int
    readings: int
    raters: tuple[str, ...]
    sessions: tuple[str, ...]
    unpaired: tuple[tuple[str, str, str], ...]
    failures: tuple[FailureRate, ...]
    bland_altman: BlandAltman
    other_scale: BlandAltman | None
    per_rater: tuple[RaterAgreement, ...]
    reliability: tuple[Reliability, ...]
    deming: Regression
    passing_bablok: Regression
    equivalence: Equivalence
    notes: tuple[str, ...] = ()
    hips_attempted: int = 0
    subjects_attempted: int = 0
    readings_with_value: int = 0
    readings_used: int = 0
    failed_by_both: tuple[tuple[str, str], ...] = ()
