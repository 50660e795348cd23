"""Intervals hold the truth as often as they say: a quick version of `python -m benchmarks.coverage`."""

from __future__ import annotations

import pytest

from benchmarks.coverage import STUDIES, bias_and_limits_of, concordances, correlations, repeats, simulate

TRIALS = 400


@pytest.mark.slow
@pytest.mark.parametrize(
    "trial",
    [
        bias_and_limits_of(STUDIES[0]),
        bias_and_limits_of(STUDIES[5]),
        correlations((3, 0.3, 0.9), 2),
        concordances(0.95, 0.1),
        repeats,
    ],
)
def test_coverage_is_nominal(trial):
    for name, (percent, count) in simulate(trial, 20, trials=TRIALS, seed=1).items():
        assert count == TRIALS, name
        assert 91.5 <= percent <= 98.5, name  # 3.2 standard errors of 400 trials on each side


@pytest.mark.slow
def test_raters_that_differ_as_much_as_they_err_do_not_narrow_the_icc():
    for name, (percent, _) in simulate(correlations((3, 1.0, 1.0), 2), 80, trials=TRIALS, seed=1).items():
        assert percent >= 91.5, name  # 73 by McGraw and Wong 1996
