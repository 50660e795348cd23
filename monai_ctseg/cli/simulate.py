"""`monai-ctseg simulate`: CT scans with the artefacts that metal makes, and the true masks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monai_ctseg.cli.console import (
    JsonOption,
    OutputOption,
    OverwriteOption,
    SeriesOption,
    load,
    print_facts,
    print_json,
    progress,
    warn,
)
from monai_ctseg.output import new_folder, resumable_folder, write_run
from monai_ctseg.parallel import choose_jobs
from monai_ctseg.scan import provenance

if TYPE_CHECKING:
    from monai_ctseg.simulation import CaseOptions

TWELVE_BITS_HU = 3071.0
"""The saturation level of 12-bit scanners."""
KERNELS = {"soft": (0.5, 0.0), "standard": (0.7, 0.0), "sharp": (1.0, 0.5)}
"""Where the Hann window ends, per mm, and how much middle frequencies are raised."""
MOST_SLICES = 2000
FEW_VOXELS = 10
"""A truth of fewer voxels is warned about."""


app = typer.Typer()
PANELS = {
    "Body": ("part", "body", "slices", "series"),
    "Implant": ("kind", "metal", "without_metal"),
    "Scanner": ("saturated", "kv", "photons", "kernel", "reduce_artefacts", "pixel", "slice_mm", "size", "count"),
    "Cases": ("cases", "seed", "jobs"),
}


@app.command(
    epilog="Example:  monai-ctseg simulate -o hip --kind total_hip --seed 3\n"
    "or        monai-ctseg simulate -o screw --body ~/scans/native_hip --kind plate\n"
    "or        monai-ctseg simulate -o cohort --cases 100"
)
def simulate(
    output: OutputOption,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            help="What is implanted, such as total_hip, plate or filling; may be repeated.",
            show_default=False,
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(help="pelvis, limb, spine, head or trunk; by default one that fits.", show_default=False),
    ] = None,
    body: Annotated[
        Path | None,
        typer.Option(
            metavar="SCAN", help="A real scan without metal, instead of a simulated patient.", show_default=False
        ),
    ] = None,
    slices: Annotated[
        str | None,
        typer.Option(metavar="FIRST:LAST", help="Which slices of --body, both included.", show_default=False),
    ] = None,
    series: SeriesOption = None,
    saturated: Annotated[
        bool,
        typer.Option(
            "--saturated/--extended",
            help="A 12-bit scanner, saturated at 3071 HU, or 16 bits. Extended also for --cases, since training "
            "saturates patches itself.",
        ),
    ] = False,
    kv: Annotated[float | None, typer.Option(min=70, max=150, help="Tube voltage.", show_default=False)] = None,
    photons: Annotated[
        float | None,
        typer.Option(min=1e3, max=1e9, help="The dose: photons at a detector through air, a view.", show_default=False),
    ] = None,
    kernel: Annotated[
        str | None, typer.Option(help="Of the reconstruction: soft, standard or sharp.", show_default=False)
    ] = None,
    reduce_artefacts: Annotated[
        bool, typer.Option("--reduce-artefacts", help="The scanner reduces metal artefacts.")
    ] = False,
    metal: Annotated[
        str | None,
        typer.Option(
            help="titanium, steel, cobalt_chromium, gold or amalgam; by default what fits.", show_default=False
        ),
    ] = None,
    pixel: Annotated[float | None, typer.Option(min=0.1, max=10, help="Pixel size, mm.", show_default=False)] = None,
    slice_mm: Annotated[
        float | None, typer.Option("--slice", min=0.2, max=10, help="Slice spacing, mm.", show_default=False)
    ] = None,
    size: Annotated[int | None, typer.Option(min=32, max=1024, help="Pixels a side.", show_default=False)] = None,
    count: Annotated[
        int | None, typer.Option("--count", min=1, max=MOST_SLICES, help="Number of slices.", show_default=False)
    ] = None,
    without_metal: Annotated[bool, typer.Option("--without-metal", help="No implant at all.")] = False,
    cases: Annotated[
        int | None,
        typer.Option(min=2, help="Number of random cases, as images, labels and dataset.json.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Chooses all that is not given.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: by cores and memory.", show_default=False)
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate a CT of a body with metal, and its true mask.

    X-rays of many energies pass a body of water and bone and the metal; noise, photon starvation, corrections and
    reconstruction follow as on a scanner, so metal blooms, streaks and starves as in real scans. What is not given is
    chosen at random by the seed: patient, implant, scanner, field of view.

    Writes dicom/ (a DICOM series), truth.nii.gz, preview.png and run.json; with --cases images/, labels/, facts/ and
    dataset.json, which `train` takes. After an interruption, --cases resumes.
    """
    from monai_ctseg.simulation import CaseOptions
    from monai_ctseg.simulation.cases import PART_WEIGHTS
    from monai_ctseg.simulation.insertion import PATIENT
    from monai_ctseg.simulation.materials import METALS

    own_grid = (part, pixel, slice_mm, size, count)
    if body is None:
        _require_no_body_options({"--slices": slices, "--series": series})
    elif cases or any(value is not None for value in own_grid):
        raise typer.BadParameter(
            "a real body brings its own grid; leave --part, --pixel, --slice, --size, --count and --cases out",
            param_hint="--body",
        )
    _require_metal(without_metal, [name for name, value in (("--kind", kind), ("--metal", metal)) if value])
    settings = {"kv": kv, "photons": photons, "saturation_level_hu": TWELVE_BITS_HU if saturated else None}
    if kernel:
        cutoff_and_boost = KERNELS[_one_of(kernel, KERNELS, "--kernel")]
        settings |= dict(zip(("cutoff_per_mm", "boost"), cutoff_and_boost, strict=True))
    if reduce_artefacts:
        settings["artefact_reduction"] = True
    options = CaseOptions(
        part=_one_of(part, PART_WEIGHTS, "--part"),
        metal=_one_of(metal, METALS, "--metal"),
        kinds=_kinds(kind),
        pixel_mm=pixel,
        slice_mm=slice_mm,
        size=size,
        slices=count,
        saturated=saturated,
        with_metal=False if without_metal else (None if cases and not kind else True),
        scanner={name: value for name, value in settings.items() if value is not None},
    )
    jobs = jobs or choose_jobs(math.prod(PATIENT.shape), cases or count or MOST_SLICES)
    run = _Run(output, options, seed, jobs, overwrite, as_json)
    if cases:
        _simulate_many(run, cases)
    else:
        _simulate_one(run, _Source(body, _range(slices) if slices else None, series))


