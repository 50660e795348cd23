"""Bland-Altman: bias and limits of agreement of differences or ratios, for single, replicated and nested pairs.

Bland and Altman 1986 (doi 10.1016/S0140-6736(86)90837-8) and 1999 (doi 10.1177/096228029900800204); sections 5.1 to 5.3
of the latter for replicates. A subject's sides are not independent: a further variance component holds them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from monai_ctseg.agreement.statistics.checks import check_normality, check_spread, slope_on_mean
from monai_ctseg.agreement.statistics.pairs import Pair, design_of
from monai_ctseg.agreement.statistics.records import BlandAltman, Check, Component, Estimate, Protocol, Scale, TrueValue
from monai_ctseg.agreement.statistics.variance import (
    LIMITS_SHARE,
    Part,
    limits,
    mean_estimate,
    mean_reciprocal,
    pooled,
    sd_estimate,
    sum_of,
)
from monai_ctseg.grid import FloatArray

SPREAD_ALPHA = 0.05
"""Below this p-value the spread of differences counts as growing."""
SIDES = "between sides of a subject"
SCALES: tuple[Scale, Scale] = ("difference", "ratio")
NO_SPREAD = 1e-12
"""Values that differ by less than this share of their size are the same."""


@dataclass(frozen=True)
class Differences:
    """Differences on one scale: one a hip, with their mean by subject and the parts of one difference's variance."""

    subjects: tuple[str, ...]
    of_hips: FloatArray
    means: FloatArray
    by_subject: FloatArray
    parts: tuple[Part, ...]

    @property
    def nested(self) -> bool:
        """Whether some subject has two hips."""
        return len(self.by_subject) < len(self.of_hips)


def take_differences(pairs: Sequence[Pair], scale: Scale, true_value: TrueValue, names: tuple[str, str]) -> Differences:
    """Differences test minus reference (of logarithms for ratios), hip by hip; `names` are reference and test."""
    pairs = [pair.on(scale) for pair in pairs]
    single = np.array([pair.test.mean() - pair.reference.mean() for pair in pairs])
    middle = np.array([(pair.test.mean() + pair.reference.mean()) / 2 for pair in pairs])
    hips = [(pair.subject, pair.side) for pair in pairs]
    in_hips = _group(single, hips)
    of_hips = _means(in_hips)
    subjects = [subject for subject, _ in dict.fromkeys(hips)]
    if true_value == "varying":  # differences of one hip scatter between its sessions (section 5.3)
        parts = _reading_part("readings, paired", in_hips, subjects)
    else:
        parts = _constant_parts(pairs, names)
    in_subjects = _group(of_hips, subjects)
    by_subject = _means(in_subjects)
    if len(by_subject) < len(of_hips):
        parts.insert(0, Part(SIDES, 1 - mean_reciprocal(in_subjects), *pooled(in_subjects)))
    if len(by_subject) > 1:
        parts.insert(0, Part("between subjects", 1.0, float(by_subject.var(ddof=1)), len(by_subject) - 1))
    found = Differences(tuple(subjects), of_hips, _means(_group(middle, hips)), by_subject, tuple(parts))
    return found if true_value == "varying" or len(by_subject) < 2 else _with_freedom(found, pairs, names)


def _with_freedom(differences: Differences, pairs: Sequence[Pair], names: tuple[str, str]) -> Differences:
    """Subjects with fewer hips or readings scatter more: their variance has fewer degrees of freedom (Satterthwaite).

    For a truth that is constant, where a hip's pair holds all its readings.
    """
    variance = {part.source: part.variance or 0.0 for part in _components(differences)}
    reference, test = (variance.get(f"readings of {name}", 0.0) for name in names)
    noise = [reference / len(pair.reference) + test / len(pair.test) for pair in pairs]
    each = np.array(
        [
            variance["between subjects"] + (variance.get(SIDES, 0.0) + hips.mean()) / len(hips)
            for hips in _group(np.array(noise), differences.subjects)
        ]
    )
    if np.ptp(each) <= 1e-9 * each.max():
        return differences
    between = differences.parts[0]
    freedom = between.degrees_of_freedom * float(each.mean() ** 2 / (each**2).mean())
    parts = (replace(between, degrees_of_freedom=round(freedom, 1)), *differences.parts[1:])
    return replace(differences, parts=parts)


