"""Intraclass correlations of complete tables [targets, columns]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import get_args

import numpy as np
import scipy

from monai_ctseg.agreement.statistics.estimate import Estimate
from monai_ctseg.agreement.statistics.protocol import IccForm
from monai_ctseg.agreement.statistics.records import Icc
from monai_ctseg.errors import plural
from monai_ctseg.grid import FloatArray

NAMES: dict[IccForm, str] = {
    "1": "ICC(1,1), one-way random, single measurement",
    "C,1": "ICC(3,1), two-way, consistency, single measurement",
    "A,1": "ICC(2,1), two-way random, absolute agreement, single measurement",
    "k": "ICC(1,k), one-way random, mean of the columns",
    "C,k": "ICC(3,k), two-way, consistency, mean of the columns (Cronbach's alpha)",
    "A,k": "ICC(2,k), two-way random, absolute agreement, mean of the columns",
}
FEW_TARGETS = 3
DRAWS = 20_000
SEED = 0
"""Seed of the draws behind an interval of absolute agreement: fixed, so that results are reproducible."""


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are: random effects (raters) or `fixed` (two methods), and what a `cell` is."""

    fixed: bool = False
    cell: str = "single measurement"

    def name(self, form: IccForm) -> str:
        """The form's name for such columns; fixed columns of absolute agreement are McGraw and Wong's case 3A."""
        text = NAMES[form].replace("single measurement", self.cell)
        return text.replace("two-way random", "two-way mixed (case 3A)") if self.fixed else text


RANDOM = Columns()


@dataclass(frozen=True)
class MeanSquares:
    """Mean squares of a complete table of `targets` rows and `columns` columns.

    Attributes:
        between: Between rows.
        error: Of the residuals of rows and columns.
        within: Within rows.
        between_freedom: Degrees of freedom of rows: n - 1, or fewer by Satterthwaite 1946 (doi 10.2307/3002019) where
            rows of one subject vary together.
        error_freedom: Degrees of freedom of the error: (n - 1)(k - 1), or fewer likewise.
        offsets: The columns' means minus the grand mean.
    """

    targets: int
    columns: int
    between: float
    between_columns: float
    error: float
    within: float
    between_freedom: float
    error_freedom: float
    offsets: tuple[float, ...]

    @classmethod
    def of(cls, table: FloatArray, subjects: Sequence[str]) -> MeanSquares:
        """Mean squares of a complete `table` [targets, columns]; `subjects` names the subject of each row."""
        n, k = table.shape
        rows, columns, grand = table.mean(1), table.mean(0), table.mean()
        residuals = table - rows[:, None] - columns + grand
        return cls(
            targets=n,
            columns=k,
            between=k * float(((rows - grand) ** 2).sum()) / (n - 1),
            between_columns=n * float(((columns - grand) ** 2).sum()) / (k - 1),
            error=float((residuals**2).sum()) / ((n - 1) * (k - 1)),
            within=float(((table - rows[:, None]) ** 2).sum()) / (n * (k - 1)),
            between_freedom=_freedom((rows - grand)[:, None], subjects),
            error_freedom=(k - 1) * _freedom(residuals, subjects),
            offsets=tuple(columns - grand),
        )


def _freedom(deviations: FloatArray, subjects: Sequence[str]) -> float:
    """Effective degrees of freedom per column of `deviations` [n, columns] from means, clustered by subject."""
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
    """Why no correlation of `table` [targets, columns] can be estimated, or an empty string."""
    if table.shape[1] < 2:
        return "there is nothing to compare: only one column"
    if len(table) < FEW_TARGETS or len(set(subjects)) < 2:
        have = f"{plural(len(table), 'target')} of {plural(len(set(subjects)), 'subject')}"
        return f"only {have} with all values; it takes {FEW_TARGETS} targets of 2 subjects"
    size = max(1.0, float(np.abs(table).max()))
    if np.ptp(table.mean(1)) <= 1e-12 * size:
        return "all targets have the same value, so that nothing distinguishes them"
    return ""


def _value(form: IccForm, ms: MeanSquares) -> float:
    """The point estimate by McGraw and Wong 1996 (doi 10.1037/1082-989X.1.1.30)."""
    n, k = ms.targets, ms.columns
    noise = ms.within if form in ("1", "k") else ms.error
    shift = (ms.between_columns - ms.error) / n if form in ("A,1", "A,k") else 0.0
    if form in ("k", "C,k", "A,k"):
        return (ms.between - noise) / (ms.between + shift)
    return (ms.between - noise) / (ms.between + (k - 1) * noise + k * shift)


