"""Sums of variances, their intervals, and limits of agreement computed from them.

The variance of a single difference is a sum of independent mean squares with positive weights; each mean square follows
a scaled chi-squared distribution. Intervals are exact where there is one mean square, else by MOVER, the method of
variance estimates recovery (Zou 2013, doi 10.1177/0962280211402548; for sums Graybill and Wang 1980).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy

from monai_ctseg.agreement.statistics.estimate import Estimate
from monai_ctseg.grid import FloatArray

LIMITS_SHARE = 0.95
"""Share of single differences between the limits of agreement."""
LIMITS_Z = 1.959963984540054
"""Normal quantile of (1 + LIMITS_SHARE) / 2."""


@dataclass(frozen=True)
class Part:
    """One term of a sum: `weight` times a mean square `variance` with `degrees_of_freedom`.

    `in_sides` is the share of a variance of readings in the mean square between sides.
    """

    source: str
    weight: float
    variance: float
    degrees_of_freedom: float
    in_sides: float = 0.0


def pooled(groups: Sequence[FloatArray]) -> tuple[float, int]:
    """Variance within groups, pooled, and its degrees of freedom; (0, 0) where no group has two values."""
    freedom = sum(len(group) - 1 for group in groups)
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    return (squares / freedom if freedom else 0.0), freedom


def mean_reciprocal(groups: Sequence[FloatArray]) -> float:
    """Mean of 1 / size: the share of the variance of single readings that remains in their means."""
    return float(np.mean([1 / len(group) for group in groups]))


def sum_of(parts: Sequence[Part]) -> float:
    """The sum of weighted variances."""
    return sum(part.weight * part.variance for part in parts)


def sum_interval(parts: Sequence[Part], *, level: float) -> tuple[float, float]:
    """Confidence interval of the sum of weighted variances; exact for one part, MOVER for more."""
    low = high = 0.0
    for part in parts:
        chi_low, chi_high = scipy.stats.chi2.ppf([(1 + level) / 2, (1 - level) / 2], part.degrees_of_freedom)
        term = part.weight * part.variance
        low += (term * (1 - part.degrees_of_freedom / chi_low)) ** 2
        high += (term * (part.degrees_of_freedom / chi_high - 1)) ** 2
    total = sum_of(parts)
    return max(total - math.sqrt(low), 0.0), total + math.sqrt(high)


def sd_estimate(parts: Sequence[Part], *, level: float, factor: float = 1.0) -> Estimate:
    """`factor` times the square root of the sum, with its interval."""
    low, high = sum_interval(parts, level=level)
    method = "chi-squared" if len(parts) == 1 else "MOVER (Zou 2013)"
    value, low, high = (factor * math.sqrt(variance) for variance in (sum_of(parts), low, high))
    return Estimate(value, low, high, level=level, method=method)


def mean_estimate(mean: float, sd: float, count: int, *, level: float) -> Estimate:
    """A mean of `count` independent values with their SD, by Student's t."""
    half = float(scipy.stats.t.ppf((1 + level) / 2, count - 1)) * sd / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half, level=level, method=f"t with {count - 1} degrees of freedom")


def limits(mean: Estimate, parts: Sequence[Part], count: int) -> tuple[Estimate, Estimate]:
    """Lower and upper limit of agreement.

    With one part exact, by the non-central t distribution (Carkeet 2015, doi 10.1097/OPX.0000000000000513); with more
    by MOVER (Zou 2013), from the intervals of the mean and of the SD.

    Args:
        mean: Mean difference with its interval.
        parts: Mean squares whose weighted sum is the variance of a single difference.
        count: Number of subjects.
    """
    if len(parts) == 1 and parts[0].weight == 1:
        return _exact_limits(mean, math.sqrt(parts[0].variance), count)
    return _mover_limits(mean, sd_estimate(parts, level=mean.level))


@lru_cache(maxsize=256)
def _exact_factors(count: int, level: float) -> tuple[float, float]:
    """Inner and outer bound of the upper limit, in standard errors of the mean above the mean."""
    inner, outer = scipy.stats.nct.ppf([(1 - level) / 2, (1 + level) / 2], count - 1, LIMITS_Z * math.sqrt(count))
    return float(inner), float(outer)


def _exact_limits(mean: Estimate, sd: float, count: int) -> tuple[Estimate, Estimate]:
    centre, error = _value(mean.value), sd / math.sqrt(count)
    inner, outer = (factor * error for factor in _exact_factors(count, mean.level))
    method = "exact, non-central t (Carkeet 2015)"
    return (
        Estimate(centre - LIMITS_Z * sd, centre - outer, centre - inner, level=mean.level, method=method),
        Estimate(centre + LIMITS_Z * sd, centre + inner, centre + outer, level=mean.level, method=method),
    )


def _mover_limits(mean: Estimate, sd: Estimate) -> tuple[Estimate, Estimate]:
    centre, spread = _value(mean.value), LIMITS_Z * _value(sd.value)
    down, up = centre - _value(mean.low), _value(mean.high) - centre
    less, more = spread - LIMITS_Z * _value(sd.low), LIMITS_Z * _value(sd.high) - spread
    low, high = centre - spread, centre + spread
    method = "MOVER (Zou 2013)"
    return (
        Estimate(low, low - math.hypot(down, more), low + math.hypot(up, less), level=mean.level, method=method),
        Estimate(high, high - math.hypot(down, less), high + math.hypot(up, more), level=mean.level, method=method),
    )


def _value(number: float | None) -> float:
    assert number is not None  # the estimates made in this file have all their figures
    return number
