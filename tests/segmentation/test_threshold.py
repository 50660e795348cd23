import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_ctseg.errors import GridMismatch, SaturatedScan
from monai_ctseg.grid import Grid
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.segmentation.body import block_edges, locate_body
from monai_ctseg.segmentation.pipeline import judge_mask, segment

SHAPE, SPACING = (140, 120, 12), (3.0, 3.0, 5.0)


class Scene:
    """Shapes painted into air: x from 0 to 420 mm, y from 0 (front) to 360 mm, the same in every slice."""

    def __init__(self, shape=SHAPE, spacing=SPACING):
        rng = np.random.default_rng(0)
        self.spacing = spacing
        self.hu = np.asfortranarray(rng.normal(-990, 10, shape))
        self.x, self.y = np.ogrid[: shape[0], : shape[1]]
        self.x, self.y = self.x * spacing[0], self.y * spacing[1]
        self.noise = rng.normal(0, 15, shape)

    def ellipse(self, x, y, a, b, hu=40.0, ks=slice(None)):
        return self.paint(((self.x - x) / a) ** 2 + ((self.y - y) / b) ** 2 <= 1, hu, ks)

    def box(self, x0, x1, y0, y1, hu, ks=slice(None)):
        return self.paint((self.x >= x0) & (self.x <= x1) & (self.y >= y0) & (self.y <= y1), hu, ks)

    def paint(self, where, hu, ks):
        part = np.zeros(self.hu.shape, dtype=bool)
        part[:, :, ks] = where[:, :, None]
        self.hu[part] = hu + self.noise[part]
        return part

    def table(self, y=262):
        """A sandwich top of 9 mm skins around foam, from y on."""
        self.box(30, 390, y, y + 42, -930)
        self.box(30, 390, y, y + 8, -150)
        return self.box(30, 390, y + 36, y + 42, -150)

    def pelvis(self):
        self.ellipse(210, 180, 150, 82)
        return self

    @property
    def scan(self):
        return Scan(self.hu.round().astype(np.int16), Grid(self.hu.shape, np.diag([*self.spacing, 1.0])))


def body_of(scan):
    return locate_body(scan).voxels(scan.grid)


def reasons(metal):
    return [component.reason for component in metal.components]


def test_metal_in_the_body_is_kept_and_metal_on_the_table_dropped():
    scene = Scene().pelvis()
    scene.table()
    implant = scene.ellipse(280, 180, 10, 10, 8000, slice(2, 9))
    rail = scene.box(80, 89, 300, 306, 5000)
    metal = segment(scene.scan)
    assert np.array_equal(metal.mask.voxels, implant)
    assert [c.kept for c in metal.components] == [c.voxels == implant.sum() for c in metal.components]
    assert {c.voxels for c in metal.components} == {implant.sum(), rail.sum()}
    assert next(c for c in metal.components if c.kept).centroid_lps == pytest.approx((280, 180, 25), abs=1.6)
    assert any("outside the body" in reason for reason in reasons(metal))
    assert json.loads(json.dumps(metal.component_report()))["voxels"] == implant.sum()
    assert np.array_equal(segment(scene.scan, body_mask=False).mask.voxels, implant | rail)


def test_the_body_ends_at_the_skin_on_the_table():
    scene = Scene().pelvis()
    truth = scene.scan.hu > -400
    scene.table()
    body = body_of(scene.scan)
    dice = 2 * (body & truth).sum() / (body.sum() + truth.sum())
    assert dice > 0.97
    assert not body[:, int(285 / 3) :].any()


def test_legs_and_arms_apart_are_body():
    scene = Scene()
    parts = [scene.ellipse(x, 180, a, a) for x, a in ((140, 55), (280, 55), (45, 28), (375, 28))]
    plate = scene.ellipse(375, 180, 6, 6, 9000, slice(3, 8))
    scene.table(240)
    body = body_of(scene.scan)
    assert min(body[part].mean() for part in parts) > 0.93
    assert not body[int(210 / 3), 20].any()
    assert np.array_equal(segment(scene.scan).mask.voxels, plate)


def test_an_implant_that_comes_out_through_the_skin_is_kept_whole():
    scene = Scene().pelvis()
    pin = scene.box(320, 382, 177, 183, 9000, slice(5, 7))  # the skin is at 360
    assert np.array_equal(segment(scene.scan).mask.voxels, pin)


@pytest.mark.parametrize("ks", [slice(None), slice(0, 1)])
def test_streaks_that_cut_the_body_at_an_implant_near_the_skin(ks):
    scene = Scene().pelvis()
    scene.box(60, 360, 170, 176, -1400)
    scene.box(60, 360, 184, 190, -1400)
    plate = scene.box(334, 342, 172, 188, 12_000, ks)  # 18 mm under the skin
    assert np.array_equal(segment(scene.scan).mask.voxels, plate)


