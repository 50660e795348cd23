"""How well repeated measurements of one target agree: between methods, raters of a method, sessions of a rater."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from monai_ctseg.agreement.statistics.concordance import concordance
from monai_ctseg.agreement.statistics.estimate import Estimate
from monai_ctseg.agreement.statistics.icc import Columns, MeanSquares, all_iccs
from monai_ctseg.agreement.statistics.pairs import Pair
from monai_ctseg.agreement.statistics.records import Reliability
from monai_ctseg.agreement.statistics.table import Reading
from monai_ctseg.agreement.statistics.variance import LIMITS_Z, Part, mean_reciprocal, pooled, sd_estimate, sum_of
from monai_ctseg.errors import plural
from monai_ctseg.grid import FloatArray

REPEATABILITY = LIMITS_Z * math.sqrt(2)
"""Two readings of one target differ by less than this many SDs in 95 of 100 cases."""

Target = tuple[str, str]


@dataclass(frozen=True)
class Cells:
    """Readings by target and column; `names` are the columns; an empty cell has no key."""

    names: tuple[str, ...]
    readings: dict[tuple[Target, str], FloatArray]

    @classmethod
    def of(cls, readings: Iterable[Reading], column: Callable[[Reading], str]) -> Cells:
        """Sort readings with a value into cells; `column` gives the column of a reading."""
        lists: dict[tuple[Target, str], list[float]] = {}
        names: dict[str, None] = {}
        for reading in readings:
            if reading.value is not None:
                names.setdefault(column(reading))
                lists.setdefault(((reading.subject, reading.side), column(reading)), []).append(reading.value)
        return cls(tuple(names), {key: np.array(values) for key, values in lists.items()})

    @cached_property
    def targets(self) -> list[Target]:
        """All targets, in order of first appearance."""
        return list(dict.fromkeys(target for target, _ in self.readings))

    @cached_property
    def complete(self) -> list[Target]:
        """Targets with a reading in each column."""
        return [target for target in self.targets if all((target, name) in self.readings for name in self.names)]

    @property
    def subjects(self) -> list[str]:
        """The subject of each complete target."""
        return [subject for subject, _ in self.complete]

    def means(self) -> FloatArray:
        """Cell means of the complete targets [targets, columns]."""
        rows = [[self.readings[target, name].mean() for name in self.names] for target in self.complete]
        return np.array(rows).reshape(len(rows), len(self.names))

    def by_target(self) -> list[FloatArray]:
        """All readings of each target together."""
        found: dict[Target, list[float]] = {}
        for (target, _), values in self.readings.items():
            found.setdefault(target, []).extend(values)
        return [np.array(values) for values in found.values()]


def between_methods(pairs: Sequence[Pair], names: tuple[str, str], *, level: float) -> Reliability:
    """Reference compared with test method: two fixed methods. Cells are the means of a target's readings."""
    table = np.array([[pair.reference.mean(), pair.test.mean()] for pair in pairs]).reshape(len(pairs), 2)
    means = any(len(pair.reference) > 1 or len(pair.test) > 1 for pair in pairs)
    columns = Columns(fixed=True, cell="of each method's mean per target" if means else "single measurement")
    none = Estimate.none("two methods are not repeats of each other; see the limits of agreement", level=level)
    return Reliability(
        between="methods",
        of=f"{names[0]} and {names[1]}" + (", means of each target's readings" if means else ""),
        method="",
        rater="",
        columns=names,
        left_out=0,
        within_sd=none,
        repeatability=none,
        reproducibility_sd=none,
        reproducibility=none,
        **_correlations(table, [pair.subject for pair in pairs], columns, level),
    )


