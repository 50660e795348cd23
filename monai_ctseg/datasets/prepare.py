"""Any number of folders of scans -> a folder of cases with dataset.json. It can be interrupted and resumed.

A case is built in partial/, moved into images/, labels/ and component_reports/, and counts once done/ holds a record of
its source, which is written last. Sources come in a fixed order, so an interrupted run ends like one that was not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from monai_ctseg.datasets.case import RESTART
from monai_ctseg.datasets.cohort_folder import COMMAND, FAILURES, CohortFolder
from monai_ctseg.datasets.cohort_run import CohortRun, Failure
from monai_ctseg.datasets.dataset_file import FILE_NAME, write_dataset
from monai_ctseg.datasets.facts import SHARE
from monai_ctseg.datasets.records import DataSplit
from monai_ctseg.datasets.sources import Source, group_sources, inspect_files, list_files
from monai_ctseg.errors import DatasetError, NoScanFound, writing_errors
from monai_ctseg.output import locked, write_json, write_run
from monai_ctseg.parallel import Progress, cores, run_in_order, version_of
from monai_ctseg.segmentation.intensity import METAL_HU

TEST_SHARE = 0.1
_FILES_AT_ONCE = 256
_MANY_FILES = 2000


@dataclass(frozen=True)
class Prepared:
    """The result of `prepare_cohort`.

    Attributes:
        dataset: As written to dataset.json.
        cases: Number of cases.
        with_metal: How many of them hold metal.
        patients: Number of patients.
        unidentified: Cases whose source names no patient; each counts as a patient of its own.
        kept: Cases of an earlier run that were not read again.
        duplicates: (where, case) of sources whose voxels another source had already.
        failures: What was refused, and why.
        seconds: Of the whole run.
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


@dataclass(frozen=True)
class CohortOptions:
    """How to make a cohort.

    Attributes:
        threshold_hu: Metal is what lies above, in the body; HU.
        validation: Share of the patients that validates.
        test: Share of the patients that is kept for a test.
        seed: Of the split.
        overwrite: Whether a finished cohort may be brought up to date.

    Raises:
        DatasetError: The shares leave nothing to train on.
    """

    threshold_hu: float = METAL_HU
    validation: float = SHARE
    test: float = TEST_SHARE
    seed: int = 0
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not (self.validation >= 0 and self.test >= 0 and self.validation + self.test < 1):
            raise DatasetError(
                f"shares of {self.validation:g} for validation and {self.test:g} for test leave nothing to train on"
            )


def prepare_cohort(
    paths: Sequence[str | Path],
    output_dir: str | Path,
    options: CohortOptions = CohortOptions(),
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
    on_failure: Callable[[Failure], None] | None = None,
) -> Prepared:
    """Make image/label pairs and dataset.json of every CT series and NIfTI volume in some folders.

    Patients are told apart by PatientID, StudyInstanceUID, FrameOfReferenceUID and voxels, and split as a whole. The
    split depends on voxels and seed only.

    Args:
        paths: Folders, searched with the folders in them, and files.
        output_dir: The folder to write; an interrupted run resumes there.
        options: Threshold, split, and whether to replace.
        jobs: Number of processes; None: by cores and memory.
        progress: Called with the number of sources done and of all sources.
        on_failure: Called as soon as something is refused.

    Returns:
        The dataset that was written, with counts, duplicates and failures. A source that is refused is a failure and
        does not end the run.

    Raises:
        NoScanFound: There is nothing to read.
        DatasetError: Nothing could be used.
        OutputError: The folder cannot be written, or may not be replaced.
    """
    start = time.monotonic()
    threshold_hu = float(options.threshold_hu)
    output = Path(output_dir).absolute()
    with writing_errors(output):
        if not output.exists():
            output.mkdir(parents=True)
    with locked(output), writing_errors(output, advice=RESTART):
        settings = {"threshold_hu": threshold_hu, "monai_ctseg": version_of("monai_ctseg")}
        folder = CohortFolder(output, settings, overwrite=options.overwrite)
        try:
            sources = find_sources([Path(path).expanduser() for path in paths], leave_out=output)
            run = CohortRun(folder, threshold_hu, on_failure or (lambda failure: None))
            run.work(sources, jobs=jobs, progress=progress)
            folder.begin()
            folder.tidy([*run.cases], run.fingerprints)
            dataset = run.split(seed=options.seed, validation=options.validation, test=options.test)
            write_json(output / FAILURES, {"failures": run.recorded})
            dataset = replace(dataset, threshold_hu=threshold_hu)
            write_dataset(dataset, output / FILE_NAME)
        finally:
            folder.clean()
        counts = run.counts()
        seconds = time.monotonic() - start
        write_run(
            output,
            COMMAND,
            {name: value for name, value in asdict(options).items() if name != "overwrite"},
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
