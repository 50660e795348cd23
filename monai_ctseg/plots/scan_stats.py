"""A scan's intensities slice by slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monai_ctseg.output.figures import figure_style, new_figure, save_figure
from monai_ctseg.segmentation.intensity import METAL_HU
from monai_ctseg.stats import ScanStats


@figure_style()
def plot_stats(stats: ScanStats, path: str | Path) -> None:
    """Draw the maximum and the mean intensity of each slice over its position, with the threshold for metal.

    Two panels, because the maximum of metal would flatten the mean.

    Args:
        stats: Of the scan.
        path: PNG, SVG or PDF.

    Raises:
        OutputError: The file cannot be written.
        ValueError: There is no picture format with this ending.
    """
    figure = new_figure(9.0, 6.5)
    upper, lower = figure.subplots(2, 1, sharex=True)
    position = [s.position_mm for s in stats.slices]
    upper.plot(position, [s.maximum_hu for s in stats.slices], color="#1565c0", **_markers(len(position)))
    lower.plot(position, [s.mean_hu for s in stats.slices], color="#00695c", **_markers(len(position)))
    upper.axhline(METAL_HU, color="#c62828", linestyle="--", linewidth=1.2)
    upper.set_title(f"- - -  {METAL_HU:g} HU, the threshold for metal", loc="right", color="#c62828", fontsize=9)
    upper.set_title(f"Intensity per slice ({stats.slice_count} slices)", loc="left")
    upper.set_ylabel("maximum (HU)")
    lower.set_ylabel("mean, padding included (HU)")
    lower.set_xlabel(
        f"position along the slice normal, towards {stats.orientation[2]} (mm); slice 0 at {position[0]:.1f} mm"
    )
    for axes in (upper, lower):
        axes.grid(color="#e0e0e0", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
    figure.align_ylabels([upper, lower])
    save_figure(figure, path, dpi=130)


def _markers(points: int) -> dict[str, Any]:
    """A line, with dots where there are so few slices that a line would not show."""
    return {"linewidth": 1.5, "marker": "o" if points < 40 else None, "markersize": 4}
