"""Wording: figures and estimates as people read them. Minus signs are typographic; `plain` gives them back as ASCII."""

from __future__ import annotations

import math
from dataclasses import dataclass

from monai_ctseg.agreement.statistics.records import Agreement, Estimate

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Numbers:
    """How figures of one agreement are written: with these decimals, this unit, as differences or ratios."""

    decimals: int
    unit: str
    ratio: bool

    def value(self, value: float, *, signed: bool = False) -> str:
        """A figure on the judged scale, without its unit."""
        return number(value, self.decimals, signed=signed and not self.ratio)

    def with_unit(self, value: float, *, signed: bool = False) -> str:
        """A figure on the judged scale and its unit; ratios have none."""
        return f"{self.value(value, signed=signed)}{'' if self.ratio else self.space_unit}"

    @property
    def space_unit(self) -> str:
        """A space and the unit; nothing where there is none."""
        return f" {self.unit}" if self.unit else ""


def numbers_for(agreement: Agreement) -> Numbers:
    """Decimals so that the limits have about three digits: enough to compare, not more than was measured."""
    shown = agreement.bland_altman
    if shown.scale == "ratio":
        return Numbers(3, agreement.unit, ratio=True)
    sd = shown.sd.value or 0.0
    digits = 2 - math.floor(math.log10(1.96 * sd)) if sd > 0 else 2
    return Numbers(min(max(digits, 0), 6), agreement.unit, ratio=False)


def number(value: float, decimals: int = 3, *, signed: bool = False) -> str:
    """A figure with a typographic minus sign, and never minus nought."""
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def interval(found: Estimate, decimals: int = 3) -> str:
    """Low to high; empty where there is neither."""
    if found.low is None and found.high is None:
        return ""
    low = "no lower bound" if found.low is None else number(found.low, decimals)
    high = "no upper bound" if found.high is None else number(found.high, decimals)
    return f"{low} to {high}"


def level(found: Estimate) -> str:
    """What the interval is, such as 95 % CI."""
    return f"{100 * found.level:g} % CI"


def count(n: int, one: str, many: str = "") -> str:
    """A number of things, in words: 1 hip, 2 hips."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def listed(names: tuple[str, ...] | list[str]) -> str:
    """Names in a row: A, B and C."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def plain(text: str) -> str:
    """The same for a terminal: ASCII minus signs."""
    return text.replace(MINUS, "-")
