"""Any number of folders of scans -> a folder of cases with dataset.json. It can be interrupted and resumed.

A case is built in partial/, moved into images/, labels/ and component_reports/, and counts once done/ holds a record of
its source, which is written last. Sources come in a fixed order, so an interrupted run ends like one that was not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from monai_ctseg.datasets.case import RESTART, MadeCase, Outcome, Task, make_cases, with_names
from monai_ctseg.datasets.cohort_folder import COMMAND, FAILURES, PARTIAL, CohortFolder
from monai_ctseg.datasets.dataset_file import FILE_NAME, Case, DataSplit, write_dataset
from monai_ctseg.datasets.facts import SHARE, Facts
from monai_ctseg.datasets.patient_split import group_patients, split_patients
from monai_ctseg.datasets.sources import Source, group_sources, inspect_files, list_files
from monai_ctseg.errors import DatasetError, NoScanFound, writing_errors
from monai_ctseg.output import locked, write_json, write_run
from monai_ctseg.parallel import Progress, choose_jobs, cores, run_in_order, version_of
from monai_ctseg.segmentation.intensity import METAL_HU

TEST_SHARE = 0.1
_FILES_AT_ONCE = 256
_MANY_FILES = 2000


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


@dataclass(frozen=True)
class Prepared:
    """The result of `prepare_cohort`.

    dataset: As written to dataset.json.
    unidentified: Cases whose source names no patient; each counts as a patient of its own.
    kept: Cases of an earlier run that were not read again.
    duplicates: (where, case) of sources whose voxels another source had already.
    """

    dataset: DataSplit
    cases: int
    with_metal: int
    patients: int
    unidentified: int
    kept: int
    duplicates: tuple[tuple[str, str], ...]
    failures: tuple[Failure, ...]
    seconds: float


def prepare_cohort(
    paths: Sequence[str | Path],
    output_dir: str | Path,
    *,
    threshold_hu: float = METAL_HU,
    validation: float = SHARE,
    test: float = TEST_SHARE,
    seed: int = 0,
    jobs: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    on_failure: Callable[[Failure], None] | None = None,
) -> Prepared:
    """Make image/label pairs and dataset.json of every CT series and NIfTI volume in some folders.

    Patients are told apart by PatientID, StudyInstanceUID, FrameOfReferenceUID and voxels, and split as a whole. The
    split depends on voxels and seed only.

    Args:
        paths: Folders, searched with the folders in them, and files.
        output_dir: The folder to write; an interrupted run resumes there.
        threshold_hu: Metal is what lies above, in the body.
        validation: Share of the patients that validates.
        test: Share of the patients that is kept for a test.
        seed: Of the split.
        jobs: Number of processes; None: by cores and memory.
        overwrite: Whether a finished cohort may be brought up to date.
        progress: Called with the number of sources done and of all sources.
        on_failure: Called as soon as something is refused.

    Raises:
        NoScanFound: There is nothing to read.
        DatasetError: Nothing could be used, or the shares leave nothing to train on.
        OutputError: The folder cannot be written, or may not be replaced.
    """
    start = time.monotonic()
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise DatasetError(f"shares of {validation:g} for validation and {test:g} for test leave nothing to train on")
    output = Path(output_dir).absolute()
    with writing_errors(output):
        if not output.exists():
            output.mkdir(parents=True)
    with locked(output), writing_errors(output, advice=RESTART):
        settings = {"threshold_hu": float(threshold_hu), "monai_ctseg": version_of("monai_ctseg")}
        folder = CohortFolder(output, settings, overwrite=overwrite)
        try:
            sources = find_sources([Path(path).expanduser() for path in paths], leave_out=output)
            run = _Run(folder, float(threshold_hu), on_failure or (lambda failure: None))
            run.work(sources, jobs=jobs, progress=progress)
            folder.begin()
            folder.tidy([*run.cases], run.fingerprints)
            dataset, patients = run.split(seed=seed, validation=validation, test=test)
            write_json(output / FAILURES, {"failures": run.recorded})
            dataset = replace(dataset, threshold_hu=float(threshold_hu))
            write_dataset(dataset, output / FILE_NAME)
        finally:
            folder.clean()
        counts = {
            "cases": len(run.cases),
            "with_metal": sum(made.metal_voxels > 0 for made in run.cases.values()),
            "patients": patients,
            "unidentified": sum(keys == {made.voxels_sha256} for made, keys in run.known()),
            "kept": run.kept,
        }
        seconds = time.monotonic() - start
        write_run(
            output,
            COMMAND,
            {"threshold_hu": threshold_hu, "validation": validation, "test": test, "seed": seed},
            inputs=[made.source for made, _ in run.known()],
            seconds={"all": seconds},
            found={**counts, "duplicates": len(run.duplicates), "failures": len(run.failures)},
            note=dataset.note,
        )
    return Prepared(dataset, **counts, duplicates=tuple(run.duplicates), failures=tuple(run.failures), seconds=seconds)


def find_sources(paths: Sequence[Path], *, leave_out: Path) -> list[Source]:
    """Every series and volume in the paths, also those known to be damaged; NoScanFound where there is none."""
    files, closed = list_files(paths, leave_out=leave_out)
    chunks = [files[n : n + _FILES_AT_ONCE] for n in range(0, len(files), _FILES_AT_ONCE)]
    jobs = cores() if len(files) > _MANY_FILES else 1
    seen = [one for chunk in run_in_order(inspect_files, chunks, jobs=jobs) for one in chunk]
    known = {one.path for one in seen}
    strange = "neither a CT image as DICOM nor a NIfTI volume; leave it out"
    named = [Source((path,), damage=strange) for path in paths if path.is_file() and path not in known]
    sources = [*group_sources(seen), *closed, *named]
    if not sources:
        raise NoScanFound(
            f"no CT series and no NIfTI volume among the {len(files)} files there; name folders that hold some"
        )
    return sources


class _Run:
    """What a run collects, source by source in their order."""

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

    def split(self, *, seed: int, validation: float, test: float) -> tuple[DataSplit, int]:
        """The split by patient, in the order of the names so that paths do not matter; and the number of patients."""
        cases, facts = [], []
        for made, keys in self.known():
            image, label = (self.folder.file(kind, made.name) for kind in ("images", "labels"))
            cases.append(Case(image, label, metal_voxels=made.metal_voxels, voxels_sha256=made.voxels_sha256))
            facts.append(Facts((), made.source["spacing_mm"][2], (made.metal_voxels,), keys))
        patients = len(group_patients([fact.keys for fact in facts]))
        try:
            dataset = split_patients(cases, facts, seed=seed, validation=validation, test=test)
        except DatasetError as error:
            dataset = DataSplit(tuple(cases), (), "patients", f"everything is under 'training': {error}")
        return dataset, patients
