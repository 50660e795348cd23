"""Cases: which scans are simulated for the measurement, and keeping them.

Seeds start at 910000: no training starts there, and no constant was chosen on these cases (some were on 900000). Each
scan is simulated once, on the extended scale; its saturated twin is the same scan clipped at 3071 HU.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.oracles import moved_surface
from benchmarks.quality.records import on_scale
from benchmarks.quality.shapes import METALS, make_test_implant
from monai_ctseg.grid import Grid
from monai_ctseg.io.nifti import read_mask, read_nifti, write_mask, write_scan
from monai_ctseg.parallel import run_in_order
from monai_ctseg.scan import Mask, Scan, voxels_sha256
from monai_ctseg.segmentation.pipeline import judge_mask
from monai_ctseg.simulation import CaseOptions, SimulatedScan, SimulationCase, sample_case, simulate_case
from monai_ctseg.simulation.implants import GROUPS, kinds_in, pose_implants
from monai_ctseg.simulation.phantom.scene import BodyPart

FIRST_SEED = 910_000
LEAST_VOXELS = 30
"""A case whose truth has fewer is sampled again: an implant beside the image, or thinner than half a voxel."""
LEAST_COARSE = 4
TRIES = 6
PLAIN = ("plate", "screws", "rod", "ball", "cup")
UNSEEN = (
    *("hip_screw", "total_hip", "pedicle_screws", "filling", "plate", "hip_stem", "crown", "screws", "nail", "cage"),
    *(
        "dental_implant",
        "hip_cup",
        "pins",
        "bridge",
        "sternal_wires",
        "coil",
        "cerclage",
        "clips",
        "generator",
        "stent",
        "braces",
    ),
)
BARE_PARTS = ("pelvis", "head", "trunk", "spine", "limb")
PIXEL_MM = 0.976
SLICES = 10


@dataclass(frozen=True)
class Plan:
    """One case.

    group: "plain" test implants, "unseen" implants, "bare" (no metal), "coarse" (dental, pixels of 3 to 5 mm).
    kind: by which figures are grouped: the plain test implant, or the group of an implant. what: the implant itself.
    """

    name: str
    group: str
    kind: str
    what: str
    seed: int
    metal: str = ""


def make_plans(cases: int, bare: int, coarse: int, *, seed: int = FIRST_SEED) -> list[Plan]:
    """Half of the cases plain, half unseen, kinds and metals in turn; then those without metal, then coarse ones."""
    plain, groups = cases - cases // 2, {kind: group for group in GROUPS for kind in kinds_in(group)}
    plans = [
        Plan(f"plain_{n:02d}_{kind}", "plain", kind, kind, seed + n, METALS[n // len(PLAIN) % 3])
        for n, kind in ((n, PLAIN[n % len(PLAIN)]) for n in range(plain))
    ]
    plans += [
        Plan(f"unseen_{n:02d}_{kind}", "unseen", f"unseen {groups[kind]}", kind, seed + 1000 + n)
        for n, kind in ((n, UNSEEN[n % len(UNSEEN)]) for n in range(cases // 2))
    ]
    plans += [
        Plan(f"bare_{n:02d}_{part}", "bare", f"no metal, {part}", part, seed + 2000 + n)
        for n, part in ((n, BARE_PARTS[n % len(BARE_PARTS)]) for n in range(bare))
    ]
    dental = ("filling", "crown", "bridge")
    return plans + [
        Plan(f"coarse_{n:02d}_{dental[n % 3]}", "coarse", "coarse jaw", dental[n % 3], seed + 3000 + n)
        for n in range(coarse)
    ]


@dataclass(frozen=True)
class Kept:
    """A case on disk."""

    plan: Plan
    folder: Path

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What case.json says."""
        return dict(json.loads((self.folder / "case.json").read_text()))

    @cached_property
    def truth(self) -> Mask:
        """The true mask."""
        return read_mask(self.folder / "truth.nii.gz")

    def scan(self, variant: str) -> Scan:
        """The scan on the extended scale, or clipped at 12 bits."""
        return on_scale(read_nifti(self.folder / "image.nii.gz"), variant)


def keep_cases(plans: list[Plan], folder: Path, *, jobs: int = 1) -> Iterator[Kept]:
    """The cases, simulated where they are not there yet."""
    kept = [Kept(plan, folder / f"{plan.name}_{plan.seed}") for plan in plans]
    missing = [one for one in kept if not (one.folder / "case.json").exists()]
    for done, one in enumerate(run_in_order(_keep, missing, jobs=jobs), start=1):
        print(f"[{done}/{len(missing)}] simulated {one.plan.name}: {one.facts['describe']}", flush=True)
    yield from kept


