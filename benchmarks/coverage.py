"""How often the intervals of `agreement.statistics` cover the truth: simulated, nominal 95 %, as a Markdown table.

python -m benchmarks.coverage [--trials 2000] [--seed 0] [--only limits]
"""

from __future__ import annotations

import argparse
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from monai_ctseg.agreement.statistics.bland_altman import bias_and_limits
from monai_ctseg.agreement.statistics.checks import slope_on_mean
from monai_ctseg.agreement.statistics.concordance import concordance
from monai_ctseg.agreement.statistics.differences import take_differences
from monai_ctseg.agreement.statistics.equivalence import mean_p_value
from monai_ctseg.agreement.statistics.estimate import Estimate
from monai_ctseg.agreement.statistics.failures import failure_rate
from monai_ctseg.agreement.statistics.icc import Columns, icc
from monai_ctseg.agreement.statistics.pairs import Pair
from monai_ctseg.agreement.statistics.protocol import IccForm, Protocol
from monai_ctseg.agreement.statistics.regression import deming, passing_bablok
from monai_ctseg.agreement.statistics.reliability import Cells, repeatability, reproducibility
from monai_ctseg.agreement.statistics.table import Reading
from monai_ctseg.agreement.statistics.variance import LIMITS_Z

SIZES = (20, 40, 80)
BAND = (93.5, 96.5)
BIAS, SUBJECT, SIDE, READING, CT = 0.4, 0.3, 0.5, 0.6, 0.3
"""Millimetres: the test method's bias, and SDs of a subject's, a target's, a reader's and the program's own errors."""
Rng = np.random.Generator
Found = Iterator[tuple[str, bool | None]]


@dataclass(frozen=True)
class Study:
    """How the readings of a simulated study are made; `two_sided` is the share of subjects with two."""

    name: str
    reference: tuple[int, ...] = (1,)
    test: tuple[int, ...] = (1,)
    two_sided: float = 0.0
    varying: bool = False
    tied: bool = False
    """Targets of a subject with one have one reading only."""

    def draw(self, rng: Rng, subjects: int) -> list[Pair]:
        """Pairs of `subjects` subjects."""
        pairs = []
        for subject in range(subjects):
            own = rng.normal(0, SUBJECT) if self.two_sided else 0.0
            sides = ("left", "right")[: 1 + (rng.random() < self.two_sided)]
            for side in sides:
                count = 1 if self.tied and len(sides) == 1 else int(rng.choice(self.reference))
                pairs += self._target(rng, (f"s{subject}", side), BIAS + own + rng.normal(0, SIDE), count)
        return pairs

    def _target(self, rng: Rng, target: tuple[str, str], difference: float, count: int) -> list[Pair]:
        truth = rng.normal(48, 3)
        if not self.varying:
            other = int(rng.choice(self.test))
            reads = truth + rng.normal(0, READING, count), truth + difference + rng.normal(0, CT, other)
            return [Pair(*target, "", *reads)]
        moved = truth + rng.normal(0, 2, count)
        reads = moved + rng.normal(0, READING, count), moved + difference + rng.normal(0, CT, count)
        return [Pair(*target, str(i), reads[0][i : i + 1], reads[1][i : i + 1]) for i in range(count)]

    @property
    def sd(self) -> float:
        """True SD of a single difference."""
        return math.sqrt((SUBJECT**2 if self.two_sided else 0) + SIDE**2 + READING**2 + CT**2)


STUDIES = (
    Study("single pairs"),
    Study("replicated: 3 readings against 1", (3,)),
    Study("replicated: 2 to 4 readings against 1 to 2", (2, 3, 4), (1, 2)),
    Study("varying truth: 3 sessions", (3,), varying=True),
    Study("nested: two targets each", two_sided=1.0),
    Study("nested: two targets in 60 %", two_sided=0.6),
    Study("nested, 2 to 4 readings against 1", (2, 3, 4), two_sided=0.8),
    Study("nested in 50 %, 4 readings there, else 1", (4,), two_sided=0.5, tied=True),
)


def covers(estimate: Estimate, truth: float) -> bool | None:
    """Whether an interval covers the truth; None where there is no interval."""
    if estimate.low is None or estimate.high is None:
        return None
    return estimate.low <= truth <= estimate.high


