"""Readings without a value: counted by method and rater, never dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from statsmodels.stats.proportion import proportion_confint

from monai_ctseg.agreement.records import Estimate, FailureRate
from monai_ctseg.agreement.table import Reading


def count_failures(readings: Sequence[Reading], *, level: float) -> tuple[FailureRate, ...]:
    """One rate a method over all its raters, and one a rater where a method has several."""
    rates = []
    for method in dict.fromkeys(reading.method for reading in readings):
        own = [reading for reading in readings if reading.method == method]
        raters = list(dict.fromkeys(reading.rater for reading in own))
        rates.append(_rate(method, raters[0] if len(raters) == 1 else None, own, level))
        if len(raters) > 1:
            rates += [_rate(method, rater, [r for r in own if r.rater == rater], level) for rater in raters]
    return tuple(rates)


def failure_rate(failed: int, attempted: int, *, level: float) -> Estimate:
    """Share of `attempted` that `failed`, with Wilson's interval (1927)."""
    low, high = proportion_confint(failed, attempted, alpha=1 - level, method="wilson")
    return Estimate(failed / attempted, max(float(low), 0.0), float(high), level=level, method="Wilson 1927")


def _rate(method: str, rater: str | None, readings: Sequence[Reading], level: float) -> FailureRate:
    failed = [reading for reading in readings if reading.value is None]
    rate = failure_rate(len(failed), len(readings), level=level)
    reasons = Counter(reading.reason or "no reason given" for reading in failed)
    return FailureRate(method, rater, len(readings), len(failed), rate, tuple(reasons.most_common()))
