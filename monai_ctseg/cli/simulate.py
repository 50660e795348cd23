"""`monai-ctseg simulate`: CT scans with the artefacts that metal makes, and the true masks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
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
from monai_ctseg.segmentation.intensity import METAL_HU

if TYPE_CHECKING:
    from monai_ctseg.simulation import Case, Simulated, Wish

CEILING_HU = 3071.0
KERNELS = {"soft": (0.5, 0.0), "standard": (0.7, 0.0), "sharp": (1.0, 0.5)}
"""Where the Hann window ends, per mm, and how much middle frequencies are raised."""
PICTURES = 4
MOST_SLICES = 2000
FEW_VOXELS = 10


app = typer.Typer()


@app.command(
    epilog="Example:  monai-ctseg simulate -o hip --kind total_hip --seed 3     "
    "monai-ctseg simulate -o screw --body ~/scans/native_hip --kind plate     "
    "monai-ctseg simulate -o cohort --cases 100"
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
        typer.Option(metavar="SCAN", help="A real scan without metal, instead of a phantom.", show_default=False),
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
            help="A 12-bit scanner that ends at 3071 HU, or 16 bits; extended also for --cases, since training cuts "
            "patches off itself.",
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
        typer.Option(min=2, help="So many random cases as images, labels and dataset.json.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Chooses all that is not said.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: by cores and memory.", show_default=False)
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate a CT of a body with metal in it, and write it as a DICOM series with its true mask.

    X-rays of many energies pass a body of water and bone and the metal; noise, photon starvation, corrections and
    reconstruction follow as on a scanner, so metal blooms, streaks and starves as in real scans. What is not said is
    drawn at random by the seed: patient, implant, scanner, field of view.
    Writes dicom/, truth.nii.gz, preview.png and run.json; with --cases images/, labels/, facts/ and dataset.json,
    which `train` takes. Cut off, --cases goes on where it was.
    """
    from monai_ctseg.simulation import Wish
    from monai_ctseg.simulation.cases import PARTS, PATIENT
    from monai_ctseg.simulation.materials import METALS

    _require_sense(
        body=body,
        slices=slices,
        series=series,
        cases=cases,
        fixed=(part, pixel, slice_mm, size, count),
        bare=[name for name, value in (("--kind", kind), ("--metal", metal)) if without_metal and value],
    )
    settings = {"kv": kv, "photons": photons, "ceiling_hu": CEILING_HU if saturated else None}
    settings |= (
        dict(zip(("cutoff_per_mm", "boost"), KERNELS[_one_of(kernel, KERNELS, "--kernel")], strict=True))
        if kernel
        else {}
    )
    settings |= {"artefact_reduction": True} if reduce_artefacts else {}
    wish = Wish(
        part=_one_of(part, PARTS, "--part"),
        material=_one_of(metal, METALS, "--metal"),
        kinds=_kinds(kind),
        pixel_mm=pixel,
        slice_mm=slice_mm,
        size=size,
        slices=count,
        saturated=saturated,
        metal=False if without_metal else (None if cases and not kind else True),
        scanner={name: value for name, value in settings.items() if value is not None},
    )
    jobs = jobs or choose_jobs(math.prod(PATIENT.shape), cases or count or MOST_SLICES)
    if cases:
        _simulate_many(output, cases, wish, seed=seed, jobs=jobs, overwrite=overwrite, as_json=as_json)
    else:
        _simulate_one(
            output,
            wish,
            body=body,
            slices=_range(slices) if slices else None,
            series=series,
            seed=seed,
            jobs=jobs,
            overwrite=overwrite,
            as_json=as_json,
        )


def _kinds(kinds: list[str] | None) -> tuple[str, ...] | None:
    from monai_ctseg.simulation.implants import KINDS

    return tuple(_one_of(kind, KINDS, "--kind") for kind in kinds) if kinds else None


