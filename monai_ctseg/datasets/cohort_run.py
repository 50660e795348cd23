"""What a run of `prepare` collects: cases, duplicates and failures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from monai_ctseg.datasets.case import MadeCase, Outcome, Task, make_cases, with_names
from monai_ctseg.datasets.cohort_folder import PARTIAL, CohortFolder
from monai_ctseg.datasets.facts import Facts
from monai_ctseg.datasets.patient_split import group_patients, split_patients
from monai_ctseg.datasets.records import Case, DataSplit
from monai_ctseg.datasets.sources import Source
from monai_ctseg.errors import DatasetError
from monai_ctseg.parallel import Progress, choose_jobs, run_in_order


@dataclass(frozen=True)
class Failure:
    """A source, or one stack of it, that could not be used. `where` and `message` may name a patient: for the screen.

    where: Path, and the number of files of a series.
    kind: Name of the refusal in monai_ctseg.errors.
    message: One line.
    series: SeriesInstanceUID, "" for a NIfTI volume.
    """

    where: str
    kind: str
    message: str
    series: str = ""


class CohortRun:
    """What a run collects, source by source in their order.

    cases: By name.
    fingerprints: Of the sources that gave cases.
    recorded: The failures without anything of a patient, for failures.json.
    """

    def __init__(self, folder: CohortFolder, threshold_hu: float, on_failure: Callable[[Failure], None]) -> None:
        self.folder = folder
        self.threshold_hu = threshold_hu
        self.on_failure = on_failure
        self.cases: dict[str, MadeCase] = {}
        self.keys: dict[str, frozenset[str]] = {}
        self.kept = 0
        self.fingerprints: list[str] = []
        self.duplicates: list[tuple[str, str]] = []
        self.failures: list[Failure] = []
        self.recorded: list[dict[str, str | None]] = []

    def work(self, sources: Sequence[Source], *, jobs: int | None, progress: Progress | None) -> None:
        """Take over what is done and make the rest; DatasetError where nothing could be used."""
        usable = [source for source in sources if not source.damage]
        for source in sources:
            if source.damage:
                self._fail(source, "ScanError", source.damage, "damaged, not readable, or not CT")
        prints = [source.fingerprint() for source in usable]
        done = [self.folder.recall(fingerprint) for fingerprint in prints]
        tasks = [
            Task(source, self.folder.folder / PARTIAL / fingerprint, self.threshold_hu)
            for source, fingerprint, made in zip(usable, prints, done, strict=True)
            if made is None
        ]
        largest = max((task.source.voxels for task in tasks), default=0)
        outcomes = run_in_order(make_cases, tasks, jobs=jobs or choose_jobs(largest, len(tasks)))
        for n, (source, fingerprint, made) in enumerate(zip(usable, prints, done, strict=True)):
            if progress:
                progress(n, len(usable))
            self._take(source, fingerprint, made, outcomes)
        if not self.cases:
            raise DatasetError(self._nothing(len(sources)))

    def _take(self, source: Source, fingerprint: str, done: list[MadeCase] | None, outcomes: Iterator[Outcome]) -> None:
        if done is not None:
            self.kept += len(done)
            self._add(source, fingerprint, done)
            return
        outcome = next(outcomes)
        for kind, message in outcome.refused:
            self._fail(source, kind, with_names(message, source), message)
        if outcome.made:
            partial = self.folder.folder / PARTIAL / fingerprint
            self.folder.keep(fingerprint, outcome.made, self.cases, partial, whole=not outcome.refused)
            self._add(source, fingerprint, outcome.made)

    def _add(self, source: Source, fingerprint: str, made: Sequence[MadeCase]) -> None:
        self.fingerprints.append(fingerprint)
        for case in made:
            if case.name in self.cases:
                self.duplicates.append((source.describe(), case.name))
            self.cases.setdefault(case.name, case)
            known = self.keys.get(case.name, frozenset())
            self.keys[case.name] = known | source.patient | {case.voxels_sha256}

    def _fail(self, source: Source, kind: str, message: str, nameless: str) -> None:
        failure = Failure(source.describe(), kind, message, source.series)
        self.failures.append(failure)
        self.recorded.append({"series_instance_uid": source.series or None, "kind": kind, "message": nameless})
        self.on_failure(failure)

    def _nothing(self, count: int) -> str:
        first = self.failures[0]
        return f"none of the {count} scans can be used; the first, {first.where}: {first.message}"

    def known(self) -> list[tuple[MadeCase, frozenset[str]]]:
        """The cases by name, with the keys of their patients."""
        return [(self.cases[name], self.keys[name]) for name in sorted(self.cases)]

    def split(self, *, seed: int, validation: float, test: float) -> DataSplit:
        """The split by patient, in the order of the names so that paths do not matter."""
        cases, facts = [], []
        for made, keys in self.known():
            image, label = (self.folder.file(kind, made.name) for kind in ("images", "labels"))
            cases.append(Case(image, label, metal_voxels=made.metal_voxels, voxels_sha256=made.voxels_sha256))
            facts.append(Facts((), made.source["spacing_mm"][2], (made.metal_voxels,), keys))
        try:
            return split_patients(cases, facts, seed=seed, validation=validation, test=test)
        except DatasetError as error:
            return DataSplit(tuple(cases), (), "patients", f"everything is under 'training': {error}")

    def counts(self) -> dict[str, int]:
        """Numbers of cases, as in `Prepared`."""
        return {
            "cases": len(self.cases),
            "with_metal": sum(made.metal_voxels > 0 for made in self.cases.values()),
            "patients": len(group_patients([keys for _, keys in self.known()])),
            "unidentified": sum(keys == {made.voxels_sha256} for made, keys in self.known()),
            "kept": self.kept,
        }