def _keep(one: Kept) -> Kept:
    """Simulate a case and write it; case.json comes last and says that it is whole."""
    case, made, tries = _make(one.plan)
    truth = _in_circle(made)
    one.folder.mkdir(parents=True, exist_ok=True)
    write_scan(made.scan, one.folder / "image.nii.gz")
    write_mask(truth, one.folder / "truth.nii.gz")
    facts = {
        "describe": case.describe(),
        "seed": case.seed,
        "tries": tries,
        "part": case.part,
        "metals": sorted({implant.metal for implant in case.implants if implant.inside}),
        "outside": sorted({implant.kind for implant in case.implants if not implant.inside}),
        "spacing_mm": case.grid.spacing_mm,
        "scanner": vars(case.scanner),
        "truth_voxels": truth.count,
        "truth_mm3": truth.volume_mm3,
        "voxels_sha256": voxels_sha256(made.scan),
        "highest_hu": int(made.scan.hu.max()),
        "moved_surface": moved_surface(case.implants, truth),
    }
    (one.folder / "case.json").write_text(json.dumps(facts, indent=1))
    return one


def _make(plan: Plan) -> tuple[SimulationCase, SimulatedScan, int]:
    """The case of a plan; sampled again with another seed where there is next to no metal in the body and the image."""
    for tries in range(TRIES):
        case = sample(plan, plan.seed + 10_000 * tries)
        made = simulate_case(case)
        if plan.group == "bare" or _is_in_body(made, LEAST_VOXELS if plan.group != "coarse" else LEAST_COARSE):
            break
    return case, made, tries + 1


def _is_in_body(made: SimulatedScan, voxels: int) -> bool:
    """Whether at least so many voxels of metal are shown, half of them in the body."""
    truth = _in_circle(made)
    return truth.count >= voxels and judge_mask(made.scan, truth).mask.count >= truth.count / 2


def _in_circle(made: SimulatedScan) -> Mask:
    """The truth where the scan shows anything: outside the reconstruction field of view there is padding."""
    padding = made.scan.padding_hu
    shown = made.truth.voxels if padding is None else made.truth.voxels & (made.scan.hu != padding)
    return Mask(shown, made.truth.grid)


def sample(plan: Plan, seed: int) -> SimulationCase:
    """What is scanned."""
    random = np.random.default_rng((seed, 3))
    pixel, thick = _spacing(random)
    options = CaseOptions(saturated=False, slices=SLICES, size=256, pixel_mm=pixel, slice_mm=thick, family="unseen")
    if plan.group == "bare":  # wide, so that the table is in view
        return sample_case(seed, replace(options, part=plan.what, with_metal=False, size=416))  # type: ignore[arg-type]
    if plan.group == "plain":
        return _with_test_implant(
            plan, sample_case(seed, replace(options, part=_choose_part(random), with_metal=True)), random
        )
    if plan.group == "coarse":
        options = replace(
            options, size=112, pixel_mm=float(random.uniform(3.5, 5)), slice_mm=float(random.uniform(2.5, 3))
        )
        return sample_case(seed, replace(options, kinds=(plan.what,), with_metal=True))
    case = sample_case(seed, replace(options, kinds=(plan.what,), with_metal=True))
    own = case.implants[int(random.integers(len(case.implants)))]
    middle = np.array([*((own.low + own.high) / 2)[:2], case.grid.center_lps[2]])
    return replace(case, grid=_about(case.grid, middle, random))


def _choose_part(random: np.random.Generator) -> BodyPart:
    return str(random.choice(("pelvis", "limb", "spine", "head", "trunk"), p=(0.5, 0.2, 0.15, 0.1, 0.05)))  # type: ignore[return-value]


def _with_test_implant(plan: Plan, case: SimulationCase, random: np.random.Generator) -> SimulationCase:
    """The case with a plain test implant where its implant was, and the image around it."""
    first = next(implant for implant in case.implants if implant.inside)
    middle = (first.low + first.high) / 2
    posed = pose_implants([make_test_implant(plan.what, plan.metal, random)], np.eye(3), middle)
    return replace(case, kinds=(plan.what,), implants=posed, grid=_about(case.grid, middle, random))


def _about(grid: Grid, middle: np.ndarray, random: np.random.Generator) -> Grid:
    """The grid with its centre near a point."""
    matrix = np.array(grid.index_to_lps)
    matrix[:3, 3] += middle + np.append(random.uniform(-25, 25, 2), random.uniform(-5, 5)) - grid.center_lps
    return Grid(grid.shape, matrix)


def _spacing(random: np.random.Generator) -> tuple[float, float]:
    """Pixel and slice in mm: the pixel of the real scans mostly, others at random."""
    pixel = PIXEL_MM if random.random() < 0.7 else float(random.uniform(0.5, 1.3))
    return pixel, float(np.exp(random.uniform(np.log(0.8), np.log(3.0))))
