"""Simulated cohort: any number of random cases with known truth -> images, labels and dataset.json for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_ctseg.datasets.dataset_file import FILE_NAME, write_dataset
from monai_ctseg.datasets.records import Case, DataSplit
from monai_ctseg.errors import DatasetError
from monai_ctseg.io.nifti import write_mask, write_scan
from monai_ctseg.output import write_json
from monai_ctseg.parallel import Progress, run_in_order
from monai_ctseg.simulation import CaseOptions, sample_case, simulate_case

WRITES = ("images/", "labels/", "facts/", FILE_NAME)


@dataclass(frozen=True)
class Order:
    """One case to simulate into a folder."""

    seed: int
    folder: Path
    options: CaseOptions


def simulate_cohort(
    folder: Path,
    *,
    cases: int,
    seed: int = 0,
    options: CaseOptions | None = None,
    validation: float = 0.1,
    jobs: int = 1,
    progress: Progress | None = None,
) -> DataSplit:
    """Simulate cases with the seeds seed, seed + 1, ... and write dataset.json; cases that are there are kept.

    Args:
        folder: gets images/, labels/, facts/ and dataset.json.
        cases: how many.
        seed: of the first case.
        options: what all cases have in common; None for nothing.
        validation: share of the cases, the last ones, that validates, at least one.
        jobs: processes.
        progress: is told how many cases are done.

    Returns:
        What dataset.json says.

    Raises:
        DatasetError: no case would be left to train on.
    """
    held_out = max(1, round(cases * validation))
    if held_out >= cases:
        raise DatasetError(
            f"{cases} cases with {validation:g} of them to validate leave none to train on; ask for more"
        )
    for name in ("images", "labels", "facts"):
        (folder / name).mkdir(exist_ok=True)
    orders = [Order(seed + n, folder, options or CaseOptions()) for n in range(cases)]
    made = []
    for done, case in enumerate(run_in_order(make_one, orders, jobs=jobs), start=1):
        made.append(case)
        if progress:
            progress(done, cases)
    dataset = _split(made, held_out)
    write_dataset(dataset, folder / FILE_NAME)
    return dataset


def make_one(order: Order) -> Case:
    """Simulate one case and write its image, label and facts, the facts last; keep what is there."""
    name = f"case_{order.seed:06d}"
    image, label = (order.folder / part / f"{name}.nii.gz" for part in ("images", "labels"))
    facts = order.folder / "facts" / f"{name}.json"
    if not facts.exists():
        case = sample_case(order.seed, order.options)
        made = simulate_case(case)
        write_scan(made.scan, image)
        write_mask(made.truth, label)
        content = {
            "case": case.describe(),
            "seed": order.seed,
            **case.facts(),
            "metal_voxels": made.truth.count,
        }
        write_json(facts, content)
    return Case(image, label, metal_voxels=_count(facts), label_method="truth")


def _count(facts: Path) -> int:
    import json

    return int(json.loads(facts.read_text("utf-8"))["metal_voxels"])


def _split(cases: Sequence[Case], held_out: int) -> DataSplit:
    """The last ones validate; where none of them holds metal, which no training takes, another one that does."""
    with_metal = [case for case in cases if case.metal_voxels]
    validate = list(cases[-held_out:])
    if len(with_metal) > 1 and not any(case.metal_voxels for case in validate):
        validate[0] = with_metal[-1]
    train = tuple(case for case in cases if case not in validate)
    return DataSplit(train, tuple(validate), split="given", note="simulated; every case is another patient")
