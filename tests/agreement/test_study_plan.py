"""A planned study gives what its plan promises, when the room of statistics analyses it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from monai_ctseg.agreement.statistics import Agreement, Reading, analyse, make_table
from monai_ctseg.agreement.study.plan import make_plan
from monai_ctseg.agreement.study.protocol import DataCollection, SampleSize, StudyProtocol
from monai_ctseg.cli.study_draft import first_draft, requirements

RUNS = 40
METHODS = (("clinician", "R1"), ("monai-ctseg", ""))


@pytest.fixture(scope="module")
def protocol() -> StudyProtocol:
    draft = first_draft(requirements(), SampleSize(dropout_share=0.0), DataCollection())
    return draft.replaced(analysis=draft.analysis.replaced(scale="difference"))


def simulate(protocol: StudyProtocol, pairs: int, random: np.random.Generator) -> Agreement:
    """A study of so many independent pairs, with two targets per subject and differences as the protocol expects."""
    size, quantity = protocol.sample_size, protocol.requirements.quantity
    shared, own = math.sqrt(size.side_correlation), math.sqrt(1 - size.side_correlation)
    readings = []
    for subject in range(math.ceil(pairs * make_plan(protocol).design_effect / 2)):
        of_both = random.normal()
        for side in ("left", "right"):
            truth, difference = random.normal(48, 3), size.expected_sd * (shared * of_both + own * random.normal())
            for (method, rater), value in zip(METHODS, (truth, truth + difference), strict=True):
                reading = Reading(
                    subject=f"S{subject}", side=side, method=method, rater=rater, session="1", value=float(value)
                )
                readings.append(replace(reading, quantity=quantity, unit="mm"))
    return analyse(make_table(readings), protocol.as_agreement())


def test_limits_are_as_narrow_as_wanted(protocol: StudyProtocol) -> None:
    pairs = next(need.pairs for need in make_plan(protocol).needs if "Shieh 2018" in need.method)
    random = np.random.default_rng(2)
    limits = [simulate(protocol, pairs or 0, random).bland_altman.upper_limit for _ in range(RUNS)]
    width = np.mean([(limit.high or 0) - (limit.low or 0) for limit in limits])
    assert 0.85 * protocol.sample_size.limit_width < width < protocol.sample_size.limit_width


def test_agreement_is_shown_as_often_as_wanted(protocol: StudyProtocol) -> None:
    pairs = next(need.pairs for need in make_plan(protocol).needs if "Shieh 2019" in need.method)
    random = np.random.default_rng(3)
    verdicts = [simulate(protocol, pairs or 0, random).equivalence.limits.verdict for _ in range(RUNS)]
    assert 0.7 < verdicts.count("shown") / RUNS < 0.98
