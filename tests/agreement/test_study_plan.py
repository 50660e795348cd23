"""A planned study gives what its plan promises, when the statistics analyse it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monai_ctseg.agreement.statistics import Reading, analyse, make_table
from monai_ctseg.agreement.statistics.bland_altman import bland_altman
from monai_ctseg.agreement.statistics.differences import take_differences
from monai_ctseg.agreement.statistics.equivalence import judge
from monai_ctseg.agreement.statistics.pairs import Pair
from monai_ctseg.agreement.statistics.records import BlandAltman, Equivalence
from monai_ctseg.agreement.study.plan import Plan, make_plan
from monai_ctseg.agreement.study.protocol import StudyProtocol
from monai_ctseg.agreement.study.sections import DataCollection, SampleSize
from monai_ctseg.cli.study_draft import first_draft, requirements

RUNS = 40


@pytest.fixture(scope="module")
def protocol() -> StudyProtocol:
    draft = first_draft(requirements(), SampleSize(dropout_share=0.0), DataCollection())
    return draft.replaced(analysis=draft.analysis.replaced(scale="difference"))


@pytest.fixture(scope="module")
def plan(protocol: StudyProtocol) -> Plan:
    return make_plan(protocol)


def pairs_for(plan: Plan, source: str) -> int:
    """The pairs that the question answered by this source needs."""
    return next(need.pairs or 0 for need in plan.needs if source in need.method)


def draw(protocol: StudyProtocol, subjects: int, random: np.random.Generator) -> list[Pair]:
    """Pairs of two sides of each subject, whose differences are as the protocol expects."""
    size = protocol.sample_size
    shared, own = math.sqrt(size.side_correlation), math.sqrt(1 - size.side_correlation)
    pairs = []
    for subject in range(subjects):
        of_both = random.normal()
        for side in ("left", "right"):
            truth, difference = random.normal(48, 3), size.expected_sd * (shared * of_both + own * random.normal())
            pairs.append(Pair(f"S{subject}", side, "", np.array([truth]), np.array([truth + difference])))
    return pairs


def judged(pairs: list[Pair], protocol: StudyProtocol) -> tuple[BlandAltman, Equivalence]:
    fixed = protocol.as_agreement()
    found = bland_altman(pairs, "difference", fixed, scale_reason="the protocol fixed differences")
    return found, judge(found, take_differences(pairs, "difference", fixed), fixed, "mm")


def simulated(protocol: StudyProtocol, plan: Plan, pairs: int, seed: int) -> list[tuple[BlandAltman, Equivalence]]:
    """Studies with as many targets as so many independent pairs ask for."""
    random, subjects = np.random.default_rng(seed), math.ceil(pairs * plan.design_effect / 2)
    return [judged(draw(protocol, subjects, random), protocol) for _ in range(RUNS)]


@pytest.mark.slow
def test_limits_are_as_narrow_as_wanted(protocol: StudyProtocol, plan: Plan) -> None:
    studies = simulated(protocol, plan, pairs_for(plan, "Shieh 2018"), seed=2)
    limits = [found.upper_limit for found, _ in studies]
    width = np.mean([(limit.high or 0) - (limit.low or 0) for limit in limits])
    assert 0.85 * protocol.sample_size.limit_width < width < protocol.sample_size.limit_width


def test_agreement_is_shown_as_often_as_wanted(protocol: StudyProtocol, plan: Plan) -> None:
    studies = simulated(protocol, plan, pairs_for(plan, "Shieh 2019"), seed=3)
    verdicts = [equivalence.limits.verdict for _, equivalence in studies]
    assert 0.7 < verdicts.count("shown") / RUNS < 0.98


def test_the_analysis_of_a_whole_study_is_that_of_the_simulations(protocol: StudyProtocol) -> None:
    pairs, quantity = draw(protocol, 12, np.random.default_rng(4)), protocol.requirements.quantity
    table = make_table(
        [
            Reading(
                subject=pair.subject, side=pair.side, method=method, rater=rater, session="1", value=float(value[0]),
                quantity=quantity, unit="mm",
            )
            for pair in pairs
            for method, rater, value in (("clinician", "R1", pair.reference), ("monai-ctseg", "", pair.test))
        ]
    )  # fmt: skip
    found = analyse(table, protocol.as_agreement())
    assert (found.bland_altman, found.equivalence) == judged(pairs, protocol)
