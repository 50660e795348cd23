"""Estimates and checks: a figure with its interval, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A figure and its confidence interval.

    Attributes:
        value: The figure; None where it is not estimable, for the reason in `reason`.
        low: Lower confidence bound; None where there is none, or where it is infinite (`reason` says which).
        high: Upper confidence bound, likewise.
        level: Confidence level of the interval.
        method: How the interval was computed.
        reason: Why a value or a bound is missing.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    method: str = ""
    reason: str = ""

    @classmethod
    def none(cls, reason: str, *, level: float = 0.95) -> Estimate:
        """Not estimable, for this reason."""
        return cls(None, level=level, reason=reason)


@dataclass(frozen=True)
class Check:
    """A test of an assumption: statistic and p-value, or None and the reason. `note` says how to read it."""

    statistic: float | None
    p_value: float | None
    method: str
    note: str = ""
    reason: str = ""

    @classmethod
    def none(cls, method: str, reason: str) -> Check:
        """Not tested, for this reason."""
        return cls(None, None, method, reason=reason)