def test_a_wide_dark_band_between_two_implants():
    scene = Scene().pelvis()
    scene.box(90, 330, 165, 195, -1800)
    stems = scene.ellipse(90, 180, 9, 9, 9000) | scene.ellipse(330, 180, 9, 9, 9000)
    assert np.array_equal(segment(scene.scan).mask.voxels, stems)


def test_an_open_mouth_is_body():
    scene = Scene().pelvis()
    scene.box(204, 216, 90, 160, -1000)
    scene.ellipse(210, 180, 50, 40, -1000)
    tooth = scene.box(180, 183, 180, 183, 9000, slice(4, 6))
    assert np.array_equal(segment(scene.scan).mask.voxels, tooth)


@pytest.mark.parametrize(("hu", "thick"), [(-250, 60), (30, 9)])
def test_a_thick_cushion_and_a_small_thing_beside_the_patient_are_no_body(hu, thick):
    scene = Scene().pelvis()
    scene.ellipse(210, 310, thick, min(thick, 25), hu)
    scene.box(209, 212, 309, 312, 6000, slice(2, 8))
    metal = segment(scene.scan)
    assert metal.mask.count == 0
    assert "outside the body" in reasons(metal)[0]


def test_strictly_above_and_touching_at_corners():
    scene = Scene().pelvis()
    scene.hu[70, 60, 5] = scene.hu[71, 61, 6] = 3001
    scene.hu[72, 62, 7] = 3000
    assert [c.voxels for c in segment(scene.scan).components] == [2]


def test_a_wire_on_the_skin_is_dropped():
    scene = Scene().pelvis()
    scene.box(208, 212, 90, 96, 4000)  # the skin is at 98
    metal = segment(scene.scan)
    assert metal.mask.count == 0
    assert "outside the body" in reasons(metal)[0]


def test_metal_just_under_the_skin_is_kept_and_says_where_it_lies():
    scene = Scene().pelvis()
    scene.box(208, 210, 99, 101, 4000, slice(4, 5))
    metal = segment(scene.scan)
    assert metal.mask.count == metal.components[0].voxels
    assert "may lie on the skin" in reasons(metal)[0]


def test_lungs_are_body():
    scene = Scene().pelvis()
    scene.ellipse(140, 180, 55, 55, -850)
    scene.ellipse(280, 180, 55, 55, -850)
    coil = scene.box(140, 146, 180, 186, 6000, slice(4, 6))
    assert np.array_equal(segment(scene.scan).mask.voxels, coil)


def test_the_hollow_of_a_table_is_not_body_though_lungs_are():
    scene = Scene()
    scene.ellipse(210, 180, 130, 70)
    lungs = scene.ellipse(150, 180, 50, 56, -850) | scene.ellipse(270, 180, 50, 56, -850)
    scene.table(247)
    scene.box(30, 38, 247, 289, -150)  # the table's ends, so that its foam is enclosed
    scene.box(382, 390, 247, 289, -150)
    scene.box(200, 206, 260, 266, 6000, slice(2, 8))
    body = body_of(scene.scan)
    assert body[lungs].mean() > 0.99
    assert segment(scene.scan).mask.count == 0


def test_only_air_has_no_body():
    scene = Scene()
    scene.box(200, 206, 100, 106, 5000, slice(3, 5))
    assert not body_of(scene.scan).any()
    assert reasons(segment(scene.scan)) == ["outside: no body was found"]


def test_no_metal_is_an_empty_mask():
    metal = segment(Scene().pelvis().scan)
    assert (metal.mask.count, metal.components, metal.intensity.kind) == (0, (), "ordinary")


@pytest.mark.parametrize("spacing", [(3.0, 3.0, 5.0), (1.0, 1.0, 1.0), (0.2, 0.2, 0.3)])
def test_a_body_that_fills_the_field(spacing):
    scene = Scene((60, 61, 20), spacing)
    scene.hu[:] = scene.noise + 30
    scene.hu[30:33, 30:33, 8:12] = 9000
    assert body_of(scene.scan).all()
    assert segment(scene.scan).mask.count == 36


def test_a_body_cut_by_the_field_and_by_padding():
    scene = Scene()
    scene.ellipse(210, 60, 260, 120)
    implant = scene.box(3, 9, 60, 66, 9000, slice(0, 3))
    scene.hu[(scene.x - 210) ** 2 + (scene.y - 180) ** 2 > 250**2] = -2048
    kept = implant & (scene.hu > 3000)
    assert kept.any()
    assert np.array_equal(segment(scene.scan).mask.voxels, kept)


