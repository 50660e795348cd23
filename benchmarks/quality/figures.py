"""Figures: means over cases with confidence intervals, by kind and overall; calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Record = dict[str, Any]
RESAMPLES = 2000


@dataclass(frozen=True)
class Figure:
    """A mean over `cases` with the ends of its 95 % confidence interval (percentile bootstrap over cases)."""

    mean: float
    low: float
    high: float
    cases: int

    def text(self, digits: int = 3, *, sign: bool = False) -> str:
        """As in a table."""
        form = f"{'+' if sign else ''}.{digits}f"
        if self.cases < 2:
            return f"{self.mean:{form}}"
        return f"{self.mean:{form}} ({self.low:{form}} to {self.high:{form}})"


def mean_of(records: Sequence[Record], name: str, *, seed: int = 0) -> Figure | None:
    """The mean of a figure over the records that have it; None where none has."""
    values = np.array([r[name] for r in records if r.get(name) is not None], dtype=np.float64)
    if not values.size:
        return None
    again = np.random.default_rng(seed).integers(0, values.size, (RESAMPLES, values.size))
    low, high = np.percentile(values[again].mean(axis=1), (2.5, 97.5))
    return Figure(float(values.mean()), float(low), float(high), int(values.size))


def by(records: Sequence[Record], name: str) -> dict[str, list[Record]]:
    """Records by what stands under `name`, in order of appearance."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record[name], []).append(record)
    return groups


def worst_kind(records: Sequence[Record], name: str, *, size: bool = False) -> tuple[str, float] | None:
    """The kind with the lowest mean, or with `size` the one furthest from 0, and that mean."""
    means = {kind: found.mean for kind, some in by(records, "kind").items() if (found := mean_of(some, name))}
    if not means:
        return None
    kind = max(means, key=lambda k: abs(means[k])) if size else min(means, key=lambda k: means[k])
    return kind, means[kind]


def losses(records: Sequence[Record], method: str, against: str = "threshold") -> dict[str, float]:
    """Kinds, by scale, in which a method's mean Dice is under another's, and by how much."""
    lost = {}
    for (variant, kind), pair in _by_scale_and_kind(records).items():
        ours, theirs = (mean_of([r for r in pair if r["method"] == name], "dice") for name in (method, against))
        if ours and theirs and ours.mean < theirs.mean:
            lost[f"{kind}, {variant}"] = theirs.mean - ours.mean
    return lost


def _by_scale_and_kind(records: Sequence[Record]) -> dict[tuple[str, str], list[Record]]:
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record["variant"], record["kind"]), []).append(record)
    return groups


@dataclass(frozen=True)
class Reliability:
    """Per bin of probability: voxels, mean probability, share that is metal.

    error: expected calibration error. unsure: that of the voxels between 0.1 and 0.9 alone, which the
    many sure ones hide.
    """

    voxels: list[float]
    said: list[float]
    true: list[float]
    error: float
    unsure: float


def reliability(records: Sequence[Record], where: str) -> Reliability | None:
    """Over the voxels of all records; where: "near" (within 5 mm of true or found metal) or "all".

    Expected calibration error as in Naeini, Cooper, Hauskrecht, AAAI 2015: the mean over voxels of the distance between
    a bin's mean probability and its share of metal.
    """
    counts = [r["reliability"][where] for r in records if r.get("reliability")]
    if not counts:
        return None
    n, said, true = np.sum(counts, axis=0)
    some = np.maximum(n, 1)
    deviation, middle = np.abs(said - true), slice(1, -1)
    error, unsure = (float(deviation[s].sum() / max(n[s].sum(), 1)) for s in (slice(None), middle))
    return Reliability(n.tolist(), (said / some).tolist(), (true / some).tolist(), error, unsure)


def coverage(records: Sequence[Record]) -> tuple[int, int] | None:
    """How many of the intervals for a whole case hold the true volume, and how many there are."""
    given = [r for r in records if r.get("volume_interval_mm3") and r.get("truth_mm3")]
    if not given:
        return None
    return sum(r["volume_interval_mm3"][0] <= r["truth_mm3"] <= r["volume_interval_mm3"][1] for r in given), len(given)


def objects_held(records: Sequence[Record]) -> tuple[int, int] | None:
    """The same for each object found."""
    held, found = (sum(r.get(name, 0) for r in records) for name in ("objects_held", "objects"))
    return (held, found) if found else None


def summarize(records: Sequence[Record], *, seed: int = 0) -> list[Record]:
    """One row a scale, method and kind ("all" comes last), for quality.json."""
    rows = []
    for variant, of_variant in by(records, "variant").items():
        for method, some in by(of_variant, "method").items():
            for kind, few in [*by(some, "kind").items(), ("all", some)]:
                names = ("dice", "volume_percent", "surface_mm", "false_mm3", "stray_mm3")
                means = {name: asdict(f) if (f := mean_of(few, name, seed=seed)) else None for name in names}
                rows.append({"variant": variant, "method": method, "kind": kind, "cases": len(few), **means})
    return rows
