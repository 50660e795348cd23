"""A table of measurements and a protocol -> Agreement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monai_ctseg.agreement.statistics.bland_altman import bland_altman, choose_scale
from monai_ctseg.agreement.statistics.differences import Differences, take_differences
from monai_ctseg.agreement.statistics.equivalence import for_readers, judge
from monai_ctseg.agreement.statistics.failures import count_failures
from monai_ctseg.agreement.statistics.notes import data_notes, listed, readers_note, table_notes
from monai_ctseg.agreement.statistics.pairs import Pair, design_of, pair_up, unpaired
from monai_ctseg.agreement.statistics.protocol import Protocol, Scale
from monai_ctseg.agreement.statistics.records import (
    Agreement,
    BlandAltman,
    Equivalence,
    Judgement,
    RaterAgreement,
    Regression,
    Reliability,
)
from monai_ctseg.agreement.statistics.regression import deming, passing_bablok
from monai_ctseg.agreement.statistics.reliability import between_methods, between_raters, between_sessions
from monai_ctseg.agreement.statistics.table import Reading, Table
from monai_ctseg.agreement.statistics.variance import mean_reciprocal, pooled
from monai_ctseg.errors import MeasurementsError

FEW_REPEATS = 5
"""With at least so many degrees of freedom, replicates determine Deming's ratio of error variances."""


def analyse(table: Table, protocol: Protocol) -> Agreement:
    """All statistics of agreement that the table allows.

    Whatever cannot be estimated says so in its record. Raters are fixed effects except in the ICC between raters: bias,
    limits and verdict hold for these readers.

    Args:
        table: Readings, from `read_table` or `make_table`.
        protocol: What was fixed before the data were seen.

    Returns:
        Estimates with their intervals, or the reasons why there are none; values are in the table's unit.

    Raises:
        MeasurementsError: The table lacks a method or the quantity of the protocol, has several quantities and the
            protocol chooses none, or has another unit than the protocol.
        MissingExtra: statsmodels is not installed.
    """
    quantity, readings = _choose_quantity(table, protocol)
    reference, test = (_of_method(readings, name, quantity) for name in protocol.names)
    pairs = pair_up(reference, test, true_value=protocol.true_value)
    scale, scale_reason = choose_scale(pairs, protocol)
    chosen = bland_altman(pairs, scale, protocol, scale_reason=scale_reason)
    other = _other_scale(pairs, scale, protocol)
    unit, unit_notes = _unit(readings, protocol)
    lines, both = _regressions(pairs, protocol), [*reference, *test]
    with_value = [reading for reading in both if reading.value is not None]
    attempted = dict.fromkeys((reading.subject, reading.side) for reading in both)
    measured = {(reading.subject, reading.side) for reading in with_value}
    raters = tuple(dict.fromkeys(reading.rater for reading in both if reading.rater))
    return Agreement(
        protocol=protocol,
        quantity=quantity,
        unit=unit,
        design=design_of(pairs),
        subjects=chosen.subjects,
        targets=chosen.targets,
        readings=len(both),
        raters=raters,
        sessions=tuple(dict.fromkeys(reading.session for reading in both if reading.session)),
        unpaired=_unpaired(reference, test, protocol),
        failures=count_failures(readings, level=protocol.level),
        bland_altman=chosen,
        other_scale=other,
        per_rater=_per_rater(reference, test, scale, protocol),
        reliability=_reliability(pairs, reference, test, protocol),
        deming=lines[0],
        passing_bablok=lines[1],
        equivalence=for_readers(_equivalence(pairs, chosen, other, protocol, unit), len(raters)),
        notes=(*unit_notes, *readers_note(raters), *table_notes(table, quantity, protocol, scale), *data_notes(both)),
        targets_attempted=len(attempted),
        subjects_attempted=len({subject for subject, _ in attempted}),
        readings_with_value=len(with_value),
        readings_used=sum(len(pair.reference) + len(pair.test) for pair in pairs),
        failed_by_both=tuple(target for target in attempted if target not in measured),
    )


def _choose_quantity(table: Table, protocol: Protocol) -> tuple[str, list[Reading]]:
    names = table.quantities
    if names == ("",):
        return protocol.quantity or "", list(table.readings)
    if protocol.quantity is None and len(names) > 1:
        raise MeasurementsError(f"the table has {len(names)} quantities, {listed(names)}; choose one of them")
    quantity = protocol.quantity or names[0]
    if quantity not in names:
        raise MeasurementsError(f"the table has no quantity {quantity}; it has {listed(names)}")
    return quantity, [reading for reading in table.readings if reading.quantity == quantity]


def _unit(readings: Sequence[Reading], protocol: Protocol) -> tuple[str, tuple[str, ...]]:
    """The table's unit, or the protocol's with a note; the two must not differ."""
    found = next((reading for reading in readings if reading.value is not None), None)
    unit = found.unit if found else ""
    if found and unit and protocol.unit and unit != protocol.unit:
        raise MeasurementsError(
            f"{found.describe()}: unit {unit} where the protocol has {protocol.unit}; give values in {protocol.unit}"
        )
    if protocol.unit and not unit:
        return protocol.unit, (f"The table names no unit: its values were taken to be in {protocol.unit}.",)
    return unit, ()


