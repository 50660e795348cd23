"""Search: where a scan may hold a femoral head or a ball, by gradient voting.

Each voxel at a bright object's edge votes for centres along its gradient, at the radii asked for; places with many
votes are checked by rays to all sides, so that the shafts of long bones, which gather many votes too, fall behind
balls.
A generalised Hough transform (Ballard 1981, doi 10.1016/0031-3203(81)90009-1) for spheres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.rays import directions
from monai_ctseg.hip.sphere import algebraic_sphere
from monai_ctseg.scan import Scan
from monai_ctseg.simulation.sdf import Floats

STEP_MM = 2.0
CELL = 2
"""Votes are counted in cells of so many steps."""
RADIUS_MM = (17.0, 31.0)
"""Femoral heads measure 38 to 58 mm across; sockets a little more."""
BONE_HU = (-100.0, 700.0)
PLACES = 60
"""Places checked for each radius."""
WAYS = 400
CLIMBS = 5


@dataclass(frozen=True, eq=False)
class Candidate:
    """A place like a ball: centre (3,) LPS mm, radius mm, share of all directions in which its edge shows."""

    center_lps: FloatArray
    radius_mm: float
    share: float


@dataclass(frozen=True, eq=False)
class Even:
    """A scan on a grid of STEP_MM along the patient's axes: HU [x, y, z], `origin_lps` the first voxel."""

    hu: Floats
    origin_lps: FloatArray

    @classmethod
    def of(cls, scan: Scan, window_hu: tuple[float, float]) -> Even:
        """Cut off at the window's ends, smoothed where the scan is finer, resampled linearly."""
        grid = scan.grid
        corners = grid.to_lps(np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1).T)
        origin = corners.min(axis=0)
        shape = tuple(np.floor((corners.max(axis=0) - origin) / STEP_MM).astype(int) + 1)
        low, high = (scan.hu.dtype.type(hu) for hu in window_hu)  # no float64 copy of the whole
        hu = np.clip(scan.hu, low, high).astype(np.float32)
        hu = ndimage.gaussian_filter(hu, [np.clip(STEP_MM / 2 / mm - 0.5, 0, 1.5) for mm in grid.spacing_mm])
        inverse = np.linalg.inv(grid.index_to_lps)
        start = inverse[:3, :3] @ origin + inverse[:3, 3]
        even = ndimage.affine_transform(
            hu, inverse[:3, :3] * STEP_MM, start, output_shape=shape, order=1, cval=window_hu[0]
        )
        return cls(even, origin)

    def sample(self, points_lps: FloatArray) -> Floats:
        """HU at points [..., 3], linear; the nearest voxel's outside."""
        index = np.moveaxis((points_lps - self.origin_lps) / STEP_MM, -1, 0)
        return np.asarray(ndimage.map_coordinates(self.hu, index, order=1, mode="nearest"))


def find_balls(
    scan: Scan,
    *,
    window_hu: tuple[float, float] = BONE_HU,
    radius_mm: tuple[float, float] = RADIUS_MM,
    edge_hu_per_mm: float = 40.0,
    places: int = PLACES,
) -> list[Candidate]:
    """Places like a bright ball, the likeliest first; of two closer than 3 mm and 1.5 mm in radius only one."""
    even = Even.of(scan, window_hu)
    voted = _vote(even, np.arange(radius_mm[0] + 1, radius_mm[1], 2.0), edge_hu_per_mm, places)
    found = sorted((_climb(even, place, radius_mm, edge_hu_per_mm) for place in voted), key=lambda c: -c.share)
    kept: list[Candidate] = []
    for one in found:
        if one.share > 0 and all(not _same(one, other) for other in kept):
            kept.append(one)
    return kept


def _same(one: Candidate, other: Candidate) -> bool:
    near = np.linalg.norm(one.center_lps - other.center_lps) < 3
    return bool(near and abs(one.radius_mm - other.radius_mm) < 1.5)


