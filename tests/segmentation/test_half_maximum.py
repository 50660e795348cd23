"""Objects of known shape, blurred as a scanner blurs them: what the half maximum finds of them."""

import json

import numpy as np
import pytest
from scipy import ndimage

from monai_ctseg.errors import SaturatedScan
from monai_ctseg.grid import Grid
from monai_ctseg.io.read import read_scan
from monai_ctseg.scan import Scan
from monai_ctseg.segmentation.half_maximum import average_probabilities
from monai_ctseg.segmentation.half_maximum.boxes import LARGEST, boxes_around
from monai_ctseg.segmentation.pipeline import segment
from monai_ctseg.segmentation.records import METAL
from monai_ctseg.segmentation.scan_facts import ScanFacts
from monai_ctseg.simulation.sdf import bar, ellipsoid, rod

SPACING = (0.976, 0.976, 2.0)
FINE = 0.25
SIDE = 46.0


def scan_of(*parts, spacing=SPACING, sigma=0.7, noise=40.0, tissue=50.0):
    """A scan of (solid, HU) about the origin, and which voxels are half of metal."""
    parted = [max(1, round(mm / FINE)) for mm in spacing]
    shape = [round(SIDE / mm) for mm in spacing]
    at = [((np.arange(n * p) + 0.5) / p - n / 2) * mm for n, p, mm in zip(shape, parted, spacing, strict=True)]
    points = np.meshgrid(*(a.astype(np.float32) for a in at), indexing="ij", sparse=True)
    hu = np.full([len(a) for a in at], tissue, dtype=np.float32)
    inside = np.zeros(hu.shape, dtype=np.float32)
    for solid, height in parts:
        here = np.broadcast_to(solid.distance(points), hu.shape) < 0
        hu[here], inside[here] = height, height > 1000
    split = [size for pair in zip(shape, parted, strict=True) for size in pair]
    steps = [mm / p for mm, p in zip(spacing, parted, strict=True)]
    blurred = ndimage.gaussian_filter(hu, [sigma / steps[0], sigma / steps[1], 0.3 / steps[2]], truncate=3)
    hu = blurred.reshape(split).mean(axis=(1, 3, 5)) + np.random.default_rng(0).normal(0, noise, shape)
    grid = Grid(tuple(shape), np.diag([*spacing, 1.0]))
    return Scan(np.asfortranarray(hu.round().astype(np.int16)), grid), inside.reshape(split).mean(axis=(1, 3, 5)) >= 0.5


def compare(found, truth):
    """Dice, and the relative deviation of the volume."""
    return 2 * (found & truth).sum() / (found.sum() + truth.sum()), found.sum() / truth.sum() - 1


