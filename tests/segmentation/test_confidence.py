"""Confidence: intervals that hold the truth, and scans out of distribution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from monai_ctseg.errors import BundleError
from monai_ctseg.grid import Grid
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.segmentation.body import locate_body
from monai_ctseg.segmentation.confidence import (
    LEVELS,
    Calibration,
    matching_levels,
    measure_noise,
    out_of_distribution,
    set_levels,
    volume_intervals,
)
from monai_ctseg.segmentation.pipeline import Prediction, segment
from monai_ctseg.segmentation.scan_facts import ScanFacts

RANGE = {"spacing_mm": (0.3, 3.0), "slice_spacing_mm": (0.6, 5.0), "noise_hu": (0, 60), "hu": (-1024, 32000)}


def grid_of(shape, spacing=(1.0, 1.0, 1.0)) -> Grid:
    return Grid(shape, np.diag([*spacing, 1.0]))


def soft_balls(*balls, shape=(40, 30, 30), blur=1.5):
    """A probability map of blurred balls, (centre, radius) each."""
    ijk = np.indices(shape)
    solid = np.zeros(shape, dtype=bool)
    for center, radius in balls:
        solid |= sum((axis - c) ** 2 for axis, c in zip(ijk, center, strict=True)) <= radius**2
    return ndimage.gaussian_filter(solid.astype(float), blur)


@pytest.mark.parametrize("kind", [float, np.uint8])
def test_the_interval_is_the_volume_at_both_levels(kind) -> None:
    p = soft_balls(((12, 15, 15), 7))
    p = np.asfortranarray(p if kind is float else np.rint(p * 255).astype(np.uint8))
    unit = 1 if kind is float else 255
    grid = grid_of(p.shape, (0.5, 2.0, 1.0))
    found = volume_intervals(p, p > 0.5 * unit, grid, levels=(0.2, 0.8), margin_mm=6)
    assert found.objects == (found.whole,)
    assert found.whole == (np.count_nonzero(p >= 0.8 * unit), np.count_nonzero(p >= 0.2 * unit))


def test_neighbours_share_no_voxel_and_the_largest_comes_first() -> None:
    p = soft_balls(((10, 15, 15), 4), ((24, 15, 15), 8), blur=2)
    found = volume_intervals(p, p > 0.5, grid_of(p.shape), levels=(0.1, 0.9), margin_mm=20)
    large, small = found.objects
    assert large[0] > small[0]
    assert large[1] > small[1]
    assert found.whole == (large[0] + small[0], large[1] + small[1])
    assert large[1] + small[1] == np.count_nonzero(p >= 0.1)
    assert np.count_nonzero(p[:15] >= 0.1) <= small[1] <= np.count_nonzero(p[:16] >= 0.1)


def test_what_lies_farther_away_counts_for_none() -> None:
    p = np.zeros((30, 9, 9))
    p[5:8, 4, 4] = 1.0
    p[8:28, 4, 4] = 0.3
    mask = p > 0.5
    assert volume_intervals(p, mask, grid_of(p.shape), margin_mm=4).whole == (3.0, 7.0)
    thick = volume_intervals(p, mask, grid_of(p.shape, (5.0, 1.0, 1.0)), margin_mm=4)
    assert thick.whole == pytest.approx((15, 20)), "the next slice is always near"


def test_an_empty_mask_and_one_that_fills_all() -> None:
    p = np.full((5, 6, 70), 0.3)
    assert volume_intervals(p, p > 0.5, grid_of(p.shape)).objects == ()
    assert volume_intervals(p, p > 0.5, grid_of(p.shape)).whole == (0.0, 0.0)
    assert volume_intervals(p, p > 0.2, grid_of(p.shape), levels=(0.4, 0.9)).whole == (0.0, 2100.0)


def test_slabs_fit_together() -> None:
    p = soft_balls(((15, 15, 31), 9), ((15, 15, 70), 5), shape=(30, 30, 90))
    whole = volume_intervals(p, p > 0.5, grid_of(p.shape), margin_mm=20)
    turned = np.ascontiguousarray(p.transpose(2, 0, 1))
    assert whole == volume_intervals(turned, turned > 0.5, grid_of(turned.shape), margin_mm=20)


def test_levels_set_on_known_cases_hold_the_truth_of_others() -> None:
    """Truth is where a ball of another radius ends; nine in ten of unseen ones lie in their intervals."""
    rng = np.random.default_rng(0)

    def case():
        p = soft_balls(((12, 12, 12), rng.uniform(3, 7)), shape=(25, 25, 25))
        return p, ndimage.gaussian_filter(p, 0.3) > rng.uniform(0.25, 0.75)

    grid = grid_of((25, 25, 25))
    known = np.concatenate([matching_levels(p, p > 0.5, truth, grid) for p, truth in (case() for _ in range(60))])
    levels = set_levels(known, coverage=0.9)
    held = []
    for p, truth in (case() for _ in range(60)):
        low, high = volume_intervals(p, p > 0.5, grid, levels=levels).whole
        held.append(low <= truth.sum() <= high)
    assert 0.8 <= np.mean(held) <= 0.98
    assert 0.2 < levels[0] < 0.4 < 0.6 < levels[1] < 0.8


def test_levels_of_the_hopeless_and_of_nothing() -> None:
    p = np.zeros((9, 9, 9))
    p[3:6, 3:6, 3:6] = 1.0
    truth = np.ones_like(p, dtype=bool)
    assert matching_levels(p, p > 0.5, truth, grid_of(p.shape), margin_mm=20).tolist() == [[0.0, 0.0]]
    assert matching_levels(p, p > 0.5, ~truth, grid_of(p.shape)).tolist() == [[1.0, 1.0]]
    assert matching_levels(p, p > 2, truth, grid_of(p.shape)).shape == (0, 2)
    assert set_levels(np.zeros((0, 2))) == LEVELS
    low, high = set_levels(np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert 0 < low < 0.01
    assert 0.99 < high < 1


def tissue(*, noise_hu, spacing=(0.8, 0.8, 2.0), shape=(96, 96, 8)) -> Scan:
    """A cylinder of tissue and fat in air, with noise that a kernel has smoothed."""
    i, j, _ = np.indices(shape) - np.array([[[[47]]], [[[47]]], [[[0]]]])
    hu = np.where(i**2 + j**2 < 44**2, 40.0, -1000.0)
    hu[(i**2 + j**2 < 44**2) & (i**2 + j**2 > 38**2)] = -100.0
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=shape), (0.7, 0.7, 0))
    hu += noise * noise_hu / noise.std()
    return Scan(np.asfortranarray(hu.astype(np.int16)), grid_of(shape, spacing))


@pytest.mark.parametrize("noise_hu", [5, 12, 40, 90])
def test_noise_is_measured_beside_edges(noise_hu) -> None:
    scan = tissue(noise_hu=noise_hu)
    assert measure_noise(scan, locate_body(scan)) == pytest.approx(noise_hu, rel=0.12)
    assert measure_noise(scan) == pytest.approx(noise_hu, rel=0.12)


def test_noise_is_not_guessed() -> None:
    assert measure_noise(tissue(noise_hu=10, spacing=(4.0, 4.0, 2.0))) is None
    assert measure_noise(tissue(noise_hu=10, shape=(3, 96, 8))) is None
    air = Scan(np.full((60, 60, 4), -1000, np.int16), grid_of((60, 60, 4)))
    assert measure_noise(air) is None


def judged(scan: Scan, ranges=RANGE) -> tuple[str, ...]:
    return out_of_distribution(ScanFacts(scan), ranges, body_mask=True)


def test_a_scan_like_the_training_scans_is_not_flagged(phantom) -> None:
    assert judged(phantom.scan, {**RANGE, "spacing_mm": (1, 5), "slice_spacing_mm": (1, 6)}) == ()
    assert judged(tissue(noise_hu=20)) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spacing": (0.2, 0.2, 2.0)}, "its pixels are 0.2 mm wide; the network was trained on 0.3 to 3 mm"),
        ({"spacing": (0.8, 0.2, 2.0)}, "its pixels are 0.2 mm high"),
        ({"spacing": (0.8, 0.8, 7.5)}, "its slices lie 7.5 mm apart"),
        ({"noise_hu": 90}, "its noise is about"),
    ],
)
def test_what_is_out_of_distribution_is_said(change, words) -> None:
    said = judged(tissue(**{"noise_hu": 20, **change}))
    assert len(said) == 1
    assert words in said[0]


def test_odd_scales_orientations_and_bodies_are_said() -> None:
    scan = tissue(noise_hu=20)
    assert "shows no air" in judged(replace(scan, hu=scan.hu + np.int16(1100)))[0]
    even = np.full((64, 64, 6), -1000, dtype=np.int16)  # air that is as even as padding
    even[16:48, 16:48] = 40
    assert not any("no air" in sentence for sentence in judged(Scan(even, Grid(even.shape, np.diag([1.0, 1, 2, 1])))))
    bright = scan.hu.copy()
    bright[40, 40, :2] = 5000
    assert "reaches 5000 HU" in judged(replace(scan, hu=bright), {**RANGE, "hu": (-1024, 4000)})[0]
    sagittal = Grid(scan.grid.shape, scan.grid.index_to_lps[:, [1, 2, 0, 3]])
    assert "not axial" in judged(Scan(scan.hu, sagittal))[0]
    nothing = Scan(np.full((60, 60, 4), -1000, np.int16), grid_of((60, 60, 4)))
    assert judged(nothing) == ("no body was found in it",)
    assert out_of_distribution(ScanFacts(nothing), RANGE, body_mask=False) == ()
    assert judged(nothing, {}) == ()


def test_what_a_bundle_says_is_checked() -> None:
    said = {"spacing_mm": [0.3, 1.5]}
    assert Calibration.of(None, None, own_weights=True) == Calibration() == Calibration(LEVELS, False, {})
    assert Calibration.of([0.05, 0.8], said, own_weights=True) == Calibration(
        (0.05, 0.8), True, {"spacing_mm": (0.3, 1.5)}
    )
    assert Calibration.of([0.05, 0.8], said, own_weights=False) == Calibration((0.05, 0.8), False, {})
    for levels, ranges in (([0.9, 0.1], None), ([0.1], None), ("low", None), (None, [1, 2]), (None, {"hu": 3})):
        with pytest.raises(BundleError, match="is"):
            Calibration.of(levels, ranges, own_weights=True)


class Drawn:
    """A network that sees what it is given."""

    half_maximum_weight = threshold_weight = 0.0
    calibration = Calibration(training_range={"hu": (0, 1)})

    def __init__(self, probability) -> None:
        self.probability = probability

    def predict(self, scan: Scan, *, progress=None) -> Prediction:
        return Prediction(Mask(np.asfortranarray(self.probability >= 128), scan.grid), self.probability)


def test_each_kept_component_has_an_interval(phantom) -> None:
    drawn = phantom.truth.voxels.copy(order="F")
    drawn[0:3, 0:3, 0:3] = True  # outside the body
    p = np.asfortranarray(np.rint(ndimage.gaussian_filter(drawn.astype(float), 0.8) * 255).astype(np.uint8))
    report = segment(phantom.scan, network=Drawn(p)).component_report()
    kept = [component for component in report["components"] if component["kept"]]
    assert 0 < len(kept) < len(report["components"])
    for component in report["components"]:
        assert (component["volume_interval_mm3"] is None) != component["kept"]
    for one in [*kept, report]:
        low, high = one["volume_interval_mm3"]
        assert low < one["volume_mm3"] < high
    assert report["volume_interval_mm3"][1] == pytest.approx(sum(one["volume_interval_mm3"][1] for one in kept))
    assert report["confidence"]["interval_calibrated"] is False
    assert len(report["confidence"]["out_of_distribution"]) == 1
    assert report["method"] == "network"
