"""Hip cases: pelves sampled at random, native or with hip prostheses, whose measures are known.

A case is a body of the phantom with sockets whose rims lie in a plane, on the grid of a CT: painted on finer slices,
which are averaged to the thickness wanted, blurred by a kernel, with noise of its texture. Metal is mixed in at its HU
with approximate streaks (quick), or simulated with all artefacts (`full`).

Frames: LPS, mm. Angles: Murray 1993, doi 10.1302/0301-620X.75B2.8444942, about the scanner's axes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter, zoom

from benchmarks.streaks import streaks
from monai_ctseg.grid import FloatArray, Grid, unit
from monai_ctseg.scan import Scan
from monai_ctseg.simulation import sample_scanner, simulate
from monai_ctseg.simulation.implants import Implant, pose_implants
from monai_ctseg.simulation.implants.hip import hip_stem
from monai_ctseg.simulation.implants.screws import sample_screw, screw_solids
from monai_ctseg.simulation.phantom.bodies import paint_body
from monai_ctseg.simulation.phantom.canvas import Block, Space, every
from monai_ctseg.simulation.phantom.pelvis import Hip, hip
from monai_ctseg.simulation.phantom.person import HipJoint, Person, sample_person
from monai_ctseg.simulation.phantom.positioning import PatientOnTable, position_on_table
from monai_ctseg.simulation.sdf import Floats, Solid, dot, half_shell, rod, toward

Kind = Literal["native", "replaced", "metal-both"]
KINDS: tuple[Kind, ...] = ("native", "replaced", "metal-both")
SIDES: tuple[Literal["right", "left"], ...] = ("right", "left")
WIDE_MM, DEEP_MM = 390.0, 250.0
ABOVE_MM, BELOW_MM, BELOW_METAL_MM = 52.0, 62.0, 145.0
"""How far above and below the heads the scan reaches."""
FINE_MM = 1.0
"""Slices are painted at least so thin, and averaged."""
METAL_HU = {"titanium": (6500, 9500), "steel": (13_000, 20_000), "cobalt_chromium": (14_000, 22_000)}
"""What metals read on an extended scale."""
JOINT_MM = 45.0
"""Half the side of the box round a joint that is painted finely."""
LINER_HU, SCAR_HU = -80.0, 45.0
TOP_HU, TWELVE_BITS_HU = 31_743, 3071


@dataclass(frozen=True, eq=False)
class Metal:
    """What is true of a total hip.

    ball_mm, cup_mm: outer diameters. cup_center_lps, ball_center_lps: (3,). opening_lps: where the cup opens.
    rim_mm: how far before the cup's centre its rim lies, along the opening.
    stem_axis_lps: up the stem, as it was designed; stem_line_lps: (n, 3) middles of its sections, from its tip.
    """

    ball_center_lps: FloatArray
    ball_mm: float
    cup_center_lps: FloatArray
    cup_mm: float
    cup_opening_lps: FloatArray
    rim_mm: float
    stem_axis_lps: FloatArray
    stem_line_lps: FloatArray


@dataclass(frozen=True, eq=False)
class HipTruth:
    """What is true of one hip: native, where `metal` is None; else what there was before it was replaced.

    head_center_lps, socket_center_lps: (3,). head_mm, socket_mm: diameters, of the head's outer surface and of the
    bone around the joint. opening_lps: unit vector out of the socket. depth_mm: from the rim's plane to the floor of
    the ball along it. shaft_axis_lps: up the femur.
    """

    side: Literal["left", "right"]
    head_center_lps: FloatArray
    head_mm: float
    socket_center_lps: FloatArray
    socket_mm: float
    opening_lps: FloatArray
    depth_mm: float
    shaft_axis_lps: FloatArray
    metal: Metal | None = None


Truth: TypeAlias = dict[str, HipTruth]
"""By side: "right", "left"."""


@dataclass(frozen=True, eq=False)
class HipCase:
    """A scan and what is true of it.

    truth: by side. pelvis_axes_lps: columns are the body's left, back and head in LPS.
    spacing_mm, blur_mm (FWHM), noise_hu: how it was scanned; NaN where simulated in full.
    """

    seed: int
    kind: Kind
    scan: Scan
    truth: Truth
    pelvis_axes_lps: FloatArray
    spacing_mm: tuple[float, float]
    blur_mm: float
    noise_hu: float
    saturated: bool


def inclination_degrees(opening_lps: FloatArray) -> float:
    """Between the body's long axis and the opening's, seen from the front."""
    return float(np.degrees(np.arctan2(abs(opening_lps[0]), -opening_lps[2])))


def anteversion_degrees(opening_lps: FloatArray) -> float:
    """Between the opening's axis and the coronal plane, forwards positive."""
    return float(np.degrees(np.arcsin(-unit(opening_lps)[1])))


