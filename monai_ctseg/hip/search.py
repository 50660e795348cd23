"""Search: where a scan may hold a femoral head or a metal ball head, by gradient voting.

Each voxel at the edge of a bright object votes for centres along its gradient, at each radius of the search.
Positions with many votes are checked by rays in all directions, so that the shafts of long bones, which gather many
votes too, rank behind balls.
A generalised Hough transform (Ballard 1981, doi 10.1016/0031-3203(81)90009-1) for spheres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.rays import Float32Array, even_directions, falling_edges
from monai_ctseg.hip.sphere import Ball, algebraic_sphere
from monai_ctseg.scan import Scan


@dataclass(frozen=True)
class Target:
    """What to search for: a bright ball.

    Attributes:
        window_hu: HU are clipped to this window, so that each edge that matters is equally steep.
        radius_mm: least and greatest radius.
        edge_hu_per_mm: the least gradient of an edge.
        positions: how many positions are checked for each radius.

    """

    window_hu: tuple[float, float]
    radius_mm: tuple[float, float]
    edge_hu_per_mm: float
    positions: int


FEMORAL_HEAD = Target(window_hu=(-100.0, 700.0), radius_mm=(17.0, 31.0), edge_hu_per_mm=40.0, positions=60)
"""Window: fat to cortical bone. Radii: femoral heads measure 38 to 58 mm across, sockets a little more.

Gradient and positions were chosen by hand: all native hips of the scans named in `monai_ctseg.hip` are found.
"""
METAL_BALL = Target(window_hu=(1000.0, 2900.0), radius_mm=(10.0, 31.0), edge_hu_per_mm=150.0, positions=15)
"""Window: from above soft tissue and most bone to below the lowest 12-bit saturation level seen (2952 HU).

Radii: from below the smallest ball heads in use (22 mm across) to resurfaced heads. Gradient and positions were chosen
by hand: metal has steeper edges than bone, and fewer of them.
"""


@dataclass(frozen=True)
class Voting:
    """Constants of the votes, chosen by hand."""

    step_mm: float = 2.0
    """Spacing of the resampled scan: a tenth of a head's radius, and a scan takes few seconds."""
    cell_steps: int = 2
    """Votes are counted in cells of so many steps: a head is not an exact sphere."""
    radius_step_mm: float = 2.0
    """Between two radii: about a cell."""
    blur_steps: float = 0.7
    """Standard deviation of the smoothing, of HU in steps and of votes in cells: against noise, and to break ties."""
    strongest_edges: float = 3.0
    """A vote's weight at most, in multiples of the least gradient: metal must not outvote bone."""
    peak_cells: int = 3
    """A peak is the highest in a cube of so many cells: its neighbours."""
    widest_blur_voxels: float = 1.5
    """Standard deviation at most of the smoothing before resampling."""


@dataclass(frozen=True)
class Climbing:
    """Constants of the check by rays, chosen by hand."""

    directions: int = 400
    """About one every 10 degrees."""
    rounds: int = 5
    least_share: float = 0.1
    """With edges in fewer directions there is no sphere to move to."""
    converged_mm: float = 0.3
    longest_step_mm: float = 8.0
    """Half the least radius of a femoral head: a wrong sphere must not carry the centre away."""
    beyond_mm: float = 4.0
    """Rays start and end this far beyond the radii searched, so that a peak at either end shows."""
    step_mm: float = 1.0
    """Between samples along a ray: half of the resampled scan's spacing."""
    near_mm: float = 1.0
    """Edges this near the common radius belong to the sphere: one sample."""
    same_center_mm: float = 3.0
    same_radius_mm: float = 1.5
    """Two candidates that agree within these are one."""


VOTING, CLIMBING = Voting(), Climbing()


@dataclass(frozen=True, eq=False)
class Candidate:
    """A position like a ball.

    Attributes:
        center_lps: (3,) mm.
        radius_mm: at which the edges agree.
        share: of all directions, those in which the edge shows, 0 to 1; lower where these lie in one plane.

    """

    center_lps: FloatArray
    radius_mm: float
    share: float

    @property
    def ball(self) -> Ball:
        """Centre and radius."""
        return Ball(self.center_lps, self.radius_mm)


@dataclass(frozen=True, eq=False)
class PatientGrid:
    """A scan resampled along the patient's axes: HU [x, y, z] every `VOTING.step_mm`, `origin_lps` the first voxel."""

    hu: Float32Array
    origin_lps: FloatArray

    @classmethod
    def of(cls, scan: Scan, window_hu: tuple[float, float]) -> PatientGrid:
        """Clipped to a window, smoothed where the scan is finer, resampled linearly."""
        grid, step_mm = scan.grid, VOTING.step_mm
        corners = grid.to_lps(np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1).T)
        origin = corners.min(axis=0)
        shape = tuple(np.floor((corners.max(axis=0) - origin) / step_mm).astype(int) + 1)
        low, high = (scan.hu.dtype.type(hu) for hu in window_hu)  # a Python float would make a float64 copy
        hu = np.clip(scan.hu, low, high).astype(np.float32)
        sigma = [np.clip(step_mm / 2 / mm - 0.5, 0, VOTING.widest_blur_voxels) for mm in grid.spacing_mm]
        hu = ndimage.gaussian_filter(hu, sigma)  # half a step wide, less the voxel's own width
        inverse = np.linalg.inv(grid.index_to_lps)
        start = inverse[:3, :3] @ origin + inverse[:3, 3]
        resampled = ndimage.affine_transform(
            hu, inverse[:3, :3] * step_mm, start, output_shape=shape, order=1, cval=window_hu[0]
        )
        return cls(resampled, origin)

    def sample(self, points_lps: FloatArray) -> Float32Array:
        """HU at points [..., 3], linear; the nearest voxel's outside."""
        index = np.moveaxis((points_lps - self.origin_lps) / VOTING.step_mm, -1, 0)
        return np.asarray(ndimage.map_coordinates(self.hu, index, order=1, mode="nearest"))


