"""Intraclass and concordance correlations of complete tables [hips, columns]."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from scipy import stats

from monai_ctseg.agreement.jackknife import jackknife
from monai_ctseg.agreement.records import Estimate, Icc, IccForm, plural
from monai_ctseg.grid import FloatArray

NAMES: dict[IccForm, str] = {
    "1": "ICC(1,1), one-way random, single measurement",
    "C,1": "ICC(3,1), two-way, consistency, single measurement",
    "A,1": "ICC(2,1), two-way random, absolute agreement, single measurement",
    "k": "ICC(1,k), one-way random, mean of the columns",
    "C,k": "ICC(3,k), two-way, consistency, mean of the columns (Cronbach's alpha)",
    "A,k": "ICC(2,k), two-way random, absolute agreement, mean of the columns",
}
FEW_HIPS = 3


@dataclass(frozen=True)
class MeanSquares:
    """Of a complete table of `hips` rows and `columns` columns: rows, columns, error, and within rows.

    `between_freedom` and `error_freedom` are the degrees of freedom of rows and error: n - 1 and (n - 1)(k - 1), or
    fewer by Satterthwaite 1946 (doi 10.2307/3002019) where rows of one subject vary together.
    """

    hips: int
    columns: int
    between: float
    between_columns: float
    error: float
    within: float
    between_freedom: float
    error_freedom: float

    @classmethod
    def of(cls, table: FloatArray, subjects: Sequence[str]) -> MeanSquares:
        """`table` [hips, columns], without gaps, whose rows belong to `subjects`."""
        n, k = table.shape
        rows, columns, grand = table.mean(1), table.mean(0), table.mean()
        residuals = table - rows[:, None] - columns + grand
        return cls(
            hips=n,
            columns=k,
            between=k * float(((rows - grand) ** 2).sum()) / (n - 1),
            between_columns=n * float(((columns - grand) ** 2).sum()) / (k - 1),
            error=float((residuals**2).sum()) / ((n - 1) * (k - 1)),
            within=float(((table - rows[:, None]) ** 2).sum()) / (n * (k - 1)),
            between_freedom=_freedom((rows - grand)[:, None], subjects),
            error_freedom=(k - 1) * _freedom(residuals, subjects),
        )


def _freedom(deviations: FloatArray, subjects: Sequence[str]) -> float:
    """Effective degrees of freedom a column of `deviations` [n, columns] from means, clustered by subject."""
    at = np.unique(np.array(subjects), return_inverse=True)[1]
    n, groups = len(subjects), int(at.max()) + 1
    if groups == n:
        return n - 1
    sums = np.zeros((groups, deviations.shape[1]))
    np.add.at(sums, at, deviations)
    between = float((sums**2 / np.bincount(at)[:, None]).sum())
    within = max(float((deviations**2).sum()) - between, 0.0)
    if between + within == 0:
        return groups - 1
    return (between + within) ** 2 / (between**2 / (groups - 1) + within**2 / (n - groups))


def why_no_correlation(table: FloatArray, subjects: Sequence[str]) -> str:
    """Why no correlation can be had of `table` [hips, columns], or an empty string."""
    if table.shape[1] < 2:
        return "there is nothing to compare: only one column"
    if len(table) < FEW_HIPS or len(set(subjects)) < 2:
        have = f"{plural(len(table), 'hip')} of {plural(len(set(subjects)), 'subject')}"
        return f"only {have} with all values; it takes {FEW_HIPS} hips of 2 subjects"
    size = max(1.0, float(np.abs(table).max()))
    if np.ptp(table.mean(1)) <= 1e-12 * size:
        return "all hips have the same value, so that nothing sets them apart"
    return ""


def icc_value(form: IccForm, table: FloatArray) -> float:
    """The point estimate by McGraw and Wong 1996 (doi 10.1037/1082-989X.1.1.30), `table` [hips, columns]."""
    return _value(form, MeanSquares.of(table, [str(row) for row in range(len(table))]))


def _value(form: IccForm, ms: MeanSquares) -> float:
    n, k = ms.hips, ms.columns
    noise = ms.within if form in ("1", "k") else ms.error
    shift = (ms.between_columns - ms.error) / n if form in ("A,1", "A,k") else 0.0
    if form in ("k", "C,k", "A,k"):
        return (ms.between - noise) / (ms.between + shift)
    return (ms.between - noise) / (ms.between + (k - 1) * noise + k * shift)


def icc(form: IccForm, table: FloatArray, subjects: Sequence[str], *, level: float = 0.95) -> Icc:
    """One form with its interval by F: exact, A forms with Satterthwaite's degrees of freedom (McGraw and Wong 1996).

    Where a subject has two hips, the mean squares have fewer degrees of freedom, after Satterthwaite too.
    """
    if reason := why_no_correlation(table, subjects):
        return Icc(form, NAMES[form], Estimate.none(reason, level=level))
    ms = MeanSquares.of(table, subjects)
    value = _value(form, ms)
    noise = ms.within if form in ("1", "k") else ms.error
    if noise <= 1e-20 * ms.between:
        reason = "the columns do not scatter about each other, so that there is no interval"
        return Icc(form, NAMES[form], Estimate(value, level=level, reason=reason))
    bounds = _agreement_interval(ms, level) if form[0] == "A" else _f_interval(ms, form, level)
    low, high = (_of_mean(r, ms.columns) for r in bounds) if form in ("k", "C,k", "A,k") else bounds
    exact = form[0] != "A" and len(set(subjects)) == len(subjects)
    method = f"F, {'exact' if exact else 'Satterthwaite'} (McGraw and Wong 1996)"
    reason = "" if low is not None else "the lower end is without bound"
    return Icc(form, NAMES[form], Estimate(value, low, high, level=level, method=method, reason=reason))


def all_iccs(table: FloatArray, subjects: Sequence[str], *, level: float = 0.95) -> tuple[Icc, ...]:
    """All six forms of `table` [hips, columns]."""
    return tuple(icc(form, table, subjects, level=level) for form in get_args(IccForm))


def concordance_value(table: FloatArray) -> float:
    """Lin 1989 (doi 10.2307/2532051) of `table` [hips, 2]."""
    x, y = table.T
    return float(2 * ((x - x.mean()) * (y - y.mean())).mean() / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))


def concordance(table: FloatArray, subjects: Sequence[str], *, level: float = 0.95) -> Estimate:
    """Lin's concordance correlation of two columns; interval on Fisher's z, with Lin's error as corrected in 2000
    (doi 10.1111/j.0006-341X.2000.00324.x) and Student's t, because with the normal distribution it covers too little
    of few hips; or by the jackknife over subjects where one has two hips.
    """
    if table.shape[1] != 2:
        return Estimate.none("it is for two columns", level=level)
    if reason := why_no_correlation(table, subjects):
        return Estimate.none(reason, level=level)
    value = concordance_value(table)
    if abs(value) >= 1 - 1e-12:
        return Estimate(value, level=level, reason="both columns are the same, so that there is no interval")
    if len(set(subjects)) < len(subjects):
        return jackknife(concordance_value, table, subjects, level=level, forth=_atanh, back=math.tanh)
    x, y = table.T
    if min(x.std(), y.std()) == 0 or len(table) < 4:
        return Estimate(value, level=level, reason="one column is constant, or 3 hips only: there is no interval")
    half = float(stats.t.ppf((1 + level) / 2, len(table) - 2)) * lin_error(x, y, value)
    z, method = math.atanh(value), f"Fisher's z (Lin 1989, 2000), t with {len(table) - 2} degrees of freedom"
    return Estimate(value, math.tanh(z - half), math.tanh(z + half), level=level, method=method)


def lin_error(x: FloatArray, y: FloatArray, c: float) -> float:
    """Standard error of Fisher's z of the concordance `c` of `x` and `y`."""
    r = float(np.corrcoef(x, y)[0, 1])
    if abs(r) < 1e-12:
        return math.inf
    u2 = float((x.mean() - y.mean()) ** 2 / (x.std() * y.std()))
    spread = (1 - r**2) * c**2 * (1 - c**2) / r**2 + 2 * c**3 * (1 - c) * u2 / r - c**4 * u2**2 / (2 * r**2)
    return math.sqrt(max(spread, 0.0) / (len(x) - 2)) / (1 - c**2)


