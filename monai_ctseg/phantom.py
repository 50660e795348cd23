"""Phantom: a CT of hips and thighs with a hip screw, drawn from formulas, so that the metal's true place is known.

Frames, all in millimetres with x to the patient's left, y to the back and z to the head: LPS (the grid's); the table
frame, which is LPS with its origin in the centre of the volume; and the body frame, which lies in the table frame as
the pose says. A solid is a function from points to a distance that is negative inside; a union is the least distance.

This is a drawing, not a simulation: edges blur as under a scanner's point spread, but streaks, noise and anatomy only
look like the real ones. Do not judge the removal of streaks, or anything anatomical, on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import gaussian_filter

from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.scan import Mask, Scan

Floats: TypeAlias = npt.NDArray[np.float32]
Points: TypeAlias = tuple[Floats, Floats, Floats]
"""x, y and z in mm: three arrays that broadcast to the volume [i, j, k], or to a list of points."""
Solid: TypeAlias = Callable[[Points], Floats]

SCENE_MM = (384.0, 384.0, 180.0)
CENTER_LPS = (3.4, 27.7, 1206.4)
TABLE_TOP_Y_MM = 104.0
PADDING_HU = -2048
POINT_SPREAD_SIGMA_MM = (1.0, 1.0, 0.6)
NOISE_HU = 20.0
SUBSAMPLE_MM = 0.5
"""Step at which voxels on the metal's surface are divided, in at most 6 parts a side."""


@dataclass(frozen=True)
class Phantom:
    """A drawn CT and what is true of it.

    scan: int16 HU; -2048 outside the reconstruction circle, not named in `padding_hu`, as on many real scans.
    truth: the implant; a voxel counts when more than half of its volume lies inside the implant.
    marker: a steel rod on the table, outside the body and not in `truth`, by the same rule.
    """

    scan: Scan
    truth: Mask
    marker: Mask


@dataclass(frozen=True)
class _Patient:
    """What varies with the seed: where the body lies, its size, and the side of the implant (1 left, -1 right)."""

    shift_mm: FloatArray
    turn: float
    girth: float
    fat_mm: float
    head_forward_mm: float
    side: int


def make_phantom(
    *,
    shape: tuple[int, int, int] = (192, 192, 60),
    spacing_mm: tuple[float, float, float] | None = None,
    seed: int = 0,
) -> Phantom:
    """Draw a phantom; the same arguments give the same voxels, bit for bit, on one installation.

    shape: voxels along i, j and k. spacing_mm: by default what spreads the scene of 384 x 384 x 180 mm over `shape`
    (2 x 2 x 3 mm at the default shape); another spacing shows less or more of the scene, about its centre.
    seed: chooses the side, size, pose, screws, metal and noise.

    Raises ValueError when no voxel of the grid is implant.
    """
    random = np.random.default_rng(seed)
    grid = _make_grid(shape, spacing_mm)
    patient = _draw_patient(random)
    on_table = _voxel_centers(grid)
    in_body = _to_body(on_table, patient)
    implant = _occupancy(_implant(patient, random), in_body, grid)
    marker = _occupancy([_marker(patient, random)], on_table, grid)
    if not (implant > 0.5).any():
        raise ValueError(f"no implant on this grid, show more of the scene or use smaller voxels: {grid.describe()}")
    hu = _draw_tissue(on_table, in_body, patient, random)
    hu += implant * (np.float32(random.uniform(12_000, 18_000)) - hu) + marker * (9_000 - hu)
    hu = gaussian_filter(hu, np.divide(POINT_SPREAD_SIGMA_MM, grid.spacing_mm), mode="nearest")
    hu += _streaks(implant + marker, on_table, random)
    hu += np.float32(NOISE_HU) * random.standard_normal(hu.shape, dtype=np.float32)
    x, y, _ = on_table
    hu[np.hypot(x, y)[:, :, 0] > min(-x.min(), -y.min())] = PADDING_HU
    scan = Scan(np.asfortranarray(np.rint(hu).astype(np.int16)), grid)
    return Phantom(scan, *(Mask(np.asfortranarray(fraction > 0.5), grid) for fraction in (implant, marker)))


def _make_grid(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float] | None) -> Grid:
    spacing = np.divide(SCENE_MM, shape) if spacing_mm is None else np.array(spacing_mm)
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = np.array(CENTER_LPS) - (np.array(shape) - 1) / 2 * spacing
    return Grid(shape, matrix)


