import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_ctseg.segmentation.intensity import histogram, judge_intensity
from monai_ctseg.segmentation.padding import find_padding


def volume(seed=0, shape=(60, 50, 8)):
    """Soft tissue, bone up to some 1500 HU, int16, Fortran order."""
    rng = np.random.default_rng(seed)
    hu = rng.normal(40, 30, shape)
    hu[20:30, 20:30] = rng.normal(900, 150, (10, 10, shape[2]))
    return np.asfortranarray(hu.round().astype(np.int16))


def with_implant(peak, seed=0):
    """The volume with a shaded blob of metal."""
    hu = volume(seed).astype(float)
    i, j, k = np.ogrid[: hu.shape[0], : hu.shape[1], : hu.shape[2]]
    blob = peak * np.exp(-(((i - 40) / 4) ** 2 + ((j - 15) / 4) ** 2 + ((k - 4) / 3) ** 2))
    return np.asfortranarray(np.maximum(hu, blob).round())


@pytest.mark.parametrize("level_hu", [2952, 2976, 3071, 3095, 1500])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_plateau_at_the_maximum_is_saturation(level_hu, dtype):
    hu = np.minimum(with_implant(20_000), level_hu).astype(dtype)
    verdict = judge_intensity(hu)
    assert (verdict.kind, verdict.highest_hu) == ("saturated", level_hu)
    assert verdict.highest_voxels == np.count_nonzero(hu == level_hu)
    assert f"{level_hu} HU" in verdict.describe()


@pytest.mark.parametrize(
    ("peak", "kind"), [(20_000, "extended"), (3200, "extended"), (2300, "ordinary"), (0, "ordinary")]
)
def test_no_plateau_is_no_saturation(peak, kind):
    assert judge_intensity(with_implant(peak).astype(np.int16)).kind == kind


def test_a_few_equal_voxels_are_no_plateau():
    hu = with_implant(20_000).astype(np.int16)
    hu[40, 15, :4] = 31_743
    verdict = judge_intensity(hu)
    assert (verdict.kind, verdict.highest_hu, verdict.highest_voxels) == ("extended", 31_743, 4)
    assert verdict.sentinels == ()


def test_a_maximum_no_fuller_than_the_values_under_it_is_no_plateau():
    hu = np.resize(np.arange(1000, 1200, dtype=np.int16), (20, 20, 5))
    assert judge_intensity(hu).kind == "ordinary"
    assert judge_intensity(np.minimum(hu, 1150)).kind == "saturated"


def test_plain_water_is_not_saturated():
    assert judge_intensity(np.zeros((9, 9, 3), np.int16)).kind == "ordinary"


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_the_saturation_level_is_found_below_sentinel_values(dtype):
    hu = np.minimum(with_implant(20_000), 3071).astype(dtype)
    clipped = np.count_nonzero(hu[:, 1:] == 3071)
    hu[:, 0, :] = 32_767
    hu[0, 1:, :] = -32_767
    verdict = judge_intensity(hu)
    assert (verdict.kind, verdict.highest_hu, verdict.highest_voxels) == ("saturated", 3071, clipped)
    assert [(s.hu, s.voxels) for s in verdict.sentinels] == [(-32_767, 49 * 8), (32_767, 60 * 8)]
    assert "sentinel values" in verdict.describe()


def test_metal_clipped_at_the_end_of_the_scale_is_no_sentinel():
    hu = np.minimum(with_implant(90_000), 32_767).astype(np.int16)
    verdict = judge_intensity(hu)
    assert (verdict.kind, verdict.highest_hu, verdict.sentinels) == ("saturated", 32_767, ())


def test_padding_at_the_end_of_the_scale_is_no_sentinel():
    hu = volume()
    hu[:3] = -32_768
    assert judge_intensity(hu, padding_hu=-32_768).sentinels == ()
    assert judge_intensity(hu).sentinels[0].hu == -32_768


def circle(shape, radius):
    i, j = np.ogrid[: shape[0], : shape[1]]
    return (i - shape[0] / 2) ** 2 + (j - shape[1] / 2) ** 2 > radius**2