def _vote(even: Even, radii_mm: Sequence[float] | FloatArray, edge_hu_per_mm: float, count: int) -> FloatArray:
    """Places [n, 3] in LPS that edges point to."""
    slopes = np.stack(np.gradient(ndimage.gaussian_filter(even.hu, 0.7), STEP_MM))
    steep = np.sqrt((slopes**2).sum(axis=0))
    at = np.argwhere(steep > edge_hu_per_mm)
    strength = steep[tuple(at.T)]
    ways = (slopes[:, at[:, 0], at[:, 1], at[:, 2]] / strength).T
    weights = np.minimum(strength / edge_hu_per_mm, 3)
    cells = tuple(n // CELL + 1 for n in even.hu.shape)
    places = [_peaks(_gather((at + ways * (r / STEP_MM)) / CELL, weights, cells), count) for r in radii_mm]
    return even.origin_lps + np.concatenate(places) * STEP_MM * CELL


def _gather(points: FloatArray, weights: FloatArray, shape: tuple[int, ...]) -> Floats:
    index = np.rint(points).astype(np.int64)
    inside = ((index >= 0) & (index < shape)).all(axis=1)
    flat = np.ravel_multi_index(tuple(index[inside].T), shape)
    votes = np.bincount(flat, weights[inside], minlength=int(np.prod(shape))).reshape(shape)
    return np.asarray(ndimage.gaussian_filter(votes.astype(np.float32), 0.7))


def _peaks(votes: Floats, count: int) -> FloatArray:
    """Indices [n, 3] of the highest local maxima."""
    at = np.argwhere((ndimage.maximum_filter(votes, 3) == votes) & (votes > 0))
    order = np.argsort(-votes[tuple(at.T)], kind="stable")[:count]
    return at[order].astype(float)


def _climb(even: Even, place: FloatArray, radius_mm: tuple[float, float], drop: float) -> Candidate:
    """Move a centre until the edges about it agree best."""
    best = Candidate(place, 0.0, 0.0)
    for _ in range(CLIMBS):
        share, radius, points = _agree(even, place, radius_mm, drop)
        if share > best.share:
            best = Candidate(place, radius, share)
        if len(points) < WAYS // 10:
            break
        step = algebraic_sphere(points)[0] - place
        if (length := float(np.linalg.norm(step))) < 0.3:
            break
        place = place + step * min(1, 8 / length)
    return best


def _agree(
    even: Even, center: FloatArray, radius_mm: tuple[float, float], drop: float
) -> tuple[float, float, FloatArray]:
    """Of all directions the share in which HU fall at one radius, that radius, and the points [n, 3] where they do.

    The share counts in full only if the directions are spread: all round a shaft they lie in a plane.
    """
    ways, at = directions(WAYS), np.arange(radius_mm[0] - 4, radius_mm[1] + 4, 1.0)
    hu = even.sample(center + ways[:, None, :] * at[None, :, None])
    fall = (hu[:, :-2] - hu[:, 2:]) / 2
    before, after = np.pad(fall, ((0, 0), (1, 0)))[:, :-1], np.pad(fall, ((0, 0), (0, 1)))[:, 1:]
    edges, middle = (fall > drop) & (fall >= before) & (fall >= after), at[1:-1]
    votes = np.convolve(edges.sum(axis=0), (1, 1, 1), mode="same").astype(float)
    votes[(middle < radius_mm[0]) | (middle > radius_mm[1])] = 0
    radius = float(middle[votes.argmax()])
    near = np.where(edges, np.abs(middle - radius), np.inf)
    with_edge = near.min(axis=1) <= 1
    chosen = ways[with_edge]
    spread = 3 * np.linalg.eigvalsh(chosen.T @ chosen / max(1, len(chosen)))[0] if len(chosen) > 3 else 0.0
    points = center + chosen * middle[near.argmin(axis=1)[with_edge], None]
    return len(chosen) / WAYS * float(np.sqrt(max(0.0, spread))), radius, points
