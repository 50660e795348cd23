"""Protocol: what a comparison of two methods fixes before anybody sees the data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from monai_ctseg.errors import ProtocolError

Scale = Literal["difference", "ratio"]
ScaleChoice = Literal["difference", "ratio", "auto"]
IccForm = Literal["1", "C,1", "A,1", "k", "C,k", "A,k"]
TrueValue = Literal["constant", "varying"]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What was fixed before the data were seen.

    Args:
        reference: The reference method, named as in the table.
        test: The method under test, named as in the table.
        quantity: What was measured; needed only where the table has several quantities.
        acceptable_difference: Largest acceptable difference, in the table's unit; it judges differences.
        acceptable_ratio: Largest acceptable ratio, above 1, such as 1.05; it judges ratios.
        level: Level of all confidence intervals, from 0.5 to below 1.
        scale: Differences or ratios; "auto" takes ratios only where the spread of the differences grows with size and
            logarithms correct that.
        icc_form: The ICC that answers the question, by McGraw and Wong.
        true_value: "constant": all readings of a target see one true value (anatomy); "varying": readings are paired
            by session.
        error_variance_ratio: For Deming regression: error variance of the test method over that of the reference
            method. None: estimated from replicates, or 1 without them.
        unit: Unit of the acceptable difference; empty: not fixed.

    Raises:
        ProtocolError: For values that are impossible or contradict each other.
    """

    reference: str
    test: str
    quantity: str | None = None
    acceptable_difference: float | None = None
    acceptable_ratio: float | None = None
    level: float = 0.95
    scale: ScaleChoice = "auto"
    icc_form: IccForm = "A,1"
    true_value: TrueValue = "constant"
    error_variance_ratio: float | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.reference or not self.test or self.reference == self.test:
            raise ProtocolError(
                f"reference {self.reference!r} and test {self.test!r} must be two methods; name both as the table does"
            )
        _one_of("scale", self.scale, get_args(ScaleChoice))
        _one_of("icc_form", self.icc_form, get_args(IccForm))
        _one_of("true_value", self.true_value, get_args(TrueValue))
        _above("acceptable_difference", self.acceptable_difference, 0)
        _above("acceptable_ratio", self.acceptable_ratio, 1)
        _above("error_variance_ratio", self.error_variance_ratio, 0)
        _figure_of_scale(self)
        if not 0.5 <= self.level < 1:
            raise ProtocolError(f"level {self.level!r} is not a confidence level; give 0.5 to below 1, such as 0.95")

    @property
    def names(self) -> tuple[str, str]:
        """Reference and test method."""
        return self.reference, self.test


def _figure_of_scale(protocol: Protocol) -> None:
    """A fixed scale is judged by its own figure only."""
    figures = {"difference": protocol.acceptable_difference, "ratio": protocol.acceptable_ratio}
    if protocol.scale == "auto" or figures.pop(protocol.scale) is not None:
        return
    for other, figure in figures.items():
        if figure is not None:
            raise ProtocolError(
                f"scale {protocol.scale} is judged by acceptable_{protocol.scale}, and only acceptable_{other} is "
                f"given; fix acceptable_{protocol.scale}, or take scale {other}"
            )


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ProtocolError(f"{name} {value!r} is unknown; choose one of {', '.join(choices)}")


def _above(name: str, value: float | None, bound: float) -> None:
    if value is not None and not (math.isfinite(value) and value > bound):
        raise ProtocolError(f"{name} is {value!r}; give a number above {bound}, or leave it out")
