"""The jackknife: leave out one subject at a time, with all that belongs to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import scipy

from monai_ctseg.agreement.statistics.estimate import Estimate
from monai_ctseg.grid import FloatArray


def leave_one_out(subjects: Sequence[str], rows: FloatArray) -> list[FloatArray]:
    """`rows` [n, ...] without each subject in turn; `subjects` names the subject of each row."""
    labels = np.array(subjects)
    return [rows[labels != label] for label in dict.fromkeys(subjects)]


def jackknife(
    statistic: Callable[[FloatArray], float],
    rows: FloatArray,
    subjects: Sequence[str],
    *,
    level: float,
    fisher_z: bool = False,
) -> Estimate:
    """A statistic with an interval by Student's t (Quenouille 1956, Tukey 1958).

    Args:
        statistic: Function of rows.
        rows: [n, ...]
        subjects: The subject of each row. Whole subjects are left out, so the targets of a subject stay together.
        level: Confidence level of the interval.
        fisher_z: Compute the interval on Fisher's z scale, for correlations.
    """
    forth, back = (_atanh, math.tanh) if fisher_z else (float, float)
    value = statistic(rows)
    each = [forth(statistic(less)) for less in leave_one_out(subjects, rows)]
    around = interval(forth(value), each, level=level)
    if around.low is None or around.high is None:
        return Estimate(value, level=level, reason=around.reason)
    return Estimate(value, back(around.low), back(around.high), level=level, method=around.method)


def interval(value: float, each: Sequence[float], *, level: float) -> Estimate:
    """`value` with its interval, from the values `each` without one subject."""
    error = standard_error([value, *each])
    if not math.isfinite(error):
        return Estimate(value, level=level, reason="too few subjects, or too regular ones, for an interval")
    freedom = len(each) - 2
    half = float(scipy.stats.t.ppf((1 + level) / 2, freedom)) * error
    method = f"jackknife over {len(each)} subjects, t with {freedom} degrees of freedom"
    return Estimate(value, value - half, value + half, level=level, method=method)


def standard_error(values: Sequence[float]) -> float:
    """Standard error of `values[0]` from the others, each without one subject; infinite where it is undefined."""
    each = np.array(values[1:])
    if len(each) < 3 or not np.isfinite(values).all():
        return math.inf
    return math.sqrt((len(each) - 1) / len(each) * float(((each - each.mean()) ** 2).sum()))


def _atanh(r: float) -> float:
    return math.atanh(r) if abs(r) < 1 else math.inf
