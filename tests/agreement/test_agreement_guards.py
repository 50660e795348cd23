"""Small exact examples, one for each step of the statistics that a slip could change unseen."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

from monai_ctseg.agreement.statistics import Protocol, Reading, analyse, make_table
from monai_ctseg.agreement.statistics.checks import check_spread, slope_on_mean
from monai_ctseg.agreement.statistics.differences import take_differences
from monai_ctseg.agreement.statistics.failures import failure_rate
from monai_ctseg.agreement.statistics.icc import Columns, MeanSquares, icc
from monai_ctseg.agreement.statistics.jackknife import interval
from monai_ctseg.agreement.statistics.pairs import Pair
from monai_ctseg.agreement.statistics.regression import passing_bablok
from monai_ctseg.agreement.statistics.reliability import Cells, reproducibility
from monai_ctseg.errors import MeasurementsError, ProtocolError

NAMES = {"reference": "ruler", "test": "ct"}


def rows(reference, test, *, sides=("",), raters=("",), sessions=("1",), **more):
    """Targets in order, `sides` of a subject together; values in `reference` run over raters, then sessions."""
    found = []
    for i, (values, other) in enumerate(zip(reference, test, strict=True)):
        own = {"subject": f"p{i // len(sides)}", "side": sides[i % len(sides)], **more}
        labels = [(rater, session) for rater in raters for session in sessions]
        for (rater, session), value in zip(labels, np.atleast_1d(values), strict=True):
            found.append(Reading(method="ruler", rater=rater, session=session, value=value, **own))
        found.append(Reading(method="ct", rater="", session="1", value=other, **own))
    return found


def nested(seed=2, subjects=9):
    """Rows [targets, 2] of two targets each, with the subjects' names."""
    rng = np.random.default_rng(seed)
    size = np.repeat(rng.normal(48, 3, subjects), 2) + rng.normal(0, 1, 2 * subjects)
    table = np.column_stack([size, 1.1 * size - 4]) + rng.normal(0, 0.6, (2 * subjects, 2))
    return table, [f"p{i // 2}" for i in range(2 * subjects)]


def test_two_like_targets_count_as_one_in_the_degrees_of_freedom_of_the_icc():
    table = np.repeat(np.random.default_rng(0).normal(48, 3, (6, 3)), 2, axis=0)
    squares = MeanSquares.of(table, [f"p{i // 2}" for i in range(12)])
    assert squares.between_freedom == pytest.approx(5)
    assert squares.error_freedom == pytest.approx(10)


def test_slopes_of_nested_targets_are_those_of_a_jackknife_by_hand():
    table, subjects = nested()
    means, differences = table.mean(1), table[:, 1] - table[:, 0]

    def slope(y, keep):
        return float(np.polyfit(means[keep], y[keep], 1)[0])

    def by_hand(y):
        each = [slope(y, np.array(subjects) != name) for name in dict.fromkeys(subjects)]
        return slope(y, np.full(18, True)), math.sqrt(8 / 9 * 9 * np.var(each))

    found, (value, error) = slope_on_mean(differences, means, subjects, 0.95), by_hand(differences)
    half = stats.t.ppf(0.975, 7) * error
    assert (found.value, found.low, found.high) == pytest.approx((value, value - half, value + half))
    line = np.polyfit(means, differences, 1)
    growth, error = by_hand((differences - np.polyval(line, means)) ** 2)
    check = check_spread(differences, means, subjects)
    assert check.statistic == pytest.approx(growth / error)
    assert check.p_value == pytest.approx(2 * stats.t.sf(abs(growth / error), 7))


def test_passing_bablok_of_nested_targets_leaves_out_whole_subjects():
    table, subjects = nested()
    found = passing_bablok(table, subjects)

    def line(rows):
        single = passing_bablok(rows, [str(n) for n in range(len(rows))])
        return single.intercept.value, single.slope.value

    each = [line(table[np.array(subjects) != name]) for name in dict.fromkeys(subjects)]
    for estimate, at in ((found.intercept, 0), (found.slope, 1)):
        assert estimate == interval(line(table)[at], [one[at] for one in each], level=0.95)