def find_balls(scan: Scan, target: Target = FEMORAL_HEAD) -> list[Candidate]:
    """Positions like a bright ball.

    Args:
        scan: in HU.
        target: what to search for.

    Returns:
        Candidates, the most likely first, each only once.

    """
    grid = PatientGrid.of(scan, target.window_hu)
    found = sorted((_climb(grid, position, target) for position in _vote(grid, target)), key=lambda c: -c.share)
    kept: list[Candidate] = []
    for one in found:
        if one.share > 0 and not any(_same(one, other) for other in kept):
            kept.append(one)
    return kept


def _same(one: Candidate, other: Candidate) -> bool:
    near = np.linalg.norm(one.center_lps - other.center_lps) < CLIMBING.same_center_mm
    return bool(near and abs(one.radius_mm - other.radius_mm) < CLIMBING.same_radius_mm)


def _vote(grid: PatientGrid, target: Target) -> FloatArray:
    """Positions [n, 3] in LPS to which edges point."""
    slopes = np.stack(np.gradient(ndimage.gaussian_filter(grid.hu, VOTING.blur_steps), VOTING.step_mm))
    steep = np.sqrt((slopes**2).sum(axis=0))
    at = np.argwhere(steep > target.edge_hu_per_mm)
    strength = steep[tuple(at.T)]
    inwards = (slopes[:, at[:, 0], at[:, 1], at[:, 2]] / strength).T
    weights = np.minimum(strength / target.edge_hu_per_mm, VOTING.strongest_edges)
    cells = tuple(n // VOTING.cell_steps + 1 for n in grid.hu.shape)
    radii = np.arange(target.radius_mm[0] + 1, target.radius_mm[1], VOTING.radius_step_mm)
    peaks = [
        _peaks(_count((at + inwards * (r / VOTING.step_mm)) / VOTING.cell_steps, weights, cells), target.positions)
        for r in radii
    ]
    return np.asarray(grid.origin_lps + np.concatenate(peaks) * VOTING.step_mm * VOTING.cell_steps)


def _count(points: FloatArray, weights: Float32Array, shape: tuple[int, ...]) -> Float32Array:
    """Smoothed sums of the weights in each cell."""
    index = np.rint(points).astype(np.int64)
    inside = ((index >= 0) & (index < shape)).all(axis=1)
    flat = np.ravel_multi_index(tuple(index[inside].T), shape)
    votes = np.bincount(flat, weights[inside], minlength=int(np.prod(shape))).reshape(shape)
    return np.asarray(ndimage.gaussian_filter(votes.astype(np.float32), VOTING.blur_steps))


def _peaks(votes: Float32Array, count: int) -> FloatArray:
    """Indices [n, 3] of the highest local maxima."""
    at = np.argwhere((ndimage.maximum_filter(votes, VOTING.peak_cells) == votes) & (votes > 0))
    order = np.argsort(-votes[tuple(at.T)], kind="stable")[:count]
    return at[order].astype(float)


def _climb(grid: PatientGrid, center: FloatArray, target: Target) -> Candidate:
    """Move a centre until the edges around it agree best."""
    best = Candidate(center, 0.0, 0.0)
    for _ in range(CLIMBING.rounds):
        share, radius, points = _agreement(grid, center, target)
        if share > best.share:
            best = Candidate(center, radius, share)
        if len(points) < CLIMBING.directions * CLIMBING.least_share:
            break
        step = algebraic_sphere(points).center_lps - center
        if (length := float(np.linalg.norm(step))) < CLIMBING.converged_mm:
            break
        center = center + step * min(1, CLIMBING.longest_step_mm / length)
    return best


def _agreement(grid: PatientGrid, center: FloatArray, target: Target) -> tuple[float, float, FloatArray]:
    """Share of all directions in which HU fall at one radius, that radius, and the points [n, 3] where they do.

    The share counts in full only if the directions are spread: all around a shaft they lie in one plane.
    """
    (low, high), step_mm = target.radius_mm, CLIMBING.step_mm
    directions = even_directions(CLIMBING.directions)
    at = np.arange(low - CLIMBING.beyond_mm, high + CLIMBING.beyond_mm, step_mm)
    hu = grid.sample(center + directions[:, None, :] * at[None, :, None])
    edges, middle = falling_edges(hu, step_mm, target.edge_hu_per_mm), at[1:-1]
    votes = np.convolve(edges.sum(axis=0), (1, 1, 1), mode="same").astype(float)
    votes[(middle < low) | (middle > high)] = 0
    radius = float(middle[votes.argmax()])
    distance = np.where(edges, np.abs(middle - radius), np.inf)
    with_edge = distance.min(axis=1) <= CLIMBING.near_mm
    chosen = directions[with_edge]
    spread = 3 * np.linalg.eigvalsh(chosen.T @ chosen / max(1, len(chosen)))[0] if len(chosen) > 3 else 0.0
    points = center + chosen * middle[distance.argmin(axis=1)[with_edge], None]
    return len(chosen) / len(directions) * float(np.sqrt(max(0.0, spread))), radius, points