def _f_interval(ms: MeanSquares, form: IccForm, level: float) -> tuple[float, float]:
    one_way = form in ("1", "k")
    n, k = ms.hips, ms.columns
    noise = ms.within if one_way else ms.error
    freedom = ms.error_freedom * (n / (n - 1) if one_way else 1)
    ratio, tail = ms.between / noise, (1 + level) / 2
    low = ratio / float(stats.f.ppf(tail, ms.between_freedom, freedom))
    high = ratio * float(stats.f.ppf(tail, freedom, ms.between_freedom))
    return (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)


def _agreement_interval(ms: MeanSquares, level: float) -> tuple[float, float]:
    """McGraw and Wong 1996, table 7, case 2A."""
    n, k, tail = ms.hips, ms.columns, (1 + level) / 2
    shift = k / n * (ms.between_columns - ms.error)
    r = (ms.between - ms.error) / (ms.between + (k - 1) * ms.error + shift)
    a, b = k * r / (n * (1 - r)), 1 + k * r * (n - 1) / (n * (1 - r))
    columns, error = a * ms.between_columns, b * ms.error
    freedom = (columns + error) ** 2 / (columns**2 / (k - 1) + error**2 / ms.error_freedom)
    rest = k * ms.between_columns + (k * n - k - n) * ms.error
    below = float(stats.f.ppf(tail, ms.between_freedom, freedom))
    above = float(stats.f.ppf(tail, freedom, ms.between_freedom))
    low = n * (ms.between - below * ms.error) / (below * rest + n * ms.between)
    high = n * (above * ms.between - ms.error) / (rest + n * above * ms.between)
    return low, high


def _of_mean(r: float, columns: int) -> float | None:
    """Spearman and Brown: reliability of the mean of `columns` from that of one; None: without bound."""
    whole = 1 + (columns - 1) * r
    return columns * r / whole if whole > 0 else None


def _atanh(r: float) -> float:
    return math.atanh(r) if abs(r) < 1 else math.inf