def _one_of(name: str | None, known: Iterable[str], option: str) -> Any:
    """The name, if it is known; wrong usage that lists them all, if not."""
    if name is not None and name not in known:
        raise typer.BadParameter(f"'{name}' is none of {', '.join(known)}", param_hint=option)
    return name


def _require_sense(
    *,
    body: Path | None,
    slices: str | None,
    series: str | None,
    cases: int | None,
    fixed: tuple[object, ...],
    bare: Sequence[str],
) -> None:
    for name, value in (("slices", slices), ("series", series)):
        if value is not None and body is None:
            raise typer.BadParameter(
                f"says which {name} of a real scan; it makes no sense without --body", param_hint=f"--{name}"
            )
    if bare:
        raise typer.BadParameter(
            f"nothing is implanted, so leave {' and '.join(bare)} out", param_hint="--without-metal"
        )
    if body is not None and (cases or any(value is not None for value in fixed)):
        raise typer.BadParameter(
            "a real body brings its own grid; leave --part, --pixel, --slice, --size, --count and --cases out",
            param_hint="--body",
        )


def _range(slices: str) -> tuple[int, int]:
    first, colon, last = slices.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal()):
        raise typer.BadParameter(f"'{slices}' is not FIRST:LAST, as in 0:85", param_hint="--slices")
    if int(first) > int(last):
        raise typer.BadParameter(f"'{slices}' ends before it begins; say {last}:{first}", param_hint="--slices")
    return int(first), int(last)


