"""`monai-ctseg phantom`: a scan with known truth, for trying things out."""

from __future__ import annotations

from typing import Annotated

import typer

from monai_ctseg.cli.console import JsonOption, OutputOption, OverwriteOption, print_facts, print_json, progress
from monai_ctseg.io.dicom import write_series
from monai_ctseg.io.nifti import write_mask
from monai_ctseg.output import new_folder, write_run
from monai_ctseg.simulation.phantom import Phantom, make_phantom

app = typer.Typer()


@app.command(epilog="Example:  monai-ctseg phantom -o phantom --seed 3")
def phantom(
    output: OutputOption,
    seed: Annotated[int, typer.Option(min=0, help="Chooses size, pose, side, screws and noise.")] = 0,
    size: Annotated[int, typer.Option(min=32, max=512, help="Voxels along a row and a column.")] = 192,
    slices: Annotated[int, typer.Option(min=8, max=2000, help="Number of slices.")] = 60,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a drawn CT of two thighs with a hip screw as a DICOM series, and its true mask.

    Writes dicom/ (a CT file a slice), truth.nii.gz and run.json.
    """
    with progress("drawing"):
        made = make_phantom(shape=(size, size, slices), seed=seed)
    with new_folder(output, overwrite=overwrite) as folder:
        (folder / "dicom").mkdir()
        write_series(made.scan, folder / "dicom", seed=seed)
        write_mask(made.truth, folder / "truth.nii.gz")
        write_run(folder, "phantom", {"seed": seed, "size": size, "slices": slices}, scans=[made.scan])
    facts = describe(made, seed)
    if as_json:
        print_json({**facts, "output": str(output)})
    else:
        print_facts(facts)
        typer.echo(f"\nwritten to {output}: dicom/, truth.nii.gz, run.json")


def describe(made: Phantom, seed: int) -> dict[str, str]:
    """What was drawn, as lines to read."""
    return {
        "phantom": made.scan.grid.describe(),
        "implant, truth": f"{made.truth.count:,} voxels, {made.truth.volume_mm3:,.0f} mm3",
        "outside the body": f"a rod of {made.marker.count:,} voxels on the table, not part of the truth",
        "seed": str(seed),
    }
