"""Differences between two methods and the variance components of a single one.

Bland and Altman 1999 (doi 10.1177/096228029900800204), sections 5.1 to 5.3, for replicated readings. The sides of a
subject are not independent: they have a variance component of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from monai_ctseg.agreement.statistics.pairs import Pair
from monai_ctseg.agreement.statistics.protocol import Protocol, Scale
from monai_ctseg.agreement.statistics.records import Component
from monai_ctseg.agreement.statistics.variance import Part, mean_reciprocal, pooled, sum_of
from monai_ctseg.grid import FloatArray

SIDES = "between sides of a subject"


@dataclass(frozen=True)
class Differences:
    """Differences on one scale.

    Attributes:
        subjects: The subject of each target.
        of_targets: One difference per target.
        means: Mean of both methods, per target.
        by_subject: Mean difference of each subject.
        parts: Mean squares whose weighted sum is the variance of a single difference; the first is between subjects.
    """

    subjects: tuple[str, ...]
    of_targets: FloatArray
    means: FloatArray
    by_subject: FloatArray
    parts: tuple[Part, ...]

    @property
    def nested(self) -> bool:
        """Whether some subject has several targets."""
        return len(self.by_subject) < len(self.of_targets)


def take_differences(pairs: Sequence[Pair], scale: Scale, protocol: Protocol) -> Differences:
    """Differences test minus reference, of logarithms on the ratio scale, with their variance components.

    Args:
        pairs: Readings of both methods; on the ratio scale all above 0.
        scale: The scale of the differences.
        protocol: Names the methods, and says whether the true value of a target is constant.
    """
    pairs = [pair.on(scale) for pair in pairs]
    single = np.array([pair.test.mean() - pair.reference.mean() for pair in pairs])
    middle = np.array([(pair.test.mean() + pair.reference.mean()) / 2 for pair in pairs])
    targets = [(pair.subject, pair.side) for pair in pairs]
    in_targets = _group(single, targets)
    of_targets = _means(in_targets)
    subjects = [subject for subject, _ in dict.fromkeys(targets)]
    varying = protocol.true_value == "varying"
    if varying:  # the differences of a target scatter between its sessions (section 5.3)
        parts = _reading_part("readings, paired", in_targets, subjects)
    else:
        parts = _constant_parts(pairs, protocol.names)
    in_subjects = _group(of_targets, subjects)
    by_subject = _means(in_subjects)
    if len(by_subject) < len(of_targets):
        parts.insert(0, Part(SIDES, 1 - mean_reciprocal(in_subjects), *pooled(in_subjects)))
    if len(by_subject) > 1:
        parts.insert(0, Part("between subjects", 1.0, float(by_subject.var(ddof=1)), len(by_subject) - 1))
    found = Differences(tuple(subjects), of_targets, _means(_group(middle, targets)), by_subject, tuple(parts))
    return found if varying or len(by_subject) < 2 else _with_freedom(found, pairs, protocol.names)


def variance_components(differences: Differences) -> tuple[Component, ...]:
    """Variance components: each mean square minus what the components below contribute to it, at least 0."""
    readings = [part for part in differences.parts if part.source.startswith("readings")]
    sides = next((part for part in differences.parts if part.source == SIDES), None)
    below = sum(part.variance for part in readings)
    found = [Component(part.source, part.variance, part.degrees_of_freedom) for part in readings]
    if sides:
        variance = max(sides.variance - sum(part.in_sides * part.variance for part in readings), 0.0)
        found.insert(0, Component(SIDES, variance, sides.degrees_of_freedom))
        below += variance
    between = differences.parts[0]
    return (Component(between.source, max(sum_of(differences.parts) - below, 0.0), between.degrees_of_freedom), *found)


def _with_freedom(differences: Differences, pairs: Sequence[Pair], names: tuple[str, str]) -> Differences:
    """Subjects with fewer targets or readings scatter more: their variance has fewer degrees of freedom.

    By Satterthwaite, for a constant truth, where a target's pair holds all its readings.
    """
    variance = {part.source: part.variance or 0.0 for part in variance_components(differences)}
    reference, test = (variance.get(f"readings of {name}", 0.0) for name in names)
    noise = [reference / len(pair.reference) + test / len(pair.test) for pair in pairs]
    each = np.array(
        [
            variance["between subjects"] + (variance.get(SIDES, 0.0) + own.mean()) / len(own)
            for own in _group(np.array(noise), differences.subjects)
        ]
    )
    if np.ptp(each) <= 1e-9 * each.max():
        return differences
    between = differences.parts[0]
    freedom = between.degrees_of_freedom * float(each.mean() ** 2 / (each**2).mean())
    parts = (replace(between, degrees_of_freedom=round(freedom, 1)), *differences.parts[1:])
    return replace(differences, parts=parts)


def _constant_parts(pairs: Sequence[Pair], names: tuple[str, str]) -> list[Part]:
    """Readings of a method scatter about a target's true value: their means scatter less (sections 5.1 and 5.2)."""
    subjects = [pair.subject for pair in pairs]
    both = [pair.reference for pair in pairs], [pair.test for pair in pairs]
    return [
        part
        for name, groups in zip(names, both, strict=True)
        for part in _reading_part(f"readings of {name}", groups, subjects)
    ]


def _reading_part(source: str, groups: Sequence[FloatArray], subjects: Sequence[str]) -> list[Part]:
    """The variance of single readings, one of `groups` per target; none where no target was read twice.

    Its weight is what the mean squares above it do not include: there a subject's targets together count as one, so the
    reciprocals of their numbers of readings are first averaged within a subject.
    """
    variance, freedom = pooled(groups)
    if not freedom:
        return []
    shares = _group(np.array([1 / len(group) for group in groups]), subjects)
    sides = sum(len(share) - 1 for share in shares)
    in_sides = sum((1 - 1 / len(share)) * float(share.sum()) for share in shares) / sides if sides else 0.0
    return [Part(source, 1 - float(_means(shares).mean()), variance, freedom, in_sides)]


def _group(values: FloatArray, keys: Sequence[object]) -> list[FloatArray]:
    groups: dict[object, list[float]] = {}
    for value, key in zip(values, keys, strict=True):
        groups.setdefault(key, []).append(float(value))
    return [np.array(group) for group in groups.values()]


def _means(groups: Sequence[FloatArray]) -> FloatArray:
    return np.array([group.mean() for group in groups])