def between_raters(method: str, readings: Sequence[Reading], *, level: float) -> Reliability:
    """Raters of one method, a random sample of raters. Cells are means over a rater's sessions."""
    cells = Cells.of(readings, lambda reading: reading.rater)
    none = Estimate.none("raters are not repeats of each other; see a rater's sessions", level=level)
    several = any(len(values) > 1 for values in cells.readings.values())
    columns = Columns(cell="of each rater's mean per target" if several else "single measurement")
    sd, coefficient = reproducibility(cells, level)
    return Reliability(
        between="raters",
        of=f"raters of {method}" + (", means of each rater's sessions" if several else ""),
        method=method,
        rater="",
        columns=cells.names,
        left_out=len(cells.targets) - len(cells.complete),
        within_sd=none,
        repeatability=none,
        reproducibility_sd=sd,
        reproducibility=coefficient,
        **_correlations(cells.means(), cells.subjects, columns, level),
    )


def between_sessions(method: str, rater: str, readings: Sequence[Reading], *, level: float) -> Reliability:
    """Sessions of one rater, or of a program, as fixed columns.

    The within-subject SD also uses targets with some sessions missing.
    """
    cells = Cells.of(readings, lambda reading: reading.session)
    sd, coefficient = repeatability(cells.by_target(), level)
    none = Estimate.none("one rater only", level=level)
    return Reliability(
        between="sessions",
        of=f"sessions of {rater or method}" + (f" ({method})" if rater else ""),
        method=method,
        rater=rater,
        columns=cells.names,
        left_out=len(cells.targets) - len(cells.complete),
        within_sd=sd,
        repeatability=coefficient,
        reproducibility_sd=none,
        reproducibility=none,
        **_correlations(cells.means(), cells.subjects, Columns(fixed=True), level),
    )


def _correlations(table: FloatArray, subjects: Sequence[str], columns: Columns, level: float) -> dict[str, Any]:
    """The fields of `Reliability` that follow from a complete table [targets, columns]."""
    nested = len(set(subjects)) < len(subjects)
    note = "Targets of one subject are not independent: intervals of correlations allow for that."
    return {
        "subjects": len(set(subjects)),
        "targets": len(subjects),
        "iccs": all_iccs(table, subjects, level=level, columns=columns),
        "concordance": concordance(table, subjects, level=level),
        "notes": (note,) if nested else (),
    }


def repeatability(groups: Sequence[FloatArray], level: float) -> tuple[Estimate, Estimate]:
    """Within-subject SD and the repeatability coefficient (Bland and Altman 1999, section 4)."""
    variance, freedom = pooled(groups)
    if not freedom:
        none = Estimate.none("no target was measured twice", level=level)
        return none, none
    return _sd_and_coefficient([Part("readings", 1.0, variance, freedom)], "all repeats are the same", level)


def reproducibility(cells: Cells, level: float) -> tuple[Estimate, Estimate]:
    """SD of single readings by raters drawn at random: raters, raters by targets, and a rater's own sessions."""
    targets, raters = len(cells.complete), len(cells.names)
    subjects = cells.subjects
    if raters < 2 or len(set(subjects)) < 2:
        have = f"{plural(raters, 'rater')} with {plural(len(set(subjects)), 'subject')} in common"
        none = Estimate.none(f"only {have}; it takes 2 of each", level=level)
        return none, none
    squares = MeanSquares.of(cells.means(), subjects)
    parts = [
        Part("raters", 1 / targets, squares.between_columns, raters - 1),
        Part("raters by targets", 1 - 1 / targets, squares.error, squares.error_freedom),
    ]
    groups = [cells.readings[target, name] for target in cells.complete for name in cells.names]
    variance, freedom = pooled(groups)
    if freedom:
        parts.append(Part("sessions", 1 - mean_reciprocal(groups), variance, freedom))
    return _sd_and_coefficient(parts, "all raters read the same", level)


def _sd_and_coefficient(parts: Sequence[Part], why_none: str, level: float) -> tuple[Estimate, Estimate]:
    if sum_of(parts) <= 0:
        none = Estimate.none(f"{why_none}, so that nothing can be said of their spread", level=level)
        return none, none
    return sd_estimate(parts, level=level), sd_estimate(parts, level=level, factor=REPEATABILITY)
