"""Sample size: how many independent pairs of readings a question needs.

A pair is one reading by each method of one target; differences are taken as normal and independent. `plan` allows for
the correlation of a subject's targets, and for failures. `level` is that of the confidence interval throughout, and
limits of agreement enclose the middle 95 % of single differences.

The formula printed by Lu et al. 2016 (doi 10.1515/ijb-2015-0039) is not used: it gives 79 for their own example, where
they print 83.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

Array = npt.NDArray[Any]

SHARE = 0.95
"""Share of single differences between the limits of agreement."""

LARGEST = 20_000
"""No study of this kind takes more pairs; a question that needs more counts as not reachable."""

_NODES = 5_000
"""Of the quadrature over the SD found."""
_Z = NormalDist().inv_cdf((1 + SHARE) / 2)


def smallest(good: Callable[[int], bool], least: int = 3) -> int | None:
    """The smallest number of pairs for which `good` is true, as for all larger ones; None if it exceeds LARGEST."""
    low, high = least - 1, least
    while not good(high):
        if high >= LARGEST:
            return None
        low, high = high, min(2 * high, LARGEST)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle, high)
    return high


def approximate_limit_width(pairs: int, *, level: float = 0.95) -> float:
    """Full width of a limit's confidence interval, in SD of the differences, by the standard error sqrt(3 / n).

    Bland & Altman 1986, doi 10.1016/S0140-6736(86)90837-8.
    """
    return 2 * NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(3 / pairs)


def exact_limit_width(pairs: int, *, level: float = 0.95) -> float:
    """Expected full width of a limit's exact confidence interval, in true SD of the differences.

    The interval of a normal percentile by the noncentral t distribution; Shieh 2018, doi 10.1186/s12874-018-0505-y.
    """
    low, high = limit_factors(pairs, level=level)
    return _mean_of_sd(pairs) * (high - low)


def limit_factors(pairs: int, *, level: float = 0.95, share: float = SHARE) -> tuple[float, float]:
    """Factors of the confidence interval of the upper limit: mean difference plus factor times the SD found."""
    root, z = math.sqrt(pairs), NormalDist().inv_cdf((1 + share) / 2)
    low, high = scipy.stats.nct.ppf([(1 - level) / 2, (1 + level) / 2], pairs - 1, z * root) / root
    return float(low), float(high)


def expected_range(pairs: int, *, level: float = 0.95) -> float:
    """Expected half-width, in true SD, of the exact interval that covers both true limits.

    Jan & Shieh 2018, doi 10.1016/j.compbiomed.2018.06.020.
    """
    return _mean_of_sd(pairs) * range_factor(pairs, level=level)


def range_factor(pairs: int, *, level: float = 0.95) -> float:
    """The mean difference -+ this times the SD found covers both true limits with probability `level`."""

    def holds_both(factor: float) -> float:
        def given(sd: Array) -> Array:  # the mean may deviate by as much as the interval is too wide
            return np.asarray(np.clip(2 * scipy.stats.norm.cdf(math.sqrt(pairs) * (factor * sd - _Z)) - 1, 0, None))

        return _over_sd(pairs, given) - level

    return float(scipy.optimize.brentq(holds_both, _Z, 1000, xtol=1e-9))


def power_within(pairs: int, *, factor: float, acceptable: float, bias: float, sd: float) -> float:
    """Probability that the mean difference -+ `factor` times the SD found lies within -+ `acceptable`.

    As in Shieh 2019 (Statistics in Biopharmaceutical Research 12, 352-359), who has another factor.

    Args:
        pairs: Number of pairs.
        factor: Such as that of `limit_factors`, for the outer confidence bounds of the limits.
        acceptable: Acceptable difference.
        bias: True mean of the differences.
        sd: True SD of the differences.
    """
    error = sd / math.sqrt(pairs)

    def given(found: Array) -> Array:
        room = np.clip(acceptable - factor * sd * found, 0, None)
        return np.asarray(scipy.stats.norm.cdf((room - bias) / error) - scipy.stats.norm.cdf((-room - bias) / error))

    return _over_sd(pairs, given)


def _over_sd(pairs: int, probability: Callable[[Array], Array]) -> float:
    """Mean of a probability given (SD found / true SD), over the distribution of that ratio, by quadrature."""
    return float(probability(_sd_ratios(pairs)).mean())


@lru_cache(maxsize=64)
def _sd_ratios(pairs: int) -> Array:
    return np.asarray(np.sqrt(scipy.stats.chi2.ppf((np.arange(_NODES) + 0.5) / _NODES, pairs - 1) / (pairs - 1)))


def _mean_of_sd(pairs: int) -> float:
    """Expected SD found, in true SD."""
    half = (pairs - 1) / 2
    return math.exp(math.lgamma(half + 0.5) - math.lgamma(half)) / math.sqrt(half)


def icc_pairs(icc: float, ratings: int, width: float, *, level: float = 0.95) -> int:
    """Targets to read for a confidence interval of an ICC of this full width, each `ratings` times.

    Bonett 2002, doi 10.1002/sim.1108, with its correction of 5 ICC for two ratings and an ICC of 0.7 or more.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    spread = (1 - icc) ** 2 * (1 + (ratings - 1) * icc) ** 2 / (ratings * (ratings - 1))
    correction = 5 * icc if ratings == 2 and icc >= 0.7 else 0.0
    return math.ceil(8 * z**2 * spread / width**2 + 1 + correction - 1e-9)


def design_effect(per_subject: int, correlation: float) -> float:
    """Factor by which more targets are needed where `per_subject` targets of a subject correlate (Kish 1965)."""
    return 1 + (per_subject - 1) * correlation
