"""Equivalence, judged by the difference that the protocol called acceptable beforehand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from monai_ctseg.agreement.statistics.differences import Differences
from monai_ctseg.agreement.statistics.protocol import Protocol, Scale
from monai_ctseg.agreement.statistics.records import BlandAltman, Equivalence, Judgement
from monai_ctseg.errors import needs_extra


def judge(bland_altman: BlandAltman, differences: Differences | None, protocol: Protocol, unit: str) -> Equivalence:
    """Judge the mean by two one-sided tests (Schuirmann 1987), and the limits by their outer confidence bounds.

    Args:
        bland_altman: On the scale of the protocol's acceptable figure.
        differences: On the same scale; None where there are none.
        protocol: Its acceptable figure and level.
        unit: Unit of the values, for the statements.
    """
    scale = bland_altman.scale
    margin = protocol.acceptable_ratio if scale == "ratio" else protocol.acceptable_difference
    if margin is None:
        kind = "ratio" if scale == "ratio" else "difference"
        nothing = Judgement("not judged", f"not judged: no acceptable {kind} was fixed beforehand")
        return Equivalence(scale, nothing, nothing)
    if differences is None or bland_altman.sd.value is None:
        nothing = Judgement("not judged", f"not judged: {bland_altman.sd.reason}", margin)
        return Equivalence(scale, nothing, nothing)
    return Equivalence(
        scale,
        _judge_mean(differences, scale, margin, protocol.level, unit),
        _judge_limits(bland_altman, scale, margin, unit),
    )


def for_readers(found: Equivalence, raters: int) -> Equivalence:
    """With several raters the statements say that they hold for these: raters are fixed effects."""
    if raters < 2:
        return found
    mean, limits = (
        said if said.verdict == "not judged" else replace(said, statement=f"{said.statement}, for these readers")
        for said in (found.mean, found.limits)
    )
    return replace(found, mean=mean, limits=limits)


def mean_p_value(differences: Differences, reach: float) -> float:
    """p-value of two one-sided tests that the mean difference lies within -reach and reach, one value per subject."""
    return float(_sample(differences).ttost_mean(-reach, reach)[0])


def _judge_mean(differences: Differences, scale: Scale, margin: float, level: float, unit: str) -> Judgement:
    p_value = mean_p_value(differences, math.log(margin) if scale == "ratio" else margin)
    low, high = (float(bound) for bound in _sample(differences).tconfint_mean(alpha=2 * (1 - level)))
    if scale == "ratio":
        low, high = math.exp(low), math.exp(high)
    shown = p_value < 1 - level
    found, within = _texts((low, high), _bounds(scale, margin), "" if scale == "ratio" else unit)
    verb = "lies" if shown else "does not lie"
    p = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
    statement = f"the mean's {2 * level - 1:.0%} interval {found} {verb} within {within} ({p})"
    method = f"two one-sided t tests at {1 - level:.2g}, one value per subject"
    return Judgement("shown" if shown else "not shown", statement, margin, low, high, p_value, method)


def _judge_limits(bland_altman: BlandAltman, scale: Scale, margin: float, unit: str) -> Judgement:
    low, high = bland_altman.lower_limit.low, bland_altman.upper_limit.high
    assert low is not None  # there is an SD, so there are limits
    assert high is not None
    least, most = _bounds(scale, margin)
    shown = least <= low and high <= most
    verb = "lie" if shown else "do not lie"
    found, within = _texts((low, high), (least, most), "" if scale == "ratio" else unit)
    statement = f"the limits' outer confidence bounds {found} {verb} within {within}"
    method = f"outer bounds of both limits: {bland_altman.upper_limit.method}"
    return Judgement("shown" if shown else "not shown", statement, margin, low, high, method=method)


def _sample(differences: Differences) -> Any:
    with needs_extra("agreement"):
        from statsmodels.stats.weightstats import DescrStatsW
    return DescrStatsW(differences.by_subject)


def _bounds(scale: Scale, margin: float) -> tuple[float, float]:
    return (1 / margin, margin) if scale == "ratio" else (-margin, margin)


def _texts(found: tuple[float, float], margins: tuple[float, float], unit: str) -> tuple[str, str]:
    """Both intervals, with enough digits to show on which side of the margins the bounds lie."""
    name = f" {unit}" if unit else ""
    for digits in range(3, 17):
        shown = [[f"{value:.{digits}g}" for value in ends] for ends in (found, margins)]
        if all(
            (value < margin, value > margin) == (float(text) < float(edge), float(text) > float(edge))
            for value, text in zip(found, shown[0], strict=True)
            for margin, edge in zip(margins, shown[1], strict=True)
        ):
            break
    own, within = (f"{low} to {high}{name}" for low, high in shown)
    return own, within