def sample_hip_case(
    seed: int, kind: Kind = "native", *, full: bool = False, spacing_mm: tuple[float, float] | None = None
) -> HipCase:
    """The case of a seed; the same arguments give the same voxels.

    full: simulate the scanner, which takes minutes. spacing_mm: of pixels and slices, where not left to chance.
    """
    random = np.random.default_rng((seed, KINDS.index(kind), 5))
    person = _sample_person(random)
    nominal = _grid((260, 200, 80), (1.5, 1.5, 2.0), np.zeros(3), up=True)
    patient = position_on_table(nominal, random, "pelvis", extras=bool(random.random() < 0.5), person=person)
    truth = {side: _truth(patient, hip(person, (-1, 1)[n]), side) for n, side in enumerate(SIDES)}
    implants: list[Implant] = []
    for side in _replaced(random, kind):
        truth[side], hip_implants = _replace_hip(random, truth[side])
        implants += hip_implants
    chosen = random.uniform(0.5, 1.0), random.uniform(1.5 if full else 0.6, 3.0)
    pixel_mm, slice_mm = spacing_mm or chosen
    grid = _choose_grid(random, truth, pixel_mm, slice_mm)
    saturated = bool(implants) and bool(random.random() < 0.3)
    blur_mm, noise_hu = random.uniform(0.5, 1.2), random.uniform(5, 60)
    if full:
        scan = _simulate(patient, truth, implants, grid, random, saturated=saturated)
        blur_mm = noise_hu = float("nan")
    else:
        hu = _paint(grid, patient, truth)
        image = _scan(hu, grid, implants, random, blur_mm) + _noise(grid, random, noise_hu)
        scan = _store(image, grid, saturated=saturated)
    axes = patient.scene.pose.rotation
    return HipCase(seed, kind, scan, truth, axes, (pixel_mm, slice_mm), blur_mm, noise_hu, saturated)


def _sample_person(random: np.random.Generator) -> Person:
    """Someone whose heads measure 40 to 56 mm and whose sockets are known, each by itself."""
    person = sample_person(random)
    scale = float(random.uniform(0.87, 1.1))
    head_mm = float(random.uniform(20, 28)) / scale
    turned = tuple(float(d) for d in random.uniform(-8, 8, 3))
    joints = (_sample_joint(random, scale), _sample_joint(random, scale))
    return replace(person, scale=scale, head_mm=head_mm, joints=joints, turned_degrees=turned)


def _sample_joint(random: np.random.Generator, scale: float) -> HipJoint:
    i, a = np.radians(random.uniform(35, 55)), np.radians(random.uniform(5, 30))
    x, y, z = np.sin(i) * np.cos(a), -np.sin(a), -np.cos(i) * np.cos(a)
    gap_mm = random.uniform(2.0, 5.0)
    shift = 0.25 * gap_mm * random.uniform(0, 1) * unit(random.normal(size=3))
    return HipJoint(
        opening=(float(x), float(y), float(z)),
        gap_mm=float(gap_mm / scale),
        offset_mm=tuple(float(mm / scale) for mm in shift),
        rim_mm=float(random.uniform(-3, 4) / scale),
        fossa_mm=float(random.uniform(3, 6) / scale),
        fovea_mm=float(random.uniform(1, 3) / scale),
        plate_mm=float(random.uniform(0.4, 1.3) / scale),
        core_hu=float(random.uniform(0, 400)),
        fluid_hu=float(random.uniform(50, 150)),
    )