def test_raters_that_differ_by_an_offset_alone_have_its_spread():
    readings = rows([(x, x + 2) for x in (46.0, 48.0, 53.0)], [0.0] * 3, raters=("A", "B"))
    cells = Cells.of((reading for reading in readings if reading.rater), lambda reading: reading.rater)
    assert reproducibility(cells, 0.95)[0].value == pytest.approx(2 / math.sqrt(2))


def test_the_mean_is_judged_by_its_90_percent_interval():
    differences = np.array([0.0, 1.0, 2.0, 1.0, 0.5, 1.5, 0.0, 2.0])
    table = make_table(rows([48.0 + i for i in range(8)], 48 + np.arange(8) + differences))
    half = stats.t.ppf(0.95, 7) * differences.std(ddof=1) / math.sqrt(8)
    shown = analyse(table, Protocol(**NAMES, acceptable_difference=1 + half + 0.01)).equivalence.mean
    assert (shown.low, shown.high) == pytest.approx((1 - half, 1 + half))
    assert shown.verdict == "shown"
    assert 0.04 < shown.p_value < 0.05
    close = analyse(table, Protocol(**NAMES, acceptable_difference=1 + half - 0.01)).equivalence.mean
    assert close.verdict == "not shown"
    assert 0.05 < close.p_value < 0.06


def test_bounds_next_to_the_margin_have_the_digits_to_tell():
    table = make_table(rows([48.0 + i for i in range(8)], 48.0 + np.arange(8) + np.tile([0.0, 1.0], 4)))
    upper = analyse(table, Protocol(**NAMES)).bland_altman.upper_limit.high
    said = analyse(table, Protocol(**NAMES, acceptable_difference=upper - 1e-5)).equivalence.limits.statement
    found, margin = said.partition(" do not lie within ")[::2]
    assert float(found.split()[-1]) > float(margin.split()[-1])


def test_errors_of_means_stand_test_over_reference():
    one_of_three = make_table(rows([(x, x + 1, x + 2) for x in range(40, 48)], range(41, 49), raters="ABC"))
    protocol = Protocol(**NAMES, error_variance_ratio=0.5)
    assert analyse(one_of_three, protocol).deming.error_variance_ratio == pytest.approx(1.5)


def test_readings_of_a_subjects_hips_are_weighed_by_subject():
    rng = np.random.default_rng(0)
    pairs = [
        Pair(f"p{i}", side, "", rng.normal(48, 1, 4 if i < 15 else 1), rng.normal(48, 1, 1))
        for i in range(30)
        for side in (("left", "right") if i < 15 else ("left",))
    ]
    parts = {part.source: part for part in take_differences(pairs, "difference", Protocol(**NAMES)).parts}
    assert parts["between sides of a subject"].weight == pytest.approx(1 - 0.75)
    # A quarter of the variance stands in two-target subjects, all of it in the others: half of 1/4 and 1.
    assert parts["readings of ruler"].weight == pytest.approx(1 - 0.625)
    assert parts["readings of ruler"].in_sides == pytest.approx(0.25)


def test_readings_that_fail_together_count_as_one():
    alone, together = (
        failure_rate([(1, 1)] + [(0, 1)] * 9, level=0.95),
        failure_rate([(8, 8)] + [(0, 8)] * 9, level=0.95),
    )
    assert (together.value, together.low, together.high) == pytest.approx((0.1, alone.low, alone.high))
    assert "10 subjects" in together.method


def test_fixed_columns_have_no_raters_to_be_drawn():
    table = np.random.default_rng(1).normal(48, 3, (20, 1)) + np.random.default_rng(2).normal(0, 0.5, (20, 2))
    subjects = [str(i) for i in range(20)]
    drawn, fixed = (icc("A,1", table, subjects, columns=Columns(fixed=at)) for at in (False, True))
    assert drawn.estimate.value == fixed.estimate.value
    assert drawn.estimate.low < fixed.estimate.low - 0.2
    assert "case 3A" in fixed.name


def test_several_readers_are_named_in_the_verdict_and_in_the_notes():
    two = [(47.0 + i, 47.2 + i) for i in range(8)]
    found = analyse(
        make_table(rows(two, 47 + np.arange(8) + np.tile([0.0, 0.3], 4), raters="AB")),
        Protocol(**NAMES, acceptable_difference=2.0),
    )
    assert found.equivalence.limits.statement.endswith(", for these readers")
    assert found.equivalence.mean.statement.endswith(", for these readers")
    assert any("for these 2 readers" in note for note in found.notes)
    assert "of each method's mean per target" in found.reliability[0].iccs[2].name
    one = analyse(make_table(rows([46.0, 48, 50], [46.1, 48.3, 50.0])), Protocol(**NAMES, acceptable_difference=2.0))
    assert "readers" not in one.equivalence.limits.statement