def _draw_patient(random: np.random.Generator) -> _Patient:
    return _Patient(
        shift_mm=random.uniform((-6, 3, -5), (6, 9, 5)),
        turn=random.uniform(-0.05, 0.05),
        girth=random.uniform(0.93, 1.0),
        fat_mm=random.uniform(9, 16),
        head_forward_mm=random.uniform(2, 14),
        side=int(random.choice((-1, 1))),
    )


def _voxel_centers(grid: Grid) -> Points:
    """In the table frame."""
    offset = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(grid.shape, grid.spacing_mm, strict=True)]
    x, y, z = np.meshgrid(*(o.astype(np.float32) for o in offset), indexing="ij", sparse=True)
    return x, y, z


def _to_body(on_table: Points, patient: _Patient) -> Points:
    """Table frame -> body frame: the shift undone, then the turn about z."""
    x, y, z = (p - np.float32(s) for p, s in zip(on_table, patient.shift_mm, strict=True))
    cos, sin = np.float32(np.cos(patient.turn)), np.float32(np.sin(patient.turn))
    return cos * x + sin * y, cos * y - sin * x, z


# Solids


def _dot(a: Sequence[Floats], b: Sequence[Floats] | FloatArray) -> Floats:
    x, y, z = (p * np.asarray(q, dtype=np.float32) for p, q in zip(a, b, strict=True))
    return x + y + z


def _offset(at: Points, origin: npt.ArrayLike) -> list[Floats]:
    return [p - np.float32(o) for p, o in zip(at, np.asarray(origin), strict=True)]


def _unit(vector: npt.ArrayLike) -> FloatArray:
    return np.asarray(vector, dtype=np.float64) / np.linalg.norm(vector)


def _rod(start: npt.ArrayLike, end: npt.ArrayLike, radius: float) -> Solid:
    """A cylinder with flat ends."""
    half = np.float32(np.linalg.norm(np.subtract(end, start)) / 2)

    def distance(at: Points) -> Floats:
        offset = _offset(at, np.add(start, end) / 2)
        along = _dot(offset, _unit(np.subtract(end, start)))
        radial = np.sqrt(np.maximum(_dot(offset, offset) - along**2, 0))
        nearest: Floats = np.maximum(radial - np.float32(radius), np.abs(along) - half)
        return nearest

    return distance


def _bar(start: npt.ArrayLike, end: npt.ArrayLike, *, thick: float, wide: float) -> Solid:
    """A rectangular bar; `wide` is along y, and start and end differ in x and z only."""
    length = _unit(np.subtract(end, start))
    sides = [length, np.array([0.0, 1.0, 0.0]), np.cross(length, (0.0, 1.0, 0.0))]
    halves = np.array([np.linalg.norm(np.subtract(end, start)), wide, thick], dtype=np.float32) / 2

    def distance(at: Points) -> Floats:
        offset = _offset(at, np.add(start, end) / 2)
        return -_least([half - np.abs(_dot(offset, side)) for half, side in zip(halves, sides, strict=True)])

    return distance


def _ball(center: npt.ArrayLike, semi_axes: npt.ArrayLike) -> Solid:
    """An ellipsoid along the axes; its distance is scaled by the shortest."""

    def distance(at: Points) -> Floats:
        shortest = np.float32(np.min(semi_axes))
        scaled = [o / np.float32(s) for o, s in zip(_offset(at, center), np.asarray(semi_axes), strict=True)]
        return np.sqrt(_dot(scaled, scaled)) * shortest - shortest

    return distance


def _least(distances: Sequence[Floats]) -> Floats:
    least = distances[0]
    for distance in distances[1:]:
        least = np.minimum(least, distance)
    return least


def _union(solids: Sequence[Solid], at: Points) -> Floats:
    return _least([solid(at) for solid in solids])


