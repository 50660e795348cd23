"""Sample sizes, against the figures that their sources print."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from monai_ctseg.agreement.study.sample_size import (
    approximate_limit_width,
    design_effect,
    exact_limit_width,
    expected_range,
    icc_pairs,
    limit_factors,
    power_within,
    range_factor,
    smallest,
)


@pytest.mark.parametrize(("pairs", "half_width_sd"), [(100, 0.34), (200, 0.24)])
def test_the_approximate_width_is_that_of_bland(pairs: int, half_width_sd: float) -> None:
    """Bland's own answer on sample size: 100 give -+ 0.34 SD, 200 give -+ 0.24 SD (how-to page of M. Bland)."""
    assert round(approximate_limit_width(pairs) / 2, 2) == half_width_sd


def test_the_approximate_width_is_that_of_the_peak_flow_data() -> None:
    """Bland & Altman 1986 print a standard error of 16.3 l/min for a limit, with 17 pairs of SD 38.8."""
    standard_error = approximate_limit_width(17) / (2 * stats.norm.ppf(0.975)) * 38.8
    assert round(float(standard_error), 1) == 16.3


@pytest.mark.parametrize(("pairs", "factor"), [(10, 2.911), (20, 2.396), (30, 2.220), (50, 2.065), (100, 1.927)])
def test_exact_factors_are_those_of_the_tables(pairs: int, factor: float) -> None:
    """One-sided tolerance factors for 95 % of a population with 95 % confidence, as tables print them."""
    assert round(limit_factors(pairs, level=0.90, share=0.90)[1], 3) == pytest.approx(factor)


def test_the_exact_factor_is_that_of_the_handbook() -> None:
    """NIST/SEMATECH handbook 7.2.6.3: 43 pairs, 90 % of the population, confidence 99 %: k = 1.8740."""
    assert round(limit_factors(43, level=0.98, share=0.80)[1], 4) == pytest.approx(1.8740)


def test_the_exact_range_is_that_of_jan_and_shieh() -> None:
    """Jan & Shieh 2018, table 4: half-width of at most 2.5 SD takes 52 pairs on average, 115 with assurance 0.9."""
    assert smallest(lambda n: expected_range(n) <= 2.5) == 52

    def assurance(pairs: int) -> float:
        """Probability that the half-width is at most 2.5 true SD."""
        return float(stats.chi2.cdf((pairs - 1) * (2.5 / range_factor(pairs)) ** 2, pairs - 1))

    assert smallest(lambda n: assurance(n) >= 0.9) == 115


def test_the_power_is_that_of_shieh() -> None:
    """Shieh 2019, page 357: 15 pairs, mean 0.011, SD 0.044, acceptable 0.1, critical value 6.39: power 0.8315."""
    power = power_within(15, factor=6.39 / 15**0.5, acceptable=0.1, bias=0.011, sd=0.044)
    assert power == pytest.approx(0.8315, abs=5e-4)


def test_power_and_width_are_those_of_a_simulation() -> None:
    random, pairs, runs = np.random.default_rng(3), 40, 40_000
    found = random.normal(0.2, 0.7, (runs, pairs))
    mean, sd = found.mean(axis=1), found.std(axis=1, ddof=1)
    low, high = limit_factors(pairs)
    inside = (mean + high * sd < 2) & (mean - high * sd > -2)
    power = power_within(pairs, factor=high, acceptable=2, bias=0.2, sd=0.7)
    assert power == pytest.approx(inside.mean(), abs=0.01)
    assert exact_limit_width(pairs) == pytest.approx(((high - low) * sd).mean() / 0.7, rel=0.002)
    limit = 0.2 + 1.959964 * 0.7
    assert ((mean + low * sd < limit) & (limit < mean + high * sd)).mean() == pytest.approx(0.95, abs=0.005)


@pytest.mark.parametrize(
    ("icc", "ratings", "width", "pairs"),
    [
        (0.85, 4, 0.2, 20),  # Bonett's own example (also in the tests of R's presize)
        (0.50, 3, 0.32332, 50),  # the tests of presize: a width of 0.3233102 for 50
        (0.80, 2, 0.2, 55),  # 51, with his correction 55, as calculators after Bonett print
    ],
)
def test_pairs_for_an_icc_are_those_of_bonett(icc: float, ratings: int, width: float, pairs: int) -> None:
    assert icc_pairs(icc, ratings, width) == pairs


def test_targets_of_a_subject_raise_the_number_by_the_design_effect() -> None:
    assert design_effect(1, 0.5) == 1
    assert design_effect(2, 0.5) == 1.5
    assert design_effect(2, 1) == 2


def test_the_smallest_number_is_found() -> None:
    assert smallest(lambda n: n >= 3) == 3
    assert smallest(lambda n: n >= 1_234) == 1_234
    assert smallest(lambda n: n >= 20_000) == 20_000
    assert smallest(lambda n: False) is None
