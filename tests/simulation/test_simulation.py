"""The simulated scanner against scikit-image, against physics, and against itself."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread
from scipy.ndimage import gaussian_filter
from skimage.transform import iradon, radon

from monai_ctseg.errors import CtsegError
from monai_ctseg.grid import Grid
from monai_ctseg.io.dicom import write_series
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.segmentation.half_maximum.saturated import find_plateaus, plateau_interval
from monai_ctseg.segmentation.intensity import IntensityVerdict
from monai_ctseg.segmentation.scan_facts import ScanFacts
from monai_ctseg.simulation import (
    CaseOptions,
    Scanner,
    acquire,
    sample_case,
    sample_case_in_body,
    sample_scanner,
    simulate,
    simulate_case,
)
from monai_ctseg.simulation.cases import PART_WEIGHTS
from monai_ctseg.simulation.implants import Implant
from monai_ctseg.simulation.insertion import PATIENT, sample_patient
from monai_ctseg.simulation.materials import METALS, WATER, attenuation, make_beam
from monai_ctseg.simulation.metal import FULL, mark_metal
from monai_ctseg.simulation.phantom import sample_body
from monai_ctseg.simulation.phantom.positioning import position_on_table
from monai_ctseg.simulation.projection import Rays, backproject, filter_views, project
from monai_ctseg.simulation.real_body import BONE_HU, sample_bone_axis
from monai_ctseg.simulation.sdf import ellipsoid, rod

QUIET = Scanner(photons=1e9, electronic_noise=0, scatter=0, smoothed_signal=0, blur_mm=0, views=360)


def disc(n: int, radius: float) -> np.ndarray:
    at = np.arange(n) - (n - 1) / 2
    return (np.hypot(at[:, None] - 7, at[None] + 12) < radius).astype(np.float32)


def pixels(image: np.ndarray) -> tuple[np.ndarray, ...]:
    at = (np.arange(len(image)) - (len(image) - 1) / 2).astype(np.float32)
    u, v = np.meshgrid(at, at, indexing="ij")
    inside = image > 0
    return image[inside][None], u[inside], v[inside]


def water_cylinder(*, slices: int = 3, mm: float = 2.0, n: int = 80) -> Scan:
    matrix = np.diag([mm, mm, 2.0, 1.0])
    matrix[:3, 3] = (-mm * (n - 1) / 2 + 5, -mm * (n - 1) / 2, 100)
    at = (np.arange(n) - (n - 1) / 2) * mm
    plane = np.where(np.hypot(at[:, None], at[None]) < 65, 0, -1000).astype(np.int16)
    return Scan(np.asfortranarray(np.repeat(plane[:, :, None], slices, axis=2)), Grid((n, n, slices), matrix))


def metal_rod(x: float, metal: str = "titanium", radius: float = 5.0) -> Implant:
    return Implant("rod", metal, (rod((x, 0, 90), (x, 0, 120), radius),))


def test_projection_agrees_with_scikit_image():
    image = gaussian_filter(disc(96, 20), 2)
    rays = Rays(views=60, detectors=96, width_mm=1.0)
    mine = project(*pixels(image), (1.0, 1.0), rays)[0]
    peer = radon(image, np.degrees(rays.angles), circle=True).T
    # scikit-image turns the picture about another pixel and has rows down: what does not depend on that is compared.
    assert np.allclose(mine.sum(axis=1), image.sum(), rtol=1e-4)
    assert np.abs(np.sort(mine, axis=1) - np.sort(peer, axis=1)).mean() < 0.15
    assert np.allclose(mine.max(axis=1), peer.max(axis=1), atol=0.5)
    values, u, v = pixels(image)
    at = (np.arange(rays.detectors) + 0.5) * rays.width_mm + rays.first_mm
    middle = (np.cos(rays.angles) * (values @ u) + np.sin(rays.angles) * (values @ v)) / values.sum()
    assert np.allclose(mine @ at / mine.sum(axis=1), middle, atol=0.02)


def test_what_is_projected_comes_back():
    image = disc(96, 20)
    rays = Rays(views=180, detectors=160, width_mm=0.7)
    at = (np.arange(96) - 47.5).astype(np.float32)
    lines = project(*pixels(image), (1.0, 1.0), rays)[0]
    back = backproject(filter_views(lines, rays, cutoff_per_mm=0.7), at[:, None], at[None], rays)
    inner, outer = disc(96, 17) > 0, disc(96, 24) == 0
    assert back[inner].mean() == pytest.approx(1, abs=0.01)
    assert np.abs(back[inner] - 1).max() < 0.06
    assert np.abs(back[outer]).mean() < 0.01
    peer = iradon(radon(image, np.degrees(rays.angles)), np.degrees(rays.angles), filter_name="hann")
    assert np.abs(back - 1)[inner].mean() <= np.abs(peer - 1)[inner].mean() + 0.01


def test_attenuation_is_the_published_one():
    """NIST XCOM, total without coherent scattering at 60 keV: water 0.1928 /cm, titanium 0.7163 cm2/g x 4.506."""
    assert attenuation(WATER, np.array([60.0]))[0] * 10 == pytest.approx(0.1903, rel=0.03)
    order = [
        attenuation(METALS[name], np.array([70.0]))[0] for name in ("titanium", "steel", "cobalt_chromium", "gold")
    ]
    assert order == sorted(order)


@pytest.mark.slow
def test_a_spectrum_weighs_one_and_ends_at_its_voltage():
    low, high = make_beam(80, 7.0), make_beam(140, 7.0)
    assert low.weights.sum() == pytest.approx(1)
    assert {a.dtype for a in (low.water, low.bone, *low.metals.values())} == {np.dtype(np.float32)}
    assert len(low.weights) < len(high.weights)
    assert low.weights @ low.water > high.weights @ high.water


@pytest.mark.slow
def test_water_reads_0_hu_and_metal_reads_thousands():
    body = water_cylinder()
    made = simulate(body, [metal_rod(5.0, radius=10.0)], scanner=QUIET)
    assert made.scan.hu.dtype == np.int16
    far = np.abs(body.grid.to_lps(np.indices(body.grid.shape).reshape(3, -1).T)[:, 0] - 5).reshape(body.grid.shape) > 30
    assert np.median(made.scan.hu[(body.hu == 0) & far]) == pytest.approx(0, abs=25)
    assert 4000 < np.median(made.scan.hu[made.truth.voxels]) < 15000
    assert made.truth.volume_mm3 == pytest.approx(np.pi * 100 * 6, rel=0.05)


@pytest.mark.slow
def test_an_implant_lands_where_it_was_inserted():
    body = water_cylinder()
    made = simulate(body, [metal_rod(29.0, radius=4.0)], scanner=QUIET)
    centre = body.grid.to_lps(np.argwhere(made.truth.voxels)).mean(axis=0)
    assert centre[:2] == pytest.approx((29.0, 0.0), abs=0.2)
    bright = body.grid.to_lps(np.argwhere(made.scan.hu > 3000)).mean(axis=0)
    assert bright == pytest.approx(centre, abs=0.5)


@pytest.mark.slow
def test_water_hardens_the_beam_unless_corrected():
    body = water_cylinder(n=110, mm=2.0)
    cupped = simulate(body, [], scanner=replace(QUIET, hardening_correction=False)).scan.hu
    flat = simulate(body, [], scanner=QUIET).scan.hu
    middle, rim = (slice(50, 60), slice(50, 60), 1), (slice(50, 60), slice(81, 84), 1)
    assert np.mean(cupped[rim]) - np.mean(cupped[middle]) > 8
    assert abs(np.mean(flat[rim]) - np.mean(flat[middle])) < 4


def test_a_ball_of_metal_reads_lower_in_its_middle_than_at_its_rim():
    body = water_cylinder()
    ball = ellipsoid((5, 0, 102), (15, 15, 15))
    hu = simulate(body, [Implant("ball", "titanium", (ball,))], scanner=QUIET).scan.hu[:, :, 1]
    at = (np.arange(80) - 39.5) * 2.0
    radius = np.hypot(at[:, None], at[None])
    assert np.median(hu[radius < 4]) < 0.95 * np.median(hu[(radius > 9) & (radius < 12)])


def test_bone_reads_behind_water_what_it_is_said_to_read():
    beam = make_beam(120, 7.0)
    left = beam.weights * np.exp(-200 * beam.water)
    assert 1000 * (left @ beam.bone / (left @ beam.water) - 1) == pytest.approx(acquire.BONE_HU, abs=10)


def test_rays_reach_the_corners_unless_these_are_padded():
    """Beyond its detectors a view is taken for what its last one reads."""
    air = np.full((4, 4), -1000, np.float32)
    bare = acquire.SliceTask(0, (0,), Scanner(), air, (1, 1), (-1.5, -1.5), (), 1, (80, 60), (4, 4), (-158, -118))
    padded = replace(bare, scanner=Scanner(padding_hu=-2048.0))
    assert -acquire._rays(bare).first_mm > np.hypot(158, 118)
    assert 158 < -acquire._rays(padded).first_mm < 170


def test_water_goes_on_beyond_the_table():
    scanner = Scanner()
    beam = make_beam(scanner.kv, scanner.aluminium_mm)
    water = acquire._to_water_mm(np.exp(-np.array([-0.01, 0.0, 20.0, 21.0, 22.0])), beam, scanner)
    assert water[0] < 0 == water[1]
    assert water[4] - water[3] == pytest.approx(water[3] - water[2], rel=1e-3)
    assert water[4] > water[3] > 1000


@pytest.mark.slow
def test_the_same_seed_gives_the_same_scan_in_any_number_of_processes():
    body = water_cylinder()
    one, two, other = (
        simulate(body, [metal_rod(5.0)], seed=seed, jobs=jobs).scan.hu for seed, jobs in ((3, 1), (3, 2), (4, 1))
    )
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_a_12_bit_scanner_stops_at_its_saturation_level():
    scanner = replace(QUIET, saturation_level_hu=3071.0, padding_hu=-2048.0)
    made = simulate(water_cylinder(), [metal_rod(5.0)], scanner=scanner)
    assert made.scan.hu.max() == 3071
    assert np.count_nonzero(made.scan.hu == 3071) > 20
    assert made.scan.hu[0, 0, 0] == -2048
    assert made.scan.padding_hu == -2048


def test_metal_outside_is_no_truth_but_is_seen():
    lead = replace(metal_rod(5.0), inside=False)
    made = simulate(water_cylinder(), [lead], scanner=QUIET)
    assert made.truth.count == 0
    assert made.scan.hu.max() > 3000


def test_two_implants_in_one_place_count_once():
    one = simulate(water_cylinder(), [metal_rod(5.0)], scanner=QUIET)
    two = simulate(water_cylinder(), [metal_rod(5.0), metal_rod(5.0)], scanner=QUIET)
    assert one.truth.count == two.truth.count
    assert np.abs(one.scan.hu.astype(int) - two.scan.hu).max() <= 1


def test_another_grid_may_be_reconstructed_and_a_turned_one_is_refused():
    body = water_cylinder()
    center = body.grid.center_lps
    matrix = np.diag([0.5, 0.5, 3.0, 1.0])
    matrix[:3, 3] = center - np.array([0.5 * 29.5, 0.5 * 29.5, 0])
    small = simulate(body, [metal_rod(5.0)], scanner=QUIET, grid=Grid((60, 60, 1), matrix))
    assert small.truth.volume_mm3 == pytest.approx(np.pi * 25 * 3, rel=0.05)
    turned = body.grid.index_to_lps[:, [1, 0, 2, 3]]
    with pytest.raises(CtsegError, match="right angles"):
        simulate(body, [], grid=Grid((80, 80, 3), turned))


def test_scanners_vary_by_seed():
    first, again, other = (sample_scanner(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert sample_scanner(np.random.default_rng(1), saturated=True).saturation_level_hu is not None


@pytest.mark.parametrize("level", [3071, 15_000, 26_000, 30_000])
def test_a_saturated_scan_bounds_its_own_mask_at_any_saturation_level(level):
    ball_of_steel = ellipsoid((5, 0, 102), (9, 9, 9))
    hu = simulate(water_cylinder(), [Implant("ball", "steel", (ball_of_steel,))], scanner=QUIET).scan.hu
    hu = np.clip((hu + 1000.0) * 1.8 - 1000, -1024, level).astype(np.int16)
    assert np.count_nonzero(hu == level) > 10
    facts = ScanFacts(Scan(hu, water_cylinder().grid))
    vars(facts)["intensity"] = IntensityVerdict("saturated", level, np.count_nonzero(hu == level))
    found = find_plateaus(facts)
    assert found.threshold_hu == max(2500, level / 2)
    mask = Mask(found.components.paint(), facts.scan.grid)
    low, high = plateau_interval(facts.scan, mask.voxels, level)
    assert 0 < low <= mask.volume_mm3 <= high


def test_series_of_other_voxels_have_other_uids(tmp_path):
    body = water_cylinder()
    heads = []
    for n, hu in enumerate((body.hu, body.hu + np.int16(1), body.hu)):
        (tmp_path / str(n)).mkdir()
        path = write_series(replace(body, hu=hu), tmp_path / str(n), kv=100.0)[0]
        heads.append(dcmread(path, stop_before_pixels=True))
    assert heads[0].SeriesInstanceUID == heads[2].SeriesInstanceUID != heads[1].SeriesInstanceUID
    assert heads[0].SOPInstanceUID == heads[2].SOPInstanceUID != heads[1].SOPInstanceUID
    assert heads[0].KVP == 100


@pytest.mark.parametrize("seed", range(6))
def test_a_small_image_is_still_about_its_implant(seed):
    case = sample_case(seed, CaseOptions(part="pelvis", with_metal=True, size=64, pixel_mm=1.0))
    low, high = (
        np.array([f(implant) for implant in case.implants if implant.inside])
        for f in (lambda i: i.low, lambda i: i.high)
    )
    gap = np.maximum(low - case.grid.center_lps, case.grid.center_lps - high).max(axis=1)
    assert gap.min() < 32


@pytest.mark.slow
def test_what_is_sampled_is_what_was_asked_for(monkeypatch):
    monkeypatch.setattr("monai_ctseg.simulation.insertion.WITH_OUTSIDE", 1.0)
    assert sample_case(1, CaseOptions(kinds=("plate",), with_metal=True)).part in ("pelvis", "limb")
    assert {sample_case(seed, CaseOptions(kinds=("generator",), with_metal=True)).part for seed in range(3)} == {
        "trunk"
    }
    assert sample_case(1, CaseOptions(part="limb", with_metal=False)).implants == ()
    with pytest.raises(CtsegError, match="called 'wing'"):
        sample_case(1, CaseOptions(part="wing"))
    with pytest.raises(CtsegError, match=r"hip_screw.*plate"):
        sample_case_in_body(water_cylinder(), 1, CaseOptions(kinds=("hip_screw",)))


def test_an_image_longer_than_the_body_is_refused():
    with pytest.raises(CtsegError, match=r"patient is 282 mm long.*--count of 28"):
        simulate_case(sample_case(1, CaseOptions(part="limb", slices=29, slice_mm=10.0, with_metal=False)))
    body = water_cylinder()
    beyond = np.array(body.grid.index_to_lps)
    beyond[2, 3] += 2.0
    with pytest.raises(CtsegError, match="body ends at 4 mm"):
        simulate(body, [], grid=Grid(body.grid.shape, beyond))


def depth_mm(implant: Implant, patient) -> float:
    """How deep it lies under the skin, by points 4 mm apart."""
    to_lps = np.diag([4.0, 4.0, 4.0, 1.0])
    to_lps[:3, 3] = implant.low
    shape = tuple(int(n) for n in np.ceil((implant.high - implant.low) / 4) + 1)
    at = np.moveaxis(np.indices(shape), 0, -1) * np.float32(4) + implant.low.astype(np.float32)
    metal = implant.distance(tuple(np.moveaxis(at, -1, 0))) < 2
    return float(-patient.skin(shape, to_lps)[metal].min(initial=0.0))


@pytest.mark.slow
def test_what_lies_outside_lies_outside(monkeypatch):
    monkeypatch.setattr("monai_ctseg.simulation.insertion.WITH_OUTSIDE", 1.0)
    kinds = set()
    for seed in range(20):
        case = sample_case(seed, CaseOptions(part=tuple(PART_WEIGHTS)[seed % 5], with_metal=True))
        patient = position_on_table(PATIENT, np.random.default_rng(seed), case.part, extras=True)
        for one in case.implants:
            if not one.inside:
                kinds.add(one.kind)
                assert depth_mm(one, patient) < 13, (seed, one.kind)
    assert kinds == {"ecg_lead", "buckle", "marker", "table_rail"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_cup_opens_down_outwards_and_forward(seed):
    cup = sample_case(seed, CaseOptions(kinds=("hip_cup",), with_metal=True)).implants[0]
    hips = [mark for mark in sample_patient(seed, "pelvis").landmarks if mark.site == "hip"]
    hip = min(hips, key=lambda mark: np.linalg.norm(mark.point_lps - (cup.low + cup.high) / 2))
    at = (hip.point_lps + np.random.default_rng(0).uniform(-34, 34, (40_000, 3))).astype(np.float32)
    opening = hip.point_lps - at[cup.distance(tuple(at.T)) < 0].mean(axis=0)
    expected = np.array([0.72 if hip.side == "left" else -0.72, -0.28, -0.6])
    cosine = opening @ expected / np.linalg.norm(opening) / np.linalg.norm(expected)
    assert np.degrees(np.arccos(cosine)) < 25


@pytest.mark.slow
def test_an_implant_in_a_head_sits_in_bone():
    matrix = np.diag([3.0, 3.0, 3.0, 1.0])
    matrix[:3, 3] = (-120, -120, -60)
    head = sample_body(Grid((81, 81, 41), matrix), seed=2, part="head", extras=False)
    scan = Scan(np.asfortranarray(np.rint(head.hu).astype(np.int16)), head.grid)
    for seed in range(5):
        point, axis = sample_bone_axis(scan, np.random.default_rng(seed))
        assert scan.hu[tuple(np.rint(scan.grid.to_index(point)).astype(int))] > BONE_HU
        assert np.linalg.norm(axis) == pytest.approx(1)


def test_sentinel_values_are_not_projected():
    body = water_cylinder()
    body.hu[36:44, 36:44] = 900
    body.hu[2:4, 2:12, 1] = 32767
    case = sample_case_in_body(body, 1, CaseOptions(kinds=("screws",)))
    assert case.body is not None
    assert case.body.hu.max() == 900
    assert (case.body.hu[2:4, 2:12, 1] == -1000).all()
    assert body.hu.max() == 32767


def test_a_component_that_fills_no_voxel_by_half_is_marked_where_it_fills_most():
    filled = np.zeros((12, 12, 4), dtype=np.uint8)
    filled[2:4, 2, 1] = (0.3 * FULL, 0.2 * FULL)  # alone
    filled[7, 7, 1:4] = (0.3 * FULL, FULL, 0.3 * FULL)  # the ends of a larger one
    filled[10, 2, 2] = 0.05 * FULL
    assert np.argwhere(mark_metal(filled)).tolist() == [[2, 2, 1], [7, 7, 2]]
    assert not mark_metal(np.zeros_like(filled)).any()


def test_marking_takes_little_more_memory_than_the_volume():
    filled = np.zeros((200, 200, 50), dtype=np.uint8, order="F")
    filled[50:70, 50:70, 20:30] = FULL
    filled[80, 80, 25] = 0.3 * FULL
    tracemalloc.start()
    mark_metal(filled)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * filled.nbytes