def _truth(patient: PatientOnTable, axes: Hip, side: Literal["left", "right"]) -> HipTruth:
    """Of a native hip."""
    person, pose, joint = patient.scene.person, patient.scene.pose, axes.joint
    assert joint is not None
    radius = (person.head_mm + joint.gap_mm) * pose.scale
    return HipTruth(
        side=side,
        head_center_lps=pose.to_lps(axes.head),
        head_mm=2 * person.head_mm * pose.scale,
        socket_center_lps=pose.to_lps(axes.head + joint.offset_mm),
        socket_mm=2 * radius,
        opening_lps=pose.rotation @ axes.opening,
        depth_mm=radius + joint.rim_mm * pose.scale,
        shaft_axis_lps=pose.rotation @ axes.shaft,
    )


def _replaced(random: np.random.Generator, kind: Kind) -> tuple[str, ...]:
    """Which sides hold a total hip."""
    if kind == "native":
        return ()
    return SIDES if kind == "metal-both" else (str(random.choice(SIDES)),)


def _replace_hip(random: np.random.Generator, native: HipTruth) -> tuple[HipTruth, tuple[Implant, ...]]:
    """A total hip at the socket's centre: its true measures and its implants."""
    sign = 1.0 if native.side == "left" else -1.0
    center = native.socket_center_lps + random.uniform(-2, 2, 3)
    mirror = np.diag([sign, 1.0, 1.0])
    up = native.shaft_axis_lps * (sign, 1, 1)
    turn = mirror @ toward(up, (1.0, random.uniform(-0.35, 0), 0.0))
    stem = hip_stem(random, "training", bipolar=False)
    ball_mm = 2 * float(stem[0].high[0])
    cup_mm = max(native.socket_mm + random.uniform(0, 3), ball_mm + 12)
    rim_mm = float(random.uniform(-3, 2))
    i, a = np.radians(random.uniform(35, 55)), np.radians(random.uniform(0, 30))
    opening = np.array([sign * np.sin(i) * np.cos(a), -np.sin(a), -np.cos(i) * np.cos(a)])
    cup = pose_implants((_cup(random, cup_mm / 2, ball_mm / 2, rim_mm),), toward(opening), center)
    line = _stem_line(stem[1]) @ turn.T + center
    metal = Metal(center, ball_mm, center, cup_mm, opening, rim_mm, turn @ (0.0, 0.0, 1.0), line)
    return replace(native, metal=metal), (*pose_implants(stem, turn, center), *cup)


def _cup(random: np.random.Generator, outer: float, ball: float, rim_mm: float) -> Implant:
    """A cup's shell that opens along +z, with up to three holes, some of them with screws."""
    inner = outer - min(random.uniform(2, 5), outer - ball - 4)
    metal = str(random.choice(("titanium", "titanium", "cobalt_chromium")))
    angles = (0.3, 2.4, 4.5)[: int(random.integers(0, 4))]
    ways = [np.array([np.sin(a) * 0.5, np.cos(a) * 0.5, -0.87]) for a in angles]
    holes: list[Solid] = [rod(way * (inner - 2), way * (outer + 2), 3.6) for way in ways]
    solids = [half_shell(inner, outer, top=rim_mm).without(holes)]
    for way in ways:
        if random.random() < 0.4:
            screw = replace(sample_screw(random, 6.5, random.uniform(20, 35)), head=8.0)
            solids += [solid.moved(way * outer, toward(way)) for solid in screw_solids(screw)]
    return Implant("hip_cup", metal, tuple(solids))


def _stem_line(stem: Implant, count: int = 60) -> FloatArray:
    """Middles of a stem's sections at right angles to z, (n, 3), from its tip to 60 mm below the ball."""
    heights = np.linspace(stem.low[2] + 6, -60, count)
    x, y = np.meshgrid(np.arange(-10, 70, 0.5), np.arange(-30, 30, 0.5), indexing="ij")
    line = []
    for z in heights:
        at = tuple(p.astype(np.float32) for p in (x, y, np.full_like(x, z)))
        inside = stem.distance(at) < 0  # type: ignore[arg-type]
        line.append((x[inside].mean(), y[inside].mean(), z))
    return np.array(line)


def _grid(shape: tuple[int, ...], spacing: tuple[float, ...], center: FloatArray, *, up: bool) -> Grid:
    """An axial grid about a centre; slices go up or down."""
    steps = np.array(spacing) * (1, 1, 1 if up else -1)
    matrix = np.diag([*steps, 1.0])
    matrix[:3, 3] = center - (np.array(shape) - 1) / 2 * steps
    i, j, k = (int(n) for n in shape)
    return Grid((i, j, k), matrix)