def _occupancy(solids: Sequence[Solid], at: Points, grid: Grid) -> Floats:
    """Share of each voxel's volume inside the union [i, j, k]; only voxels that its surface may cross are divided."""
    distance = np.broadcast_to(_union(solids, at), grid.shape)
    share = (distance < 0).astype(np.float32)
    crossed = np.abs(distance) <= np.linalg.norm(grid.spacing_mm) / 2
    x, y, z = (np.broadcast_to(p, grid.shape)[crossed] for p in at)
    parts = [min(6, int(np.ceil(mm / SUBSAMPLE_MM))) for mm in grid.spacing_mm]
    steps = [((np.arange(n) + 0.5) / n - 0.5) * mm for n, mm in zip(parts, grid.spacing_mm, strict=True)]
    inside = np.zeros(x.shape, dtype=np.int32)
    for dx, dy, dz in product(*(s.astype(np.float32) for s in steps)):
        inside += _union(solids, (x + dx, y + dy, z + dz)) < 0
    share[crossed] = inside / np.float32(np.prod(parts))
    return share


# Metal


def _implant(patient: _Patient, random: np.random.Generator) -> list[Solid]:
    """A dynamic hip screw in the body frame: lag screw and its thread, barrel, side plate, three or four screws."""
    knee, trochanter, head = _femur_axis(patient, patient.side)
    shaft = _unit(trochanter - knee)
    lateral = np.array([patient.side * shaft[2], 0.0, -patient.side * shaft[0]])
    entry = knee + shaft * (-14.0 - knee[2]) / shaft[2] + lateral * 16
    neck = _unit(head - entry)
    tip = head + neck * random.uniform(4, 12)
    solids = [
        _rod(entry, tip, 4.0),
        _rod(tip - 22 * neck, tip, 6.2),
        _rod(entry, entry + 38 * neck, 6.4),
        _bar(entry + 14 * shaft, entry - random.uniform(46, 58) * shaft, thick=6.0, wide=17.0),
    ]
    for n in range(int(random.integers(3, 5))):
        start = entry - (10 + 13 * n) * shaft + 3 * lateral
        inward = _unit(-lateral + random.uniform(-0.12, 0.12, 3))
        solids += [_rod(start, start + random.uniform(32, 40) * inward, 2.25), _rod(start, start - 3 * inward, 4.0)]
    return solids


def _marker(patient: _Patient, random: np.random.Generator) -> Solid:
    """A rod on the table, beside the body, in the table frame."""
    x, z = random.uniform(140, 150) * -patient.side, random.uniform(-60, 0)
    return _rod((x, TABLE_TOP_Y_MM - 5, z), (x + 4, TABLE_TOP_Y_MM - 5, z + 60), 3.0)


# Tissue


def _draw_tissue(on_table: Points, in_body: Points, patient: _Patient, random: np.random.Generator) -> Floats:
    """HU [i, j, k] float32 of air, table and body, without metal."""
    _, y, z = on_table
    body = _body(in_body, patient)
    bone = _union(_bones(patient), in_body)
    hu = np.full(body.shape, -1000, dtype=np.float32)
    depth = np.broadcast_to(y - np.float32(TABLE_TOP_Y_MM), body.shape)
    hu[depth > -3] = -880
    hu[(depth > 3) & (depth < 27)] = -920
    hu[(np.abs(depth - 4) < 2) | (np.abs(depth - 26) < 2)] = -250
    hu[depth > 30] = -1000
    hu[body < 0] = 20
    hu[body < -2] = -105
    muscle = body < -2 - patient.fat_mm
    hu[muscle] = 58
    hu[muscle & (np.abs(_waves(in_body, random)) < 0.18)] = -70
    hu[_ball((0, -25, 85), (40, 34, 38))(in_body) < 0] = 6
    shaft = np.clip((10 - z) / 50, 0, 1)
    hu[bone < 2] = 58
    hu[bone < 0] = 1250
    hu[bone < -2 - 4.5 * shaft] = 0
    hu += (bone < -2 - 4.5 * shaft) * (280 - 330 * shaft)
    return hu


def _body(at: Points, patient: _Patient) -> Floats:
    """Two thighs that grow and meet in the hips."""
    x, y, z = at
    up: Floats = np.clip((z + 90) / 150, 0, 1)
    hips: Floats = np.sqrt(np.clip((z + 10) / 70, 1e-4, 1))
    girth = np.float32(patient.girth)
    thigh = _ellipse(np.abs(x) - (96 - 8 * up), y + 2 * up, (76 + 14 * up) * girth, (82 + 6 * up) * girth)
    between = _ellipse(x, y + 4, 174 * girth * hips, 94 * girth * hips)
    return np.minimum(thigh, np.where(z > -10, between, np.float32(np.inf)))