def bland_altman(pairs: Sequence[Pair], scale: Scale, protocol: Protocol, *, scale_reason: str) -> BlandAltman:
    """Bias, limits and the checks of what they assume, on one scale."""
    frame = _frame(pairs, scale, scale_reason, protocol.level)
    if frame.subjects < 2:
        return frame
    differences = take_differences(pairs, scale, protocol.true_value, (protocol.reference, protocol.test))
    frame = replace(
        frame,
        components=_components(differences),
        proportional_bias=slope_on_mean(differences.of_hips, differences.means, differences.subjects, protocol.level),
        growing_spread=check_spread(differences.of_hips, differences.means, differences.subjects),
        normality=check_normality(differences.of_hips),
    )
    frame = replace(frame, notes=_notes(frame, differences, protocol))
    return _with_limits(frame, differences, pairs, protocol.level)


def choose_scale(pairs: Sequence[Pair], protocol: Protocol) -> tuple[Scale, str]:
    """Differences or ratios, and why; auto takes ratios only where spread grows with size and logarithms mend that.

    Raises nothing: where the protocol asks for ratios of values that are not all above 0, differences are taken.
    """
    positive = all(pair.positive for pair in pairs)
    if protocol.scale == "difference":
        return "difference", "the protocol fixed differences"
    if protocol.scale == "ratio":
        if positive:
            return "ratio", "the protocol fixed ratios"
        return "difference", "the protocol fixed ratios, but not all values are above 0"
    if not positive:
        return "difference", "not all values are above 0, so that ratios have no meaning"
    names = (protocol.reference, protocol.test)
    plain, logs = (_spread(take_differences(pairs, scale, protocol.true_value, names)) for scale in SCALES)
    if plain is None or logs is None:
        return "difference", "growth of the spread cannot be tested"
    if plain >= SPREAD_ALPHA:
        return "difference", "the spread of differences does not grow noticeably with size"
    if logs < SPREAD_ALPHA:
        return "difference", (
            f"the spread grows with size (p = {plain:.3f}), but logarithms do not mend that (p = {logs:.3f}): "
            "the limits are too wide for some sizes and too narrow for others"
        )
    return "ratio", f"the spread of differences grows with size (p = {plain:.3f}), that of logarithms does not"


def _spread(differences: Differences) -> float | None:
    check = check_spread(differences.of_hips, differences.means, differences.subjects)
    if check.statistic is None or check.p_value is None:
        return None
    return check.p_value if check.statistic > 0 else 1.0


def _group(values: FloatArray, keys: Sequence[object]) -> list[FloatArray]:
    groups: dict[object, list[float]] = {}
    for value, key in zip(values, keys, strict=True):
        groups.setdefault(key, []).append(float(value))
    return [np.array(group) for group in groups.values()]


def _means(groups: Sequence[FloatArray]) -> FloatArray:
    return np.array([group.mean() for group in groups])


def _constant_parts(pairs: Sequence[Pair], names: tuple[str, str]) -> list[Part]:
    """Readings of one method scatter about a hip's true value: their means scatter less (sections 5.1 and 5.2)."""
    subjects = [pair.subject for pair in pairs]
    both = [pair.reference for pair in pairs], [pair.test for pair in pairs]
    return [
        part
        for name, groups in zip(names, both, strict=True)
        for part in _reading_part(f"readings of {name}", groups, subjects)
    ]


def _reading_part(source: str, groups: Sequence[FloatArray], subjects: Sequence[str]) -> list[Part]:
    """The variance of single readings, from `groups` of one hip each; none where no hip was read twice.

    Its weight is what the mean squares above it do not hold: a subject's hips count together as one there, so the
    reciprocals of their numbers of readings are averaged within a subject first.
    """
    variance, freedom = pooled(groups)
    if not freedom:
        return []
    shares = _group(np.array([1 / len(group) for group in groups]), subjects)
    sides = sum(len(share) - 1 for share in shares)
    in_sides = sum((1 - 1 / len(share)) * float(share.sum()) for share in shares) / sides if sides else 0.0
    return [Part(source, 1 - float(_means(shares).mean()), variance, freedom, in_sides)]