@pytest.mark.parametrize(("shape", "spacing"), [((140, 120, 1), SPACING), ((128, 128, 5), (0.1, 0.1, 0.5))])
def test_one_slice_and_a_field_of_a_few_millimetres(shape, spacing):
    scene = Scene(shape, spacing)
    width, height = shape[0] * spacing[0], shape[1] * spacing[1]
    scene.ellipse(width / 2, height / 2, width / 3, height / 3)
    tooth = scene.ellipse(width / 2, height / 2, width / 30, height / 30, 9000)
    assert np.array_equal(segment(scene.scan).mask.voxels, tooth)


def test_a_saturated_scan_names_the_threshold_that_works():
    scene = Scene().pelvis()
    implant = scene.ellipse(280, 180, 10, 10, 8000)
    scene.hu = np.minimum(scene.hu, 2976)
    with pytest.raises(SaturatedScan, match=rf"3000 HU.*saturated at 2976 HU, where {implant.sum():,} .*2500 HU"):
        segment(scene.scan)
    with pytest.raises(SaturatedScan):
        segment(scene.scan, threshold_hu=2976)
    for works in (2500, 2975):
        assert np.array_equal(segment(scene.scan, threshold_hu=works).mask.voxels, implant)


def test_a_scan_saturated_within_bone_is_refused():
    scene = Scene().pelvis()
    scene.ellipse(280, 180, 10, 10, 8000)
    scene.hu = np.minimum(scene.hu, 1500)
    with pytest.raises(SaturatedScan, match="1499 HU finds anything, and dense bone"):
        segment(scene.scan)


def test_lines_of_sentinel_values_are_no_metal():
    scene = Scene().pelvis()
    core = scene.ellipse(280, 180, 7, 7, 5500)
    scene.noise[:] = 0
    line = scene.box(0, 420, 180, 180, 32767)
    metal = segment(scene.scan)
    assert [(s.hu, s.voxels) for s in metal.intensity.sentinels] == [(32767, line.sum())]
    assert metal.intensity.highest_hu < 6000
    assert np.array_equal(metal.mask.voxels, core & ~line)


def test_every_component_is_reported():
    scene = Scene()
    scene.hu[::4, ::4, ::3] = 4000
    metal = segment(scene.scan, body_mask=False)
    assert len(metal.components) == 200
    assert metal.unlisted.kept_components == 35 * 30 * 4 - 200
    assert sum(c.voxels for c in metal.components) + metal.unlisted.kept_voxels == metal.mask.count
    dropped = segment(scene.scan)
    assert dropped.mask.count == 0
    assert dropped.unlisted.dropped_components == 35 * 30 * 4 - 200


@pytest.mark.parametrize("body_mask", [True, False])
def test_a_predicted_mask_is_judged_by_the_same_rule(body_mask):
    scene = Scene().pelvis()
    inside, outside = scene.ellipse(280, 180, 10, 10, 8000), scene.box(10, 16, 10, 16, 40)
    metal = judge_mask(scene.scan, Mask(inside | outside, scene.scan.grid), body_mask=body_mask)
    assert np.array_equal(metal.mask.voxels, inside if body_mask else inside | outside)
    assert (metal.threshold_hu, metal.sensitivity) == (None, ())
    assert sorted(c.kept for c in metal.components) == [not body_mask, True]
    json.dumps(metal.component_report(), allow_nan=False)
    with pytest.raises(GridMismatch):
        judge_mask(scene.scan, Mask(inside, Grid(SHAPE, np.diag([1.0, 1, 1, 1]))))


def test_sensitivity_follows_the_same_rule():
    scene = Scene().pelvis()
    core = scene.ellipse(280, 180, 12, 12, 2700).sum()
    core -= scene.ellipse(280, 180, 6, 6, 6000).sum()
    scene.box(208, 210, 85, 88, 6000)  # outside
    metal = segment(scene.scan)
    at = {s.threshold_hu: s.voxels for s in metal.sensitivity}
    assert list(at) == [2000, 2500, 3000, 3500, 4000]
    assert at[3000] == at[4000] == metal.mask.count
    assert at[2500] == metal.mask.count + core
    assert metal.sensitivity[0].volume_mm3 == pytest.approx(at[2000] * 45)


def asymmetric_scan():
    scene = Scene((91, 80, 13), (4.0, 4.5, 6.0))
    scene.ellipse(170, 150, 110, 70)
    scene.ellipse(330, 160, 24, 24)
    scene.table(222)
    scene.ellipse(240, 150, 10, 10, 7000, slice(0, 7))
    scene.box(270, 300, 148, 152, 7000, slice(7, 9))
    scene.box(60, 66, 250, 258, 5000)
    scene.box(170, 172, 74, 78, 5000, slice(2, 11))
    return scene.scan


