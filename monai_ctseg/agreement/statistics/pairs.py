"""Readings of two methods, paired target by target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from monai_ctseg.agreement.statistics.protocol import Scale, TrueValue
from monai_ctseg.agreement.statistics.records import Design, Point
from monai_ctseg.agreement.statistics.table import Reading
from monai_ctseg.grid import FloatArray

Key = tuple[str, str, str]
"""Subject, side, session; the session is empty where all readings of a target see one true value."""


@dataclass(frozen=True)
class Pair:
    """What both methods read of one target (in one session, where the true value varies)."""

    subject: str
    side: str
    session: str
    reference: FloatArray
    test: FloatArray

    def point(self) -> Point:
        """The means of the readings, for a plot."""
        reference, test = float(self.reference.mean()), float(self.test.mean())
        return Point(
            self.subject,
            self.side,
            self.session,
            reference=reference,
            test=test,
            mean=(reference + test) / 2,
            difference=test - reference,
            ratio=test / reference if self.positive else None,
            readings=(len(self.reference), len(self.test)),
        )

    @property
    def positive(self) -> bool:
        """Whether ratios can be taken."""
        return bool((self.reference > 0).all() and (self.test > 0).all())

    def on(self, scale: Scale) -> Pair:
        """Its readings, or their logarithms for ratios."""
        if scale == "difference":
            return self
        return Pair(self.subject, self.side, self.session, np.log(self.reference), np.log(self.test))


def pair_up(reference: Iterable[Reading], test: Iterable[Reading], *, true_value: TrueValue) -> list[Pair]:
    """Pairs by subject and side, and by session where the true value varies; readings without a value are left out."""
    left, right = _by_key(reference, true_value), _by_key(test, true_value)
    return [Pair(*key, np.array(values), np.array(right[key])) for key, values in left.items() if key in right]


def unpaired(
    reference: Sequence[Reading], test: Sequence[Reading], *, true_value: TrueValue
) -> list[tuple[Key, Sequence[Reading]]]:
    """Targets with a value by one method only, as (key, all readings of the method without one)."""
    left, right = _by_key(reference, true_value), _by_key(test, true_value)
    return [(key, test) for key in left if key not in right] + [(key, reference) for key in right if key not in left]


def design_of(pairs: Sequence[Pair]) -> Design:
    """Which of the four designs the pairs have."""
    targets = {(pair.subject, pair.side) for pair in pairs}
    nested = len({pair.subject for pair in pairs}) < len(targets)
    replicated = len(targets) < len(pairs) or any(len(pair.reference) > 1 or len(pair.test) > 1 for pair in pairs)
    if nested:
        return "nested and replicated" if replicated else "nested"
    return "replicated" if replicated else "single pairs"


def _by_key(readings: Iterable[Reading], true_value: TrueValue) -> dict[Key, list[float]]:
    values: dict[Key, list[float]] = {}
    for reading in readings:
        if reading.value is not None:
            session = reading.session if true_value == "varying" else ""
            values.setdefault((reading.subject, reading.side, session), []).append(reading.value)
    return values
