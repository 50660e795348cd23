"""Lin's concordance correlation of two columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy

from monai_ctseg.agreement.statistics.estimate import Estimate
from monai_ctseg.agreement.statistics.icc import why_no_correlation
from monai_ctseg.agreement.statistics.jackknife import jackknife
from monai_ctseg.grid import FloatArray


def concordance_value(table: FloatArray) -> float:
    """Lin 1989 (doi 10.2307/2532051) of `table` [targets, 2]."""
    x, y = table.T
    return float(2 * ((x - x.mean()) * (y - y.mean())).mean() / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))


def concordance(table: FloatArray, subjects: Sequence[str], *, level: float = 0.95) -> Estimate:
    """Lin's concordance correlation of two columns.

    The interval is on Fisher's z, with Lin's standard error as corrected in 2000 (doi 10.1111/j.0006-341X.2000.00324.x)
    and Student's t: with the normal distribution it covers too rarely where targets are few. Where a subject has
    several targets, the interval is by the jackknife over subjects.

    Args:
        table: [targets, 2]
        subjects: The subject of each row.
        level: Confidence level of the interval.
    """
    if table.shape[1] != 2:
        return Estimate.none("it is for two columns", level=level)
    if reason := why_no_correlation(table, subjects):
        return Estimate.none(reason, level=level)
    value = concordance_value(table)
    if abs(value) >= 1 - 1e-12:
        return Estimate(value, level=level, reason="both columns are the same, so that there is no interval")
    if len(set(subjects)) < len(subjects):
        return jackknife(concordance_value, table, subjects, level=level, fisher_z=True)
    x, y = table.T
    if min(x.std(), y.std()) == 0 or len(table) < 4:
        return Estimate(
            value, level=level, reason="one column is constant, or there are 3 targets only: there is no interval"
        )
    half = float(scipy.stats.t.ppf((1 + level) / 2, len(table) - 2)) * lin_error(x, y, value)
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
