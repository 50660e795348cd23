"""Agreement of two methods: designs, records, what cannot be estimated, and an independent oracle."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from monai_ctseg.agreement.statistics import Protocol, Reading, analyse, make_table
from monai_ctseg.agreement.statistics.bland_altman import bland_altman
from monai_ctseg.agreement.statistics.icc import all_iccs
from monai_ctseg.agreement.statistics.pairs import pair_up
from monai_ctseg.agreement.statistics.variance import Part, sum_interval
from monai_ctseg.errors import MeasurementsError, ProtocolError

PROTOCOL = Protocol(reference="ruler", test="ct", acceptable_difference=3.0)


def study(
    *, subjects=30, sides=("left", "right"), raters=("A",), sessions=("1",), seed=0, growing=0.0, shared=0.4, **more
):
    """Rows of a simulated study: `shared` mm of a subject's own difference, `growing` noise in proportion to size."""
    rng, rows = np.random.default_rng(seed), []
    for i in range(subjects):
        own = rng.normal(0, shared)
        for side in sides:
            truth = rng.uniform(20, 60)
            for rater in raters:
                for session in sessions:
                    value = truth + rng.normal(0, 0.5)
                    rows.append(
                        Reading(subject=f"p{i}", side=side, method="ruler", rater=rater, session=session, value=value)
                    )
            value = truth + own + rng.normal(0, 0.3) + truth * rng.normal(0, growing)
            rows.append(Reading(subject=f"p{i}", side=side, method="ct", rater="", session="1", value=value, **more))
    return rows


@pytest.mark.parametrize(
    ("kinds", "design"),
    [
        ({"sides": ("",)}, "single pairs"),
        ({"sides": ("left",), "sessions": ("1", "2")}, "replicated"),
        ({}, "nested"),
        ({"raters": ("A", "B")}, "nested and replicated"),
    ],
)
def test_designs_are_recognised(kinds, design):
    agreement = analyse(make_table(study(**kinds)), PROTOCOL)
    assert agreement.design == agreement.bland_altman.design == design
    assert agreement.subjects == 30


def test_two_targets_of_a_subject_count_as_one_subject():
    rows = study(shared=2.0)
    nested = analyse(make_table(rows), PROTOCOL).bland_altman
    apart = [Reading(**(asdict(row) | {"subject": row.subject + row.side, "side": ""})) for row in rows]
    alone = analyse(make_table(apart), PROTOCOL).bland_altman
    assert nested.bias.value == pytest.approx(alone.bias.value)
    assert nested.bias.high - nested.bias.low > 1.2 * (alone.bias.high - alone.bias.low)
    assert {part.source: part.degrees_of_freedom for part in nested.components} == {
        "between subjects": 29,
        "between sides of a subject": 30,
    }
    assert nested.components[0].variance == pytest.approx(4, rel=0.6)
    assert nested.components[1].variance == pytest.approx(0.5**2 + 0.3**2, rel=0.6)


def test_components_and_limits_of_nested_replicates_are_the_simulated_ones():
    rows = study(subjects=400, raters=("A", "B"), sessions=("1", "2"))
    reference, test = ([row for row in rows if row.method == method] for method in ("ruler", "ct"))
    pairs = pair_up(reference, test, true_value="constant")
    found = bland_altman(pairs, "difference", PROTOCOL, scale_reason="")
    variances = [part.variance for part in found.components]
    assert variances == pytest.approx([0.16, 0.09, 0.25], rel=0.25)
    assert found.sd.value == pytest.approx(np.sqrt(0.5), rel=0.05)


def test_ratios_are_taken_where_the_spread_grows_with_size():
    growing = analyse(make_table(study(subjects=80, sides=("",), growing=0.08)), PROTOCOL)
    assert growing.bland_altman.scale == "ratio"
    assert "grows with size" in growing.bland_altman.scale_reason
    assert growing.bland_altman.bias.value == pytest.approx(1, abs=0.05)
    assert growing.bland_altman.lower_limit.value == pytest.approx(1 - 1.96 * 0.08, abs=0.05)
    even = analyse(make_table(study(subjects=80, sides=("",))), PROTOCOL)
    assert even.bland_altman.scale == "difference"
    # A criterion in millimetres stays one of differences, whatever scale the data suggest.
    assert growing.equivalence.scale == "difference"