@dataclass(frozen=True)
class _Source:
    """A real body, and which of its slices and series."""

    body: Path | None
    slices: tuple[int, int] | None
    series: str | None


@dataclass(frozen=True)
class _Run:
    """What one call of the command is asked for."""

    output: Path
    options: CaseOptions
    seed: int
    jobs: int
    overwrite: bool
    as_json: bool


def _kinds(kinds: list[str] | None) -> tuple[str, ...] | None:
    from monai_ctseg.simulation.implants import KINDS

    return tuple(_one_of(kind, KINDS, "--kind") for kind in kinds) if kinds else None


def _one_of(name: str | None, known: Iterable[str], option: str) -> Any:
    """The name, if it is known; wrong usage that lists them all, if not."""
    if name is not None and name not in known:
        raise typer.BadParameter(f"'{name}' is none of {', '.join(known)}", param_hint=option)
    return name


def _require_no_body_options(given: Mapping[str, str | None]) -> None:
    for option, value in given.items():
        if value is not None:
            raise typer.BadParameter(
                f"says which {option[2:]} of a real scan; it makes no sense without --body", param_hint=option
            )


def _require_metal(without_metal: bool, given: list[str]) -> None:
    if without_metal and given:
        raise typer.BadParameter(
            f"nothing is implanted, so leave {' and '.join(given)} out", param_hint="--without-metal"
        )


