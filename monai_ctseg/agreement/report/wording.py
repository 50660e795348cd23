"""Wording: figures and estimates as text. Minus signs are typographic; `plain` makes them ASCII."""

from __future__ import annotations

import math
from dataclasses import dataclass

from monai_ctseg.agreement.statistics.estimate import Estimate
from monai_ctseg.agreement.statistics.records import Agreement

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Numbers:
    """How the figures of one agreement are written: decimals, unit, differences or ratios."""

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
    """As many decimals as give the limits about three digits."""
    shown = agreement.bland_altman
    if shown.scale == "ratio":
        return Numbers(3, agreement.unit, ratio=True)
    sd = shown.sd.value or 0.0
    digits = 2 - math.floor(math.log10(1.96 * sd)) if sd > 0 else 2
    return Numbers(min(max(digits, 0), 6), agreement.unit, ratio=False)


def number(value: float, decimals: int = 3, *, signed: bool = False) -> str:
    """A figure with a typographic minus sign; zero has no sign."""
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def interval(found: Estimate, decimals: int = 3) -> str:
    """Lower to upper bound; empty where there is neither."""
    if found.low is None and found.high is None:
        return ""
    low = "no lower bound" if found.low is None else number(found.low, decimals)
    high = "no upper bound" if found.high is None else number(found.high, decimals)
    return f"{low} to {high}"


def level(found: Estimate) -> str:
    """The name of the interval, such as 95 % CI."""
    return f"{100 * found.level:g} % CI"


def enumerated(names: tuple[str, ...] | list[str]) -> str:
    """Names as an enumeration: A, B and C."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def plain(text: str) -> str:
    """The text for a terminal, with ASCII minus signs."""
    return text.replace(MINUS, "-")


def with_unit(name: str, unit: str) -> str:
    """A name with its unit in brackets."""
    return f"{name} ({unit})" if unit else name


def short(name: str, length: int = 24) -> str:
    """A name on one line, shortened to this length."""
    name = " ".join(name.split())
    return name if len(name) <= length else f"{name[: length - 3]}..."
