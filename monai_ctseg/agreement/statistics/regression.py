"""Lines test = intercept + slope * reference with errors in both: Deming, and Passing and Bablok."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import scipy

from monai_ctseg.agreement.statistics.estimate import Check, Estimate
from monai_ctseg.agreement.statistics.jackknife import interval, jackknife
from monai_ctseg.agreement.statistics.records import Regression
from monai_ctseg.errors import plural
from monai_ctseg.grid import FloatArray

IntArray: TypeAlias = npt.NDArray[np.int64]
FEW_SUBJECTS = 4
CORRELATION_ALPHA = 0.05


def deming_line(rows: FloatArray, error_variance_ratio: float) -> tuple[float, float]:
    """Intercept and slope of Deming's line (1943), in the closed form of Linnet 1990 (doi 10.1002/sim.4780091210).

    Args:
        rows: [n, (reference, test)]
        error_variance_ratio: Error variance of the test method over that of the reference method.
    """
    x, y = rows.T
    sxx, syy, sxy = x.var(), y.var(), float(((x - x.mean()) * (y - y.mean())).mean())
    if sxy == 0:
        return math.nan, math.nan
    excess = syy - error_variance_ratio * sxx
    slope = float((excess + math.sqrt(excess**2 + 4 * error_variance_ratio * sxy**2)) / (2 * sxy))
    return float(y.mean() - slope * x.mean()), slope


def deming(
    rows: FloatArray, subjects: Sequence[str], error_variance_ratio: float, *, level: float = 0.95, source: str = ""
) -> Regression:
    """Deming regression with jackknife intervals over subjects.

    Args:
        rows: [n, (reference, test)]
        subjects: The subject of each row.
        error_variance_ratio: Error variance of the test method over that of the reference method.
        level: Confidence level of the intervals.
        source: Where that ratio came from; it goes into the record.
    """
    none = Check.none("linearity", "Deming regression has no test of it; see Passing-Bablok")
    if reason := _why_no_line(rows, subjects):
        missing = Estimate.none(reason, level=level)
        return Regression("Deming", missing, missing, none, error_variance_ratio, source)
    intercept, slope = (
        jackknife(partial(_deming_part, at, error_variance_ratio), rows, subjects, level=level) for at in (0, 1)
    )
    return Regression("Deming", slope, intercept, none, error_variance_ratio, source)


def passing_bablok(rows: FloatArray, subjects: Sequence[str], *, level: float = 0.95) -> Regression:
    """Passing-Bablok regression (1983, doi 10.1515/cclm.1983.21.11.709).

    Intervals are by ranks; where a subject has several rows, by the jackknife over subjects. Not estimable where the
    methods do not rise together (Kendall's tau), or where the ranks of the interval lie outside the slopes.

    Args:
        rows: [n, (reference, test)]
        subjects: The subject of each row.
        level: Confidence level of the intervals.
    """
    name = "cusum (Passing and Bablok 1983)"
    reason = _why_no_line(rows, subjects) or _why_not_monotone(rows)
    slopes, pairs = _slopes(rows)
    slope = _shifted_median(slopes)
    if not reason and not math.isfinite(slope):
        reason = "too many pairs of targets change in opposite directions by the two methods"
    if reason:
        missing = Estimate.none(reason, level=level)
        return Regression("Passing-Bablok", missing, missing, Check.none(name, reason))
    linearity = _cusum(rows, _intercept(rows, slope), slope)
    if len(set(subjects)) < len(subjects):
        return Regression("Passing-Bablok", *_jackknifed(rows, subjects, slopes, pairs, level), linearity)
    return Regression("Passing-Bablok", *_rank_intervals(rows, slopes, level), linearity)


def _deming_part(at: int, ratio: float, rows: FloatArray) -> float:
    return deming_line(rows, ratio)[at]


def _why_no_line(rows: FloatArray, subjects: Sequence[str]) -> str:
    count = len(set(subjects))
    if count < FEW_SUBJECTS:
        return f"only {plural(count, 'subject')} with values by both methods; it takes {FEW_SUBJECTS}"
    if (np.ptp(rows, axis=0) <= 1e-12 * max(1.0, float(np.abs(rows).max()))).any():
        return "all targets have the same value by one method"
    if float(np.cov(rows.T)[0, 1]) <= 0:
        return "the methods do not rise together"
    return ""


def _why_not_monotone(rows: FloatArray) -> str:
    tau, p_value = scipy.stats.kendalltau(*rows.T, alternative="greater")
    if not p_value < CORRELATION_ALPHA:
        return f"the methods do not rise together (Kendall's tau {tau:.2f}, p = {p_value:.2f})"
    return ""


def _slopes(rows: FloatArray) -> tuple[FloatArray, IntArray]:
    """Sorted slopes between all pairs of rows, and the pairs [slopes, 2]; a slope of -1 is left out as in 1983."""
    x, y = rows.T
    first, second = np.triu_indices(len(rows), 1)
    dx, dy = x[first] - x[second], y[first] - y[second]
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(dx == 0, np.inf * np.sign(dy), dy / dx)
    kept = np.flatnonzero(~np.isnan(slopes) & (slopes != -1))
    order = kept[np.argsort(slopes[kept], kind="stable")]
    return slopes[order], np.column_stack([first, second])[order]


def _shifted_median(slopes: FloatArray) -> float:
    """The median, shifted by the number of slopes below -1; NaN where the shift leaves the slopes."""
    count, shift = len(slopes), int((slopes < -1).sum())
    low, high = (count - 1) // 2 + shift, count // 2 + shift
    if not count or high >= count:
        return math.nan
    return float((slopes[low] + slopes[high]) / 2)


def _jackknifed(
    rows: FloatArray, subjects: Sequence[str], slopes: FloatArray, pairs: IntArray, level: float
) -> tuple[Estimate, Estimate]:
    """Slope and intercept with intervals by the jackknife over subjects; the slopes are sorted only once."""
    labels = np.unique(np.array(subjects), return_inverse=True)[1]
    first, second = labels[pairs].T
    each = []
    for label in range(labels.max() + 1):
        slope = _shifted_median(slopes[(first != label) & (second != label)])
        each.append((slope, _intercept(rows[labels != label], slope)))
    slope = _shifted_median(slopes)
    ends = slope, _intercept(rows, slope)
    at_slope, at_intercept = (
        interval(value, list(values), level=level) for value, values in zip(ends, zip(*each, strict=True), strict=True)
    )
    return at_slope, at_intercept


def _intercept(rows: FloatArray, slope: float) -> float:
    return float(np.median(rows[:, 1] - slope * rows[:, 0]))


def _rank_intervals(rows: FloatArray, slopes: FloatArray, level: float) -> tuple[Estimate, Estimate]:
    """Slope and intercept with intervals by the normal approximation to Kendall's statistic."""
    count, method = len(rows), "ranks of slopes (Passing and Bablok 1983)"
    slope, shift = _shifted_median(slopes), int((slopes < -1).sum())
    reach = float(scipy.stats.norm.ppf((1 + level) / 2)) * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    first = round((len(slopes) - reach) / 2)
    last = len(slopes) - first + 1
    low_at, high_at = first + shift - 1, last + shift - 1
    intercept = _intercept(rows, slope)
    if first < 1 or high_at >= len(slopes) or not np.isfinite(slopes[[low_at, high_at]]).all():
        reason = "too few targets, or too much scatter, for an interval by ranks"
        return Estimate(slope, level=level, reason=reason), Estimate(intercept, level=level, reason=reason)
    low, high = float(slopes[low_at]), float(slopes[high_at])
    return (
        Estimate(slope, low, high, level=level, method=method),
        Estimate(intercept, _intercept(rows, high), _intercept(rows, low), level=level, method=method),
    )


def _cusum(rows: FloatArray, intercept: float, slope: float) -> Check:
    """Whether points above and below the line form long runs along it; Kolmogorov-Smirnov's limit distribution."""
    name = "cusum (Passing and Bablok 1983)"
    x, y = rows.T
    residuals = y - intercept - slope * x
    residuals[np.abs(residuals) <= 1e-12 * max(1.0, float(np.abs(y).max()))] = 0
    above, below = int((residuals > 0).sum()), int((residuals < 0).sum())
    if not above or not below:
        return Check.none(name, "all points lie on the line")
    scores = np.where(residuals > 0, math.sqrt(below / above), np.where(residuals < 0, -math.sqrt(above / below), 0.0))
    order = np.argsort(y + x / slope - intercept, kind="stable")
    statistic = float(np.abs(np.cumsum(scores[order])).max() / math.sqrt(above + 1))
    p_value = float(scipy.stats.kstwobign.sf(statistic))
    return Check(statistic, p_value, name, "a small p-value: the relation is not a straight line")