def bias_and_limits_of(study: Study) -> Callable[[Rng, int], Found]:
    """Bias, SD and both limits of one design, and whether a mean at the margin is wrongly called equivalent."""
    protocol = Protocol(reference="reader", test="ct", true_value="varying" if study.varying else "constant")

    def trial(rng: Rng, n: int) -> Found:
        differences = take_differences(study.draw(rng, n), "difference", protocol)
        bias, sd, lower, upper = bias_and_limits(differences, 0.95)
        yield f"bias, {study.name}", covers(bias, BIAS)
        yield f"SD of differences, {study.name}", covers(sd, study.sd)
        yield f"lower limit, {study.name}", covers(lower, BIAS - LIMITS_Z * study.sd)
        yield f"upper limit, {study.name}", covers(upper, BIAS + LIMITS_Z * study.sd)
        yield f"TOST size, {study.name}", mean_p_value(differences, BIAS) >= 0.05

    return trial


def correlations(sds: tuple[float, float, float], raters: int, targets: int = 1) -> Callable[[Rng, int], Found]:
    """ICC of raters drawn at random: SDs between subjects, between raters, and of error; 1 or 2 targets per subject."""
    between, rater, error = (sd**2 for sd in sds)
    truths: dict[IccForm, float] = {
        "A,1": between / (between + rater + error),
        "C,1": between / (between + error),
        "A,k": between / (between + (rater + error) / raters),
    }

    def trial(rng: Rng, n: int) -> Found:
        subjects = [f"s{i // targets}" for i in range(n * targets)]
        share = 0.5 if targets == 2 else 0.0
        own = np.repeat(rng.normal(0, math.sqrt(between * share), n), targets)
        size = own + rng.normal(0, math.sqrt(between * (1 - share)), n * targets)
        table = size[:, None] + rng.normal(0, sds[1], raters) + rng.normal(0, sds[2], (n * targets, raters))
        of = f"{raters} raters, SDs {sds[0]:g}/{sds[1]:g}/{sds[2]:g}" + (", two targets" if targets == 2 else "")
        for form, truth in truths.items():
            yield f"ICC {form}, {of}", covers(icc(form, table, subjects).estimate, truth)

    return trial


def fixed_columns(rng: Rng, n: int) -> Found:
    """ICC of absolute agreement between two methods, which are no sample: the test reads 0.4 mm more."""
    table = rng.normal(48, 3, (n, 1)) + np.array([0, BIAS]) + rng.normal(0, READING, (n, 2))
    found = icc("A,1", table, [str(i) for i in range(n)], columns=Columns(fixed=True)).estimate
    yield "ICC A,1, two methods", covers(found, 9 / (9 + BIAS**2 / 2 + READING**2))


def concordances(correlation: float, shift: float, targets: int = 1) -> Callable[[Rng, int], Found]:
    """Lin's concordance of two columns, `shift` in SDs."""
    truth = 2 * correlation / (2 + shift**2)

    def trial(rng: Rng, n: int) -> Found:
        shared = np.repeat(rng.normal(0, 1, n), targets) * math.sqrt(0.5 if targets == 2 else 0)
        size = shared + rng.normal(0, 1, n * targets) * math.sqrt(0.5 if targets == 2 else 1)
        columns = size[:, None] * math.sqrt(correlation) + rng.normal(0, math.sqrt(1 - correlation), (n * targets, 2))
        columns[:, 1] += shift
        subjects = [f"s{i // targets}" for i in range(n * targets)]
        of = f"true {truth:.2f}" + (", two targets" if targets == 2 else "")
        yield f"concordance, {of}", covers(concordance(columns, subjects), truth)

    return trial


def repeats(rng: Rng, n: int) -> Found:
    """Within-subject SD of two or three sessions."""
    groups = [rng.normal(48, READING, rng.integers(1, 4)) for _ in range(n)]
    yield "within-subject SD", covers(repeatability(groups, 0.95)[0], READING)


def raters_sd(raters: int) -> Callable[[Rng, int], Found]:
    """Reproducibility SD of raters with offsets of 0.3 mm."""

    def trial(rng: Rng, n: int) -> Found:
        offsets, reads = rng.normal(0, 0.3, raters), rng.normal(0, READING, (n, raters, 2))
        readings = [
            Reading(
                subject=str(i),
                side="",
                method="r",
                rater=str(j),
                session=str(k),
                value=float(reads[i, j, k] + offsets[j]),
            )
            for i, j, k in np.ndindex(reads.shape)
        ]
        sd = reproducibility(Cells.of(readings, lambda reading: reading.rater), 0.95)[0]
        yield f"reproducibility SD, {raters} raters", covers(sd, math.hypot(0.3, READING))

    return trial