def _ellipse(x: Floats, y: Floats, a: Floats, b: Floats) -> Floats:
    distance: Floats = (np.hypot(x / a, y / b) - 1) * np.minimum(a, b)
    return distance


def _femur_axis(patient: _Patient, side: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The shaft's lower and upper end and the centre of the head, in the body frame."""
    knee, trochanter = np.array([side * 98.0, 2.0, -160.0]), np.array([side * 121.0, 2.0, 8.0])
    return knee, trochanter, np.array([side * 86.0, 2.0 - patient.head_forward_mm, 44.0])


def _bones(patient: _Patient) -> list[Solid]:
    solids: list[Solid] = []
    for side in (-1, 1):
        knee, trochanter, head = _femur_axis(patient, side)
        socket = head + np.array([-side * 30.0, 6.0, 10.0])
        solids += [
            _rod(knee, trochanter, 13.5),
            _ball(trochanter + np.array([side * 3.0, 4.0, 8.0]), (19, 20, 24)),
            _rod(trochanter + np.array([0.0, 0.0, 4.0]), head, 14.0),
            _ball(head, (23, 23, 23)),
            _ball(socket, (7, 24, 30)),
            _rod(socket, (side * 62.0, 18.0, 130.0), 13.0),
            _rod(socket + np.array([0.0, 14.0, -8.0]), (side * 42.0, 30.0, -4.0), 10.0),
            _rod(socket + np.array([0.0, -14.0, -4.0]), (side * 6.0, -48.0, 26.0), 8.0),
        ]
    return solids


def _waves(at: Points, random: np.random.Generator) -> Floats:
    """A smooth random field, about -3 to 3; near zero it draws the fat between muscles."""
    total = np.zeros((), dtype=np.float32)
    for angle, length_mm, phase in random.uniform((0, 25, 0), (2 * np.pi, 60, 2 * np.pi), (7, 3)):
        step = 2 * np.pi / length_mm * np.array([np.cos(angle), np.sin(angle), 0.3])
        total = total + np.sin(_dot(at, step) + np.float32(phase))
    return total


def _streaks(metal: Floats, on_table: Points, random: np.random.Generator) -> Floats:
    """HU to add [i, j, k]: in each slice dark along the metal's long axis, bright across it, and thin rays around."""
    x, y, _ = on_table
    area_mm2 = float(np.ptp(x) * np.ptp(y) / max(1, (x.size - 1) * (y.size - 1)))
    size = [fft.next_fast_len(2 * p.size, real=True) for p in (x, y)]
    steps = [np.ptp(p) / max(1, p.size - 1) for p in (x, y)]
    dx, dy = np.meshgrid(*(np.fft.fftfreq(n, 1 / n) * mm for n, mm in zip(size, steps, strict=True)), indexing="ij")
    angle, fall = np.arctan2(dy, dx), area_mm2 / (np.hypot(dx, dy) + 8)
    ray = sum(np.cos(n * angle + phase) for n, phase in zip(range(6, 40, 2), random.uniform(0, 6.3, 17), strict=True))
    along, across, rays = (fft.rfft2(k * fall) for k in (np.cos(2 * angle), np.sin(2 * angle), ray))
    added = np.zeros_like(metal)
    for k in np.flatnonzero(metal.any(axis=(0, 1))):
        cos, sin = _long_axis(metal[:, :, k], x[:, :, 0], y[:, :, 0])
        kernel = 12 * rays - 110 * (cos * along + sin * across)
        streak = fft.irfft2(fft.rfft2(metal[:, :, k], size) * kernel, size)
        added[:, :, k] = streak[: x.size, : y.size]
    return added


def _long_axis(metal: Floats, x: Floats, y: Floats) -> tuple[float, float]:
    """Cosine and sine of twice the angle of the metal's long axis, times its elongation from 0 to 1."""
    total = metal.sum()
    dx, dy = x - (metal * x).sum() / total, y - (metal * y).sum() / total
    xx, yy, xy = ((metal * p).sum() / total + o for p, o in ((dx * dx, 1), (dy * dy, 1), (dx * dy, 0)))
    return float((xx - yy) / (xx + yy)), float(2 * xy / (xx + yy))
