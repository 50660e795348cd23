"""`monai-ctseg stats`: what is in a scan."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from monai_ctseg.cli.console import (
    JsonOption,
    OverwriteOption,
    ScanArgument,
    SeriesOption,
    load,
    print_facts,
    print_json,
    progress,
)
from monai_ctseg.stats import ScanStats, scan_stats, write_csv

PICTURES = (".png", ".svg", ".pdf")


app = typer.Typer()


@app.command(epilog="Example:  monai-ctseg stats ~/scans/hip --plot hip.png --csv hip.csv")
def stats(
    scan: ScanArgument,
    series: SeriesOption = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw maximum and mean HU per slice into this PNG, SVG or PDF.", show_default=False),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write index, name, position, maximum and mean per slice.", show_default=False)
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure a scan: intensities, geometry, saturation, repairs.

    Prints the highest, lowest and mean HU, the centre in scanner coordinates, size, spacing and orientation, whether
    the scan is saturated, its padding, and what was repaired when it was read.
    """
    if plot and plot.suffix.lower() not in PICTURES:
        raise typer.BadParameter(f"{plot.name} does not end with {', '.join(PICTURES)}", param_hint="--plot")
    if csv and csv.suffix.lower() != ".csv":
        raise typer.BadParameter(f"{csv.name} does not end with .csv", param_hint="--csv")
    loaded = load(scan, series, say_notes=False)
    with progress("measuring"):
        facts = scan_stats(loaded)
    if plot or csv:
        write_files(facts, plot, csv, overwrite=overwrite)
    if as_json:
        print_json(asdict(facts))
    else:
        print_facts(describe(facts))


def write_files(facts: ScanStats, plot: Path | None, csv: Path | None, *, overwrite: bool) -> None:
    """Write the picture and the table, neither without the other."""
    from monai_ctseg.output import new_file

    with ExitStack() as both:
        plot_path, csv_path = (
            target and both.enter_context(new_file(target, overwrite=overwrite)) for target in (plot, csv)
        )
        if plot_path:
            from monai_ctseg.plots import plot_stats

            plot_stats(facts, plot_path)
        if csv_path:
            write_csv(facts, csv_path)


def describe(facts: ScanStats) -> dict[str, str]:
    """The facts as lines to read."""
    in_fov = "all voxels are padding" if facts.mean_in_fov_hu is None else f"{facts.mean_in_fov_hu:.4f} HU"
    return {
        "maximum": f"{facts.maximum_hu:g} HU",
        "minimum": f"{facts.minimum_hu:g} HU",
        "mean, all voxels": f"{facts.mean_hu!r} HU",
        "mean, in the field of view": f"{in_fov}, {facts.field_of_view}",
        "centre, LPS": _point(facts.center_lps),
        "centre, RAS": _point(facts.center_ras),
        "size": f"{' x '.join(map(str, facts.shape))} voxels, {facts.slice_count} slices",
        "spacing": f"{' x '.join(f'{mm:.6g}' for mm in facts.spacing_mm)} mm",
        "orientation": f"{facts.orientation} (where i, j and k grow)",
        "intensity": facts.intensity.describe(),
        "padding": facts.padding.describe() if facts.padding else "none found",
        "notes": "\n".join(facts.notes) or "nothing was repaired or left out",
    }


def _point(point: tuple[float, float, float]) -> str:
    return f"({', '.join(f'{mm:.4f}' for mm in point)}) mm"
