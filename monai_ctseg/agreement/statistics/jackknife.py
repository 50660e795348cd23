"""The jackknife: leave out one subject at a time, with all that belongs to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from monai_ctseg.agreement.statistics.records import Estimate
from monai_ctseg.grid import FloatArray


def leave_one_out(subjects: Sequence[str], rows: FloatArray) -> list[FloatArray]:
    """`rows` without each subject in turn; rows [n, ...] go with `subjects`."""
    labels = np.array(subjects)
    return [rows[labels != label] for label in dict.fromkeys(subjects)]


def jackknife(
    statistic: Callable[[FloatArray], float],
    rows: FloatArray,
    subjects: Sequence[str],
    *,
    level: float,
    forth: Callable[[float], float] = float,
    back: Callable[[float], float] = float,
) -> Estimate:
    """`statistic` of `rows` with an interval by Student's t, made on the scale of `forth` and brought `back`.

    Quenouille 1956, Tukey 1958; leaving out whole subjects keeps hips of one subject together.
    """
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
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * error
    method = f"jackknife over {len(each)} subjects, t with {freedom} degrees of freedom"
    return Estimate(value, value - half, value + half, level=level, method=method)


def standard_error(values: Sequence[float]) -> float:
    """Of the first of `values`, from the others, each without one subject; infinite where there is none."""
    each = np.array(values[1:])
    if len(each) < 3 or not np.isfinite(values).all():
        return math.inf
    return math.sqrt((len(each) - 1) / len(each) * float(((each - each.mean()) ** 2).sum()))
