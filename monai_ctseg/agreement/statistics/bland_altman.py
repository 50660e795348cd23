"""Bland-Altman: bias and limits of agreement of differences or ratios, for single, replicated and nested pairs.

Bland and Altman 1986 (doi 10.1016/S0140-6736(86)90837-8) and 1999 (doi 10.1177/096228029900800204).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monai_ctseg.agreement.statistics.checks import check_normality, check_spread, slope_on_mean
from monai_ctseg.agreement.statistics.differences import Differences, take_differences, variance_components
from monai_ctseg.agreement.statistics.estimate import Check, Estimate
from monai_ctseg.agreement.statistics.pairs import Pair, design_of
from monai_ctseg.agreement.statistics.protocol import Protocol, Scale
from monai_ctseg.agreement.statistics.records import BlandAltman
from monai_ctseg.agreement.statistics.variance import LIMITS_SHARE, limits, mean_estimate, sd_estimate, sum_of

SPREAD_ALPHA = 0.05
"""Below this p-value the spread of the differences counts as growing."""
NO_SPREAD = 1e-12
"""Values that differ by less than this share of their size are the same."""


def bland_altman(pairs: Sequence[Pair], scale: Scale, protocol: Protocol, *, scale_reason: str) -> BlandAltman:
    """Bias, limits of agreement, and the checks of their assumptions, on one scale.

    Args:
        pairs: Readings of both methods; on the ratio scale all above 0.
        scale: Differences or ratios.
        protocol: Names the methods, fixes level and true value.
        scale_reason: Why this scale was taken; it goes into the record.
    """
    empty = _without_statistics(pairs, scale, scale_reason, protocol.level)
    if empty.subjects < 2:
        return empty
    differences = take_differences(pairs, scale, protocol)
    of_targets, means, subjects = differences.of_targets, differences.means, differences.subjects
    found = replace(
        empty,
        components=variance_components(differences),
        proportional_bias=slope_on_mean(of_targets, means, subjects, protocol.level),
        growing_spread=check_spread(of_targets, means, subjects),
        normality=check_normality(of_targets),
    )
    found = replace(found, notes=_notes(found, differences, protocol))
    return _with_limits(found, differences, pairs, protocol.level)


def choose_scale(pairs: Sequence[Pair], protocol: Protocol) -> tuple[Scale, str]:
    """Differences or ratios, and why.

    "auto" takes ratios only where the spread grows with size and logarithms correct that. Where the protocol fixes
    ratios of values that are not all above 0, differences are taken.
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
    plain, logs = _spread_p(pairs, "difference", protocol), _spread_p(pairs, "ratio", protocol)
    if plain is None or logs is None:
        return "difference", "growth of the spread cannot be tested"
    if plain >= SPREAD_ALPHA:
        return "difference", "the spread of differences does not grow noticeably with size"
    if logs < SPREAD_ALPHA:
        return "difference", (
            f"the spread grows with size (p = {plain:.3f}), but logarithms do not correct that (p = {logs:.3f}): "
            "the limits are too wide for some sizes and too narrow for others"
        )
    return "ratio", f"the spread of differences grows with size (p = {plain:.3f}), that of logarithms does not"


def bias_and_limits(differences: Differences, level: float) -> tuple[Estimate, Estimate, Estimate, Estimate]:
    """Bias, SD of a single difference, lower and upper limit, on the scale of `differences`."""
    bias_sd = math.sqrt(differences.parts[0].variance)
    bias = mean_estimate(float(differences.by_subject.mean()), bias_sd, len(differences.by_subject), level=level)
    lower, upper = limits(bias, differences.parts, len(differences.by_subject))
    return bias, sd_estimate(differences.parts, level=level), lower, upper


def _spread_p(pairs: Sequence[Pair], scale: Scale, protocol: Protocol) -> float | None:
    """p-value that the spread grows with size; 1 where it shrinks, None where it cannot be tested."""
    differences = take_differences(pairs, scale, protocol)
    check = check_spread(differences.of_targets, differences.means, differences.subjects)
    if check.statistic is None or check.p_value is None:
        return None
    return check.p_value if check.statistic > 0 else 1.0


def _without_statistics(pairs: Sequence[Pair], scale: Scale, scale_reason: str, level: float) -> BlandAltman:
    """What is known before any estimate."""
    targets = {(pair.subject, pair.side) for pair in pairs}
    reason = "only one subject has values by both methods" if pairs else "no target has a value by both methods"
    none = Estimate.none(reason, level=level)
    return BlandAltman(
        scale=scale,
        scale_reason=scale_reason,
        design=design_of(pairs),
        subjects=len({subject for subject, _ in targets}),
        targets=len(targets),
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


def _with_limits(found: BlandAltman, differences: Differences, pairs: Sequence[Pair], level: float) -> BlandAltman:
    readings = np.concatenate([values for pair in pairs for values in (pair.reference, pair.test)])
    least = NO_SPREAD * max(float(np.abs(readings).max()), 1.0)
    if reason := _why_no_spread(differences, least):
        none = Estimate.none(reason, level=level)
        alone = Estimate(float(differences.by_subject.mean()), level=level, reason=reason)
        bias = none if np.ptp(readings) <= least else _back_transformed(alone, found.scale)
        return replace(found, bias=bias, sd=none, lower_limit=none, upper_limit=none)
    bias, sd, lower, upper = bias_and_limits(differences, level)
    bias, lower, upper = (_back_transformed(estimate, found.scale) for estimate in (bias, lower, upper))
    return replace(found, bias=bias, sd=sd, lower_limit=lower, upper_limit=upper)


def _why_no_spread(differences: Differences, least: float) -> str:
    """Why there are no limits, or an empty string; an SD up to `least` counts as zero."""
    if math.sqrt(sum_of(differences.parts)) <= least:
        return "all differences are the same, so that nothing can be said of their spread"
    if math.sqrt(differences.parts[0].variance) <= least:
        return "all subjects have the same mean difference, so that nothing can be said of the spread between subjects"
    return ""


def _back_transformed(estimate: Estimate, scale: Scale) -> Estimate:
    """From logarithms to ratios."""
    if scale == "difference":
        return estimate
    value, low, high = (None if x is None else math.exp(x) for x in (estimate.value, estimate.low, estimate.high))
    return replace(estimate, value=value, low=low, high=high)


def _notes(found: BlandAltman, differences: Differences, protocol: Protocol) -> tuple[str, ...]:
    notes = []
    repeated = any(max(point.readings) > 1 for point in found.points)
    if differences.nested:
        notes.append("Targets of one subject are not independent: intervals rest on the number of subjects.")
    if repeated and protocol.true_value == "varying":
        notes.append("Several readings of one target in one session were averaged: limits hold for such means.")
    elif repeated:
        notes.append(
            "Limits are for one reading by each method. Raters and sessions count as repeats: differences between "
            "these raters are in the limits, differences to other raters are not."
        )
    slope = found.proportional_bias
    if slope.low is not None and slope.high is not None and not slope.low <= 0 <= slope.high:
        notes.append(
            "Differences change with size. This is a proportional bias if both methods scatter alike; methods that "
            "scatter unequally give a slope without one."
        )
    return tuple(notes)
