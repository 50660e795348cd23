"""The simulated scanner against scikit-image, against physics, and against itself."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.transform import iradon, radon

from monai_ctseg.errors import CtsegError
from monai_ctseg.grid import Grid
from monai_ctseg.implants.part import Part
from monai_ctseg.implants.place import Implant
from monai_ctseg.scan import Scan
from monai_ctseg.simulation import Scanner, draw_scanner, simulate
from monai_ctseg.simulation.materials import METALS, WATER, attenuation, make_beam
from monai_ctseg.simulation.projection import Rays, backproject, filter_views, project
from monai_ctseg.solids import ball, rod

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
    low, high = np.array([x - radius, -radius, 90]), np.array([x + radius, radius, 120])
    return Implant("rod", metal, (Part(rod((x, 0, 90), (x, 0, 120), radius), low, high),))


def test_projection_agrees_with_scikit_image():
    image = gaussian_filter(disc(96, 20), 2)
    rays = Rays(views=60, detectors=96, width_mm=1.0)
    mine = project(*pixels(image), (1.0, 1.0), rays)[0]
    peer = radon(image, np.degrees(rays.angles), circle=True).T
    # scikit-image turns the picture about another pixel and has rows down: what does not depend on that is compared.
    assert np.allclose(mine.sum(axis=1), image.sum(), rtol=1e-4)
    assert np.abs(np.sort(mine, axis=1) - np.sort(peer, axis=1)).mean() < 0.15
    assert np.allclose(mine.max(axis=1), peer.max(axis=1), atol=0.5)


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


def test_a_spectrum_weighs_one_and_ends_at_its_voltage():
    low, high = make_beam(80, 7.0), make_beam(140, 7.0)
    assert low.weights.sum() == pytest.approx(1)
    assert len(low.weights) < len(high.weights)
    assert low.weights @ low.water > high.weights @ high.water


def test_water_reads_0_hu_and_metal_reads_thousands():
    body = water_cylinder()
    made = simulate(body, [metal_rod(5.0, radius=10.0)], scanner=QUIET)
    assert made.scan.hu.dtype == np.int16
    far = np.abs(body.grid.to_lps(np.indices(body.grid.shape).reshape(3, -1).T)[:, 0] - 5).reshape(body.grid.shape) > 30
    assert np.median(made.scan.hu[(body.hu == 0) & far]) == pytest.approx(0, abs=25)
    assert 4000 < np.median(made.scan.hu[made.truth.voxels]) < 15000
    assert made.truth.volume_mm3 == pytest.approx(np.pi * 100 * 6, rel=0.05)


def test_an_implant_lands_where_it_was_put():
    body = water_cylinder()
    made = simulate(body, [metal_rod(29.0, radius=4.0)], scanner=QUIET)
    centre = body.grid.to_lps(np.argwhere(made.truth.voxels)).mean(axis=0)
    assert centre[:2] == pytest.approx((29.0, 0.0), abs=0.2)
    bright = body.grid.to_lps(np.argwhere(made.scan.hu > 3000)).mean(axis=0)
    assert bright == pytest.approx(centre, abs=0.5)


def test_water_hardens_the_beam_unless_corrected():
    body = water_cylinder(n=110, mm=2.0)
    cupped = simulate(body, [], scanner=replace(QUIET, hardening_correction=False)).scan.hu
    flat = simulate(body, [], scanner=QUIET).scan.hu
    middle, rim = (slice(50, 60), slice(50, 60), 1), (slice(50, 60), slice(81, 84), 1)
    assert np.mean(cupped[rim]) - np.mean(cupped[middle]) > 8
    assert abs(np.mean(flat[rim]) - np.mean(flat[middle])) < 4


def test_ball_metal_hardens_too():
    body = water_cylinder()
    part = Part(ball((5, 0, 103), (15, 15, 15)), np.array([-10, -15, 88]), np.array([20, 15, 118]))
    thick = Implant("ball", "steel", (part,))
    peak = {
        name: simulate(body, [part], scanner=QUIET).scan.hu
        for name, part in (("thin", metal_rod(5, "steel", 3)), ("thick", thick))
    }
    assert np.median(peak["thick"][38:42, 38:42, 1]) < peak["thin"].max()


def test_the_same_seed_gives_the_same_scan_in_any_number_of_processes():
    body = water_cylinder()
    one, two, other = (
        simulate(body, [metal_rod(5.0)], seed=seed, jobs=jobs).scan.hu for seed, jobs in ((3, 1), (3, 2), (4, 1))
    )
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_a_12_bit_scanner_stops_at_its_ceiling():
    scanner = replace(QUIET, ceiling_hu=3071.0, padding_hu=-2048.0)
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
    first, again, other = (draw_scanner(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert draw_scanner(np.random.default_rng(1), saturated=True).ceiling_hu is not None
