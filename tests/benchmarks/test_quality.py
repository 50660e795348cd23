"""The quality benchmark: its scores and tables, on small masks whose figures are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import figures, head_neck, methods, oracles, records, report, shapes, targets
from benchmarks.quality.cases import PLAIN, make_plans
from monai_ctseg.grid import Grid
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.simulation.implants import Implant
from monai_ctseg.simulation.sdf import sphere

GRID = Grid((24, 24, 8), np.diag([1.0, 1.0, 2.0, 1.0]))


def block(*, wide: int = 6, at: int = 8) -> Mask:
    voxels = np.zeros(GRID.shape, dtype=bool)
    voxels[at : at + wide, 8:14, 2:6] = True
    return Mask(voxels, GRID)


def record(**facts: object) -> records.Record:
    plain = {"case": "a", "variant": "extended", "method": "net2d", "group": "plain", "kind": "rod", "dice": 0.9}
    return {**plain, "volume_percent": 2.0, "surface_mm": 0.2, "stray_mm3": 0.0, "false_mm3": 0.0, **facts}


def constant(name: str, mask: Mask) -> methods.Method:
    return methods.Method(name, "1", lambda scan, truth: methods.Found(mask.voxels))


def test_a_wider_mask_has_the_dice_volume_and_false_metal_of_its_width() -> None:
    found = records.measure(methods.Found(block(wide=9).voxels), block())
    assert found["dice"] == pytest.approx(2 * 6 / 15)
    assert found["volume_percent"] == pytest.approx(50)
    assert found["false_mm3"] == 3 * 6 * 4 * 2
    assert found["stray_mm3"] == 0


def test_metal_far_from_any_is_stray() -> None:
    voxels = block().voxels.copy()
    voxels[22, 22, 0] = True
    assert records.measure(methods.Found(voxels), block())["stray_mm3"] == 2.0


def test_nothing_found_is_dice_zero_without_a_distance() -> None:
    found = records.measure(methods.Found(np.zeros(GRID.shape, dtype=bool)), block())
    assert (found["dice"], found["surface_mm"], found["touched"]) == (0, None, False)


def test_within_is_the_distance_in_mm() -> None:
    voxels = np.zeros(GRID.shape, dtype=bool)
    voxels[10, 10, 4] = True
    near = records.within(voxels, GRID, 4.0)
    assert near[14, 10, 4]
    assert not near[15, 10, 4]
    assert near[10, 10, 6]
    assert not near[10, 10, 7]


def test_a_record_is_kept_until_the_method_changes(tmp_path: Path) -> None:
    store, scan = records.Store(tmp_path), Scan(np.zeros(GRID.shape, dtype=np.int16), GRID)
    first = records.run_method(
        store, constant("threshold", block()), "a", "extended", lambda: scan, block(), kind="rod"
    )
    assert np.array_equal(store.mask(first), block().voxels)
    assert first["dice"] == 1

    def never() -> Scan:
        raise AssertionError("it was there")

    again = records.run_method(store, constant("threshold", block(wide=1)), "a", "extended", never, block())
    assert again["dice"] == 1
    changed = methods.Method("threshold", "2", lambda scan, truth: methods.Found(block(wide=3).voxels))
    assert records.run_method(store, changed, "a", "extended", lambda: scan, block())["dice"] == pytest.approx(2 / 3)
    other = records.run_method(store, changed, "a", "extended", lambda: scan, block(wide=3))
    assert other["dice"] == 1  # another truth


def test_a_saturated_twin_ends_at_3071() -> None:
    scan = Scan(np.full(GRID.shape, 9000, dtype=np.int16), GRID)
    assert records.on_scale(scan, "saturated").hu.max() == 3071
    assert records.on_scale(scan, "extended").hu.max() == 9000


def test_the_best_threshold_is_found_with_the_truth_in_hand() -> None:
    hu = np.where(block(wide=9).voxels, 4000, 0) + np.where(block().voxels, 6000, 0)
    best, voxels = oracles.best_threshold(hu, block().voxels)
    assert 4000 < best <= 10000
    assert np.array_equal(voxels, block().voxels)


def test_plain_half_maximum_cuts_the_bloom_of_a_block() -> None:
    hu = np.full((64, 64, 32), 40, dtype=np.int16)
    hu[24:36, 24:36, 10:20] = 3500
    hu[26:34, 26:34, 10:20] = 9000
    voxels = methods.plain_half_maximum(Scan(hu, Grid(hu.shape, np.eye(4))), None).voxels
    assert np.array_equal(voxels, hu == 9000)


def test_a_ball_moved_outwards_loses_dice() -> None:
    ball = Implant("ball", "steel", (sphere(4.0).moved((12, 12, 8)),))
    distance = ball.distance(
        tuple(GRID.to_lps(np.argwhere(np.ones(GRID.shape)))[:, n].astype(np.float32) for n in range(3))
    )
    truth = Mask((distance < 0).reshape(GRID.shape), GRID)
    dice = oracles.moved_surface([ball], truth)
    assert 0.93 < dice["+0.0"] <= 1
    assert dice["+0.2"] < dice["+0.1"] < dice["+0.0"]
    assert oracles.moved_surface([ball], Mask(np.zeros(GRID.shape, dtype=bool), GRID)) == {}


def test_the_same_grid_keeps_the_truth_and_a_coarse_one_does_not() -> None:
    assert np.array_equal(oracles.through_grid(block(), GRID.spacing_mm), block().voxels)
    assert oracles.dice(oracles.through_grid(block(), (5, 5, 5)), block().voxels) < 1


def test_intervals_contain_the_mean_and_are_the_same_each_time() -> None:
    some = [record(dice=value) for value in (0.8, 0.9, 1.0, None)]
    figure = figures.mean_of(some, "dice")
    assert figure == figures.mean_of(some, "dice")
    assert figure is not None
    assert (figure.cases, round(figure.mean, 6)) == (3, 0.9)
    assert 0.8 <= figure.low < 0.9 < figure.high <= 1.0
    assert figures.mean_of([], "dice") is None


def test_the_worst_kind_is_the_lowest_or_the_furthest_from_zero() -> None:
    some = [record(kind="rod", volume_percent=-9.0), record(kind="ball", dice=0.7, volume_percent=4.0)]
    assert figures.worst_kind(some, "dice") == ("ball", 0.7)
    assert figures.worst_kind(some, "volume_percent", size=True) == ("rod", -9.0)


def test_a_kind_lost_to_the_threshold_is_named() -> None:
    some = [record(dice=0.7), record(method="threshold", dice=0.8), record(kind="ball", method="threshold", dice=0.1)]
    assert figures.losses([*some, record(kind="ball")], "net2d") == {"rod, extended": pytest.approx(0.1)}


def test_calibration_error_is_the_deviation_of_the_probability() -> None:
    chances = np.full((1, 1, 100), 204, dtype=np.uint8)  # 0.8
    truth = np.zeros((1, 1, 100), dtype=bool)
    truth[..., :60] = True
    some = [record(reliability={"near": records.count_chances(chances, truth)})]
    found = figures.reliability(some, "near")
    assert found is not None
    assert found.error == pytest.approx(0.2)
    assert found.true[8] == pytest.approx(0.6)
    assert figures.reliability([record()], "near") is None


def test_coverage_counts_cases_and_objects() -> None:
    some = [
        record(volume_interval_mm3=[1, 3], truth_mm3=2, objects=2, objects_held=1),
        record(volume_interval_mm3=[1, 3], truth_mm3=4),
    ]
    assert figures.coverage(some) == (1, 2)
    assert figures.objects_held(some) == (1, 2)


def test_plans_start_at_seeds_of_their_own_and_mix_kinds_and_metals() -> None:
    plans = make_plans(30, 3, 2)
    assert len({plan.seed for plan in plans}) == len(plans) == 35
    assert min(plan.seed for plan in plans) == 910_000
    plain = [plan for plan in plans if plan.group == "plain"]
    assert {plan.kind for plan in plain} == set(PLAIN)
    metals = {kind: {plan.metal for plan in plain if plan.kind == kind} for kind in PLAIN}
    assert set(map(len, metals.values())) == {3}  # each kind of each metal
    assert make_plans(40, 3, 2)[:5] == make_plans(30, 3, 2)[:5]


@pytest.mark.parametrize("kind", PLAIN)
def test_a_plain_test_implant_is_sampled_again_from_its_seed(kind: str) -> None:
    first, again = (shapes.make_test_implant(kind, "steel", np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first.low, again.low)
    at = (np.zeros(1, np.float32), np.zeros(1, np.float32), np.zeros(1, np.float32))
    assert first.distance(at) == again.distance(at)


def test_targets_say_what_is_met_and_a_missed_case_is_not() -> None:
    good = [
        record(case=str(n), variant=v, kind=k)
        for n, (v, k) in enumerate((v, k) for v in records.VARIANTS for k in PLAIN)
    ]
    rows = {row.what: row for row in targets.make_rows([{**r, "dice": 0.97} for r in good])}
    assert rows["simulated, extended, plain implants: Dice"].met
    assert rows["simulated, extended, plain implants: surface distance, mm"].met
    missed = [*good, record(case="m", dice=0.0, surface_mm=None)]
    rows = {row.what: row for row in targets.make_rows(missed)}
    assert not rows["simulated, extended, plain implants: Dice"].met
    assert "1 missed" in rows["simulated, extended, plain implants: surface distance, mm"].figure
    assert not rows["simulated, extended, plain implants: surface distance, mm"].met


def test_dental_metal_and_contrast_are_told_apart_by_site() -> None:
    hu = np.zeros((128, 128, 128), dtype=np.int16)
    hu[60:64, 44:46, 50:52] = 2976
    hu[20:22, 70:72, 110:112] = 3000
    scan = Scan(hu, Grid((128, 128, 128), np.diag([4.0, 4.0, 2.5, 1.0])))
    jaw, other = head_neck.bright_components(scan)
    assert (jaw.sum(), other.sum()) == (16, 8)
    sites = head_neck.measure_by_site(hu > 2900, (jaw, other), scan)
    assert sites == {"jaw_mm3": 640, "elsewhere_mm3": 320, "components": 1, "components_found": 1}
    own = {**sites, "dental": True, "highest_hu": 2976}
    assert head_neck.counts([own, {**own, "jaw_mm3": 0.0}])["found_2976"] == 1


def test_the_report_holds_every_table_for_which_there_are_records(tmp_path: Path) -> None:
    chances = records.count_chances(np.full((1, 1, 4), 255, np.uint8), np.ones((1, 1, 4), bool))
    some = [
        record(method=m, variant=v, reliability={"near": chances, "all": chances})
        for m in ("threshold", "net2d")
        for v in records.VARIANTS
    ]
    some += [record(group="bare", kind="no metal", dice=None), record(group="real", case="hip-screw-ct", bare_mm3=0.0)]
    oracle = [{"case": "a", "group": "plain", "kind": "rod", "moved +0.1 mm": 0.9, "through the 3D grid": 0.8}]
    report.write_report(some, oracle, tmp_path / "q.md", command="x", pictures=["a.png"])
    text = (tmp_path / "q.md").read_text()
    for title in (
        "Targets",
        "Simulated, saturated: Dice",
        "Upper bounds",
        "Real scans",
        "without metal",
        "Calibration",
    ):
        assert f"{title}" in text
    assert "| rod | 1 | 0.900 | 0.800 |" in text
    json.dumps(figures.summarize(some), allow_nan=False)