def _choose_grid(random: np.random.Generator, truth: Truth, pixel_mm: float, slice_mm: float) -> Grid:
    """A grid over both hips, of a multiple of six pixels a side."""
    heads = np.array([one.head_center_lps for one in truth.values()])
    below = BELOW_METAL_MM if any(one.metal for one in truth.values()) else BELOW_MM
    low, high = heads[:, 2].min() - below, heads[:, 2].max() + ABOVE_MM
    x, y = heads[:, :2].mean(axis=0)
    center = np.array([x, y + 10, (low + high) / 2]) + random.uniform(-4, 4, 3)
    wide, deep = (6 * int(mm / pixel_mm / 6) for mm in (WIDE_MM, DEEP_MM))
    shape = (wide, deep, int((high - low) / slice_mm))
    return _grid(shape, (pixel_mm, pixel_mm, slice_mm), center, up=bool(random.random() < 0.7))


def _split(grid: Grid, parts: tuple[float, float, float]) -> Grid:
    """The same volume in so many parts of each voxel along i, j and k; half a part makes one of two voxels."""
    matrix = np.array(grid.index_to_lps)
    matrix[:3, :3] /= parts
    matrix[:3, 3] = grid.to_lps((1 / np.array(parts) - 1) / 2)
    i, j, k = (round(n * part) for n, part in zip(grid.shape, parts, strict=True))
    return Grid((i, j, k), matrix)


def _block_grid(grid: Grid, block: Block) -> Grid:
    """What a block of a grid covers."""
    matrix = np.array(grid.index_to_lps)
    matrix[:3, 3] = grid.to_lps([part.start for part in block])
    i, j, k = (part.stop - part.start for part in block)
    return Grid((i, j, k), matrix)


def _parts(grid: Grid) -> int:
    """In how many layers slices are painted."""
    return int(np.ceil(grid.spacing_mm[2] / FINE_MM))


def _thick(values: Floats, parts: int) -> Floats:
    """Means of so many layers each."""
    return np.asarray(values.reshape(*values.shape[:2], -1, parts).mean(axis=3, dtype=np.float32))


def _paint(grid: Grid, patient: PatientOnTable, truth: Truth) -> Floats:
    """HU [i, j, k] of the body: round the joints each voxel and layer, elsewhere every other pixel."""
    hu = zoom(paint_body(_split(grid, (0.5, 0.5, 1)), patient), (2, 2, 1), order=1, grid_mode=True, mode="nearest")
    parts = _parts(grid)
    for one in truth.values():
        block = Space(grid.shape, grid.index_to_lps).block(
            one.head_center_lps - JOINT_MM, one.head_center_lps + JOINT_MM
        )
        if block is not None:
            fine = _split(_block_grid(grid, block), (1, 1, parts))
            near = paint_body(fine, patient)
            if one.metal is not None:
                _make_room(near, fine, one, one.metal)
            hu[block] = _thick(near, parts)
    return np.asarray(hu, dtype=np.float32)


def _make_room(hu: Floats, grid: Grid, truth: HipTruth, metal: Metal) -> None:
    """Remove the head at the neck; scar around the ball, and the plastic liner in the cup."""
    x, y, z = Space(grid.shape, grid.index_to_lps).points(every(grid.shape))
    offset = tuple(p - np.float32(c) for p, c in zip((x, y, z), metal.cup_center_lps, strict=True))
    far, along = np.sqrt(dot(offset, offset)), dot(offset, metal.cup_opening_lps)
    edge = np.float32(grid.voxel_mm3 ** (1 / 3))
    reach = max(truth.head_mm / 2 + 3, metal.cup_mm / 2)
    hu += np.clip((reach - far) / edge + 0.5, 0, 1) * (np.float32(SCAR_HU) - hu)
    liner = np.maximum(far - np.float32(metal.cup_mm / 2), along - np.float32(metal.rim_mm + 1))
    hu += np.clip(0.5 - liner / edge, 0, 1) * (np.float32(LINER_HU) - hu)