@pytest.mark.parametrize("value", [-2048, -3024, -1000])
def test_padding_is_found_in_the_corners(value):
    hu = volume()
    hu[circle(hu.shape, 28)] = value
    padding = find_padding(hu)
    assert (padding.hu, padding.voxels) == (value, circle(hu.shape, 28).sum() * 8)
    assert (padding.kind, padding.source) == ("circle", "corners")


def test_a_background_that_follows_the_body_is_no_circle():
    hu = volume()
    for k in range(8):
        hu[circle(hu.shape, 20 + k), k] = -1000
    padding = find_padding(hu)
    assert (padding.hu, padding.kind) == (-1000, "background")
    assert "constant background" in padding.describe()


def test_the_header_comes_first_when_voxels_hold_its_value():
    hu = volume()
    hu[circle(hu.shape, 28)] = -2000
    hu[30, 30, :] = -1500
    assert (find_padding(hu, named_hu=-1500).voxels, find_padding(hu, named_hu=-1500).source) == (8, "header")
    assert (find_padding(hu, named_hu=-1024).hu, find_padding(hu, named_hu=-1024).source) == (-2000, "corners")


def test_noise_in_the_corners_is_no_padding():
    assert find_padding(volume()) is None


@given(st.lists(st.integers(-32768, 32767), min_size=8, max_size=8), st.booleans(), st.booleans())
def test_histogram_counts_every_voxel_in_any_order_and_type(values, fortran, as_float):
    hu = np.array(values, dtype=np.int16).reshape((2, 2, 2), order="F" if fortran else "C")
    counts = histogram(hu.astype(np.float32) if as_float else hu)
    assert counts.sum() == 8
    assert all(counts[value + 32768] == values.count(value) for value in values)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("case", "kind", "highest_hu", "voxels"),
    [
        *(("pt_277", "saturated", 3071, 33), ("pt_151", "saturated", 3071, 27), ("pt_38", "saturated", 2976, 256)),
        *(("pt_208", "saturated", 2976, 63), ("pt_243", "saturated", 2976, 43), ("pt_232", "saturated", 2976, 48)),
        *(("pt_74", "saturated", 2976, 28), ("pt_198", "saturated", 2976, 30), ("pt_86", "saturated", 2976, 50)),
        *(("pt_322", "saturated", 2976, 52), ("pt_239", "saturated", 2976, 25), ("pt_305", "saturated", 2976, 32)),
        *(("pt_144", "saturated", 3071, 113), ("pt_312", "saturated", 3071, 236), ("pt_231", "saturated", 3071, 100)),
        *(("pt_265", "extended", 31743, 4), ("pt_171", "extended", 24074, 1), ("pt_59", "extended", 26116, 1)),
        *(("pt_36", "extended", 8675, 1), ("pt_54", "ordinary", 2263, 1), ("pt_294", "ordinary", 2312, 1)),
        *(("pt_285", "ordinary", 1662, 1), ("pt_130", "ordinary", 2298, 1), ("pt_229", "ordinary", 2213, 1)),
    ],
)
def test_heads_and_necks(data_dir, case, kind, highest_hu, voxels):
    from monai_ctseg.io.read import read_scan

    hu = read_scan(data_dir / "head-neck-ct" / f"{case}.nii.gz").hu
    verdict = judge_intensity(hu)
    assert (verdict.kind, verdict.highest_hu, verdict.highest_voxels) == (kind, highest_hu, voxels)
    padding = find_padding(hu)
    assert (padding.hu, padding.kind) == (-1000, "background")


@pytest.mark.parametrize(("value", "count"), [(3071, 1), (32767, 4), (4095, 20), (-32768, 4)])
def test_a_few_brighter_voxels_do_not_hide_a_saturation_level(value, count):
    hu = np.random.default_rng(0).normal(0, 200, (40, 40, 20)).astype(np.int16)
    hu[10:20, 10:20, 5:15] = 2976
    hu[0, :count, 0] = value
    verdict = judge_intensity(hu)
    assert (verdict.kind, verdict.highest_hu, verdict.highest_voxels) == ("saturated", 2976, 1000)
    assert verdict.strays == (count if value > 0 else 0)


def test_padding_named_in_the_midst_of_tissue_is_not_believed():
    hu = np.full((20, 20, 4), -1000, np.int16)
    hu[5:15, 5:15] = 40
    padding = find_padding(hu, named_hu=40)
    assert padding is None or padding.hu != 40
