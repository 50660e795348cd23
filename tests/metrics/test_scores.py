"""Scores of several cases, worked out by hand, and the policy for empty masks."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from monai_ctseg.errors import GridMismatch
from monai_ctseg.grid import Grid
from monai_ctseg.metrics.scores import (
    EMPTY_PREDICTION,
    EMPTY_TRUTH,
    NOT_ADJACENT,
    ScoreTable,
    score_masks,
)
from monai_ctseg.metrics.summary import summarize
from monai_ctseg.metrics.tables import write_scores
from monai_ctseg.output.names import unique_names
from monai_ctseg.scan import Mask

VOXEL_MM3 = 0.5 * 0.5 * 2.0


def mask(*voxels, shape=(6, 6, 4)):
    array = np.zeros(shape, dtype=bool)
    for voxel in voxels:
        array[voxel] = True
    return Mask(array, Grid(shape, np.diag([0.5, 0.5, 2.0, 1.0])))


METAL = mask((1, 1, 0), (2, 1, 0), (1, 1, 1), (2, 1, 1))
CASES = {
    "half": (mask((1, 1, 0), (2, 1, 0), (5, 5, 3)), METAL),  # two hit, two missed, one false on a slice without metal
    "same": (METAL, METAL),
    "missed": (mask(), METAL),
    "bare": (mask(), mask()),
    "invented": (mask((0, 0, 0), (0, 0, 2)), mask()),
}


def scored(*names, method="network", **options):
    return [score_masks(*CASES[name], case=name, method=method, **options) for name in names]


def test_a_case_by_hand():
    (half,) = scored("half")
    assert half.overlap.dice == pytest.approx(4 / 7)
    assert half.overlap.iou == pytest.approx(2 / 5)
    assert (half.slices, half.slices_without_metal, half.slices_with_false_metal) == (4, 2, 1)
    assert half.false_metal_mm3 == half.overlap.false_positive_mm3 == VOXEL_MM3
    assert half.no_distances == ""


def test_means_run_over_the_cases_with_metal_and_false_metal_is_summed_apart():
    found = summarize(scored(*CASES))
    assert (found.cases, found.cases_with_metal, found.cases_without_metal) == (5, 3, 2)
    assert (found.cases_missed, found.cases_without_distances) == (1, 1)
    assert found.dice.mean == pytest.approx((4 / 7 + 1 + 0) / 3)  # a missed case counts with 0
    assert (found.dice.cases, found.dice.median, found.dice.minimum, found.dice.maximum) == (3, 4 / 7, 0, 1)
    assert found.hd95_mm.cases == found.average_surface_distance_mm.cases == 2  # but without a distance
    assert found.pooled_dice == pytest.approx(2 * 6 / (3 + 4 + 0 + 0 + 2 + 12))
    assert found.pooled_iou == pytest.approx(6 / (21 - 6))
    assert (found.slices_without_metal, found.slices_with_false_metal) == (2 + 2 + 2 + 4 + 4, 1 + 2)
    assert found.false_metal_on_slices_mm3 == pytest.approx(3 * VOXEL_MM3)
    assert (found.cases_with_false_metal, found.false_metal_on_scans_mm3) == (1, 2 * VOXEL_MM3)
    assert found.false_negative_mm3 == pytest.approx(6 * VOXEL_MM3)


def test_the_mean_is_monais():
    import torch
    from monai.metrics import DiceMetric

    metric = DiceMetric(include_background=True)
    for predicted, truth in CASES.values():
        metric([torch.from_numpy(predicted.voxels)[None]], [torch.from_numpy(truth.voxels)[None]])
    assert summarize(scored(*CASES)).dice.mean == pytest.approx(metric.aggregate().item())


def test_without_any_metal_nothing_is_averaged():
    found = summarize(scored("bare", "invented"))
    assert found.dice is found.iou is found.hd95_mm is found.pooled_dice is found.pooled_iou is None
    assert found.false_metal_on_scans_mm3 == 2 * VOXEL_MM3


@pytest.mark.parametrize(
    ("case", "adjacent", "why"),
    [
        ("bare", False, EMPTY_TRUTH),
        ("missed", False, EMPTY_PREDICTION),
        ("same", False, NOT_ADJACENT),
        ("same", True, ""),
    ],
)
def test_why_there_are_no_distances(case, adjacent, why):
    (score,) = scored(case, adjacent=adjacent)
    assert score.no_distances == why
    assert (score.overlap.hd95_mm is None) == bool(why)


def test_a_row_leaves_out_what_is_not_defined():
    bare, missed = (score.row() for score in scored("bare", "missed"))
    assert bare["dice"] is bare["iou"] is None
    assert (missed["dice"], missed["hd95_mm"], missed["no_distances"]) == (0.0, None, EMPTY_PREDICTION)


def test_another_grid_is_refused():
    with pytest.raises(GridMismatch):
        score_masks(mask(), mask(shape=(6, 6, 5)), case="a")


def test_table_is_sorted_and_written(tmp_path):
    both = scored("same", "half") + scored("same", "half", method="threshold")
    table = ScoreTable(tuple(both), threshold_hu=3000.0)
    assert [(s.case, s.method) for s in table.cases[:2]] == [("half", "network"), ("half", "threshold")]
    write_scores(table, tmp_path)
    rows = (tmp_path / "cases.csv").read_text().splitlines()
    assert len(rows) == 5
    assert rows[0].startswith("case,method,truth,slices,")
    content = json.loads((tmp_path / "scores.json").read_text())
    assert content["overall"]["network"]["dice"]["mean"] == pytest.approx(11 / 14)
    assert "Dice 0" in content["policy"]
    assert (content["notes"], len(content["cases"])) == ([], 4)
    assert all(math.isfinite(v) for row in content["cases"] for v in row.values() if isinstance(v, float))


def test_notes_say_what_the_threshold_cannot():
    own = scored("same", source="threshold") + scored("same", source="threshold", method="threshold")
    (note,) = ScoreTable(tuple(own), threshold_hu=3000.0).notes
    assert note.startswith("the labels are this threshold's (3000 HU")
    notes = ScoreTable((*own, *scored("half")), threshold_hu=3000.0).notes
    assert notes[0].startswith("the labels of 1 of 2 cases")
    assert "1 of 2 cases have no figures of the threshold" in notes[1]
    assert notes[1].endswith("half")
    assert ScoreTable(tuple(scored("half"))).notes == ()


def test_names_are_stems_made_unique():
    assert unique_names([Path("/a/x.nii.gz"), Path("b/dicom/"), Path("c/y.NII")]) == ["x", "dicom", "y"]
    assert unique_names([Path("a/x.nii"), Path("b/X.nii.gz"), Path("c/a_x")]) == ["a_x", "b_X", "a_x_2"]
    assert unique_names([Path("a/x.nii")] * 3) == ["a_x", "a_x_2", "a_x_3"]