def lines(targets: int) -> Callable[[Rng, int], Found]:
    """Slopes of both regressions and of difference on mean; the truth has slope 1.05, errors are equal."""

    def trial(rng: Rng, n: int) -> Found:
        subjects = [f"s{i // targets}" for i in range(n * targets)]
        size = np.repeat(rng.normal(48, 2.5, n), targets) + rng.normal(0, 1.7, n * targets)
        own = np.repeat(rng.normal(0, SUBJECT, (n, 2)), targets, axis=0) if targets == 2 else 0.0
        rows = np.column_stack([size, -1 + 1.05 * size]) + own + rng.normal(0, READING, (n * targets, 2))
        of = ", two targets" if targets == 2 else ""
        fit, ranks = deming(rows, subjects, 1.0), passing_bablok(rows, subjects)
        yield f"Deming slope{of}", covers(fit.slope, 1.05)
        yield f"Deming intercept{of}", covers(fit.intercept, -1)
        yield f"Passing-Bablok slope{of}", covers(ranks.slope, 1.05)
        yield f"Passing-Bablok intercept{of}", covers(ranks.intercept, -1)
        equal = np.column_stack([size, size]) + own + rng.normal(0, READING, (n * targets, 2))
        slope = slope_on_mean(equal[:, 1] - equal[:, 0], equal.mean(1), subjects, 0.95)
        yield f"slope of difference on mean{of}", covers(slope, 0)

    return trial


def failing(rate: float, readings: int, alike: float) -> Callable[[Rng, int], Found]:
    """Failure rate; in a share `alike` of subjects all `readings` fail together or none does."""

    def trial(rng: Rng, n: int) -> Found:
        each = rng.random((n, readings)) < rate
        together = rng.random(n) < alike
        each[together] = each[together, :1]
        counts = [(int(failed.sum()), readings) for failed in each]
        of = f"failure rate of {100 * rate:g} %, {readings} readings per subject, {100 * alike:g} % fail together"
        name = of if readings > 1 else f"failure rate of {100 * rate:g} %"
        yield name, covers(failure_rate(counts, level=0.95), rate)

    return trial


TRIALS: tuple[Callable[[Rng, int], Found], ...] = (
    *(bias_and_limits_of(study) for study in STUDIES),
    correlations((3, 0.3, 0.9), 2),
    correlations((3, 0.5, 0.9), 2),
    correlations((3, 1.0, 1.0), 2),
    correlations((3, 0.6, 1.5), 3),
    correlations((3, 0.9, 0.9), 3),
    correlations((3, 0.3, 0.9), 3, targets=2),
    fixed_columns,
    concordances(0.95, 0.1),
    concordances(0.8, 0.3),
    concordances(0.95, 0.1, targets=2),
    repeats,
    raters_sd(2),
    raters_sd(3),
    lines(1),
    lines(2),
    failing(0.05, 1, 0),
    failing(0.05, 8, 0.5),
    failing(0.05, 8, 1),
    failing(0.2, 8, 0.5),
    failing(0.2, 2, 0.5),
)


def simulate(trial: Callable[[Rng, int], Found], n: int, *, trials: int, seed: int) -> dict[str, tuple[float, int]]:
    """Percentage of intervals that cover the truth, and how many there were, by name."""
    rng = np.random.default_rng([seed, n])
    hits: dict[str, list[bool]] = defaultdict(list)
    for _ in range(trials):
        for name, covered in trial(rng, n):
            hits[name] += [] if covered is None else [covered]
    return {name: (100 * float(np.mean(found)), len(found)) for name, found in hits.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="intervals whose name contains this")
    options = parser.parse_args()
    start = time.perf_counter()
    print(f"Coverage in % of nominal 95 % intervals, {options.trials} trials, seed {options.seed}; * outside {BAND}\n")
    print(f"| interval | {' | '.join(f'n = {n}' for n in SIZES)} |\n| --- |{' --- |' * len(SIZES)}")
    for trial in TRIALS:
        if not any(options.only in name for name in simulate(trial, SIZES[0], trials=1, seed=0)):
            continue
        found = [simulate(trial, n, trials=options.trials, seed=options.seed) for n in SIZES]
        for name in found[0]:
            if options.only in name:
                cells = (text(at.get(name, (math.nan, 0)), options.trials) for at in found)
                print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print("\nFailure rates of several readings per subject have intervals that are too wide on purpose.")
    print(f"n counts subjects; one standard error is {100 * math.sqrt(0.95 * 0.05 / options.trials):.1f}.", end=" ")
    print(f"{time.perf_counter() - start:.0f} s")


def text(found: tuple[float, int], trials: int) -> str:
    """A cell: the percentage, a star where it lies outside the band, and how many trials had no interval."""
    percent, count = found
    star = "" if BAND[0] <= percent <= BAND[1] else " *"
    return f"{percent:.1f}{star}" + (f" ({trials - count} without)" if count < trials else "")


if __name__ == "__main__":
    main()