def icc(
    form: IccForm, table: FloatArray, subjects: Sequence[str], *, level: float = 0.95, columns: Columns = RANDOM
) -> Icc:
    """One form of the ICC with its interval: by F (McGraw and Wong 1996), generalised for absolute agreement.

    McGraw and Wong's interval of absolute agreement covers too rarely where raters differ much (73 % instead of 95 %
    for two raters with offsets as large as the error and 80 targets). Two or three raters drawn at random say little
    about all raters, and the generalised interval shows that by its width; fixed columns have no such part.
    Where a subject has several targets, the mean squares have fewer degrees of freedom (Satterthwaite).

    Args:
        form: McGraw and Wong's name of the form.
        table: [targets, columns], without gaps.
        subjects: The subject of each row.
        level: Confidence level of the interval.
        columns: Whether the columns are random or fixed.
    """
    name = columns.name(form)
    if reason := why_no_correlation(table, subjects):
        return Icc(form, name, Estimate.none(reason, level=level))
    ms = MeanSquares.of(table, subjects)
    value = _value(form, ms)
    noise = ms.within if form in ("1", "k") else ms.error
    if noise <= 1e-20 * ms.between:
        reason = "the columns do not scatter about each other, so that there is no interval"
        return Icc(form, name, Estimate(value, level=level, reason=reason))
    agreement = form[0] == "A"
    bounds = _agreement_interval(ms, level, fixed=columns.fixed) if agreement else _f_interval(ms, form, level)
    low, high = (_of_mean(r, ms.columns) for r in bounds) if form in ("k", "C,k", "A,k") else bounds
    if agreement:
        what = "for these columns only" if columns.fixed else "columns drawn at random"
        method = f"generalised, {what} (Weerahandi 1993)"
    else:
        nested = len(set(subjects)) < len(subjects)
        method = f"F, {'Satterthwaite' if nested else 'exact'} (McGraw and Wong 1996)"
    reason = "" if low is not None else "the lower bound is infinite"
    return Icc(form, name, Estimate(value, low, high, level=level, method=method, reason=reason))


def all_iccs(
    table: FloatArray, subjects: Sequence[str], *, level: float = 0.95, columns: Columns = RANDOM
) -> tuple[Icc, ...]:
    """All six forms of `table` [targets, columns]."""
    return tuple(icc(form, table, subjects, level=level, columns=columns) for form in get_args(IccForm))


def _f_interval(ms: MeanSquares, form: IccForm, level: float) -> tuple[float, float]:
    one_way = form in ("1", "k")
    n, k = ms.targets, ms.columns
    noise = ms.within if one_way else ms.error
    freedom = ms.error_freedom * (n / (n - 1) if one_way else 1)
    ratio, tail = ms.between / noise, (1 + level) / 2
    low = ratio / float(scipy.stats.f.ppf(tail, ms.between_freedom, freedom))
    high = ratio * float(scipy.stats.f.ppf(tail, freedom, ms.between_freedom))
    return (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)


def _agreement_interval(ms: MeanSquares, level: float, *, fixed: bool) -> tuple[float, float]:
    """Quantiles of the ICC over draws of the variances that could have produced these mean squares.

    Generalised interval (Weerahandi 1993, doi 10.1080/01621459.1993.10476355): each mean square is divided by a draw of
    its chi-squared distribution; fixed columns have their offsets minus a draw of their error instead of a variance.
    """
    n, k = ms.targets, ms.columns
    between, error = (
        mean_square * freedom / _chi_squared(stream, freedom)
        for stream, mean_square, freedom in (
            (0, ms.between, ms.between_freedom),
            (1, ms.error, ms.error_freedom),
        )
    )
    if fixed:
        rows = ms.error_freedom / (k - 1) + 1  # effective number of rows of the error
        offsets = np.array(ms.offsets) - np.sqrt(error / rows)[:, None] * _centred_normal(k)
        shift = (offsets**2).sum(1) / (k - 1)
    else:
        columns = ms.between_columns * (k - 1) / _chi_squared(2, k - 1)
        shift = np.maximum(columns - error, 0) / n
    drawn = (between - error) / (between + (k - 1) * error + k * shift)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@lru_cache(maxsize=32)
def _chi_squared(stream: int, freedom: float) -> FloatArray:
    return np.random.default_rng([SEED, stream]).chisquare(freedom, DRAWS)


@lru_cache(maxsize=8)
def _centred_normal(columns: int) -> FloatArray:
    drawn = np.random.default_rng([SEED, 3]).normal(size=(DRAWS, columns))
    return np.asarray(drawn - drawn.mean(1, keepdims=True))


def _of_mean(r: float, columns: int) -> float | None:
    """Spearman and Brown: reliability of the mean of `columns` from that of one; None: infinite."""
    whole = 1 + (columns - 1) * r
    return columns * r / whole if whole > 0 else None
