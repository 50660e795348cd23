"""Single readings, as the rater plot shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, geometric_mean

from monai_ctseg.agreement.statistics.records import Agreement
from monai_ctseg.agreement.statistics.table import Reading, Table

Target = tuple[str, str]


@dataclass(frozen=True)
class RaterColumn:
    """One rater's readings in one session: ((subject, side), difference or ratio) of each, and their mean."""

    rater: str
    session: str
    values: tuple[tuple[Target, float], ...]
    mean: float


def rater_columns(agreement: Agreement, table: Table) -> tuple[RaterColumn, ...]:
    """Each rater's readings, session by session, compared with the other method's mean of the same target.

    Values are test minus reference, or test over reference on the ratio scale (with a geometric mean). The raters are
    those of the reference method, or of the test method where only that names any; in order of first appearance.
    """
    protocol = agreement.protocol
    readings = [reading for reading in table.readings if reading.quantity == agreement.quantity]
    reference, test = (
        [reading for reading in readings if reading.method == name and reading.value is not None]
        for name in (protocol.reference, protocol.test)
    )
    by_test = any(reading.rater for reading in test) and not any(reading.rater for reading in reference)
    rated, other = (test, reference) if by_test else (reference, test)
    by_session = protocol.true_value == "varying"
    means = _means(other, by_session=by_session)
    found: dict[tuple[str, str], list[tuple[Target, float]]] = {}
    for reading in rated:
        mean = means.get(_key(reading, by_session=by_session))
        if mean is None:
            continue
        value = _compare(reading, mean, by_test=by_test, ratio=agreement.bland_altman.scale == "ratio")
        if value is not None:
            found.setdefault((reading.rater, reading.session), []).append(((reading.subject, reading.side), value))
    middle = geometric_mean if agreement.bland_altman.scale == "ratio" else fmean
    return tuple(
        RaterColumn(rater, session, tuple(values), middle([value for _, value in values]))
        for (rater, session), values in found.items()
    )


def _means(readings: Iterable[Reading], *, by_session: bool) -> dict[tuple[str, ...], float]:
    values: dict[tuple[str, ...], list[float]] = {}
    for reading in readings:
        if reading.value is not None:
            values.setdefault(_key(reading, by_session=by_session), []).append(reading.value)
    return {key: fmean(found) for key, found in values.items()}


def _key(reading: Reading, *, by_session: bool) -> tuple[str, ...]:
    return (reading.subject, reading.side, reading.session if by_session else "")


def _compare(reading: Reading, other: float, *, by_test: bool, ratio: bool) -> float | None:
    """Test compared with reference; None for a ratio of values that are not above zero."""
    own = float(reading.value or 0.0)
    test, reference = (own, other) if by_test else (other, own)
    if not ratio:
        return test - reference
    return test / reference if test > 0 and reference > 0 else None
