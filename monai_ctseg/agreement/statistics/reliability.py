"""How well repeated measurements of one hip agree: between methods, raters of a method, sessions of a rater."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from monai_ctseg.agreement.statistics.concordance import concordance
from monai_ctseg.agreement.statistics.icc import Columns, MeanSquares, all_iccs
from monai_ctseg.agreement.statistics.pairs import Pair
from monai_ctseg.agreement.statistics.records import Between, Estimate, Reliability
from monai_ctseg.agreement.statistics.table import Reading
from monai_ctseg.agreement.statistics.variance import Part, mean_reciprocal, pooled, sd_estimate, sum_of
from monai_ctseg.errors import plural
from monai_ctseg.grid import FloatArray

REPEATABILITY = float(stats.norm.ppf(0.975)) * math.sqrt(2)
"""Two readings of one hip differ by less than this many SDs in 95 of 100 cases."""

Hip = tuple[str, str]


@dataclass(frozen=True)
class Cells:
    """Readings by hip and column; `names` are the columns, a missing cell has no key."""

    names: tuple[str, ...]
    readings: dict[tuple[Hip, str], FloatArray]

    @classmethod
    def of(cls, readings: Iterable[Reading], column: Callable[[Reading], str]) -> Cells:
        """Sort readings that have a value into cells; `column` names a reading's column."""
        lists: dict[tuple[Hip, str], list[float]] = {}
        names: dict[str, None] = {}
        for reading in readings:
            if reading.value is not None:
                names.setdefault(column(reading))
                lists.setdefault(((reading.subject, reading.side), column(reading)), []).append(reading.value)
        return cls(tuple(names), {key: np.array(values) for key, values in lists.items()})

    @property
    def hips(self) -> list[Hip]:
        """All hips, in order of first appearance."""
        return list(dict.fromkeys(hip for hip, _ in self.readings))

    @property
    def complete(self) -> list[Hip]:
        """Hips with a reading in each column."""
        return [hip for hip in self.hips if all((hip, name) in self.readings for name in self.names)]

    def means(self) -> FloatArray:
        """Cell means of the complete hips [hips, columns]."""
        rows = [[self.readings[hip, name].mean() for name in self.names] for hip in self.complete]
        return np.array(rows).reshape(len(rows), len(self.names))

    def by_hip(self) -> list[FloatArray]:
        """All readings of each hip together."""
        found: dict[Hip, list[float]] = {}
        for (hip, _), values in self.readings.items():
            found.setdefault(hip, []).extend(values)
        return [np.array(values) for values in found.values()]


def between_methods(pairs: Sequence[Pair], names: tuple[str, str], *, level: float) -> Reliability:
    """The reference against the test method, which are no sample of methods; cells are means of a hip's readings."""
    subjects = [pair.subject for pair in pairs]
    table = np.array([[pair.reference.mean(), pair.test.mean()] for pair in pairs]).reshape(len(pairs), 2)
    means = any(len(pair.reference) > 1 or len(pair.test) > 1 for pair in pairs)
    columns = Columns(fixed=True, cell="of each method's mean per hip" if means else "single measurement")
    none = Estimate.none("two methods are no repeats of one; see the limits of agreement", level=level)
    return Reliability(
        between="methods",
        of=f"{names[0]} and {names[1]}" + (", means of each hip's readings" if means else ""),
        method="",
        rater="",
        columns=names,
        subjects=len(set(subjects)),
        hips=len(pairs),
        left_out=0,
        iccs=all_iccs(table, subjects, level=level, columns=columns),
        concordance=concordance(table, subjects, level=level),
        within_sd=none,
        repeatability=none,
        reproducibility_sd=none,
        reproducibility=none,
        notes=_notes(subjects),
    )