def _simulate_one(
    output: Path,
    wish: Wish,
    *,
    body: Path | None,
    slices: tuple[int, int] | None,
    series: str | None,
    seed: int,
    jobs: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    from monai_ctseg.simulation import draw_case, draw_case_in, make_case
    from monai_ctseg.simulation.real_body import cut_slices

    start = perf_counter()
    with new_folder(output, overwrite=overwrite) as folder:
        whole = None
        if body is None:
            case = draw_case(seed, wish)
        else:
            whole = load(body, series)
            case = draw_case_in(cut_slices(whole, *slices) if slices else whole, seed, wish)
        with progress("simulating") as callback:
            made = make_case(case, jobs=jobs, progress=callback)
        _write_one(folder, case, made)
        facts = describe(case, made)
        write_run(
            folder,
            "simulate",
            {"wish": asdict(wish), "slices": slices, "series": series, "seed": seed, **_plain(case)},
            scans=[whole] if whole else [],
            simulated=provenance(made.scan),
            seconds={"all": perf_counter() - start},
        )
    if any(implant.inside for implant in case.implants) and not made.truth.count:
        warn("the metal lies outside the image, so the truth is empty; take another --seed or a larger --size")
    elif 0 < made.truth.count < FEW_VOXELS:
        warn(
            f"the truth has {made.truth.count} voxels only: the metal is hardly larger than a voxel, or mostly outside "
            "the image; take a smaller --pixel, another --seed or a larger --count"
        )
    if as_json:
        print_json({**facts, "output": str(output)})
    else:
        print_facts({"scan": made.scan.grid.describe(), **_lines(facts)})
        typer.echo(f"\nwritten to {output}: dicom/, truth.nii.gz, preview.png, run.json")


def _write_one(folder: Path, case: Case, made: Simulated) -> None:
    from monai_ctseg.io.dicom import write_series
    from monai_ctseg.io.nifti import write_mask

    (folder / "dicom").mkdir()
    write_series(made.scan, folder / "dicom", description="simulated", seed=case.seed, kv=case.scanner.kv)
    write_mask(made.truth, folder / "truth.nii.gz")
    _preview(made, folder / "preview.png")


def _preview(made: Simulated, path: Path) -> None:
    """Up to four slices with the truth, and what a threshold of 3000 HU would make of them."""
    from monai_ctseg.plots import SheetSlice, plot_sheet

    scan, truth = made.scan, made.truth.voxels
    with_metal = np.flatnonzero(truth.any(axis=(0, 1)))
    among = with_metal if len(with_metal) else np.arange(truth.shape[2])
    chosen = np.unique(among[np.linspace(0, len(among) - 1, min(PICTURES, len(among))).astype(int)])
    above = scan.hu > METAL_HU
    sheet = [
        SheetSlice(
            hu=scan.hu[:, :, k].T,
            truth=truth[:, :, k].T,
            predicted=above[:, :, k].T,
            name=f"slice {k}",
            truth_note=f"truth, {np.count_nonzero(truth[:, :, k]):,} px",
            predicted_note=f"above {METAL_HU:g} HU, {np.count_nonzero(above[:, :, k]):,} px",
            aspect=scan.grid.spacing_mm[1] / scan.grid.spacing_mm[0],
        )
        for k in chosen
    ]
    plot_sheet(sheet, path, title="Simulated CT: the truth at left, a threshold at right")


def _plain(case: Case) -> dict[str, Any]:
    """What was drawn, as JSON values."""
    return {
        "part": case.part,
        "kinds": list(case.kinds),
        "metals": sorted({implant.metal for implant in case.implants if implant.inside}),
        "scanner": vars(case.scanner),
    }


def describe(case: Case, made: Simulated) -> dict[str, Any]:
    """What was simulated, as JSON values."""
    return {
        "shape": list(made.scan.grid.shape),
        "spacing_mm": list(made.scan.grid.spacing_mm),
        **_plain(case),
        "truth_voxels": made.truth.count,
        "truth_mm3": made.truth.volume_mm3,
        "lowest_hu": int(made.scan.hu.min()),
        "highest_hu": int(made.scan.hu.max()),
        "seed": case.seed,
    }


def _lines(facts: dict[str, Any]) -> dict[str, str]:
    """What `describe` gave, as lines to read."""
    scanner = facts["scanner"]
    ceiling, metals = scanner["ceiling_hu"], ", ".join(metal.replace("_", "-") for metal in facts["metals"])
    return {
        "body": facts["part"],
        "implants": f"{', '.join(facts['kinds']) or 'none'}" + (f" of {metals}" if metals else ""),
        "truth": f"{facts['truth_voxels']:,} voxels, {facts['truth_mm3']:,.0f} mm3",
        "scanner": f"{scanner['kv']:g} kV, {scanner['photons']:.2g} photons, "
        + ("extended scale" if ceiling is None else f"12 bits, ends at {ceiling:g} HU"),
        "intensity": f"{facts['lowest_hu']} to {facts['highest_hu']} HU",
        "seed": str(facts["seed"]),
    }


def _simulate_many(
    output: Path, cases: int, wish: Wish, *, seed: int, jobs: int, overwrite: bool, as_json: bool
) -> None:
    from monai_ctseg.datasets.simulated import WRITES, simulate_cohort

    start = perf_counter()
    options = {"command": "simulate", "cases": cases, "seed": seed, "wish": repr(wish)}
    with resumable_folder(output, writes=WRITES, keep="facts", options=options, overwrite=overwrite) as folder:
        with progress("simulating") as callback:
            dataset = simulate_cohort(folder, cases=cases, seed=seed, wish=wish, jobs=jobs, progress=callback)
        write_run(folder, "simulate", {**options, "wish": asdict(wish)}, seconds={"all": perf_counter() - start})
    with_metal = sum(bool(case.metal_voxels) for case in (*dataset.training, *dataset.validation))
    training, validation = len(dataset.training), len(dataset.validation)
    seeds = [seed, seed + cases - 1]
    if as_json:
        facts = {"cases": cases, "with_metal": with_metal, "training": training, "validation": validation}
        print_json({**facts, "seeds": seeds, "output": str(output)})
    else:
        print_facts(
            {
                "cases": f"{cases}, {with_metal} of them with metal",
                "split": f"{training} train, {validation} validate",
                "seeds": f"{seeds[0]} to {seeds[1]}",
            }
        )
        typer.echo(f"\nwritten to {output}: images/, labels/, facts/, dataset.json, run.json")