ASYMMETRIC = asymmetric_scan()


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(flips=st.sets(st.integers(0, 2)), swap=st.booleans())
def test_turned_axes_change_nothing(flips, swap):
    hu, matrix = np.flip(ASYMMETRIC.hu, tuple(flips)), ASYMMETRIC.grid.index_to_lps.copy()
    for axis in flips:
        matrix[:3, 3] += matrix[:3, axis] * (hu.shape[axis] - 1)
        matrix[:3, axis] *= -1
    if swap:
        hu, matrix = hu.transpose(1, 0, 2), matrix[:, [1, 0, 2, 3]]
    turned = segment(Scan(hu, Grid(hu.shape, matrix)))
    voxels = turned.mask.voxels.transpose(1, 0, 2) if swap else turned.mask.voxels
    expected = segment(ASYMMETRIC)
    assert np.array_equal(np.flip(voxels, tuple(flips)), expected.mask.voxels)

    def key(c):
        return c.voxels, tuple(round(mm, 6) for mm in c.centroid_lps), c.reason

    assert sorted(map(key, turned.components)) == sorted(map(key, expected.components))
    assert 0 < sum(c.kept for c in expected.components) < len(expected.components)


@given(voxels=st.integers(1, 700), step=st.floats(0.1, 50))
def test_block_edges_are_the_same_from_either_end(voxels, step):
    edges = block_edges(voxels, step)
    assert (edges[0], edges[-1]) == (0, voxels)
    assert np.array_equal(voxels - edges[::-1], edges)
    assert np.diff(edges).max() - np.diff(edges).min() <= 2


def test_float_voxels_give_the_same_mask():
    scan = Scan(ASYMMETRIC.hu.astype(np.float32), ASYMMETRIC.grid)
    assert np.array_equal(segment(scan).mask.voxels, segment(ASYMMETRIC).mask.voxels)


def test_the_phantoms_implant_is_kept_and_its_marker_on_the_table_dropped(phantom):
    metal = segment(phantom.scan)
    assert metal.mask.voxels[phantom.truth.voxels].mean() > 0.5
    assert not (metal.mask.voxels & phantom.marker.voxels).any()
    assert any(not c.kept and "outside the body" in c.reason for c in metal.components)


def test_a_coronal_stack():
    scan = Scan(ASYMMETRIC.hu.transpose(0, 2, 1), Grid((91, 13, 80), ASYMMETRIC.grid.index_to_lps[:, [0, 2, 1, 3]]))
    assert np.array_equal(segment(scan).mask.voxels.transpose(0, 2, 1), segment(ASYMMETRIC).mask.voxels)


@pytest.mark.slow
@pytest.mark.realdata
def test_hip_screw_masks_are_the_users(data_dir):
    from PIL import Image

    from monai_ctseg.io.read import read_scan

    scan = read_scan(data_dir / "hip-screw-ct" / "dicom")
    start = time.perf_counter()
    metal = segment(scan)
    assert time.perf_counter() - start < 20
    assert (metal.mask.count, [c.voxels for c in metal.components]) == (21_594, [21_026, 371, 197])
    for k, name in enumerate(scan.names):
        expected = np.asarray(Image.open(data_dir / "hip-screw-ct" / "masks_threshold3000" / f"{name}.png")) > 0
        assert np.array_equal(metal.mask.voxels[:, :, k].T, expected), name
    assert segment(scan, threshold_hu=0, body_mask=False).mask.count == 5_871_712


@pytest.mark.slow
@pytest.mark.realdata
def test_hip_prosthesis_is_kept_and_its_table_is_not(data_dir):
    from monai_ctseg.io.read import read_scan

    metal = segment(read_scan(data_dir / "hip-prosthesis-ct" / "dicom"))
    assert metal.mask.count == 27_675
    assert [c.voxels for c in metal.components] == [21_285, 6_374, 10, 4, 2]


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("case", "threshold_hu", "kept", "dropped"),
    [("pt_38", 2500, 0, 256), ("pt_74", 2500, 38, 2), ("pt_265", 3000, 387, 0), ("pt_171", 3000, 35, 0)],
)
def test_heads_and_necks(data_dir, case, threshold_hu, kept, dropped):
    from monai_ctseg.io.read import read_scan

    metal = segment(read_scan(data_dir / "head-neck-ct" / f"{case}.nii.gz"), threshold_hu=threshold_hu)
    assert metal.mask.count == kept
    assert sum(c.voxels for c in metal.components if not c.kept) == dropped


@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("spacing_mm", [0.6, 2.0])
def test_a_few_thin_slices_show_a_body(phantom, slices, spacing_mm):
    k = slice(8, 8 + slices)
    matrix = phantom.scan.grid.index_to_lps.copy()
    matrix[2, 2] = spacing_mm
    scan = Scan(phantom.scan.hu[:, :, k], Grid((96, 96, slices), matrix))
    metal = segment(scan)
    assert np.array_equal(metal.mask.voxels, segment(phantom.scan).mask.voxels[:, :, k])
    assert metal.mask.count > 0
