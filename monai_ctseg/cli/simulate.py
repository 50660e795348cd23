"""`monai-ctseg simulate`: CT scans with the artefacts that metal makes, and the true masks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from monai_ctseg.cli.console import (
    JsonOption,
    OutputOption,
    OverwriteOption,
    SeriesOption,
)
from monai_ctseg.parallel import choose_jobs

TWELVE_BITS_HU = 3071.0
"""The saturation level of 12-bit scanners."""
KERNELS = {"soft": (0.5, 0.0), "standard": (0.7, 0.0), "sharp": (1.0, 0.5)}
"""Where the Hann window ends, per mm, and how much middle frequencies are raised."""
MOST_SLICES = 2000


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
    from monai_ctseg.cli.simulation_runs import Run, Source, simulate_many, simulate_one
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
    run = Run(output, options, seed, jobs, overwrite, as_json)
    if cases:
        simulate_many(run, cases)
    else:
        simulate_one(run, Source(body, _range(slices) if slices else None, series))


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