def between_raters(method: str, readings: Sequence[Reading], *, level: float) -> Reliability:
    """Raters of one method; cells are means over a rater's sessions. Raters are a sample of all raters."""
    cells = Cells.of(readings, lambda reading: reading.rater)
    none = Estimate.none("raters are no repeats of each other; see a rater's sessions", level=level)
    sessions = any(len(values) > 1 for values in cells.readings.values())
    of = f"raters of {method}" + (", means of each rater's sessions" if sessions else "")
    sd, coefficient = reproducibility(cells, level)
    return _record(
        cells, "raters", of, method, "",
        level=level, within_sd=none, repeatability=none, reproducibility_sd=sd, reproducibility=coefficient,
    )  # fmt: skip


def between_sessions(method: str, rater: str, readings: Sequence[Reading], *, level: float) -> Reliability:
    """Sessions of one rater, or of a program, taken as fixed.

    The within-subject SD uses hips with some sessions missing too.
    """
    cells = Cells.of(readings, lambda reading: reading.session)
    sd, coefficient = repeatability(cells.by_hip(), level)
    none = Estimate.none("one rater only", level=level)
    of = f"sessions of {rater or method}" + (f" ({method})" if rater else "")
    return _record(
        cells, "sessions", of, method, rater,
        level=level, within_sd=sd, repeatability=coefficient, reproducibility_sd=none, reproducibility=none,
    )  # fmt: skip


def _record(
    cells: Cells, between: Between, of: str, method: str, rater: str, *, level: float, **spread: Estimate
) -> Reliability:
    table, subjects = cells.means(), [subject for subject, _ in cells.complete]
    means = between == "raters" and any(len(values) > 1 for values in cells.readings.values())
    columns = Columns(between != "raters", "of each rater's mean per hip" if means else "single measurement")
    return Reliability(
        between=between,
        of=of,
        method=method,
        rater=rater,
        columns=cells.names,
        subjects=len(set(subjects)),
        hips=len(subjects),
        left_out=len(cells.hips) - len(subjects),
        iccs=all_iccs(table, subjects, level=level, columns=columns),
        concordance=concordance(table, subjects, level=level),
        notes=_notes(subjects),
        **spread,
    )


def repeatability(groups: Sequence[FloatArray], level: float) -> tuple[Estimate, Estimate]:
    """Within-subject SD and the repeatability coefficient (Bland and Altman 1999, section 4)."""
    variance, freedom = pooled(groups)
    if not freedom:
        none = Estimate.none("no hip was measured twice", level=level)
        return none, none
    return _sd_and_coefficient([Part("readings", 1.0, variance, freedom)], "all repeats are the same", level)


def reproducibility(cells: Cells, level: float) -> tuple[Estimate, Estimate]:
    """SD of single readings by raters drawn at random: raters, raters by hips, and a rater's own sessions."""
    hips, raters = len(cells.complete), len(cells.names)
    subjects = [subject for subject, _ in cells.complete]
    if raters < 2 or len(set(subjects)) < 2:
        have = f"{plural(raters, 'rater')} with {plural(len(set(subjects)), 'subject')} in common"
        none = Estimate.none(f"only {have}; it takes 2 of each", level=level)
        return none, none
    squares = MeanSquares.of(cells.means(), subjects)
    parts = [
        Part("raters", 1 / hips, squares.between_columns, raters - 1),
        Part("raters by hips", 1 - 1 / hips, squares.error, squares.error_freedom),
    ]
    groups = [cells.readings[hip, name] for hip in cells.complete for name in cells.names]
    variance, freedom = pooled(groups)
    if freedom:
        parts.append(Part("sessions", 1 - mean_reciprocal(groups), variance, freedom))
    return _sd_and_coefficient(parts, "all raters read the same", level)


def _sd_and_coefficient(parts: Sequence[Part], why_none: str, level: float) -> tuple[Estimate, Estimate]:
    if sum_of(parts) <= 0:
        none = Estimate.none(f"{why_none}, so that nothing can be said of their spread", level=level)
        return none, none
    return sd_estimate(parts, level=level), sd_estimate(parts, level=level, factor=REPEATABILITY)


def _notes(subjects: Sequence[str]) -> tuple[str, ...]:
    if len(set(subjects)) == len(subjects):
        return ()
    return ("Two hips of one subject are not independent: intervals of correlations allow for that.",)
