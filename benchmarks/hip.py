"""How well hips are measured: on sampled cases whose truth is known, and how much figures of real scans change.

    python -m benchmarks.hip OUT [--cases 100] [--seed 0] [--jobs 2] [--full N] [--data DATA]

OUT/hips.csv: every figure of every case. OUT/hips.md: errors by quantity. OUT/worst_N.png: the worst diameters.
--full: also N cases with all artefacts of a simulated scanner. --data: a folder with hip-prosthesis-ct/dicom and
hip-screw-ct/dicom; OUT/NAME.csv and OUT/NAME.md tell how much the figures change with the image.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from benchmarks.hip_cases import (
    HipCase,
    HipTruth,
    Kind,
    Metal,
    anteversion_degrees,
    inclination_degrees,
    sample_hip_case,
)
from benchmarks.hip_pictures import draw_hip
from benchmarks.hip_repeats import repeat_on
from monai_ctseg.grid import FloatArray
from monai_ctseg.hip import Measurement, measure_hips
from monai_ctseg.parallel import run_in_order
from monai_ctseg.scan import Scan

ORDER: tuple[Kind, ...] = ("native", "replaced", "native", "metal-both")
REAL = ("hip-prosthesis-ct", "hip-screw-ct")
WORST = 5


@dataclass(frozen=True)
class Row:
    """One figure of one case. truth: None where the body has no such part."""

    seed: int
    kind: str
    full: bool
    side: str
    quantity: str
    unit: str
    truth: float | None
    value: float | None
    low: float | None
    high: float | None
    residual_mm: float | None
    points: int | None
    reason: str
    pixel_mm: float
    slice_mm: float
    blur_mm: float
    noise_hu: float
    saturated: bool
    seconds: float

    @property
    def error(self) -> float | None:
        """Value minus truth; None where either is missing."""
        return None if self.value is None or self.truth is None else self.value - self.truth


@dataclass(frozen=True)
class Task:
    """A case to sample and measure."""

    seed: int
    kind: Kind
    full: bool


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--full", type=int, default=0)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    tasks = [Task(given.seed + n, ORDER[n % len(ORDER)], False) for n in range(given.cases)]
    tasks += [Task(given.seed + n, ORDER[n % len(ORDER)], True) for n in range(given.full)]
    rows = list(_run(tasks, given.jobs))
    _write_csv(given.out / "hips.csv", rows)
    text = "\n".join(report(rows))
    (given.out / "hips.md").write_text(text)
    print(text)
    for n, row in enumerate(_worst(rows)):
        task = Task(row.seed, row.kind, row.full)  # type: ignore[arg-type]
        case = sample_hip_case(task.seed, task.kind, full=task.full)
        same = [one for one in rows if (one.seed, one.kind, one.full) == (row.seed, row.kind, row.full)]
        values = {one.quantity: one.value for one in same if one.side == row.side and one.value is not None}
        draw_hip(given.out / f"worst_{n}.png", case, row.side, row.quantity, values)
    for name in REAL if given.data else ():
        print(repeat_on(given.data / name / "dicom", given.out / name))


def _run(tasks: Sequence[Task], jobs: int) -> Iterator[Row]:
    for n, rows in enumerate(run_in_order(measure_case, tasks, jobs=jobs), start=1):
        yield from rows
        missed = sum(row.value is None and row.truth is not None for row in rows)
        print(f"{n}/{len(tasks)} {rows[0].kind} {rows[0].seed}: {rows[0].seconds:.1f} s, {missed} missing", flush=True)


def measure_case(task: Task) -> list[Row]:
    """Every figure that was measured, or should have been."""
    case = sample_hip_case(task.seed, task.kind, full=task.full)
    start = time.perf_counter()
    found = measure_hips(case.scan)
    seconds = time.perf_counter() - start
    truths = true_values(case)
    given = {(one.side, one.quantity): one for one in found}
    missing = [
        Measurement(side, name, "mm", reason="no such row")  # type: ignore[arg-type]
        for side, name in truths
        if (side, name) not in given
    ]
    return [_row(task, case, one, truths.get((one.side, one.quantity)), seconds) for one in (*found, *missing)]


def _row(task: Task, case: HipCase, one: Measurement, truth: float | None, seconds: float) -> Row:
    scanned = (*case.spacing_mm, case.blur_mm, case.noise_hu, case.saturated, seconds)
    figures = (one.value, one.low, one.high, one.residual_mm, one.points, one.reason)
    return Row(task.seed, task.kind, task.full, one.side, one.quantity, one.unit, truth, *figures, *scanned)


def true_values(case: HipCase) -> dict[tuple[str, str], float]:
    """By side and quantity, the true values of a case."""
    values: dict[tuple[str, str], float] = {}
    for side, one in case.truth.items():
        own = _native(one) if one.metal is None else _metal(one.metal) | _stem(one.metal, one.side, case.scan)
        values |= {(side, name): value for name, value in own.items()}
    left, right = (_center(case.truth[side]) for side in ("left", "right"))
    values["both", "hip_center_distance"] = float(np.linalg.norm(left - right))
    values["both", "hip_center_height_difference"] = float(left[2] - right[2])
    return values


def _center(one: HipTruth) -> FloatArray:
    return one.metal.ball_center_lps if one.metal else one.head_center_lps


def _native(one: HipTruth) -> dict[str, float]:
    return {
        "femoral_head_diameter": one.head_mm,
        "acetabulum_diameter": one.socket_mm,
        "acetabulum_depth": one.depth_mm,
        "acetabulum_inclination": inclination_degrees(one.opening_lps),
        "acetabulum_anteversion": anteversion_degrees(one.opening_lps),
        **_by_axis("femoral_head_center", one.head_center_lps),
        **_by_axis("acetabulum_center", one.socket_center_lps),
    }


def _metal(one: Metal) -> dict[str, float]:
    return {
        "ball_head_diameter": one.ball_mm,
        "cup_diameter": one.cup_mm,
        "cup_inclination": inclination_degrees(one.cup_opening_lps),
        "cup_anteversion": anteversion_degrees(one.cup_opening_lps),
        **_by_axis("ball_head_center", one.ball_center_lps),
        **_by_axis("cup_center", one.cup_center_lps),
    }


def _stem(metal: Metal, side: str, scan: Scan) -> dict[str, float]:
    """Tilts of the line through the middles of a stem's sections, as far as the scan shows them."""
    ends = scan.grid.to_lps([(0, 0, 0), (0, 0, scan.grid.shape[2] - 1)])[:, 2]
    line = metal.stem_line_lps[metal.stem_line_lps[:, 2] > ends.min()]
    axis = np.linalg.svd(line - line.mean(axis=0))[2][0]
    x, y, z = axis * np.sign(axis[2])
    coronal = np.degrees(np.arctan2(-x if side == "left" else x, z))
    return {"stem_axis_coronal": float(coronal), "stem_axis_sagittal": float(np.degrees(np.arctan2(y, z)))}


