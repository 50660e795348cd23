"""One slice with the masks of several methods side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from monai_ctseg.output.figures import figure_style, new_figure, save_figure
from monai_ctseg.plots.sheets import dice
from monai_ctseg.scan import BoolArray, Mask, Scan, bounding_box

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METHODS_WINDOW_HU = (-500.0, 3500.0)
"""Metal, bone and soft tissue differ in this window."""
METHODS_MARGIN_MM = 14.0
METHOD_COLORS = ("#e69f00", "#56b4e9", "#cc79a7")
METHOD_TRUTH_COLOR = "#009e73"
"""Colours that people with every kind of colour vision tell apart (Okabe and Ito, 2008)."""


@figure_style()
def plot_methods(scan: Scan, masks: Mapping[str, Mask], truth: Mask | None, path: str | Path) -> None:
    """Draw one slice several times, cropped to the metal: the scan, each mask's outline on it, and the truth's.

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
    return f"{volume}, Dice {dice(mask.voxels, truth.voxels):.2f}"


def _scale_bar(axes: Axes, size_mm: tuple[float, float]) -> None:
    """A bar of 20 mm at the lower left."""
    left, down = 0.05 * size_mm[0], 0.95 * size_mm[1]
    axes.plot([left, left + 20], [down, down], color="white", linewidth=3, solid_capstyle="butt")
    axes.text(left, down - 0.02 * size_mm[1], "20 mm", color="white", fontsize=10, va="bottom")
