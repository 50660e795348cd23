"""Figures: a scan's intensities slice by slice, and sheets of truth beside prediction.

No figure shows a name or a header of the patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from monai_ctseg.output.figures import figure_style, new_figure, save_figure
from monai_ctseg.scan import BoolArray, Mask, Scan, bounding_box, surface_voxels
from monai_ctseg.segmentation.intensity import METAL_HU
from monai_ctseg.stats import ScanStats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WINDOW_HU = (-200.0, 1500.0)
"""Overviews show this window: soft tissue stays visible and bone stays darker than metal."""
TRUTH_COLOR = "#00c853"
PREDICTED_COLOR = "#ff6d00"
METHODS_WINDOW_HU = (-500.0, 3500.0)
"""Metal, bone and soft tissue differ in this window."""
METHODS_MARGIN_MM = 14.0
METHOD_COLORS = ("#e69f00", "#56b4e9", "#cc79a7")
METHOD_TRUTH_COLOR = "#009e73"
"""Colours that people with every kind of colour vision tell apart (Okabe and Ito, 2008)."""


@dataclass(frozen=True, eq=False)
class SheetSlice:
    """One slice for `plot_sheet`.

    hu, truth, predicted: [row, column], the masks bool.
    name, truth_note, predicted_note: Written above the two pictures.
    aspect: Height of a pixel divided by its width.
    """

    hu: npt.NDArray[Any]
    truth: BoolArray
    predicted: BoolArray
    name: str
    truth_note: str
    predicted_note: str
    aspect: float = 1.0


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
    upper.set_title(f"- - -  {METAL_HU} HU, the threshold for metal", loc="right", color="#c62828", fontsize=9)
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


@figure_style()
def plot_overview(
    hu: Sequence[npt.NDArray[Any]] | npt.NDArray[Any],
    truth: Sequence[npt.NDArray[Any]] | npt.NDArray[Any],
    predicted: Sequence[npt.NDArray[Any]] | npt.NDArray[Any],
    names: Sequence[str],
    path: str | Path,
) -> None:
    """Draw each CT slice twice, cropped to the surroundings of the masks: truth at left, prediction at right.

    Each pair shows the number of pixels in the masks and their Dice (1 where both are empty).

    Args:
        hu: n slices [row, column] in HU, all of one shape.
        truth: Their masks, bool.
        predicted: Their masks, bool.
        names: Their titles.
        path: PNG, SVG or PDF.

    Raises:
        ValueError: The lists differ in length, or are empty.
        OutputError: The file cannot be written.
    """
    if not len(hu) == len(truth) == len(predicted) == len(names) or not len(hu):
        raise ValueError(f"{len(hu)} slices, {len(truth)} truths, {len(predicted)} predictions, {len(names)} names")
    pairs = 2 if len(hu) > 3 else 1  # pairs side by side
    rows = -(-len(hu) // pairs)
    truth, predicted = ([np.asarray(mask, dtype=bool) for mask in masks] for masks in (truth, predicted))
    crop = _surroundings([*truth, *predicted])
    tall, wide = np.asarray(hu[0])[crop].shape
    figure = new_figure(6.4 * pairs, (3.1 * tall / wide + 0.3) * rows + 0.5)
    grid = figure.subplots(rows, 2 * pairs, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for n, (image, left, right, name) in enumerate(zip(hu, truth, predicted, names, strict=True)):
        axes = grid[n // pairs, 2 * (n % pairs) : 2 * (n % pairs) + 2]
        short = shorten(name, 20)
        _draw(axes[0], image[crop], left[crop], TRUTH_COLOR, f"{short}: truth, {np.count_nonzero(left):,} px")
        title = f"prediction, {np.count_nonzero(right):,} px, Dice {_dice(left, right):.3f}"
        _draw(axes[1], image[crop], right[crop], PREDICTED_COLOR, title)
    low, high = WINDOW_HU
    figure.suptitle(f"Truth at left, prediction at right; CT window {low:.0f} to {high:.0f} HU", fontsize=11)
    save_figure(figure, path)


@figure_style()
def plot_methods(scan: Scan, masks: Mapping[str, Mask], truth: Mask | None, path: str | Path) -> None:
    """Draw one slice several times, cut to the metal: the scan, each mask's outline on it, and the truth's.

    It is the slice where the masks differ most. Below each picture: the volume and the Dice of the whole scan.

    Args:
        scan: HU.
        masks: A mask on the scan's grid for each method's name; three at most.
        truth: The true mask, drawn last, and as a thin line on the other pictures; None: there is none, and no Dice.
        path: The PNG, SVG or PDF to write.

    Raises:
        OutputError: The file cannot be written.
    """
    outlined = {**masks, **({"truth": truth} if truth else {})}
    k = _telling_slice([mask.voxels for mask in outlined.values()])
    spacing = scan.grid.spacing_mm[:2]
    cut = (*_square([mask.voxels[:, :, k] for mask in outlined.values()], spacing), k)
    columns, rows = scan.hu[cut].shape
    size_mm = columns * spacing[0], rows * spacing[1]
    figure = new_figure(2.5 * (1 + len(outlined)), 2.5 * size_mm[1] / size_mm[0] + 0.7)
    plain, *pictures = figure.subplots(1, 1 + len(outlined))
    low, high = METHODS_WINDOW_HU
    for axes, name in zip((plain, *pictures), ("scan", *outlined), strict=True):
        axes.imshow(
            scan.hu[cut].T,
            cmap="gray",
            vmin=low,
            vmax=high,
            extent=(0, size_mm[0], size_mm[1], 0),
            interpolation="bilinear",
        )
        axes.set_title(name, fontsize=14)
        axes.set_axis_off()
    colors = (*METHOD_COLORS[: len(masks)], METHOD_TRUTH_COLOR)
    for axes, color, mask in zip(pictures, colors, outlined.values(), strict=False):
        if truth and mask is not truth:
            _contour(axes, truth.voxels[cut], size_mm, METHOD_TRUTH_COLOR, 0.9)
        _contour(axes, mask.voxels[cut], size_mm, color)
        _caption(axes, _volume_and_dice(mask, truth))
    _caption(plain, f"slice {k}, {low:g} to {high:g} HU")
    _scale_bar(plain, size_mm)
    save_figure(figure, path, dpi=130)


@figure_style()
def plot_sheet(slices: Sequence[SheetSlice], path: str | Path, *, title: str) -> None:
    """Draw slices of any size twice, cropped to their masks: truth outlined at left, prediction at right.

    Args:
        slices: Two of them share a row.
        path: PNG, SVG or PDF.
        title: Above all of them.

    Raises:
        ValueError: There are no slices.
        OutputError: The file cannot be written.
    """
    if not slices:
        raise ValueError("no slices to draw")
    pairs = 2 if len(slices) > 1 else 1
    rows = -(-len(slices) // pairs)
    figure = new_figure(6.8 * pairs, 3.75 * rows + 0.5)
    grid = figure.subplots(rows, 2 * pairs, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for n, shown in enumerate(slices):
        left, right = grid[n // pairs, 2 * (n % pairs) : 2 * (n % pairs) + 2]
        crop = _surroundings([shown.truth, shown.predicted])
        image = shown.hu[crop]
        heading = f"{shown.name}\n"
        _draw(
            left, image, surface_voxels(shown.truth)[crop], TRUTH_COLOR, heading + shown.truth_note, aspect=shown.aspect
        )
        note = "\n" + shown.predicted_note
        _draw(right, image, surface_voxels(shown.predicted)[crop], PREDICTED_COLOR, note, aspect=shown.aspect)
    figure.suptitle(title, fontsize=11)
    save_figure(figure, path)


def _telling_slice(masks: Sequence[BoolArray]) -> int:
    """The slice k where most voxels belong to some of the masks [i, j, k] but not to all; of a single one, to it."""
    some = np.logical_or.reduce(masks)
    differ = some & ~np.logical_and.reduce(masks) if len(masks) > 1 else some
    return int(np.count_nonzero(differ, axis=(0, 1)).argmax())


def _square(masks: Sequence[BoolArray], spacing_mm: Sequence[float]) -> tuple[slice, slice]:
    """The square around masks [i, j] of one slice, with a margin, within the slice; all of it without a mask."""
    union = np.logical_or.reduce(masks)
    box = bounding_box(union[:, :, np.newaxis])
    if box is None:
        return slice(None), slice(None)
    sides = list(zip(box, spacing_mm, union.shape, strict=False))
    half_mm = max((side.stop - side.start) * mm for side, mm, _ in sides) / 2 + METHODS_MARGIN_MM
    i, j = (_around((side.start + side.stop) / 2, half_mm / mm, size) for side, mm, size in sides)
    return i, j


def _around(middle: float, half: float, size: int) -> slice:
    """An interval of the same length wherever it fits, moved inwards at an end."""
    length = min(size, round(2 * half))
    first = min(max(0, round(middle - half)), size - length)
    return slice(first, first + length)


def _contour(axes: Axes, mask: BoolArray, size_mm: tuple[float, float], color: str, width: float = 2.2) -> None:
    """The outline of a mask [i, j] on a picture of this size, row 0 at the top."""
    if mask.any():
        extent = (0.0, size_mm[0], 0.0, size_mm[1])
        axes.contour(mask.T, [0.5], origin="lower", extent=extent, colors=[color], linewidths=[width])


def _caption(axes: Axes, text: str) -> None:
    axes.text(0.5, -0.09, text, transform=axes.transAxes, ha="center", va="baseline", fontsize=12)


def _volume_and_dice(mask: Mask, truth: Mask | None) -> str:
    volume = f"{mask.volume_mm3 / 1000:.1f} cm³"
    if truth is None or mask is truth:
        return volume
    return f"{volume}, Dice {_dice(mask.voxels, truth.voxels):.2f}"


def _scale_bar(axes: Axes, size_mm: tuple[float, float]) -> None:
    """A bar of 20 mm at the lower left."""
    left, down = 0.05 * size_mm[0], 0.95 * size_mm[1]
    axes.plot([left, left + 20], [down, down], color="white", linewidth=3, solid_capstyle="butt")
    axes.text(left, down - 0.02 * size_mm[1], "20 mm", color="white", fontsize=10, va="bottom")


def _markers(points: int) -> dict[str, Any]:
    """A line, with dots where there are so few slices that a line would not show."""
    return {"linewidth": 1.5, "marker": "o" if points < 40 else None, "markersize": 4}


def _surroundings(masks: Sequence[BoolArray]) -> tuple[slice, slice]:
    """The rows and columns around all masks, at least two fifths of the picture; the whole picture without a mask."""
    union = np.logical_or.reduce(masks)
    if not union.any():
        return slice(None), slice(None)
    return _span(union.any(axis=1)), _span(union.any(axis=0))


def _span(line: BoolArray) -> slice:
    first, last = np.flatnonzero(line)[[0, -1]]
    half = int(max((last - first) * 0.65, len(line) * 0.2)) + 1
    middle = (int(first) + int(last)) // 2
    return slice(max(0, middle - half), middle + half + 1)


def shorten(name: str, length: int) -> str:
    """The end of a name that is longer than `length`: names differ there."""
    return name if len(name) <= length else f"...{name[3 - length :]}"


def _draw(axes: Axes, image: npt.NDArray[Any], mask: BoolArray, color: str, title: str, *, aspect: float = 1.0) -> None:
    low, high = WINDOW_HU
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest", aspect=aspect)
    tint = np.zeros((*mask.shape, 4))
    tint[mask] = (*(int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)), 0.75)
    axes.imshow(tint, interpolation="nearest", aspect=aspect)
    axes.set_title(title, fontsize=8.5)


def _dice(a: BoolArray, b: BoolArray) -> float:
    total = np.count_nonzero(a) + np.count_nonzero(b)
    return 2 * np.count_nonzero(a & b) / total if total else 1.0
