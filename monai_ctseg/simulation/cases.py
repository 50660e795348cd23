"""Cases: a body, implants, a field of view and a scanner sampled at random, as wide as scanners and patients differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from monai_ctseg.errors import CtsegError
from monai_ctseg.grid import Grid
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Scan
from monai_ctseg.simulation.field_of_view import FieldOptions, body_grid, sample_grid, sample_subject
from monai_ctseg.simulation.implants import Family, Implant
from monai_ctseg.simulation.insertion import PATIENT, insert, insert_in_patient, sample_outside, sample_patient
from monai_ctseg.simulation.phantom.bodies import sample_body
from monai_ctseg.simulation.phantom.scene import BodyPart, Landmark
from monai_ctseg.simulation.real_body import require_no_metal, sample_bone_axis, without_sentinels
from monai_ctseg.simulation.scanner import Scanner, sample_scanner
from monai_ctseg.simulation.sdf import toward
from monai_ctseg.simulation.simulate import SimulatedScan, simulate
from monai_ctseg.simulation.sites import choose_sites, kinds_at, takes_all

PART_WEIGHTS: dict[BodyPart, float] = {"pelvis": 0.45, "limb": 0.2, "spine": 0.1, "head": 0.2, "trunk": 0.05}
"""Parts of the body, and how often each is sampled."""
WITHOUT_METAL = 0.2
"""Share of the cases without an implant."""
BONE_MM = 8.0
"""Radius of a bone whose size is not known."""


@dataclass(frozen=True)
class CaseOptions:
    """What of a case is not left to chance; None for chance.

    Attributes:
        part: of the body, a key of PART_WEIGHTS.
        kinds: the implants, one of each kind.
        with_metal: whether there is any implant.
        metal: one metal for all implants.
        family: of the implants' shapes.
        saturated: whether the scale is saturated at 12 bits.
        pixel_mm: pixel spacing, mm.
        slice_mm: slice spacing, mm.
        size: pixels a side.
        slices: number of slices.
        scanner: settings of the scanner by the names of `Scanner`; they replace the random ones.
    """

    part: BodyPart | None = None
    kinds: tuple[str, ...] | None = None
    with_metal: bool | None = None
    metal: str | None = None
    family: Family = "training"
    saturated: bool | None = None
    pixel_mm: float | None = None
    slice_mm: float | None = None
    size: int | None = None
    slices: int | None = None
    scanner: dict[str, float] = field(default_factory=dict)

    @property
    def field_of_view(self) -> FieldOptions:
        """Those of the grid."""
        return FieldOptions(self.pixel_mm, self.slice_mm, self.size, self.slices)


@dataclass(frozen=True, eq=False)
class SimulationCase:
    """What is scanned, and how; `simulate_case` scans it.

    Attributes:
        seed: of the case.
        part: of the body; "body" for a real one.
        kinds: of the implants in the body.
        implants: in LPS.
        grid: of the image.
        scanner: its settings.
        family: of the implants' shapes.
        body: a real body; None for the patient of the seed.
    """

    seed: int
    part: str
    kinds: tuple[str, ...]
    implants: tuple[Implant, ...]
    grid: Grid
    scanner: Scanner
    family: Family = "training"
    body: Scan | None = None

    def describe(self) -> str:
        """One line."""
        level = self.scanner.saturation_level_hu
        scale = "extended scale" if level is None else f"saturated at {level:g} HU"
        return f"{self.part}, {', '.join(self.kinds) or 'no metal'}; {scale}; {self.grid.describe()}"

    def facts(self) -> dict[str, Any]:
        """Part, kinds, metals and scanner as JSON values."""
        return {
            "part": self.part,
            "kinds": list(self.kinds),
            "metals": sorted({implant.metal for implant in self.implants if implant.inside}),
            "scanner": vars(self.scanner),
        }


def sample_case(seed: int, options: CaseOptions | None = None) -> SimulationCase:
    """The case of a seed; the same seed and options give the same case.

    Args:
        seed: chooses all that is not given.
        options: what is given; None for nothing.

    Returns:
        Patient, implants, scanner and grid, for `simulate_case`. Nothing is scanned yet.

    Raises:
        CtsegError: there is no such part of the body, or none with a site for the kinds.
    """
    options = options or CaseOptions()
    random = np.random.default_rng((seed, 7 if options.family == "training" else 11))
    part = _choose_part(random, options)
    patient = sample_patient(seed, part)
    with_metal = options.with_metal
    if with_metal is None:
        with_metal = bool(random.random() > WITHOUT_METAL)
    sites = choose_sites(random, patient.landmarks, options.kinds) if with_metal else []
    implants = [one for kind, mark in sites for one in insert_in_patient(kind, mark, random, options.family, patient)]
    subject = sample_subject(random, implants, patient.landmarks)
    if options.kinds is None and options.with_metal is not False:
        implants += sample_outside(random, options.family, patient)
    scanner = _sample_scanner(random, options)
    grid = sample_grid(random, subject, options.field_of_view)
    kinds = tuple(kind for kind, _ in sites)
    return SimulationCase(seed, part, kinds, _of_metal(implants, options.metal), grid, scanner, options.family)


def sample_case_in_body(body: Scan, seed: int, options: CaseOptions | None = None) -> SimulationCase:
    """The case of a seed in a real body, on the body's own grid; an implant that fits any bone lies along its bone.

    Args:
        body: a scan without metal.
        seed: chooses all that is not given.
        options: kinds, metal, family, saturation and scanner; the rest does not apply.

    Raises:
        CtsegError: the body holds metal already, or no bone, or a kind does not belong on a shaft.
    """
    options = options or CaseOptions()
    _require_on_shafts(options.kinds or ())
    body = without_sentinels(body)
    require_no_metal(body)
    random = np.random.default_rng((seed, 13))
    scanner = _sample_scanner(random, options)
    kinds = options.kinds or (str(random.choice(("plate", "screws", "pins"))),)
    implants: list[Implant] = []
    for kind in kinds if options.with_metal is not False else ():
        point, axis = sample_bone_axis(body, random)
        across = toward(axis, random.normal(size=3))[:, 0]
        mark = Landmark("femur", point, axis, across, "middle", BONE_MM)
        implants += insert(kind, mark, random, options.family)
    kinds = kinds if implants else ()
    made = _of_metal(implants, options.metal)
    return SimulationCase(seed, "body", kinds, made, body.grid, scanner, options.family, body)


def simulate_case(case: SimulationCase, *, jobs: int = 1, progress: Progress | None = None) -> SimulatedScan:
    """The case's scan and its truth.

    Args:
        case: what is scanned, and how.
        jobs: number of processes; it does not change the voxels.
        progress: called with the number of slices done and of all slices.

    Returns:
        The scan, int16 HU, and its true mask, both on `case.grid`.

    Raises:
        CtsegError: the image is longer than what there is of a patient.
        MissingExtra: the extra `simulation` is not installed.
    """
    body = case.body
    if body is None:
        painted = sample_body(body_grid(case.grid), seed=case.seed, part=case.part, whole=PATIENT)  # type: ignore[arg-type]
        body = Scan(painted.hu, painted.grid)
    return simulate(
        body, case.implants, scanner=case.scanner, grid=case.grid, seed=case.seed, jobs=jobs, progress=progress
    )


def _choose_part(random: np.random.Generator, options: CaseOptions) -> BodyPart:
    """The part that is asked for, or one by weight; with kinds, one that has a site for each of them."""
    if options.part is not None:
        if options.part not in PART_WEIGHTS:
            raise CtsegError(f"no body part is called {options.part!r}; there are: {', '.join(PART_WEIGHTS)}")
        return options.part
    kinds = options.kinds or ()
    fit = [part for part in PART_WEIGHTS if takes_all(part, kinds)]
    if not fit:
        raise CtsegError(f"no body part has a place for {' and '.join(kinds)}; take another kind, or one at a time")
    weights = np.array([PART_WEIGHTS[part] for part in fit])
    return fit[int(random.choice(len(fit), p=weights / weights.sum()))]


def _sample_scanner(random: np.random.Generator, options: CaseOptions) -> Scanner:
    settings = vars(sample_scanner(random, saturated=options.saturated)) | options.scanner
    return Scanner(**settings)


def _of_metal(implants: Sequence[Implant], metal: str | None) -> tuple[Implant, ...]:
    """The implants in the body made of one metal, if one is given."""
    return tuple(replace(one, metal=metal) if metal and one.inside else one for one in implants)


def _require_on_shafts(kinds: Sequence[str]) -> None:
    """CtsegError for kinds that do not belong on a bone about which nothing is known."""
    allowed = kinds_at("femur")
    others = [kind for kind in kinds if kind not in allowed]
    if others:
        raise CtsegError(
            f"{' and '.join(others)} cannot be inserted into a real body, where only bone is found; "
            f"take {', '.join(allowed)}, or leave the body out"
        )