def _components(differences: Differences) -> tuple[Component, ...]:
    """Variance components: each mean square less what the ones below it put into it, at least 0."""
    readings = [part for part in differences.parts if part.source.startswith("readings")]
    sides = next((part for part in differences.parts if part.source == SIDES), None)
    below = sum(part.variance for part in readings)
    found = [Component(part.source, part.variance, part.degrees_of_freedom) for part in readings]
    if sides:
        variance = max(sides.variance - sum(part.in_sides * part.variance for part in readings), 0.0)
        found.insert(0, Component(SIDES, variance, sides.degrees_of_freedom))
        below += variance
    between = differences.parts[0]
    return (Component(between.source, max(sum_of(differences.parts) - below, 0.0), between.degrees_of_freedom), *found)


def _frame(pairs: Sequence[Pair], scale: Scale, scale_reason: str, level: float) -> BlandAltman:
    """What is known without any statistics."""
    hips = {(pair.subject, pair.side) for pair in pairs}
    reason = "only one subject has values by both methods" if pairs else "no hip has a value by both methods"
    none = Estimate.none(reason, level=level)
    return BlandAltman(
        scale=scale,
        scale_reason=scale_reason,
        design=design_of(pairs),
        subjects=len({subject for subject, _ in hips}),
        hips=len(hips),
        points=tuple(pair.point() for pair in pairs),
        bias=none,
        sd=none,
        lower_limit=none,
        upper_limit=none,
        limits_share=LIMITS_SHARE,
        components=(),
        proportional_bias=none,
        growing_spread=Check.none("Breusch-Pagan", reason),
        normality=Check.none("Shapiro-Wilk", reason),
    )


def bias_and_limits(differences: Differences, level: float) -> tuple[Estimate, Estimate, Estimate, Estimate]:
    """Bias, SD of a single difference, lower and upper limit, on the scale of `differences`."""
    bias_sd = math.sqrt(differences.parts[0].variance)
    bias = mean_estimate(float(differences.by_subject.mean()), bias_sd, len(differences.by_subject), level=level)
    lower, upper = limits(bias, differences.parts, len(differences.by_subject))
    return bias, sd_estimate(differences.parts, level=level), lower, upper


def _with_limits(frame: BlandAltman, differences: Differences, pairs: Sequence[Pair], level: float) -> BlandAltman:
    readings = np.concatenate([values for pair in pairs for values in (pair.reference, pair.test)])
    least = NO_SPREAD * max(float(np.abs(readings).max()), 1.0)
    reason = _why_no_spread(differences, least)
    if reason:
        none = Estimate.none(reason, level=level)
        alone = Estimate(float(differences.by_subject.mean()), level=level, reason=reason)
        bias = none if np.ptp(readings) <= least else _back(alone, frame.scale)
        return replace(frame, bias=bias, sd=none, lower_limit=none, upper_limit=none)
    bias, sd, lower, upper = bias_and_limits(differences, level)
    bias, lower, upper = (_back(estimate, frame.scale) for estimate in (bias, lower, upper))
    return replace(frame, bias=bias, sd=sd, lower_limit=lower, upper_limit=upper)


def _why_no_spread(differences: Differences, least: float) -> str:
    """Why there are no limits, or an empty string; SDs up to `least` are none."""
    if math.sqrt(sum_of(differences.parts)) <= least:
        return "all differences are the same, so that nothing can be said of their spread"
    if math.sqrt(differences.parts[0].variance) <= least:
        return "all subjects have the same mean difference, so that nothing can be said of the spread between subjects"
    return ""


def _back(estimate: Estimate, scale: Scale) -> Estimate:
    """From logarithms to ratios."""
    if scale == "difference":
        return estimate
    value, low, high = (None if x is None else math.exp(x) for x in (estimate.value, estimate.low, estimate.high))
    return replace(estimate, value=value, low=low, high=high)


def _notes(frame: BlandAltman, differences: Differences, protocol: Protocol) -> tuple[str, ...]:
    notes = []
    repeated = any(max(point.readings) > 1 for point in frame.points)
    if differences.nested:
        notes.append("Two hips of one subject are not independent: intervals rest on the number of subjects.")
    if repeated and protocol.true_value == "varying":
        notes.append("Several readings of one hip in one session were averaged: limits hold for such means.")
    elif repeated:
        notes.append(
            "Limits are for one reading by each method; raters and sessions count as repeats, so that differences "
            "between these raters are in the limits, and those to other raters are not."
        )
    slope = frame.proportional_bias
    if slope.low is not None and slope.high is not None and not slope.low <= 0 <= slope.high:
        notes.append(
            "Differences change with size. This is a proportional bias if both methods scatter alike; methods that "
            "scatter unequally give a slope without one."
        )
    return tuple(notes)
