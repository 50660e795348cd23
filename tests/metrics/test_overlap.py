"""Overlap against values worked out by hand and against monai.metrics."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance

from monai_ctseg.errors import GridMismatch
from monai_ctseg.grid import Grid
from monai_ctseg.metrics.overlap import compare_masks
from monai_ctseg.scan import Mask

SPACING_MM = (0.8, 1.5, 3.0)
SHAPE = (12, 10, 8)


def grid(shape=SHAPE, spacing_mm=SPACING_MM):
    matrix = np.diag([*spacing_mm, 1.0])
    matrix[:3, 3] = -90.5, 12.25, 700.0
    return Grid(shape, matrix)


def box(i, j, k, shape=SHAPE):
    voxels = np.zeros(shape, dtype=bool, order="F")
    voxels[slice(*i), slice(*j), slice(*k)] = True
    return Mask(voxels, grid(shape))


def test_shifted_box_by_hand():
    # 4 x 1 x 1 voxels, shifted by one along i (0.8 mm): three shared, one too many, one missed.
    found = compare_masks(box((3, 7), (2, 3), (4, 5)), box((2, 6), (2, 3), (4, 5)))
    voxel_mm3 = 0.8 * 1.5 * 3.0
    assert found.dice == pytest.approx(6 / 8)
    assert found.iou == pytest.approx(3 / 5)
    assert (found.voxels_predicted, found.voxels_truth) == (4, 4)
    assert found.volume_predicted_mm3 == pytest.approx(4 * voxel_mm3)
    assert found.volume_difference_percent == 0.0
    assert found.false_positive_mm3 == pytest.approx(voxel_mm3)
    assert found.false_negative_mm3 == pytest.approx(voxel_mm3)
    # each way 0, 0, 0, 0.8: mean 0.2; the 95th percentile lies 0.85 of the way from 0 to 0.8
    assert found.average_surface_distance_mm == pytest.approx(0.2)
    assert found.hd95_mm == pytest.approx(0.85 * 0.8)


def test_hd95_is_the_larger_direction_and_not_the_pooled_percentile():
    # 1 voxel against 20 in a row along k: there all 0; back 0, 3, ..., 57 mm, whose 95th percentile is 18.05 steps.
    shape = (3, 3, 22)
    found = compare_masks(box((1, 2), (1, 2), (1, 2), shape), box((1, 2), (1, 2), (1, 21), shape))
    assert found.hd95_mm == pytest.approx(3.0 * 18.05)
    assert found.average_surface_distance_mm == pytest.approx(3.0 * 190 / 21)
    assert found.volume_difference_percent == pytest.approx(-95.0)


def test_only_the_surface_counts_and_the_border_is_surface():
    # A full volume has its outer layer as surface; its inner 2 x 2 x 2 voxels are all surface, each 1 step inside.
    shape = (4, 4, 4)
    full, core = np.ones(shape, dtype=bool), np.zeros(shape, dtype=bool)
    core[1:3, 1:3, 1:3] = True
    unit = grid(shape, (1.0, 1.0, 1.0))
    found = compare_masks(Mask(core, unit), Mask(full, unit))
    # 8 core voxels at 1; of the 56 shell voxels 24 on faces at 1, 24 on edges at sqrt 2, 8 corners at sqrt 3
    assert found.average_surface_distance_mm == pytest.approx((8 + 24 + 24 * 2**0.5 + 8 * 3**0.5) / 64)
    assert found.hd95_mm == pytest.approx(3**0.5)


def test_shear_is_in_the_distances():
    tilted = np.diag([1.0, 1.0, 2.0, 1.0])
    tilted[1, 2] = 1.5
    voxels = np.zeros((2, 2, 3, 2), dtype=bool)
    voxels[0, 0, 0, 0] = voxels[0, 0, 1, 1] = True
    masks = [Mask(np.ascontiguousarray(voxels[..., n]), Grid((2, 2, 3), tilted)) for n in range(2)]
    assert compare_masks(*masks).hd95_mm == pytest.approx(2.5)


def test_empty_masks():
    empty, some = box((0, 0), (0, 0), (0, 0)), box((1, 3), (1, 3), (1, 3))
    both, missed, invented = (compare_masks(*m) for m in [(empty, empty), (empty, some), (some, empty)])
    assert (both.dice, both.iou, both.hd95_mm, both.average_surface_distance_mm) == (1.0, 1.0, None, None)
    assert both.volume_difference_percent is None
    assert (missed.dice, missed.iou, missed.hd95_mm, missed.volume_difference_percent) == (0.0, 0.0, None, -100.0)
    assert missed.false_negative_mm3 == some.volume_mm3
    assert (invented.dice, invented.hd95_mm, invented.volume_difference_percent) == (0.0, None, None)
    assert invented.false_positive_mm3 == some.volume_mm3


def test_other_grid_is_refused():
    mask = box((1, 3), (1, 3), (1, 3))
    with pytest.raises(GridMismatch, match="the grids differ"):
        compare_masks(mask, replace(mask, grid=grid(spacing_mm=(0.8, 1.5, 3.1))))


def test_json():
    found = asdict(compare_masks(box((3, 7), (2, 3), (4, 5)), box((2, 6), (2, 4), (4, 5))))
    assert {type(value) for value in found.values()} == {int, float}
    assert json.loads(json.dumps(found)) == found


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_monai(seed):
    random = np.random.default_rng(seed)
    truth = box(*np.sort([[1, 9], [2, 8], [0, 8]]))
    noisy = np.asfortranarray(truth.voxels ^ (random.random(SHAPE) < 0.03 * (seed + 1)))
    found = compare_masks(Mask(noisy, truth.grid), truth)
    pair = [torch.from_numpy(np.ascontiguousarray(v))[None, None] for v in (noisy, truth.voxels)]
    options = {"include_background": True, "spacing": SPACING_MM}
    assert found.dice == pytest.approx(compute_dice(*[p.float() for p in pair]).item(), rel=1e-5)
    assert found.hd95_mm == pytest.approx(compute_hausdorff_distance(*pair, percentile=95, **options).item(), rel=1e-5)
    average = compute_average_surface_distance(*pair, symmetric=True, **options).item()
    assert found.average_surface_distance_mm == pytest.approx(average, rel=1e-5)


voxel_arrays = arrays(np.bool_, (4, 5, 3))


@given(voxel_arrays, voxel_arrays)
@settings(max_examples=100, deadline=None)
def test_symmetry_and_bounds(a, b):
    where = grid((4, 5, 3))
    found, back = compare_masks(Mask(a, where), Mask(b, where)), compare_masks(Mask(b, where), Mask(a, where))
    same = ("dice", "iou", "hd95_mm")
    assert [getattr(found, name) for name in same] == [getattr(back, name) for name in same]
    assert found.average_surface_distance_mm == pytest.approx(back.average_surface_distance_mm)
    assert found.false_positive_mm3 == back.false_negative_mm3
    assert found.dice == pytest.approx(2 * found.iou / (1 + found.iou))
    assert 0.0 <= found.iou <= found.dice <= 1.0
    assert (found.hd95_mm is None) == (not a.any() or not b.any())
    if found.hd95_mm is not None:
        farthest = float(np.linalg.norm(np.array([3, 4, 2]) * SPACING_MM))
        assert 0.0 <= found.average_surface_distance_mm <= farthest
        assert found.hd95_mm <= farthest + 1e-9


@given(voxel_arrays.filter(lambda a: a.any()))
@settings(max_examples=30, deadline=None)
def test_a_mask_agrees_with_itself(a):
    mask = Mask(a, grid((4, 5, 3)))
    found = compare_masks(mask, mask)
    assert (found.dice, found.iou, found.hd95_mm, found.average_surface_distance_mm) == (1.0, 1.0, 0.0, 0.0)


def test_distances_are_left_out_on_request():
    a, b = box((3, 7), (2, 3), (4, 5)), box((2, 6), (2, 3), (4, 5))
    full, short = compare_masks(a, b), compare_masks(a, b, distances=False)
    assert short == replace(full, hd95_mm=None, average_surface_distance_mm=None)
    assert full.voxels_shared == 3