def test_equivalence_needs_a_figure_that_was_fixed_beforehand():
    table = make_table(study())
    shown = analyse(table, PROTOCOL).equivalence
    assert (shown.mean.verdict, shown.limits.verdict) == ("shown", "shown")
    close = analyse(table, Protocol(reference="ruler", test="ct", acceptable_difference=1.0)).equivalence
    assert (close.mean.verdict, close.limits.verdict) == ("shown", "not shown")
    none = analyse(table, Protocol(reference="ruler", test="ct")).equivalence
    assert none.mean.statement == "not judged: no acceptable difference was fixed beforehand"
    ratio = Protocol(reference="ruler", test="ct", scale="ratio", acceptable_ratio=1.2)
    assert analyse(table, ratio).equivalence.limits.verdict == "shown"


def test_failures_are_counted_and_what_lacks_a_partner_is_named():
    rows = study(subjects=10, raters=("A", "B"))
    lost = [row.method == "ct" and row.subject == "p3" for row in rows]
    rows = [
        Reading(**(asdict(row) | {"value": None, "reason": "metal"})) if out else row
        for row, out in zip(rows, lost, strict=True)
    ]
    agreement = analyse(make_table(rows), PROTOCOL)
    rates = {(rate.method, rate.rater): rate for rate in agreement.failures}
    assert set(rates) == {("ruler", None), ("ruler", "A"), ("ruler", "B"), ("ct", "")}
    assert (rates["ct", ""].failed, rates["ct", ""].attempted) == (2, 20)
    assert rates["ct", ""].reasons == (("metal", 2),)
    assert rates["ct", ""].rate.low == pytest.approx(0.0179, abs=1e-4)  # Wilson, 1 of 10 subjects
    assert agreement.unpaired == (("p3", "left", "ct"), ("p3", "right", "ct"))
    assert agreement.targets == 18


def test_raters_and_sessions_have_their_own_reliability():
    agreement = analyse(make_table(study(raters=("A", "B"), sessions=("1", "2"))), PROTOCOL)
    found = {(item.between, item.rater): item for item in agreement.reliability}
    assert set(found) == {("methods", ""), ("raters", ""), ("sessions", "A"), ("sessions", "B")}
    assert found["sessions", "A"].within_sd.value == pytest.approx(0.5, rel=0.2)
    assert found["sessions", "A"].repeatability.value == pytest.approx(
        2.772 * found["sessions", "A"].within_sd.value, rel=1e-3
    )
    assert found["raters", ""].reproducibility_sd.value == pytest.approx(0.5, rel=0.2)
    assert [item.rater for item in agreement.per_rater] == ["A", "B"]


def test_deming_takes_the_errors_from_replicates():
    both = study(sides=("",), sessions=("1", "2"))
    again = [
        Reading(**(asdict(row) | {"session": "2", "value": row.value + 0.1})) for row in both if row.method == "ct"
    ]
    agreement = analyse(make_table(both + again), PROTOCOL)
    assert agreement.deming.ratio_source.startswith("the replicates (30 and 30")
    assert agreement.deming.error_variance_ratio == pytest.approx(0.005 / 0.25, rel=0.4)
    fixed = Protocol(reference="ruler", test="ct", error_variance_ratio=0.5)
    assert analyse(make_table(study(sides=("",))), fixed).deming.error_variance_ratio == 0.5


def rows_of(reference, test, side=""):
    return [
        Reading(subject=f"p{i}", side=side, method=method, rater="", session="1", value=value)
        for i, pair in enumerate(zip(reference, test, strict=True))
        for method, value in zip(("ruler", "ct"), pair, strict=True)
    ]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (rows_of([48.0], [49.0]), "only one subject"),
        (rows_of([48.0], [49.0], "left") + rows_of([47.0], [48.5], "right"), "only one subject"),
        (rows_of([48.0] * 9, [48.0] * 9), "all differences are the same"),
        (rows_of([48.0, 50.0], [None, None]), "no target has a value by both methods"),
        (rows_of([48.0, None], [None, 50.0]), "no target has a value by both methods"),
    ],
)
@pytest.mark.parametrize("scale", ["auto", "ratio"])
@pytest.mark.filterwarnings("error")
def test_what_cannot_be_estimated_is_no_figure(rows, reason, scale):
    agreement = analyse(
        make_table(rows),
        Protocol(reference="ruler", test="ct", scale=scale, acceptable_difference=1.0, acceptable_ratio=1.1),
    )
    found = agreement.bland_altman
    for estimate in (found.bias, found.sd, found.lower_limit, found.upper_limit):
        assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
        assert reason in estimate.reason
    between = agreement.reliability[0]
    for estimate in (
        agreement.deming.slope,
        agreement.passing_bablok.slope,
        between.concordance,
        between.iccs[2].estimate,
    ):
        assert estimate.value is None
        assert estimate.reason
    assert agreement.equivalence.mean.verdict == "not judged"
    assert "NaN" not in json.dumps(asdict(agreement), allow_nan=False)


