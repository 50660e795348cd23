"""Whole patients validate, or are kept for a last test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monai_ctseg.datasets.facts import SHARE, Facts
from monai_ctseg.datasets.records import Case, DataSplit
from monai_ctseg.errors import DatasetError


@dataclass(frozen=True)
class Shares:
    """Which part of the patients validates, and which is kept for a test."""

    validation: float
    test: float

    def counts(self, patients: int, *, least: int) -> tuple[int, int]:
        """How many of so many patients validate and test, at least `least` (0 or 1) each; so many train before."""
        room = patients - least
        validating = min(room, max(least, round(self.validation * patients))) if self.validation else 0
        testing = min(room - validating, max(least, round(self.test * patients))) if self.test else 0
        return max(0, validating), max(0, testing)


def split_patients(
    cases: Sequence[Case],
    facts: Sequence[Facts],
    *,
    seed: int = 0,
    validation: float = SHARE,
    test: float = 0.0,
) -> DataSplit:
    """Split so that no patient is in two sections. Scans of one PatientID, or with the same voxels, are one patient.

    Args:
        cases: The scans.
        facts: Of each scan.
        seed: Of the random order in which patients are assigned.
        validation: Share of the patients with metal, and of those without, that validates.
        test: Share of both that is kept for a test. Each section gets one patient with metal at least where there are
            enough, training always.

    Raises:
        DatasetError: Fewer than two patients show metal.
    """
    patients = group_patients([fact.keys for fact in facts])
    with_metal = [scans for scans in patients if any(facts[n].has_metal for n in scans)]
    without = [scans for scans in patients if not any(facts[n].has_metal for n in scans)]
    if len(with_metal) < 2:
        raise DatasetError(
            f"{len(cases)} scans are of {len(patients)} patients, {len(with_metal)} of them with metal; "
            "a split by patients needs two with metal; give more, or split one scan in blocks, or write a dataset.json"
        )
    too_few_to_test = bool(test and validation) and len(with_metal) == 2
    shares = Shares(validation, 0.0 if too_few_to_test else test)
    rng = np.random.default_rng(seed)
    drawn = [_draw(with_metal, shares, rng, least=1), _draw(without, shares, rng, least=0)]
    validating, testing = (set().union(*(one[n] for one in drawn)) for n in (0, 1))
    note = f"patients: {len(validating)} of {len(cases)} scans validate"
    note += f", {len(testing)} are kept for a test" if testing else ""
    note += "; too few patients with metal for a test part" if too_few_to_test else ""
    return DataSplit(
        training=tuple(case for n, case in enumerate(cases) if n not in validating | testing),
        validation=tuple(case for n, case in enumerate(cases) if n in validating),
        test=tuple(case for n, case in enumerate(cases) if n in testing),
        split="patients",
        note=note + "; no patient is on both sides",
    )


def _draw(
    patients: Sequence[Sequence[int]], shares: Shares, rng: np.random.Generator, *, least: int
) -> tuple[set[int], set[int]]:
    """The scans of random patients that validate, and of others that test."""
    validating, testing = shares.counts(len(patients), least=least)
    order = rng.permutation(len(patients))
    chosen = order[:validating], order[validating : validating + testing]
    validation, test = ({n for patient in part for n in patients[patient]} for part in chosen)
    return validation, test


def group_patients(keys: Sequence[frozenset[str]]) -> list[list[int]]:
    """Group scans that share a key, directly or through others.

    Args:
        keys: Of each scan, what tells its patient.

    Returns:
        The indices of each patient's scans, sorted.
    """
    groups: list[tuple[frozenset[str], list[int]]] = []
    for n, own in enumerate(keys):
        joined = [group for group in groups if group[0] & own]
        groups = [group for group in groups if not group[0] & own]
        groups.append((own.union(*(group[0] for group in joined)), [*(i for group in joined for i in group[1]), n]))
    return sorted(sorted(members) for _, members in groups)
