"""What `simulate` writes and says of one case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from monai_ctseg.io.dicom import write_series
from monai_ctseg.io.nifti import write_mask
from monai_ctseg.plots import SheetSlice, plot_sheet
from monai_ctseg.segmentation.intensity import METAL_HU
from monai_ctseg.simulation import SimulatedScan, SimulationCase

PICTURES = 4
"""Slices shown in the preview, at most."""


def write_case(folder: Path, case: SimulationCase, made: SimulatedScan) -> None:
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


def facts_of(case: SimulationCase, made: SimulatedScan) -> dict[str, Any]:
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


def lines_of(facts: dict[str, Any]) -> dict[str, str]:
    """What `facts_of` gave, as lines to read."""
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