def _of_method(readings: Sequence[Reading], name: str, quantity: str) -> list[Reading]:
    found = [reading for reading in readings if reading.method == name]
    if not found:
        methods = list(dict.fromkeys(reading.method for reading in readings))
        of = f" for {quantity}" if quantity else ""
        raise MeasurementsError(f"the table has no method {name}{of}; it has {listed(methods)}")
    return found


def _other_scale(pairs: Sequence[Pair], scale: Scale, protocol: Protocol) -> BlandAltman | None:
    if scale == "ratio":
        return bland_altman(pairs, "difference", protocol, scale_reason="for comparison")
    if pairs and all(pair.positive for pair in pairs):
        return bland_altman(pairs, "ratio", protocol, scale_reason="for comparison")
    return None


def _unpaired(
    reference: Sequence[Reading], test: Sequence[Reading], protocol: Protocol
) -> tuple[tuple[str, str, str], ...]:
    """Targets without any pair, each once; where the truth varies, a target may lack a partner in some sessions."""
    paired = {(pair.subject, pair.side) for pair in pair_up(reference, test, true_value=protocol.true_value)}
    found = unpaired(reference, test, true_value=protocol.true_value)
    named = {(subject, side): readings[0].method for (subject, side, _), readings in found}
    return tuple((*target, method) for target, method in named.items() if target not in paired)


def _per_rater(
    reference: Sequence[Reading], test: Sequence[Reading], scale: Scale, protocol: Protocol
) -> tuple[RaterAgreement, ...]:
    """Each rater of the reference method alone, on the scale of the whole."""
    raters = list(dict.fromkeys(reading.rater for reading in reference))
    if len(raters) < 2:
        return ()
    found = []
    for rater in raters:
        own = [reading for reading in reference if reading.rater == rater]
        pairs = pair_up(own, test, true_value=protocol.true_value)
        found.append(RaterAgreement(rater, bland_altman(pairs, scale, protocol, scale_reason="as for all raters")))
    return tuple(found)


def _reliability(
    pairs: Sequence[Pair], reference: Sequence[Reading], test: Sequence[Reading], protocol: Protocol
) -> tuple[Reliability, ...]:
    level = protocol.level
    found = [between_methods(pairs, protocol.names, level=level)]
    for readings in (reference, test):
        method, raters = readings[0].method, list(dict.fromkeys(reading.rater for reading in readings))
        if len(raters) > 1:
            found.append(between_raters(method, readings, level=level))
        for rater in raters:
            own = [reading for reading in readings if reading.rater == rater]
            if len({reading.session for reading in own}) > 1:
                found.append(between_sessions(method, rater, own, level=level))
    return tuple(found)


def _regressions(pairs: Sequence[Pair], protocol: Protocol) -> tuple[Regression, Regression]:
    rows = np.array([[pair.reference.mean(), pair.test.mean()] for pair in pairs]).reshape(len(pairs), 2)
    subjects = [pair.subject for pair in pairs]
    ratio, source = _error_variance_ratio(pairs, protocol)
    return (
        deming(rows, subjects, ratio, level=protocol.level, source=source),
        passing_bablok(rows, subjects, level=protocol.level),
    )


def _error_variance_ratio(pairs: Sequence[Pair], protocol: Protocol) -> tuple[float, str]:
    """Error variance ratio of the means that the line is fitted to, and its source.

    It is that of single readings, corrected for the numbers of readings behind each mean.
    """
    groups = [pair.reference for pair in pairs], [pair.test for pair in pairs]
    share = mean_reciprocal(groups[1]) / mean_reciprocal(groups[0]) if pairs else 1.0
    of_means = "" if share == 1 else ", for means of readings"
    if protocol.error_variance_ratio is not None:
        return protocol.error_variance_ratio * share, f"the protocol{of_means}"
    (reference, few), (test, also_few) = (pooled(group) for group in groups)
    if protocol.true_value == "constant" and min(few, also_few) >= FEW_REPEATS and reference > 0 and test > 0:
        return test / reference * share, f"the replicates ({few} and {also_few} degrees of freedom){of_means}"
    return share, f"assumed: equal errors, as there are no replicates of both methods{of_means}"


def _equivalence(
    pairs: Sequence[Pair], chosen: BlandAltman, other: BlandAltman | None, protocol: Protocol, unit: str
) -> Equivalence:
    """Judged on the scale of the protocol's figure, not on the one that auto chose from the data."""
    wanted: Scale = "ratio" if protocol.scale == "ratio" else "difference"
    if protocol.scale == "auto" and protocol.acceptable_difference is None and protocol.acceptable_ratio is not None:
        wanted = "ratio"
    judged = chosen if chosen.scale == wanted or other is None else other
    if wanted == "ratio" and judged.scale != "ratio" and judged.targets:
        nothing = Judgement("not judged", "not judged: not all values are above 0, so that ratios have no meaning")
        return Equivalence("ratio", nothing, nothing)
    differences: Differences | None = None
    if judged.subjects > 1:
        differences = take_differences(pairs, judged.scale, protocol)
    return judge(judged, differences, protocol, unit)
