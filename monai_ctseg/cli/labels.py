"""`monai-ctseg labels`: metal masks by threshold."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from monai_ctseg.cli.console import (
    JsonOption,
    OutputOption,
    OverwriteOption,
    ScanArgument,
    SeriesOption,
    ThresholdOption,
    load,
    print_facts,
    print_json,
    progress,
    warn,
)
from monai_ctseg.metal import DEFAULT_THRESHOLD_HU, Metal, find_metal
from monai_ctseg.outputs import new_folder, write_run, write_segmentation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example:  monai-ctseg labels ~/scans/hip -o hip_metal --threshold 3000")(labels)


def labels(
    scan: ScanArgument,
    output: OutputOption,
    threshold: ThresholdOption = DEFAULT_THRESHOLD_HU,
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="Keep what lies outside the patient's body, too.")
    ] = False,
    image: Annotated[bool, typer.Option("--image", help="Write the scan as image.nii.gz beside the mask.")] = False,
    series: SeriesOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find metal by threshold, inside the body, and write masks with an account of every piece.

    Writes mask.nii.gz, masks/ and images/ (an 8-bit PNG a slice), audit.json and run.json.
    Other thresholds find other tissue: --threshold 250 --anywhere marks bone, and all that is as dense.
    """
    start = perf_counter()
    with new_folder(output, overwrite=overwrite) as folder:
        loaded = load(scan, series)
        read = perf_counter()
        with progress("finding metal"):
            metal = find_metal(loaded, threshold_hu=threshold, anywhere=anywhere)
        found = perf_counter()
        with progress("writing") as callback:
            write_segmentation(folder, loaded, metal.mask, metal.audit(), image=image, progress=callback)
        write_run(
            folder,
            "labels",
            {"threshold_hu": threshold, "anywhere": anywhere, "image": image, "series": series},
            scans=[loaded],
            seconds={"read": read - start, "find": found - read, "write": perf_counter() - found},
        )
    report(metal, output, as_json=as_json)


def report(metal: Metal, output: Path, *, as_json: bool) -> None:
    """Print what was found and where it was written."""
    audit = metal.audit()
    if as_json:
        print_json({**audit, "output": str(output)})
    else:
        print_facts(describe(audit, metal.intensity.describe()))
        typer.echo(f"\nwritten to {output}: mask.nii.gz, masks/, images/, audit.json, run.json")
    if not audit["voxels"]:
        warn("no metal was found, and the empty mask says so; it is an answer, not a fault")


def describe(audit: dict[str, Any], intensity: str) -> dict[str, str]:
    """The audit as lines to read."""
    pieces = [
        f"{'kept   ' if piece['kept'] else 'dropped'} {piece['voxels']:>9,} voxels, up to {piece['max_hu']:g} HU, "
        f"LPS ({', '.join(f'{mm:.1f}' for mm in piece['centroid_lps'])}): {piece['reason']}"
        for piece in audit["components"]
    ]
    shown = pieces[:10] + ([f"... {len(pieces) - 10} more in audit.json"] if len(pieces) > 10 else [])
    where = "anywhere" if audit["anywhere"] else "in the body"
    facts = {
        "metal": f"{audit['voxels']:,} voxels, {audit['volume_mm3']:,.0f} mm3, on {audit['slices_with_metal']} slices",
        "found": ("by the network" if audit["threshold_hu"] is None else f"above {audit['threshold_hu']:g} HU")
        + f", {where}",
        "intensity": intensity,
        "pieces": "\n".join(shown) or "none",
    }
    others = [
        f"{row['threshold_hu']:g} HU: {row['voxels']:,} voxels, {row['volume_mm3']:,.0f} mm3"
        for row in audit["sensitivity"]
    ]
    return {**facts, "other thresholds": "\n".join(others)} if others else facts
