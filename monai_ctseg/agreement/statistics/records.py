"""Records of agreement: what the statistics found. Frozen; JSON is `dataclasses.asdict`.

A statistic that cannot be estimated is a record whose value is None and whose `reason` says why; it is never NaN.
Values are in the table's unit unless a name says otherwise. A target is what is measured: one subject and side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monai_ctseg.agreement.statistics.estimate import Check, Estimate
from monai_ctseg.agreement.statistics.protocol import IccForm, Protocol, Scale

Between = Literal["methods", "raters", "sessions"]
Design = Literal["single pairs", "replicated", "nested", "nested and replicated"]
Verdict = Literal["shown", "not shown", "not judged"]


@dataclass(frozen=True)
class Point:
    """One point of a plot: a target's mean readings by both methods, one for each session where the truth varies.

    Attributes:
        mean: Mean of both methods, in the unit.
        difference: Test minus reference, in the unit.
        ratio: Test over reference; None unless both are above 0.
        readings: Number of readings (reference, test).
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
    """A component of the variance of one difference, on the analysis scale; None where not estimable.

    `source` is one of: between subjects; between sides of a subject; readings of <method>; readings, paired.
    """

    source: str
    variance: float | None
    degrees_of_freedom: float
    reason: str = ""


@dataclass(frozen=True)
class BlandAltman:
    """Differences test minus reference, or ratios test over reference.

    Raters are fixed effects: bias, limits and their intervals hold for these readers, not for readers in general.

    Attributes:
        bias: Mean difference, or geometric mean ratio (1: no bias).
        sd: SD of a single difference; of natural logarithms on the ratio scale.
        lower_limit: Lower limit of agreement; a ratio on the ratio scale.
        upper_limit: Upper limit of agreement, likewise.
        limits_share: Share of single differences between the limits (0.95).
        proportional_bias: Slope of difference on mean.
        growing_spread: Check that the spread does not change with size.
        normality: Check that the differences are normally distributed.
    """

    scale: Scale
    scale_reason: str
    design: Design
    subjects: int
    targets: int
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
    """How well repeated measurements of a target agree: between methods, raters of a method, or sessions of a rater.

    Attributes:
        of: In words, what was compared.
        method: Empty where it does not apply, as `rater` is.
        columns: The compared labels.
        targets: Number of targets with a reading in each column.
        left_out: Number of targets with a missing reading.
        concordance: Lin's, for two columns.
        within_sd: Within-subject SD.
        repeatability: 1.96 sqrt(2) times the within-subject SD.
        reproducibility_sd: Between raters: includes the variance of the raters; else it has a reason.
        reproducibility: 1.96 sqrt(2) times that.
    """

    between: Between
    of: str
    method: str
    rater: str
    columns: tuple[str, ...]
    subjects: int
    targets: int
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
    """The test method compared with one rater of the reference method (that rater's mean reading of a target)."""

    rater: str
    bland_altman: BlandAltman


@dataclass(frozen=True)
class Regression:
    """A line test = intercept + slope * reference that allows for errors in both methods.

    Attributes:
        linearity: Passing-Bablok's cusum test; for Deming it has a reason.
        error_variance_ratio: Deming's only.
        ratio_source: Where that ratio came from.
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
    """Readings without a value.

    Attributes:
        rater: Empty for a program, None for all raters together.
        rate: Share of attempted readings that failed, 0 to 1.
        reasons: (reason, count), most frequent first.
    """

    method: str
    rater: str | None
    attempted: int
    failed: int
    rate: Estimate
    reasons: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Judgement:
    """One question of equivalence: the verdict, with the sentence that says why.

    Attributes:
        margin: The protocol's acceptable figure.
        low: Confidence bound that was compared with the margin: differences with -margin, ratios with 1 / margin.
        high: Confidence bound that was compared with the margin.
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
    """Judged by the acceptable difference: the mean (two one-sided tests), and single readings (the limits).

    Both hold for these readers, as in `BlandAltman`; where there are several, the statements say so.
    """

    scale: Scale
    mean: Judgement
    limits: Judgement


@dataclass(frozen=True)
class Agreement:
    """All statistics of one comparison.

    Attributes:
        protocol: What was fixed before the data were seen.
        quantity: What was measured.
        unit: Of all values.
        design: Whether subjects have several targets (nested) and targets several readings (replicated).
        subjects: Subjects with a value by both methods.
        targets: Targets (a subject, or one side of it) with a value by both methods.
        readings: Rows of both methods.
        raters: Their names, in order of first appearance.
        sessions: Their names, likewise.
        unpaired: Targets that only one method measured, as (subject, side, method without a value).
        failures: How often each method gave no value.
        bland_altman: On the chosen scale.
        other_scale: On the other scale for comparison, where the values allow it.
        per_rater: The test method compared with each rater of the reference method.
        reliability: Of the readings, between raters, sessions and methods.
        deming: Line by Deming regression.
        passing_bablok: Line by Passing-Bablok regression.
        equivalence: The verdict on the acceptable difference or ratio.
        notes: What the reader should know, a sentence each.
        targets_attempted: Targets with a row by either method.
        subjects_attempted: Subjects with a row by either method.
        readings_with_value: How many of `readings` have a value.
        readings_used: How many of them belong to a pair.
        failed_by_both: Targets (subject, side) without a value by either method.
    """

    protocol: Protocol
    quantity: str
    unit: str
    design: Design
    subjects: int
    targets: int
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
    targets_attempted: int = 0
    subjects_attempted: int = 0
    readings_with_value: int = 0
    readings_used: int = 0
    failed_by_both: tuple[tuple[str, str], ...] = ()
