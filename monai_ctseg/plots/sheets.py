"""Sheets of truth beside prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from monai_ctseg.output.figures import figure_style, new_figure, save_figure
from monai_ctseg.scan import BoolArray, surface_voxels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WINDOW_HU = (-200.0, 1500.0)
"""Overviews show this window: soft tissue stays visible and bone stays darker than metal."""
TRUTH_COLOR = "#00c853"
PREDICTED_COLOR = "#ff6d00"


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
        title = f"prediction, {np.count_nonzero(right):,} px, Dice {dice(left, right):.3f}"
        _draw(axes[1], image[crop], right[crop], PREDICTED_COLOR, title)
    low, high = WINDOW_HU
    figure.suptitle(f"Truth at left, prediction at right; CT window {low:.0f} to {high:.0f} HU", fontsize=11)
    save_figure(figure, path)


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


def dice(a: BoolArray, b: BoolArray) -> float:
    """Dice of two masks of one shape; 1 where both are empty."""
    total = np.count_nonzero(a) + np.count_nonzero(b)
    return 2 * np.count_nonzero(a & b) / total if total else 1.0