def _range(slices: str) -> tuple[int, int]:
    first, colon, last = slices.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal()):
        raise typer.BadParameter(f"'{slices}' is not FIRST:LAST, as in 0:85", param_hint="--slices")
    if int(first) > int(last):
        raise typer.BadParameter(f"'{slices}' ends before it begins; say {last}:{first}", param_hint="--slices")
    return int(first), int(last)


def _simulate_one(run: _Run, source: _Source) -> None:
    from monai_ctseg.cli.simulated_output import facts_of, lines_of, write_case
    from monai_ctseg.simulation import sample_case, sample_case_in_body, simulate_case
    from monai_ctseg.simulation.real_body import cut_slices

    start = perf_counter()
    with new_folder(run.output, overwrite=run.overwrite) as folder:
        whole = load(source.body, source.series) if source.body else None
        if whole is None:
            case = sample_case(run.seed, run.options)
        else:
            body = cut_slices(whole, *source.slices) if source.slices else whole
            case = sample_case_in_body(body, run.seed, run.options)
        with progress("simulating") as callback:
            made = simulate_case(case, jobs=run.jobs, progress=callback)
        write_case(folder, case, made)
        arguments = {"options": asdict(run.options), "slices": source.slices, "series": source.series}
        write_run(
            folder,
            "simulate",
            {**arguments, "seed": run.seed, **case.facts()},
            scans=[whole] if whole else [],
            simulated=provenance(made.scan),
            seconds={"all": perf_counter() - start},
        )
    _warn_of_little_metal(made.truth.count, implanted=any(implant.inside for implant in case.implants))
    facts = facts_of(case, made)
    if run.as_json:
        print_json({**facts, "output": str(run.output)})
    else:
        print_facts({"scan": made.scan.grid.describe(), **lines_of(facts)})
        typer.echo(f"\nwritten to {run.output}: dicom/, truth.nii.gz, preview.png, run.json")


def _warn_of_little_metal(voxels: int, *, implanted: bool) -> None:
    if implanted and not voxels:
        warn("the metal lies outside the image, so the truth is empty; take another --seed or a larger --size")
    elif 0 < voxels < FEW_VOXELS:
        warn(
            f"the truth has {voxels} voxels only: the metal is hardly larger than a voxel, or mostly outside "
            "the image; take a smaller --pixel, another --seed or a larger --count"
        )


def _simulate_many(run: _Run, cases: int) -> None:
    from monai_ctseg.datasets.simulated import WRITES, simulate_cohort

    start = perf_counter()
    asked = {"command": "simulate", "cases": cases, "seed": run.seed, "options": repr(run.options)}
    with resumable_folder(run.output, writes=WRITES, keep="facts", options=asked, overwrite=run.overwrite) as folder:
        with progress("simulating") as callback:
            dataset = simulate_cohort(
                folder, cases=cases, seed=run.seed, options=run.options, jobs=run.jobs, progress=callback
            )
        asked["options"] = asdict(run.options)
        write_run(folder, "simulate", asked, seconds={"all": perf_counter() - start})
    with_metal = sum(bool(case.metal_voxels) for case in (*dataset.training, *dataset.validation))
    training, validation = len(dataset.training), len(dataset.validation)
    seeds = [run.seed, run.seed + cases - 1]
    if run.as_json:
        facts = {"cases": cases, "with_metal": with_metal, "training": training, "validation": validation}
        print_json({**facts, "seeds": seeds, "output": str(run.output)})
    else:
        print_facts(
            {
                "cases": f"{cases}, {with_metal} of them with metal",
                "split": f"{training} train, {validation} validate",
                "seeds": f"{seeds[0]} to {seeds[1]}",
            }
        )
        typer.echo(f"\nwritten to {run.output}: images/, labels/, facts/, dataset.json, run.json")
