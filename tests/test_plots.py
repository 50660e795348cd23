import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from monai_ctseg.grid import Grid
from monai_ctseg.plots import SheetSlice, plot_methods, plot_overview, plot_sheet, plot_stats, shorten
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.stats import scan_stats


def has_color(path, rgb, tolerance=40):
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return (np.abs(pixels - rgb).max(axis=-1) <= tolerance).any()


@pytest.mark.parametrize("slices", [1, 60])
def test_stats_are_drawn_with_the_metal_line(tmp_path, slices):
    hu = np.random.default_rng(0).integers(-1000, 9000, (8, 8, slices)).astype(np.int16)
    path = tmp_path / "stats.png"
    plot_stats(scan_stats(Scan(hu, Grid(hu.shape, np.eye(4)))), path)
    assert min(Image.open(path).size) > 500
    assert has_color(path, (0xC6, 0x28, 0x28))


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 5])
def test_overview_shows_truth_left_and_prediction_right(tmp_path, count):
    hu = np.full((count, 40, 50), 40.0)
    truth, predicted = np.zeros((2, count, 40, 50), dtype=bool)
    truth[0, 10:20, 10:20] = True
    predicted[0, 12:22, 10:20] = True
    path = tmp_path / "overview.png"
    plot_overview(hu, truth, predicted, [f"slice_{n}" for n in range(count)], path)
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    green = np.argwhere((pixels[..., 1] > 150) & (pixels[..., 0] < 80))
    orange = np.argwhere((pixels[..., 0] > 180) & (pixels[..., 2] < 80))
    assert 0 < green[:, 1].max() < orange[:, 1].min()


def test_overview_without_any_mask(tmp_path):
    empty = np.zeros((1, 9, 9), dtype=bool)
    plot_overview(np.zeros((1, 9, 9)), empty, empty, ["a"], tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size > 0


def test_overview_wants_lists_of_one_length(tmp_path):
    empty = np.zeros((1, 9, 9), dtype=bool)
    with pytest.raises(ValueError, match="2 names"):
        plot_overview(np.zeros((1, 9, 9)), empty, empty, ["a", "b"], tmp_path / "x.png")


@pytest.mark.parametrize("count", [1, 3])
def test_sheet_outlines_truth_left_and_prediction_right(tmp_path, count):
    slices = []
    for n in range(count):  # of any size
        truth, predicted = np.zeros((2, 40 + n, 50), dtype=bool)
        truth[10:20, 10:20] = predicted[12:22, 10:20] = True
        slices.append(
            SheetSlice(np.full(truth.shape, 40), truth, predicted, f"case {n}", "truth", "network", aspect=2.0)
        )
    plot_sheet(slices, tmp_path / "sheet.png", title="a title")
    pixels = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB")).astype(int)
    green = (pixels[..., 1] > 150) & (pixels[..., 0] < 80)
    orange = (pixels[..., 0] > 180) & (pixels[..., 2] < 80)
    quarter = pixels.shape[1] // (2 if count == 1 else 4)
    first = slice(0, pixels.shape[0] // -(-count // 2))
    assert green[first, :quarter].any()
    assert not orange[first, :quarter].any()
    assert orange[first, quarter : 2 * quarter].any()
    rows, columns = (np.flatnonzero(green[first, :quarter].any(axis=axis)) for axis in (1, 0))
    assert np.ptp(rows) == pytest.approx(2 * np.ptp(columns), rel=0.1)  # the aspect
    middle = int(rows.mean()), int(columns.mean())
    assert not green[middle]  # an outline leaves the scan visible


def test_sheet_wants_slices(tmp_path):
    with pytest.raises(ValueError, match="no slices"):
        plot_sheet([], tmp_path / "x.png", title="")


def test_long_names_keep_their_end():
    assert (shorten("abc", 3), shorten("abcdefgh", 6)) == ("abc", "...fgh")


def test_matplotlib_is_loaded_on_use():
    code = "import sys, monai_ctseg.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("known", [True, False])
def test_methods_stand_beside_the_truth(tmp_path, known):
    hu = np.zeros((60, 50, 5), dtype=np.int16)
    grid = Grid(hu.shape, np.diag([1.0, 2.0, 3.0, 1.0]))
    truth, found, empty = np.zeros((3, *hu.shape), dtype=bool)
    truth[20:30, 20:30] = found[12:30, 22:30, 3] = True
    masks = {"threshold": Mask(found, grid), "network": Mask(empty, grid)}
    path = tmp_path / "methods.png"
    plot_methods(Scan(hu, grid), masks, Mask(truth, grid) if known else None, path)
    assert has_color(path, (0xE6, 0x9F, 0x00))
    assert has_color(path, (0x00, 0x9E, 0x73)) == known


def test_methods_that_find_nothing_are_drawn(tmp_path):
    grid = Grid((9, 9, 2), np.eye(4))
    nothing = Mask(np.zeros(grid.shape, dtype=bool), grid)
    plot_methods(Scan(np.zeros(grid.shape, np.int16), grid), {"threshold": nothing}, None, tmp_path / "none.png")
    assert (tmp_path / "none.png").stat().st_size > 0