def _scan(hu: Floats, grid: Grid, metal: list[Implant], random: np.random.Generator, blur_mm: float) -> Floats:
    """The body with metal as a kernel blurs it, with approximate streaks; some kernels sharpen edges."""
    share = np.zeros(grid.shape if metal else (1, 1, 1), dtype=np.float32)
    for implant in metal:
        _mix_metal(hu, share, grid, implant, random)
    sigma = blur_mm / 2.355 / grid.spacing_mm[0]
    image = gaussian_filter(hu, (sigma, sigma, 0))
    if random.random() < 0.35:
        wide = 1.2 / grid.spacing_mm[0]
        image += np.float32(random.uniform(0, 0.4)) * (image - gaussian_filter(image, (wide, wide, 0)))
    return image + _streaks(share, grid, random) if metal else image


def _store(image: Floats, grid: Grid, *, saturated: bool) -> Scan:
    """Whole numbers within the scale."""
    stored = np.clip(np.rint(image), -1024, TWELVE_BITS_HU if saturated else TOP_HU)
    return Scan(np.asfortranarray(stored.astype(np.int16)), grid)


def _mix_metal(hu: Floats, share: Floats, grid: Grid, implant: Implant, random: np.random.Generator) -> None:
    """Put an implant into the body at its HU, and its share of each voxel into `share`."""
    value, parts = np.float32(random.uniform(*METAL_HU[implant.metal])), _parts(grid)
    block = Space(grid.shape, grid.index_to_lps).block(implant.low - 1, implant.high + 1)
    if block is None:
        return
    fine = _split(_block_grid(grid, block), (1, 1, parts))
    points = Space(fine.shape, fine.index_to_lps).points(every(fine.shape))
    x, y, z = (np.broadcast_to(p, fine.shape) for p in points)
    edge = np.float32(fine.voxel_mm3 ** (1 / 3))
    part = _thick(np.clip(0.5 - implant.distance((x, y, z)) / edge, 0, 1), parts)
    hu[block] += part * (value - hu[block])
    share[block] = np.maximum(share[block], part)


def _streaks(share: Floats, grid: Grid, random: np.random.Generator) -> Floats:
    """Dark bands and rays about the metal, on pixels three times as wide."""
    small = zoom(share, (1 / 3, 1 / 3, 1), order=1, grid_mode=True, mode="grid-constant")
    space = Space(small.shape, np.diag([3 * grid.spacing_mm[0], 3 * grid.spacing_mm[1], grid.spacing_mm[2], 1.0]))
    bands = streaks(small, space.points(every(small.shape)), random)
    factors = [n / m for n, m in zip(share.shape, small.shape, strict=True)]
    bands *= np.float32(random.uniform(40, 400) / np.percentile(np.abs(bands[small < 0.01]), 99.5))
    return zoom(bands, factors, order=1, grid_mode=True, mode="nearest")


def _noise(grid: Grid, random: np.random.Generator, noise_hu: float) -> Floats:
    """Noise of filtered back-projection: its spectrum rises with frequency, then falls with the kernel's."""
    cutoff = random.uniform(0.35, 0.7)
    noise = random.standard_normal(grid.shape, dtype=np.float32)
    u, v = (np.fft.fftfreq(n, mm) for n, mm in zip(grid.shape[:2], grid.spacing_mm[:2], strict=True))
    f = np.hypot(u[:, None], v[None, : len(v) // 2 + 1])
    weight = (np.sqrt(f + 0.01) * np.exp(-((f / cutoff) ** 2))).astype(np.float32)[:, :, None]
    shaped = fft.irfft2(fft.rfft2(noise, axes=(0, 1)) * weight, grid.shape[:2], axes=(0, 1))
    return np.asarray(shaped * np.float32(noise_hu / shaped.std()), dtype=np.float32)


def _simulate(
    patient: PatientOnTable,
    truth: Truth,
    metal: list[Implant],
    grid: Grid,
    random: np.random.Generator,
    *,
    saturated: bool,
) -> Scan:
    """A scan with all artefacts."""
    scanner = sample_scanner(random, saturated=saturated)
    scanner = replace(scanner, padding_hu=None, hu_scale=1.0, artefact_reduction=False)
    fine = _split(grid, (1, 1, _parts(grid)))
    body = Scan(np.asfortranarray(_paint(fine, patient, truth)), fine)
    return simulate(body, metal, scanner=scanner, grid=grid, seed=int(random.integers(1 << 31))).scan
