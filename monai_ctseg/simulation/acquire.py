"""Acquire: one slice through the scanner, from what lies in it to Hounsfield units."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from monai_ctseg.scan import BoolArray
from monai_ctseg.simulation.materials import Beam, make_beam
from monai_ctseg.simulation.projection import Rays, backproject, filter_views, project
from monai_ctseg.simulation.scanner import HIGHEST_HU, Scanner
from monai_ctseg.simulation.sdf import Floats

AIR_HU = -1000.0
SOFT_HU = 100.0
BONE_HU = 1670.0
"""What cortical bone at full density reads behind 200 mm of water at 120 kV and 7 mm of aluminium.

Between the two a voxel holds a mix of water and bone by its share.
"""
TRACE_HU = 3000.0
NOTHING = 0.005
"""Of water; less is taken for air."""
SMOOTHING = (1.0, 3.0)
"""Views and detectors over which starved readings are smoothed, sigma."""


@dataclass(frozen=True, eq=False)
class MetalPixels:
    """Metal in one thin layer of the slice.

    Attributes:
        metal: which one.
        layer: its number.
        u: centres of pixels along i, (n,) mm about the isocentre.
        v: the same along j.
        share: how full each pixel is, (n,), 0 to 1.
        pixel_mm: size of the pixels.
    """

    metal: str
    layer: int
    u: Floats
    v: Floats
    share: Floats
    pixel_mm: tuple[float, float]


@dataclass(frozen=True, eq=False)
class SliceTask:
    """All that one slice needs; small enough to be sent to another process.

    Attributes:
        k: index of the slice.
        seed: of the noise.
        scanner: its settings.
        hu: the body without metal, [i, j] float32.
        body_mm: its pixels.
        body_origin_mm: where its pixel (0, 0) lies in the slice's plane, about the isocentre.
        metal: what implants fill.
        layers: number of thin layers of the slice.
        shape: of the image to reconstruct.
        pixel_mm: its pixels.
        origin_mm: where its pixel (0, 0) lies.
    """

    k: int
    seed: tuple[int, ...]
    scanner: Scanner
    hu: Floats
    body_mm: tuple[float, float]
    body_origin_mm: tuple[float, float]
    metal: tuple[MetalPixels, ...]
    layers: int
    shape: tuple[int, int]
    pixel_mm: tuple[float, float]
    origin_mm: tuple[float, float]


def acquire(task: SliceTask) -> tuple[int, Floats]:
    """Scan one slice.

    Returns:
        The slice's index, and its HU, [i, j] float32, with the artefacts that metal makes.

    Raises:
        MissingExtra: the extra `simulation` is not installed.
    """
    scanner, random = task.scanner, np.random.default_rng(task.seed)
    beam = make_beam(scanner.kv, scanner.aluminium_mm)
    rays = _rays(task)
    signal = _readings(task, beam, rays)
    lines = _to_water_mm(_detect(signal, scanner, random), beam, scanner)
    hu = _reconstruct(lines, task, rays)
    if scanner.artefact_reduction and task.metal:
        hu = _reduce(hu, lines, task, rays)
    return task.k, _store(hu, task)


def _rays(task: SliceTask) -> Rays:
    """Rays that cover all matter and the image, to its corners where these are not padded."""
    u, v = np.broadcast_arrays(*_pixels(task.hu.shape, task.body_mm, task.body_origin_mm))
    matter = task.hu > AIR_HU + 1000 * NOTHING
    half_u, half_v = (-o for o in task.origin_mm)
    reach = [float(np.hypot(half_u, half_v)) if task.scanner.padding_hu is None else max(half_u, half_v)]
    reach += [float(np.hypot(u[matter], v[matter]).max())] if matter.any() else []
    reach += [float(np.hypot(part.u, part.v).max()) for part in task.metal if len(part.u)]
    return Rays(
        task.scanner.views, 2 * int(np.ceil((max(reach) + 4) / task.scanner.detector_mm)), task.scanner.detector_mm
    )


def _pixels(
    shape: tuple[int, ...], pixel_mm: tuple[float, float], origin_mm: tuple[float, float]
) -> tuple[Floats, Floats]:
    u, v = ((o + np.arange(n) * mm).astype(np.float32) for n, mm, o in zip(shape, pixel_mm, origin_mm, strict=True))
    return u[:, None], v[None, :]


def _readings(task: SliceTask, beam: Beam, rays: Rays) -> Floats:
    """What each detector reads, as a share of what it reads through air [view, detector]: the mean over the layers."""
    water, bone = _body_mm(task, rays)
    weights = beam.weights.astype(np.float32)
    signal: Floats = np.zeros_like(water)
    for weight, mu_water, mu_bone in zip(weights, beam.water, beam.bone, strict=True):
        signal += weight * np.exp(-(mu_water * water + mu_bone * bone))
    if not task.metal:
        return signal
    paths = [_metal_mm(task, layer, rays) for layer in range(task.layers)]
    shadow = np.any([line > 1e-4 for path in paths for line in path.values()], axis=0)
    water, bone = water[shadow], bone[shadow]
    total = np.zeros_like(water)
    for path in paths:
        inside = {metal: mm[shadow] for metal, mm in path.items()}
        for n, weight in enumerate(weights):
            total += weight * np.exp(
                -(beam.water[n] * water + beam.bone[n] * bone + sum(beam.metals[m][n] * mm for m, mm in inside.items()))
            )
    signal[shadow] = total / task.layers
    return signal


def _body_mm(task: SliceTask, rays: Rays) -> Floats:
    """Millimetres of water and of bone on each ray, (2, views, detectors)."""
    full = np.clip((task.hu - SOFT_HU) / (BONE_HU - SOFT_HU), 0, None)
    water = np.where(full > 0, (1 + SOFT_HU / 1000) * np.maximum(1 - full, 0), (task.hu - AIR_HU) / 1000)
    u, v = np.broadcast_arrays(*_pixels(task.hu.shape, task.body_mm, task.body_origin_mm))
    lines: Floats = np.zeros((2, rays.views, rays.detectors), dtype=np.float32)
    for line, image in zip(lines, (water, full), strict=True):
        some = image > NOTHING
        if some.any():
            line[:] = project(image[None, some].astype(np.float32), u[some], v[some], task.body_mm, rays)[0]
    return np.maximum(lines, 0, out=lines)


def _metal_mm(task: SliceTask, layer: int, rays: Rays) -> dict[str, Floats]:
    """Millimetres of each metal on each ray of one layer."""
    paths: dict[str, Floats] = {}
    for part in task.metal:
        if part.layer == layer and len(part.u):
            line = np.maximum(project(part.share[None], part.u, part.v, part.pixel_mm, rays)[0], 0)
            paths[part.metal] = paths[part.metal] + line if part.metal in paths else line
    return paths


def _detect(signal: Floats, scanner: Scanner, random: np.random.Generator) -> Floats:
    """Blur, scatter, quantum and electronic noise, and the floor under low readings; as a share of air."""
    if scanner.blur_mm:
        signal = gaussian_filter1d(signal, scanner.blur_mm / scanner.detector_mm, axis=1, mode="nearest")
    signal = signal + np.float32(scanner.scatter) * signal.mean(axis=1, keepdims=True)
    counts = random.poisson(np.float64(scanner.photons) * signal).astype(np.float32)
    counts += np.float32(scanner.electronic_noise) * random.standard_normal(counts.shape, dtype=np.float32)
    if scanner.smoothed_signal:
        starved = np.exp(-np.maximum(counts, 0) / np.float32(scanner.smoothed_signal))
        counts += starved * (gaussian_filter(counts, SMOOTHING, mode="nearest") - counts)
    return np.asarray(np.maximum(counts, scanner.lowest_signal) / scanner.photons, dtype=np.float32)


@lru_cache(maxsize=16)
def _water_table(kv: float, aluminium_mm: float) -> tuple[Floats, Floats]:
    """Attenuations -ln(signal) behind 0 to 1000 mm of water, and those lengths."""
    beam = make_beam(kv, aluminium_mm)
    mm = np.linspace(0, 1000, 1001)
    depth = -np.log(np.exp(-np.outer(mm, beam.water)) @ beam.weights)
    return depth.astype(np.float32), mm.astype(np.float32)


def _to_water_mm(signal: Floats, beam: Beam, scanner: Scanner) -> Floats:
    """Readings -> millimetres of water that would read the same (the usual correction of beam hardening).

    Without the correction, millimetres of water by its attenuation in an unhardened beam. Noise about air reads less
    than no water, metal more than the table holds: there the table is extended by straight lines.
    """
    depth = -np.log(signal)
    if not scanner.hardening_correction:
        return np.asarray(depth / np.float32(beam.weights @ beam.water))
    table, mm = _water_table(scanner.kv, scanner.aluminium_mm)
    water = np.interp(depth, table, mm)
    water += np.minimum(depth - table[0], 0) * (mm[1] - mm[0]) / (table[1] - table[0])
    water += np.maximum(depth - table[-1], 0) * (mm[-1] - mm[-2]) / (table[-1] - table[-2])
    return water.astype(np.float32)


def _reconstruct(lines: Floats, task: SliceTask, rays: Rays) -> Floats:
    """Filtered back-projection -> HU [i, j]."""
    scanner = task.scanner
    filtered = filter_views(lines, rays, cutoff_per_mm=scanner.cutoff_per_mm, boost=scanner.boost)
    u, v = _pixels(task.shape, task.pixel_mm, task.origin_mm)
    return (backproject(filtered, u, v, rays) - 1) * 1000


def _reduce(hu: Floats, lines: Floats, task: SliceTask, rays: Rays) -> Floats:
    """Lines through what reads as metal are interpolated from their neighbours; the metal's own voxels are kept."""
    metal = hu > TRACE_HU
    if not metal.any():
        return hu
    u, v = np.broadcast_arrays(*_pixels(task.shape, task.pixel_mm, task.origin_mm))
    trace = project(np.ones((1, int(metal.sum())), np.float32), u[metal], v[metal], task.pixel_mm, rays)[0] > 0.2
    interpolated = lines.copy()
    at = np.arange(rays.detectors)
    for line, hidden in zip(interpolated, trace, strict=True):
        if hidden.any() and not hidden.all():
            line[hidden] = np.interp(at[hidden], at[~hidden], line[~hidden])
    return np.where(metal, hu, _reconstruct(interpolated, task, rays))


def _store(hu: Floats, task: SliceTask) -> Floats:
    """Whole numbers within the scanner's range; padding outside the circle."""
    scanner = task.scanner
    stored: Floats = np.rint((hu + 1000) * np.float32(scanner.hu_scale) - 1000)
    lowest = -1024.0 if scanner.saturation_level_hu is not None else -8192.0
    np.clip(stored, lowest, scanner.saturation_level_hu or HIGHEST_HU, out=stored)
    if scanner.padding_hu is not None:
        stored[~circle(task.shape, task.pixel_mm)] = scanner.padding_hu
    return stored


def circle(shape: tuple[int, int], pixel_mm: tuple[float, float]) -> BoolArray:
    """The largest circle in an image, [i, j] bool: what is reconstructed where the rest is padded."""
    u, v = _pixels(shape, pixel_mm, (0.0, 0.0))
    half = [(n - 1) * mm / 2 for n, mm in zip(shape, pixel_mm, strict=True)]
    return np.asarray(np.hypot(u - half[0], v - half[1]) <= min(half) + min(pixel_mm) / 2)
