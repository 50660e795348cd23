"""Readings without a value: counted by method and rater, never dropped.

Readings of a subject often fail together, so intervals rest on the number of subjects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from monai_ctseg.agreement.statistics.estimate import Estimate
from monai_ctseg.agreement.statistics.records import FailureRate
from monai_ctseg.agreement.statistics.table import Reading
from monai_ctseg.errors import needs_extra, plural


def count_failures(readings: Sequence[Reading], *, level: float) -> tuple[FailureRate, ...]:
    """One rate per method over all its raters, and one per rater where a method has several."""
    rates = []
    for method in dict.fromkeys(reading.method for reading in readings):
        own = [reading for reading in readings if reading.method == method]
        raters = list(dict.fromkeys(reading.rater for reading in own))
        rates.append(_rate(method, raters[0] if len(raters) == 1 else None, own, level))
        if len(raters) > 1:
            rates += [_rate(method, rater, [r for r in own if r.rater == rater], level) for rater in raters]
    return tuple(rates)


def failure_rate(counts: Sequence[tuple[int, int]], *, level: float) -> Estimate:
    """Share of readings that failed.

    Wilson's interval (1927) for as many readings as there are subjects (fewer where their numbers of readings differ,
    Kish 1965). It is exact where all readings of a subject fail or none does, else slightly too wide. A design effect
    estimated from the data (Rao and Scott 1992) covers too rarely, because failures are few.

    Args:
        counts: Of each subject (failed, attempted).
        level: Confidence level of the interval.
    """
    with needs_extra("agreement"):
        from statsmodels.stats.proportion import proportion_confint
    failed, attempted = (sum(column) for column in zip(*counts, strict=True))
    effective = attempted**2 / sum(tried**2 for _, tried in counts)
    low, high = proportion_confint(failed / attempted * effective, effective, alpha=1 - level, method="wilson")
    method = "Wilson 1927"
    if len(counts) < attempted:
        method += f" on {plural(len(counts), 'subject')}, as readings of one may fail together"
    return Estimate(failed / attempted, max(float(low), 0.0), min(float(high), 1.0), level=level, method=method)


def _rate(method: str, rater: str | None, readings: Sequence[Reading], level: float) -> FailureRate:
    failed = [reading for reading in readings if reading.value is None]
    attempted, missed = (Counter(reading.subject for reading in rows) for rows in (readings, failed))
    rate = failure_rate([(missed[subject], tried) for subject, tried in attempted.items()], level=level)
    reasons = Counter(reading.reason or "no reason given" for reading in failed)
    return FailureRate(method, rater, len(readings), len(failed), rate, tuple(reasons.most_common()))
