"""The runs behind `simulate`: one case as a DICOM series, or a cohort for training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import typer

from monai_ctseg.cli.console import load, print_facts, print_json, progress, warn
from monai_ctseg.datasets.simulated import WRITES, simulate_cohort
from monai_ctseg.io.dicom import write_series
from monai_ctseg.io.nifti import write_mask
from monai_ctseg.output import new_folder, resumable_folder, write_run
from monai_ctseg.plots import SheetSlice, plot_sheet
from monai_ctseg.scan import provenance
from monai_ctseg.segmentation.intensity import METAL_HU
from monai_ctseg.simulation import (
    CaseOptions,
    SimulatedScan,
    SimulationCase,
    sample_case,
    sample_case_in_body,
    simulate_case,
)
from monai_ctseg.simulation.real_body import cut_slices

PICTURES = 4
"""Slices shown in the preview, at most."""
FEW_VOXELS = 10
"""A truth of fewer voxels is warned about."""


@dataclass(frozen=True)
class Source:
    """A real body, and which of its slices and series."""

    body: Path | None
    slices: tuple[int, int] | None
    series: str | None


@dataclass(frozen=True)
class Run:
    """What one call of the command is asked for."""

    output: Path
    options: CaseOptions
    seed: int
    jobs: int
    overwrite: bool
    as_json: bool


def simulate_one(run: Run, source: Source) -> None:
    """Simulate one case and write it as a DICOM series with its truth."""
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
        _write_case(folder, case, made)
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
    facts = _facts(case, made)
    if run.as_json:
        print_json({**facts, "output": str(run.output)})
    else:
        print_facts({"scan": made.scan.grid.describe(), **_lines(facts)})
        typer.echo(f"\nwritten to {run.output}: dicom/, truth.nii.gz, preview.png, run.json")


def _warn_of_little_metal(voxels: int, *, implanted: bool) -> None:
    if implanted and not voxels:
        warn("the metal lies outside the image, so the truth is empty; take another --seed or a larger --size")
    elif 0 < voxels < FEW_VOXELS:
        warn(
            f"the truth has {voxels} voxels only: the metal is hardly larger than a voxel, or mostly outside "
            "the image; take a smaller --pixel, another --seed or a larger --count"
        )


def simulate_many(run: Run, cases: int) -> None:
    """Simulate a cohort for training; an interrupted one is resumed."""
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


def _write_case(folder: Path, case: SimulationCase, made: SimulatedScan) -> None:
    """Write dicom/, truth.nii.gz and preview.png into a folder."""
    (folder / "dicom").mkdir()
    write_series(made.scan, folder / "dicom", description="simulated", seed=case.seed, kv=case.scanner.kv)
    write_mask(made.truth, folder / "truth.nii.gz")
    _preview(made, folder / "preview.png")


def _preview(made: SimulatedScan, path: Path) -> None:
    """Some slices with the truth, and what a threshold of 3000 HU would make of them."""
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


def _facts(case: SimulationCase, made: SimulatedScan) -> dict[str, Any]:
    """What was simulated, as JSON values."""
    return {
        "shape": list(made.scan.grid.shape),
        "spacing_mm": list(made.scan.grid.spacing_mm),
        **case.facts(),
        "truth_voxels": made.truth.count,
        "truth_mm3": made.truth.volume_mm3,
        "lowest_hu": int(made.scan.hu.min()),
        "highest_hu": int(made.scan.hu.max()),
        "seed": case.seed,
    }


def _lines(facts: dict[str, Any]) -> dict[str, str]:
    """What `_facts` gave, as lines to read."""
    scanner, metals = facts["scanner"], ", ".join(metal.replace("_", "-") for metal in facts["metals"])
    level = scanner["saturation_level_hu"]
    return {
        "body": facts["part"],
        "implants": f"{', '.join(facts['kinds']) or 'none'}" + (f" of {metals}" if metals else ""),
        "truth": f"{facts['truth_voxels']:,} voxels, {facts['truth_mm3']:,.0f} mm3",
        "scanner": f"{scanner['kv']:g} kV, {scanner['photons']:.2g} photons, "
        + ("extended scale" if level is None else f"12 bits, saturated at {level:g} HU"),
        "intensity": f"{facts['lowest_hu']} to {facts['highest_hu']} HU",
        "seed": str(facts["seed"]),
    }