@pytest.mark.filterwarnings("error")
def test_lines_are_refused_where_methods_do_not_rise_together():
    rng = np.random.default_rng(4)
    size = rng.normal(48, 3, 20)
    agreement = analyse(make_table(rows_of(size, 96 - size + rng.normal(0, 1, 20))), PROTOCOL)
    assert "do not rise together" in agreement.deming.slope.reason
    assert "do not rise together" in agreement.passing_bablok.slope.reason
    bent = np.linspace(1, 10, 60)
    curved = analyse(make_table(rows_of(bent, bent**2 + rng.normal(0, 0.5, 60))), PROTOCOL)
    assert curved.passing_bablok.linearity.p_value < 0.01


def test_a_choice_that_the_table_leaves_open_is_refused():
    two = [Reading(**(asdict(row) | {"quantity": q})) for row in study(subjects=3) for q in ("head", "socket")]
    with pytest.raises(MeasurementsError, match="2 quantities, head, socket; choose one"):
        analyse(make_table(two), PROTOCOL)
    with pytest.raises(MeasurementsError, match="no quantity stem"):
        analyse(make_table(two), Protocol(reference="ruler", test="ct", quantity="stem"))
    with pytest.raises(MeasurementsError, match="no method tape; it has ruler, ct"):
        analyse(make_table(study(subjects=3)), Protocol(reference="tape", test="ct"))


@pytest.mark.parametrize(
    "fields",
    [{"test": "ruler"}, {"scale": "log"}, {"icc_form": "2,1"}, {"level": 95}, {"acceptable_difference": 0.0},
     {"acceptable_difference": float("nan")}, {"acceptable_ratio": 0.9}, {"error_variance_ratio": -1.0}],
)  # fmt: skip
def test_an_impossible_protocol_is_refused(fields):
    with pytest.raises(ProtocolError):
        Protocol(**({"reference": "ruler", "test": "ct"} | fields))


@pytest.mark.parametrize("columns", [2, 3, 5])
def test_iccs_and_intervals_are_those_of_pingouin(columns):
    pandas, pingouin = pytest.importorskip("pandas"), pytest.importorskip("pingouin")
    rng = np.random.default_rng(columns)
    table = rng.normal(48, 3, (15, 1)) + rng.normal(0, 0.5, columns) + rng.normal(0, 1.5, (15, columns))
    long = pandas.DataFrame(
        [(i, j, table[i, j]) for i, j in np.ndindex(table.shape)], columns=["target", "rater", "mm"]
    )
    theirs = pingouin.intraclass_corr(long, targets="target", raters="rater", ratings="mm").set_index("Type")
    for item in all_iccs(table, [f"p{i}" for i in range(15)]):
        name = {"1": "ICC(1,1)", "k": "ICC(1,k)"}.get(item.form, f"ICC({item.form})")
        assert item.estimate.value == pytest.approx(theirs.loc[name, "ICC"], abs=1e-9)
        if item.form[0] != "A":  # theirs is McGraw and Wong's, which covers too little where raters differ
            assert (item.estimate.low, item.estimate.high) == pytest.approx(tuple(theirs.loc[name, "CI95"]), abs=0.0051)


def test_the_interval_of_one_variance_is_exact():
    # 10 degrees of freedom: chi-squared quantiles 3.247 and 20.483 (any table).
    assert sum_interval([Part("", 1.0, 2.0, 10)], level=0.95) == pytest.approx((20 / 20.483, 20 / 3.247), rel=1e-3)


def test_the_same_table_gives_the_same_result():
    table = make_table(study(raters=("A", "B")))
    assert analyse(table, PROTOCOL) == analyse(table, PROTOCOL)
