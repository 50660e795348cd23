"""Checks of what limits of agreement assume: no slope, an even spread, normal differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy

from monai_ctseg.agreement.statistics.estimate import Check, Estimate
from monai_ctseg.agreement.statistics.jackknife import jackknife, leave_one_out, standard_error
from monai_ctseg.errors import needs_extra, plural
from monai_ctseg.grid import FloatArray

FEW_SUBJECTS = 4
"""With fewer, a line and its scatter cannot be told apart."""


def slope_on_mean(differences: FloatArray, means: FloatArray, subjects: Sequence[str], level: float) -> Estimate:
    """Slope of difference on mean; by the jackknife over subjects where one has several targets.

    It differs from 0 where the methods are proportional, and also where their variances differ (Bland and Altman 1995,
    doi 10.1016/S0140-6736(95)91748-9): it shows proportional bias only if both methods scatter alike.

    Args:
        differences: One difference per target.
        means: Mean of both methods, per target.
        subjects: The subject of each target.
        level: Confidence level of the interval.
    """
    if reason := _why_no_line(means, subjects):
        return Estimate.none(reason, level=level)
    if _repeated(subjects):
        return jackknife(_slope, np.column_stack([means, differences]), subjects, level=level)
    fit = _least_squares(differences, means)
    low, high = fit.conf_int(alpha=1 - level)[1]
    method = f"least squares, t with {len(means) - 2} degrees of freedom"
    return Estimate(float(fit.params[1]), float(low), float(high), level=level, method=method)


def check_spread(differences: FloatArray, means: FloatArray, subjects: Sequence[str]) -> Check:
    """Whether the squared residuals of difference on mean change with the mean; a statistic below 0: they shrink.

    Breusch and Pagan 1979 in Koenker's form (1981); where a subject has several targets, the standard error is by the
    jackknife. Arguments as for `slope_on_mean`.
    """
    name = "Breusch-Pagan (Koenker)"
    if reason := _why_no_line(means, subjects):
        return Check.none(name, reason)
    residuals = np.asarray(_least_squares(differences, means).resid)
    if np.ptp(residuals) <= 1e-12 * max(1.0, float(np.abs(differences).max())):
        return Check.none(name, "all differences lie on one line")
    note = "a small p-value: the spread changes with size; a statistic below 0: it shrinks"
    growth = np.column_stack([means, residuals**2])
    if _repeated(subjects):
        each = [_slope(less) for less in leave_one_out(subjects, growth)]
        ratio = _slope(growth) / standard_error([_slope(growth), *each])
        p_value = 2 * float(scipy.stats.t.sf(abs(ratio), len(each) - 2))
        return Check(ratio, p_value, "squared residuals on mean, jackknife over subjects", note)
    with needs_extra("agreement"):
        from statsmodels.stats.diagnostic import het_breuschpagan
    lagrange, p_value, _, _ = het_breuschpagan(residuals, _design(means))
    return Check(float(np.sign(_slope(growth)) * lagrange), float(p_value), name, note)


def check_normality(differences: FloatArray) -> Check:
    """Shapiro and Wilk 1965, on one difference per target."""
    name = "Shapiro-Wilk"
    if len(differences) < 3:
        return Check.none(name, f"only {plural(len(differences), 'target')}; it takes 3")
    if np.ptp(differences) <= 1e-12 * max(1.0, float(np.abs(differences).max())):
        return Check.none(name, "all differences are the same")
    statistic, p_value = scipy.stats.shapiro(differences)
    return Check(float(statistic), float(p_value), name, "a small p-value: the differences are not normal")


def _why_no_line(means: FloatArray, subjects: Sequence[str]) -> str:
    count = len(set(subjects))
    if count < FEW_SUBJECTS:
        return f"only {plural(count, 'subject')}; it takes {FEW_SUBJECTS}"
    if np.ptp(means) <= 1e-12 * max(1.0, float(np.abs(means).max())):
        return "all targets have the same size, so that nothing can change with it"
    return ""


def _least_squares(differences: FloatArray, means: FloatArray) -> Any:
    """The fitted line of statsmodels."""
    with needs_extra("agreement"):
        from statsmodels.regression.linear_model import OLS
    return OLS(differences, _design(means)).fit()


def _design(means: FloatArray) -> FloatArray:
    return np.column_stack([np.ones(len(means)), means])


def _slope(rows: FloatArray) -> float:
    x, y = rows.T
    return float(np.cov(x, y)[0, 1] / x.var(ddof=1))


def _repeated(subjects: Sequence[str]) -> bool:
    return len(set(subjects)) < len(subjects)
