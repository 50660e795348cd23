"""Plan: how many subjects a protocol needs, question by question."""

from __future__ import annotations

import math
from dataclasses import dataclass

from monai_ctseg.agreement.study.protocol import StudyProtocol
from monai_ctseg.agreement.study.sample_size import (
    LARGEST,
    approximate_limit_width,
    design_effect,
    exact_limit_width,
    expected_range,
    icc_pairs,
    limit_factors,
    power_within,
    smallest,
)
from monai_ctseg.parallel import Progress

_Z = 1.959964
"""Normal quantile of 0.975."""


@dataclass(frozen=True)
class Need:
    """What one question needs.

    Attributes:
        pairs: Independent targets; None where no number of them is enough, for the reason in `reason`.
        counts: False for a figure that is given for comparison only.
    """

    question: str
    method: str
    pairs: int | None
    counts: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """The needs, and the sample size: the largest need, times the design effect, over the share without failure.

    Attributes:
        pairs: Independent targets.
        targets: Targets, of which those of one subject are correlated.
        subjects: Subjects to enrol.
    """

    needs: tuple[Need, ...]
    pairs: int
    design_effect: float
    targets: int
    subjects: int
    readings: int


def make_plan(protocol: StudyProtocol, progress: Progress | None = None) -> Plan:
    """The sample size by each question of the protocol; deterministic.

    Args:
        protocol: Its figures.
        progress: Called with (done, of) after each question.
    """
    questions = (_approximate_width, _exact_width, _exact_range, _power, _icc)
    needs = []
    for done, question in enumerate(questions, start=1):
        needs.append(question(protocol))
        if progress:
            progress(done, len(questions))
    return _sum_up(protocol, tuple(needs))


def _sum_up(protocol: StudyProtocol, needs: tuple[Need, ...]) -> Plan:
    size, collection = protocol.sample_size, protocol.data_collection
    pairs = max(need.pairs for need in needs if need.counts and need.pairs is not None)
    effect = design_effect(size.sides_per_subject, size.side_correlation)
    targets = math.ceil(pairs * effect / (1 - size.dropout_share) - 1e-9)
    subjects = math.ceil(targets / size.sides_per_subject)
    readings = subjects * size.sides_per_subject * len(collection.raters) * collection.sessions
    return Plan(needs, pairs, effect, targets, subjects, readings)


def _width_sd(protocol: StudyProtocol) -> float:
    return protocol.sample_size.limit_width / protocol.sample_size.expected_sd


def _width_question(protocol: StudyProtocol) -> str:
    return f"each limit's interval {protocol.sample_size.limit_width:g} {protocol.requirements.unit} wide"


def _approximate_width(protocol: StudyProtocol) -> Need:
    wanted, level = _width_sd(protocol), protocol.requirements.level
    pairs = smallest(lambda n: approximate_limit_width(n, level=level) <= wanted)
    method = "approximate, for comparison only: Bland & Altman 1986"
    return _need(_width_question(protocol), method, pairs, counts=False)


def _exact_width(protocol: StudyProtocol) -> Need:
    wanted, level = _width_sd(protocol), protocol.requirements.level
    pairs = smallest(lambda n: exact_limit_width(n, level=level) <= wanted)
    return _need(_width_question(protocol), "exact, Shieh 2018", pairs)


def _exact_range(protocol: StudyProtocol) -> Need:
    wanted, level = _Z + _width_sd(protocol) / 2, protocol.requirements.level
    pairs = smallest(lambda n: expected_range(n, level=level) <= wanted)
    return _need("both limits at once, as far out as that", "exact, Jan & Shieh 2018", pairs)


def _power(protocol: StudyProtocol) -> Need:
    size, wanted = protocol.sample_size, protocol.requirements
    acceptable, unit = wanted.acceptable_difference, wanted.unit
    question = f"limits shown to lie within {acceptable:g} {unit}, power {size.power:g}"
    outer = abs(size.expected_bias) + _Z * size.expected_sd
    if outer >= acceptable:
        reason = f"the expected limits reach {outer:.3g} {unit}, so no number of targets can show it"
        return Need(question, "exact, power as Shieh 2019", None, reason=reason)

    def shown(pairs: int) -> bool:
        factor = limit_factors(pairs, level=wanted.level)[1]
        chance = power_within(pairs, factor=factor, acceptable=acceptable, bias=size.expected_bias, sd=size.expected_sd)
        return chance >= size.power

    return _need(question, "exact, power as Shieh 2019", smallest(shown))


def _icc(protocol: StudyProtocol) -> Need:
    size, raters = protocol.sample_size, len(protocol.data_collection.raters)
    pairs = icc_pairs(size.expected_icc, raters, size.icc_width, level=protocol.requirements.level)
    question = f"interval of an ICC of {size.expected_icc:g} between {raters} readers {size.icc_width:g} wide"
    return _need(question, "Bonett 2002", max(pairs, 3))


def _need(question: str, method: str, pairs: int | None, *, counts: bool = True) -> Need:
    reason = "" if pairs else f"more than {LARGEST} targets"
    return Need(question, method, pairs, counts, reason)
