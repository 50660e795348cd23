"""Statistics of agreement reproduce published figures; each test names its source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from monai_ctseg.agreement.statistics import Protocol, Reading, analyse, make_table
from monai_ctseg.agreement.statistics.bland_altman import bias_and_limits
from monai_ctseg.agreement.statistics.concordance import concordance_value, lin_error
from monai_ctseg.agreement.statistics.differences import take_differences
from monai_ctseg.agreement.statistics.icc import all_iccs
from monai_ctseg.agreement.statistics.pairs import Pair
from monai_ctseg.agreement.statistics.regression import deming, passing_bablok
from monai_ctseg.agreement.statistics.reliability import Cells
from monai_ctseg.agreement.statistics.variance import LIMITS_Z, Part, limits, mean_estimate, sd_estimate

# Bland and Altman 1986, table 1: peak flow in l/min, first and second readings of both meters.
WRIGHT = (
    [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427],
    [490, 397, 512, 401, 470, 611, 415, 431, 638, 429, 420, 633, 275, 492, 165, 372, 421],
)
MINI = (
    [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451],
    [525, 415, 508, 444, 500, 625, 460, 390, 642, 432, 420, 605, 227, 467, 268, 370, 443],
)
# Bland and Altman 1999, table 4, subjects 1 to 4: cardiac output by radionuclide ventriculography and by impedance.
RV = ([7.83, 7.42, 7.89, 7.12, 7.88], [6.16, 7.26, 6.71, 6.54], [4.75, 5.24, 4.86, 4.78, 6.05, 5.42],
      [4.21, 3.61, 3.72, 3.87, 3.92])  # fmt: skip
IC = ([6.57, 5.62, 6.90, 6.57, 6.35], [4.06, 4.29, 4.26, 4.09], [4.71, 5.50, 5.08, 5.02, 6.01, 5.67],
      [4.14, 4.20, 4.61, 4.68, 5.04])  # fmt: skip
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def peak_flow(sessions: int):
    """The 1986 data with one or two readings by each meter; differences are Wright's minus the mini's."""
    readings = [
        Reading(subject=f"s{i}", side="", method=method, rater="", session=str(session), value=value)
        for method, columns in (("mini", MINI), ("wright", WRIGHT))
        for session in range(sessions)
        for i, value in enumerate(columns[session])
    ]
    return analyse(make_table(readings), Protocol(reference="mini", test="wright", scale="difference"))


def test_peak_flow_is_that_of_bland_and_altman_1986():
    found = peak_flow(1).bland_altman
    assert (found.design, found.subjects) == ("single pairs", 17)
    assert found.bias.value == pytest.approx(-2.1, abs=0.05)
    assert found.sd.value == pytest.approx(38.8, abs=0.05)
    assert (found.lower_limit.value, found.upper_limit.value) == pytest.approx((-78.1, 73.9), abs=0.05)
    # Page 309: the bias -22.0 to 17.8; the approximate intervals of the limits there use sqrt(3 s2 / n) and 2 s.
    assert (found.bias.low, found.bias.high) == pytest.approx((-22.0, 17.8), abs=0.1)


def test_exact_interval_of_a_limit_is_near_the_approximate_one_but_further_out():
    found = peak_flow(1).bland_altman
    # As Bland and Altman 1999 approximate the half width of a limit's interval.
    half = stats.t.ppf(0.975, 16) * found.sd.value * np.sqrt(1 / 17 + LIMITS_Z**2 / (2 * 16))
    outer = found.lower_limit.value - found.lower_limit.low
    inner = found.lower_limit.high - found.lower_limit.value
    assert inner < half < outer
    assert (inner + outer) / 2 == pytest.approx(half, rel=0.05)


def test_replicated_peak_flow_is_that_of_bland_and_altman_1986():
    agreement = peak_flow(2)
    # Page 309 f.: SD of differences between repeats 21.6 and 28.2 l/min; corrected SD of differences 37.7 l/min.
    repeats = {item.method: item.within_sd.value for item in agreement.reliability if item.between == "sessions"}
    assert (np.sqrt(2) * repeats["wright"], np.sqrt(2) * repeats["mini"]) == pytest.approx((21.6, 28.2), abs=0.05)
    assert agreement.design == "replicated"
    assert agreement.bland_altman.sd.value == pytest.approx(37.7, abs=0.05)


def test_replicated_blood_pressure_is_that_of_bland_and_altman_1999():
    # Section 5.1: 85 subjects, three readings each; variance of the differences of means 358.493, within subjects
    # 37.408 (J) and 83.141 (S), bias -15.62, hence SD 20.95 and limits -56.68 and 25.44; their intervals -63.5 to
    # -49.9 and 18.70 to 32.2 are approximate.
    parts = [Part("", 1, 358.493, 84), Part("J", 2 / 3, 37.408, 170), Part("S", 2 / 3, 83.141, 170)]
    mean = mean_estimate(-15.62, np.sqrt(358.493), 85, level=0.95)
    lower, upper = limits(mean, parts, 85)
    assert sd_estimate(parts, level=0.95).value == pytest.approx(20.95, abs=0.005)
    assert (lower.value, upper.value) == pytest.approx((-56.68, 25.44), abs=0.01)
    assert (lower.low, lower.high, upper.low, upper.high) == pytest.approx((-63.5, -49.9, 18.7, 32.2), abs=1.1)


def cardiac(*, varying: bool, without: tuple[tuple[int, int], ...] = ()) -> list[Pair]:
    pairs = []
    for i, (rv, ic) in enumerate(zip(RV, IC, strict=True)):
        kept = np.array([value for j, value in enumerate(ic) if (i, j) not in without])
        if varying:
            pairs += [Pair(f"s{i}", "", str(j), np.array([ic[j]]), np.array([rv[j]])) for j in range(len(rv))]
        else:
            pairs.append(Pair(f"s{i}", "", "", kept, np.array(rv)))
    return pairs


@pytest.mark.parametrize(
    ("true_value", "without", "expected"),
    [
        # Zou 2013's example as in SimplyAgree's tests (test-agree_nest.R, test-agree_reps.R, "examples from Zou").
        ("varying", (), (0.7255, -2.14, 3.59, -9.83, -0.33, 1.77, 11.27)),
        ("constant", ((0, 4), (1, 3)), (0.7152, -2.23, 3.66, -9.76, -0.48, 1.91, 11.20)),
    ],
)
def test_replicated_cardiac_output_is_that_of_zou_2013(true_value, without, expected):
    pairs = cardiac(varying=true_value == "varying", without=without)
    differences = take_differences(pairs, "difference", Protocol(reference="ic", test="rv", true_value=true_value))
    bias, _, lower, upper = bias_and_limits(differences, 0.95)
    assert (bias.value, lower.value, upper.value) == pytest.approx(expected[:3], abs=0.01)
    # Zou takes the normal distribution for the mean, this package Student's t (it covers better).
    half = stats.norm.ppf(0.975) * np.sqrt(differences.parts[0].variance / 4)
    lower, upper = limits(replace(bias, low=bias.value - half, high=bias.value + half), differences.parts, 4)
    assert (lower.low, lower.high, upper.low, upper.high) == pytest.approx(expected[3:], rel=0.01)


def test_iccs_are_those_of_shrout_and_fleiss_1979():
    found = {item.form: item.estimate for item in all_iccs(np.array(SHROUT_FLEISS, float), list("abcdef"))}
    values = [found[form].value for form in ("1", "A,1", "C,1", "k", "A,k", "C,k")]
    assert values == pytest.approx([0.17, 0.29, 0.71, 0.44, 0.62, 0.91], abs=0.005)


def test_deming_is_that_of_ncss():
    # NCSS, chapter 303 (Deming regression): error variance of X 4 times that of Y; coefficients and jackknife errors
    # as SimplyAgree's test-dem_reg.R repeats them.
    x = [7, 8.3, 10.5, 9, 5.1, 8.2, 10.2, 10.3, 7.1, 5.9]
    y = [7.9, 8.2, 9.6, 9, 6.5, 7.3, 10.2, 10.6, 6.3, 5.2]
    found = deming(np.column_stack([x, y]), list("abcdefghij"), 1 / 4)
    assert (found.intercept.value, found.slope.value) == pytest.approx((-0.0897, 1.0012), abs=5e-5)
    for estimate, error in ((found.intercept, 1.7220), (found.slope, 0.1872)):
        assert (estimate.high - estimate.low) / 2 / stats.t.ppf(0.975, 8) == pytest.approx(error, abs=5e-5)


def test_passing_bablok_is_that_of_r(monkeypatch):
    # R's deming::pbreg, tests/pbtest.Rout.save: Sen's data at 93 %, and six noisy points.
    sen = np.array([[1, 9], [2, 15], [3, 19], [4, 20], [10, 45], [12, 55], [18, 78]], float)
    found = passing_bablok(sen, list("abcdefg"), level=0.93)
    assert (found.intercept.value, found.slope.value) == pytest.approx((6, 4))
    assert (found.slope.low, found.slope.high) == pytest.approx((26 / 7, 35 / 8))
    noisy = np.column_stack([np.arange(1, 7), [2, 1.2, 4.1, 3.5, 6.3, 3]])
    # too noisy for Kendall's test, which pbreg does not make
    monkeypatch.setattr("monai_ctseg.agreement.statistics.regression.CORRELATION_ALPHA", 1.0)
    found = passing_bablok(noisy, list("abcdef"))
    assert (found.intercept.value, found.slope.value) == pytest.approx((1 / 8, 1.05))


def test_passing_bablok_is_that_of_ncss():
    # NCSS, Passing-Bablok regression, data set PassBablok1; -0.15 and 1.00 by R's MethComp and deming, as SimplyAgree's
    # test-pb_reg.R has it.
    x = [69.3, 27.1, 61.3, 50.8, 34.4, 92.3, 57.5, 45.5, 33.3, 60.9, 56.3, 49.9, 89.7, 28.9, 96.3, 76.6, 83.2, 79.4,
         51.7, 32.5, 14.2, 99.1, 76.8, 95.4, 84.1, 48.8, 80.4, 84.5, 61.4, 26.9]  # fmt: skip
    y = [69.1, 26.7, 61.4, 51.2, 34.7, 88.5, 57.9, 45.1, 33.4, 60.8, 66.5, 48.2, 88.3, 29.3, 96.4, 77.1, 82.7, 78.9,
         51.6, 28.8, 12.7, 98.6, 77.3, 94.9, 83.3, 47.0, 80.9, 84.7, 61.3, 26.7]  # fmt: skip
    found = passing_bablok(np.column_stack([x, y]), [f"s{i}" for i in range(30)])
    assert (found.intercept.value, found.slope.value) == pytest.approx((-0.15, 1.00), abs=0.005)
    assert found.linearity.p_value > 0.05


def test_concordance_is_that_of_r():
    # R's SimplyAgree, vignette "Agreement Tests": 18 pairs of Zou's data, CCC 0.4791, interval 0.1276 to 0.7237.
    table = np.delete(np.column_stack([np.concatenate(RV), np.concatenate(IC)]), (4, 8), axis=0)
    value = concordance_value(table)
    half = stats.norm.ppf(0.975) * lin_error(*table.T, value)
    found = (value, np.tanh(np.arctanh(value) - half), np.tanh(np.arctanh(value) + half))
    assert found == pytest.approx((0.4791, 0.1276, 0.7237), abs=5e-5)


def test_cells_keep_their_columns():
    readings = [
        Reading(subject=s, side="", method="m", rater=r, session="1", value=v)
        for s, r, v in (
            ("a", "x", 1.0),
            ("a", "y", 2.0),
            ("b", "y", 4.0),
            ("b", "x", None),
            ("c", "y", 6.0),
            ("c", "x", 5.0),
        )
    ]
    cells = Cells.of(readings, lambda reading: reading.rater)
    assert cells.complete == [("a", ""), ("c", "")]
    assert cells.means().tolist() == [[1, 2], [5, 6]]