def _by_axis(name: str, point: FloatArray) -> dict[str, float]:
    return {f"{name}_{axis}": float(mm) for axis, mm in zip("xyz", point, strict=True)}


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)] + ["error"])
        writer.writeheader()
        writer.writerows(asdict(row) | {"error": row.error} for row in rows)


def report(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown: errors by quantity, reasons for missing figures, figures of parts that the body does not have."""
    for full, title in ((False, "Sampled quickly"), (True, "Simulated with all artefacts")):
        some = [row for row in rows if row.full == full]
        if some:
            yield from _table(title, some)


def _table(title: str, rows: Sequence[Row]) -> Iterator[str]:
    cases, seconds = len({(row.kind, row.seed) for row in rows}), np.median([row.seconds for row in rows])
    yield f"## {title}: {cases} cases, median {seconds:.1f} s a scan\n"
    yield "| quantity | hips | none | mean error | mean absolute | 95th percentile | worst | in the interval |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for name, group in _grouped((row for row in rows if row.truth is not None), lambda row: row.quantity):
        yield f"| {name} ({group[0].unit}) | {len(group)} |" + _cells(group)
    reasons = Counter(row.reason for row in rows if row.value is None and row.truth is not None)
    yield from ("", *(f"- {count} figures: {reason}" for reason, count in reasons.most_common()))
    false = Counter(row.quantity for row in rows if row.value is not None and row.truth is None)
    yield from ("", f"Figures without a truth: {dict(false) or 'none'}", "")


def _cells(group: Sequence[Row]) -> str:
    """How many figures are missing, and the errors of the others."""
    errors = np.array([row.error for row in group if row.error is not None])
    none = f" {len(group) - len(errors)} |"
    if not len(errors):
        return none + " | | | | |"
    size = np.abs(errors)
    covered = [covered for row in group if row.error is not None and (covered := _covers(row)) is not None]
    share = f"{100 * np.mean(covered):.0f} %" if covered else ""
    largest = f"{np.percentile(size, 95):.2f} | {size.max():.2f}"
    return f"{none} {errors.mean():+.2f} | {size.mean():.2f} | {largest} | {share} |"


def _covers(row: Row) -> bool | None:
    """Whether the interval holds the truth."""
    if row.truth is None or row.low is None or row.high is None:
        return None
    return row.low <= row.truth <= row.high


def _grouped(rows: Iterable[Row], key: Callable[[Row], str]) -> Iterator[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    yield from groups.items()


def _worst(rows: Sequence[Row]) -> list[Row]:
    """The diameters with the largest errors, one per hip."""
    wrong = [row for row in rows if row.quantity.endswith("_diameter") and row.error is not None]
    wrong.sort(key=lambda row: -abs(row.error or 0))
    seen: dict[tuple[int, str, bool, str], Row] = {}
    for row in wrong:
        seen.setdefault((row.seed, row.kind, row.full, row.side), row)
    return list(seen.values())[:WORST]


if __name__ == "__main__":
    main()