PLATE = (bar((-2, 0, -18), (2, 0, 18), thick=4, wide=14), 16_000)
SCREW = (rod((0, 2, 1), (19, 5, 3), 1.6), 16_000)
SHELL = [
    (ellipsoid((0, 0, 0), (19, 19, 19)), 8_000),
    (ellipsoid((0, 0, 0), (16, 16, 16)), 50),
    (ellipsoid((0, 0, 0), (13, 13, 13)), 20_000),
]
KINDS = {
    "plate": [PLATE],
    "plate and screw": [PLATE, SCREW],
    "screws": [
        (rod((x, y, -15), (x + 4, y, 15), r), 12_000) for x, y, r in ((-12, -9, 0.9), (8, -9, 1.6), (0, 10, 2.4))
    ],
    "rod": [(rod((-3, 0, -20), (6, 5, 20), 3), 20_000)],
    "ball": [(ellipsoid((0, 0, 0), (15, 15, 15)), 20_000)],
    "cup": SHELL,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_keeps_its_volume(kind):
    scan, truth = scan_of(*KINDS[kind])
    dice, deviation = compare(segment(scan, method="half-maximum", body_mask=False).mask.voxels, truth)
    assert dice > (0.93 if kind == "screws" else 0.965)
    assert abs(deviation) < (0.08 if kind == "screws" else 0.03)
    assert compare(segment(scan, body_mask=False).mask.voxels, truth)[1] > 0.09  # the threshold blooms


@pytest.mark.slow
@pytest.mark.parametrize("spacing", [(0.4, 0.4, 0.8), (0.6, 0.6, 5.0), (1.4, 1.4, 1.0)])
def test_spacing_does_not_matter(spacing):
    scan, truth = scan_of((rod((-6, 0, -14), (8, 4, 14), 4), 16_000), spacing=spacing)
    dice, deviation = compare(segment(scan, method="half-maximum", body_mask=False).mask.voxels, truth)
    assert dice > 0.96
    assert abs(deviation) < 0.04


def test_one_slice_is_enough():
    scan, truth = scan_of(PLATE)
    one = Scan(scan.hu[:, :, 11:12], Grid((*scan.hu.shape[:2], 1), scan.grid.index_to_lps))
    assert compare(segment(one, method="half-maximum", body_mask=False).mask.voxels, truth[:, :, 11:12])[0] > 0.95


@pytest.mark.slow
def test_a_dim_middle_is_no_hole_and_a_liner_is_one():
    scan, truth = scan_of((ellipsoid((0, 0, 0), (15, 15, 15)), 16_000), (ellipsoid((0, 0, 0), (9, 9, 9)), 6_000))
    solid = truth | (ndimage.binary_fill_holes(truth))
    assert compare(segment(scan, method="half-maximum", body_mask=False).mask.voxels, solid)[0] > 0.98
    scan, truth = scan_of(*SHELL)
    found = segment(scan, method="half-maximum", body_mask=False).mask.voxels
    i, j, k = (n // 2 for n in found.shape)
    assert not found[i + 14, j, k]  # 14.5 mm from the middle
    assert found[i + 17, j, k]


def test_a_thin_screw_is_whole_up_to_the_plate():
    scan, _ = scan_of(PLATE, SCREW)
    found = segment(scan, method="half-maximum", body_mask=False).mask.voxels
    for x in np.arange(1.0, 18.0, 0.5):
        share = x / 19
        center = np.array([x, 2 + 3 * share, 1 + 2 * share])
        i, j, k = ((center / SPACING) + np.array(found.shape) / 2 - 0.5).round().astype(int)
        assert found[i, j, k], x


@pytest.mark.slow
def test_streaks_beside_dense_metal_are_dropped_and_the_same_alone_is_kept():
    metal, faint = (rod((-8, 0, -16), (-8, 0, 16), 5), 30_000), (rod((4, 0, -16), (4, 0, 16), 3.5), 4_600)
    both, _ = scan_of(metal, faint)
    alone, mark = scan_of(faint)
    assert not (segment(both, method="half-maximum", body_mask=False).mask.voxels & mark).any()
    assert compare(segment(alone, method="half-maximum", body_mask=False).mask.voxels, mark)[0] > 0.95


@pytest.mark.parametrize("spacing", [SPACING, (0.6, 0.6, 3.0)])
def test_a_bright_middle_does_not_pull_the_edge_inwards(spacing):
    rim, core = (ellipsoid((0, 0, 0), (15, 15, 15)), 8_000), (ellipsoid((0, 0, 0), (10, 10, 10)), 15_000)
    scan, truth = scan_of(rim, core, spacing=spacing)
    assert compare(segment(scan, method="half-maximum", body_mask=False).mask.voxels, truth)[0] > 0.97


@pytest.mark.slow
def test_what_is_too_faint_for_metal_is_left_out():
    tooth = (rod((4, 0, -16), (4, 0, 16), 3.5), 3_500)
    wire = (rod((-8, 0, -16), (-8, 0, 16), 0.9), 9_000)
    scan, _ = scan_of(tooth)
    assert scan.hu.max() > 3_300
    assert not segment(scan, method="half-maximum", body_mask=False).mask.voxels.any()
    scan, truth = scan_of(wire)
    assert scan.hu.max() < 6_000
    assert segment(scan, method="half-maximum", body_mask=False).mask.voxels[truth].mean() > 0.5


def test_a_high_saturation_level_leaves_faint_metal_in():
    titanium, gold = (rod((-9, 0, -16), (-9, 0, 16), 3), 8_000), (rod((9, 0, -16), (9, 0, 16), 5), 30_000)
    scan, truth = scan_of(titanium, gold, noise=20)
    clipped = Scan(np.minimum(scan.hu, np.int16(20_000)), scan.grid)
    metal = segment(clipped, method="half-maximum", body_mask=False)
    assert metal.intensity.saturated
    assert metal.method == "half-maximum"
    assert compare(metal.mask.voxels, truth)[0] > 0.93


def test_the_component_report_tells_plateau_and_edge():
    scan, _ = scan_of((rod((0, 0, -20), (0, 0, 20), 7), 16_000), tissue=1000)
    metal = segment(scan, method="half-maximum", body_mask=False)
    report = json.loads(json.dumps(metal.component_report()))
    (component,) = report["components"]
    assert report["method"] == "half-maximum"
    assert component["plateau_hu"] == pytest.approx(16_000, rel=0.02)
    assert component["edge_hu"] == pytest.approx(8_500, rel=0.08)
    assert component["surroundings_hu"] == pytest.approx(1000, abs=150)


def test_sentinel_values_are_no_metal():
    scan, truth = scan_of(PLATE)
    marked = scan.hu.copy(order="F")
    marked[2, :, :] = 32767
    again = segment(Scan(marked, scan.grid), method="half-maximum", body_mask=False)
    assert compare(again.mask.voxels, truth)[0] > 0.96
    assert not again.mask.voxels[:4].any()


def test_without_metal_nothing_is_found():
    scan, _ = scan_of()
    metal = segment(scan, method="half-maximum")
    assert metal.mask.count == 0
    assert metal.component_report()["components"] == []


@pytest.mark.parametrize("level", [2976, 3071])
def test_a_saturated_scan_gets_its_plateau_a_warning_and_an_interval(level):
    scan, truth = scan_of(PLATE)
    metal = segment(Scan(np.minimum(scan.hu, np.int16(level)), scan.grid), method="half-maximum", body_mask=False)
    low, high = metal.volume_interval_mm3
    assert low < truth.sum() * scan.grid.voxel_mm3 < high
    assert metal.mask.voxels[truth].mean() > 0.99
    assert metal.method == "plateau"
    assert "saturated" in metal.notes[0]


def test_boxes_hold_every_seed_once():
    seeds = np.zeros((90, 120, 90), dtype=bool)
    seeds[np.random.default_rng(1).random(seeds.shape) > 0.999] = True
    held = np.zeros(seeds.shape, dtype=int)
    for box in boxes_around(seeds):
        held[box] += 1
        assert held[box].size <= LARGEST
    assert (held[seeds] == 1).all()
    assert held.max() == 1


@pytest.mark.slow
@pytest.mark.realdata
def test_real_hips(data_dir):
    screw = segment(read_scan(data_dir / "hip-screw-ct" / "dicom"), method="half-maximum")
    assert screw.mask.count == pytest.approx(12_000, rel=0.03)  # 21,594 by threshold
    assert screw.components[0].plateau_hu == pytest.approx(16_000, rel=0.06)
    assert len([c for c in screw.components if c.voxels > 20]) <= 8  # screws are whole
    prosthesis = segment(read_scan(data_dir / "hip-prosthesis-ct" / "dicom"), method="half-maximum")
    assert prosthesis.mask.count == pytest.approx(27_100, rel=0.03)
    cup, head = sorted(prosthesis.components[:2], key=lambda c: c.voxels)
    assert cup.voxels > 5_500  # the liner keeps it apart from the head
    assert head.plateau_hu > 5_700


@pytest.mark.slow
@pytest.mark.realdata
def test_dental_metal_of_saturated_heads(data_dir):
    for number, metal in ((208, True), (239, True), (38, False), (54, False)):
        found = segment(read_scan(data_dir / "head-neck-ct" / f"pt_{number}.nii.gz"), method="half-maximum")
        assert (found.mask.count > 20) == metal, number
        assert metal or not found.mask.count


def test_probabilities_are_averaged_where_both_see_metal():
    """A network that draws a plate too thick, sees nothing of a rod, and marks bone."""
    scan, truth = scan_of(PLATE, (rod((-15, -12, -15), (-15, -12, 15), 2.5), 16_000))
    plate = np.zeros_like(truth)
    plate[18:30] = truth[18:30]
    network = np.where(ndimage.binary_dilation(plate), 200, 0).astype(np.uint8)
    network[2:4, 2:4, 2] = 200
    averaged = average_probabilities(ScanFacts(scan), network).probability
    assert compare(averaged >= METAL, plate)[0] > compare(network >= METAL, plate)[0] + 0.03
    assert np.array_equal(averaged[:14], network[:14])  # the rod that it does not see, the bone that it marks
    clipped = Scan(np.minimum(scan.hu, 3071), scan.grid)
    assert average_probabilities(ScanFacts(clipped), network) is None
    both = average_probabilities(ScanFacts(clipped), network, threshold=0.45)
    assert both.partner == "threshold"
    assert np.array_equal(both.probability >= METAL, (network >= METAL) & (clipped.hu > 3000))
    low = Scan(np.minimum(scan.hu, 2976), scan.grid)
    assert average_probabilities(ScanFacts(low), network, threshold=0.45) is None


def test_a_scale_that_ends_at_bone_is_refused():
    scan, _ = scan_of(PLATE)
    with pytest.raises(SaturatedScan, match="ends at 1500 HU, which dense bone reaches, too"):
        segment(Scan(np.minimum(scan.hu, 1500), scan.grid), method="half-maximum", body_mask=False)


def test_how_a_scan_is_divided_into_boxes_does_not_matter(monkeypatch):
    """A weak component 10 mm from a thick one is a streak, also where its box ends before that."""
    scan, _ = scan_of((ellipsoid((-4, 0, 0), (7, 7, 7)), 30_000), (ellipsoid((13, 0, 0), (2, 2, 3)), 4_600), noise=0)
    whole = segment(scan, method="half-maximum", body_mask=False).mask.voxels
    monkeypatch.setattr("monai_ctseg.segmentation.half_maximum.boxes.LARGEST", 400)
    parts = segment(scan, method="half-maximum", body_mask=False).mask.voxels
    assert compare(parts, whole)[0] > 0.98
    assert not (whole | parts)[round((13 + SIDE / 2) / SPACING[0]) - 2 :].any()
