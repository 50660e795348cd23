"""`monai-ctseg labels`: metal masks by threshold, or by the edges of each object."""

from __future__ import annotations

from enum import StrEnum
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
from monai_ctseg.output import new_folder, write_run, write_segmentation
from monai_ctseg.scan import Scan
from monai_ctseg.segmentation.half_maximum import find_metal_half_maximum
from monai_ctseg.segmentation.threshold import DEFAULT_THRESHOLD_HU, Metal, find_metal


class Method(StrEnum):
    """How metal is told."""

    threshold = "threshold"
    half_maximum = "half-maximum"


app = typer.Typer()


@app.command(epilog="Example:  monai-ctseg labels ~/scans/hip -o hip_metal --threshold 3000")
def labels(
    scan: ScanArgument,
    output: OutputOption,
    threshold: ThresholdOption = DEFAULT_THRESHOLD_HU,
    method: Annotated[
        Method,
        typer.Option(help="half-maximum: each object up to its own edges; --threshold is what it exceeds somewhere."),
    ] = Method.threshold,
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="Keep what lies outside the patient's body, too.")
    ] = False,
    image: Annotated[bool, typer.Option("--image", help="Write the scan as image.nii.gz beside the mask.")] = False,
    series: SeriesOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find metal by threshold, inside the body, and write masks with an account of every piece.

    Metal blooms, and a threshold draws it too large. --method half-maximum ends each object half-way between its own
    plateau and what is around it. Where a scan's scale ends under the plateau (12 bits), that cannot be known: it says
    so, takes what lies around the ceiling, and gives the interval of volume that this leaves.
    Writes mask.nii.gz, masks/ and images/ (an 8-bit PNG a slice), audit.json and run.json.
    Other thresholds find other tissue: --threshold 250 --anywhere marks bone, and all that is as dense.
    """
    start = perf_counter()
    with new_folder(output, overwrite=overwrite) as folder:
        loaded = load(scan, series)
        read = perf_counter()
        with progress("finding metal"):
            metal = find(loaded, method, threshold, anywhere=anywhere)
        found = perf_counter()
        with progress("writing") as callback:
            write_segmentation(folder, loaded, metal.mask, metal.audit(), image=image, progress=callback)
        write_run(
            folder,
            "labels",
            {"threshold_hu": threshold, "method": method.value, "anywhere": anywhere, "image": image, "series": series},
            scans=[loaded],
            seconds={"read": read - start, "find": found - read, "write": perf_counter() - found},
        )
    report(metal, output, as_json=as_json)


def find(scan: Scan, method: Method, threshold_hu: float, *, anywhere: bool) -> Metal:
    """Metal by the method asked for."""
    if method is Method.half_maximum:
        return find_metal_half_maximum(scan, seed_hu=threshold_hu, anywhere=anywhere)
    return find_metal(scan, threshold_hu=threshold_hu, anywhere=anywhere)


def report(metal: Metal, output: Path, *, as_json: bool) -> None:
    """Print what was found and where it was written."""
    audit = metal.audit()
    if as_json:
        print_json({**audit, "output": str(output)})
    else:
        print_facts(describe(audit, metal.intensity.describe()))
        typer.echo(f"\nwritten to {output}: mask.nii.gz, masks/, images/, audit.json, run.json")
    for note in metal.notes:
        warn(note)
    if not audit["voxels"]:
        warn("no metal was found, and the empty mask says so; it is an answer, not a fault")


def describe(audit: dict[str, Any], intensity: str) -> dict[str, str]:
    """The audit as lines to read."""
    pieces = [describe_piece(piece) for piece in audit["components"]]
    shown = pieces[:10] + ([f"... {len(pieces) - 10} more in audit.json"] if len(pieces) > 10 else [])
    where = "anywhere" if audit["anywhere"] else "in the body"
    facts = {
        "metal": f"{audit['voxels']:,} voxels, {audit['volume_mm3']:,.0f} mm3, on {audit['slices_with_metal']} slices",
        "found": f"{_found_by(audit)}, {where}",
        "intensity": intensity,
        "pieces": "\n".join(shown) or "none",
    }
    if audit["interval_mm3"]:
        low, high = audit["interval_mm3"]
        facts["volume between"] = f"{low:,.0f} and {high:,.0f} mm3"
    others = [
        f"{row['threshold_hu']:g} HU: {row['voxels']:,} voxels, {row['volume_mm3']:,.0f} mm3"
        for row in audit["sensitivity"]
    ]
    return {**facts, "other thresholds": "\n".join(others)} if others else facts


def describe_piece(piece: dict[str, Any]) -> str:
    """One line on a component of the audit."""
    line = (
        f"{'kept   ' if piece['kept'] else 'dropped'} {piece['voxels']:>9,} voxels, up to {piece['max_hu']:g} HU, "
        f"LPS ({', '.join(f'{mm:.1f}' for mm in piece['centroid_lps'])}): {piece['reason']}"
    )
    if piece["plateau_hu"] is None:
        return line
    plateau, edge, around = (f"{piece[name]:.0f} HU" for name in ("plateau_hu", "edge_hu", "surroundings_hu"))
    return f"{line}; plateau {plateau}, edge at {edge}, surroundings {around}"


def _found_by(audit: dict[str, Any]) -> str:
    threshold = audit["threshold_hu"]
    if audit["method"] == "half-maximum":
        return f"by half-maximum edges around voxels above {threshold:g} HU"
    if audit["method"] == "plateau":
        return f"above {threshold:g} HU around voxels at the scan's ceiling"
    return f"by the {audit.get('edges', 'network')}" if threshold is None else f"above {threshold:g} HU"