def test_the_protocols_unit_is_that_of_the_table():
    values = [46.0, 48.0, 50.0, 53.0], [46.1, 48.3, 50.0, 52.8]
    protocol = Protocol(**NAMES, acceptable_difference=2.0, unit="mm")
    with pytest.raises(MeasurementsError, match="unit cm where the protocol has mm"):
        analyse(make_table(rows(*values, unit="cm")), protocol)
    found = analyse(make_table(rows(*values)), protocol)
    assert found.unit == "mm"
    assert "taken to be in mm" in found.notes[0]
    assert not analyse(make_table(rows(*values, unit="mm")), protocol).notes


@pytest.mark.parametrize(("scale", "other"), [("ratio", "difference"), ("difference", "ratio")])
def test_a_fixed_scale_needs_its_own_figure(scale, other):
    with pytest.raises(ProtocolError, match=f"acceptable_{scale}, and only acceptable_{other} is given"):
        Protocol(**NAMES, scale=scale, **{f"acceptable_{other}": 1.5})


def test_ratios_of_values_around_zero_are_not_judged():
    table = make_table(rows([-1.0, 2.0, 5.0, 3.0], [-1.2, 2.1, 5.0, 3.3]))
    judged = analyse(table, Protocol(**NAMES, scale="ratio", acceptable_ratio=1.5)).equivalence.limits
    assert (judged.verdict, "ratios have no meaning" in judged.statement) == ("not judged", True)


@pytest.mark.parametrize("true_value", ["constant", "varying"])
def test_what_was_attempted_has_a_value_and_was_used_is_counted_target_by_target(true_value):
    lost = [(46.0, 47.0), (48.0, 48.0), (50.0, None), (None, None), (None, None)]
    readings = rows(lost, [46.5, 48.2, 50.1, 51.0, None], sessions=("1", "2"))
    again = [Reading(**(asdict(row) | {"session": "2"})) for row in readings if row.method == "ct"]
    found = analyse(make_table([*readings, *again]), Protocol(**NAMES, true_value=true_value))
    assert (found.targets, found.targets_attempted, found.subjects_attempted) == (3, 5, 5)
    assert found.unpaired == (("p3", "", "ruler"),)
    assert found.failed_by_both == (("p4", ""),)
    used = 11 if true_value == "constant" else 10
    assert (found.readings, found.readings_with_value, found.readings_used) == (20, 13, used)


@pytest.mark.filterwarnings("error")
def test_subjects_that_differ_by_the_same_have_no_interval():
    found = analyse(
        make_table(rows([48.0] * 8 + [50.0] * 4, [49.0, 47.0] * 4 + [51.0, 49.0] * 2, sides=("left", "right"))),
        Protocol(**NAMES, acceptable_difference=2.0),
    )
    assert (found.bland_altman.bias.value, found.bland_altman.bias.low) == (0, None)
    assert "same mean difference" in found.bland_altman.upper_limit.reason
    assert found.equivalence.mean.verdict == "not judged"


def test_typing_errors_are_noted_or_refused():
    readings = rows([46.0, 48.0, 50.0, 53.0], [46.1, 480.3, 50.0, 52.8], location="m.csv line 7")
    twin = [Reading(**(asdict(row) | {"subject": "P0"})) for row in readings if row.subject == "p0"]
    notes = " ".join(analyse(make_table([*readings, *twin]), Protocol(**NAMES)).notes)
    assert "m.csv line 7: subject p1, ct, 1 (480.3 against 48)" in notes
    assert notes.count("against") == 1
    assert "p0 and P0" in notes
    with pytest.raises(MeasurementsError, match=r"1e\+300 is not a measurement"):
        make_table(rows([1e300], [48.0]))
    with pytest.raises(MeasurementsError, match=r"^left, ct, 1: the subject is missing"):
        make_table([Reading(subject="", side="left", method="ct", rater="", session="1", value=1.0)])
