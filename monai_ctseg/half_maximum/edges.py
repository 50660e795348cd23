"""The edge of bright objects in one box of a scan.

u, a voxel's HU above its surroundings by those of its ridge, is 1 on the ridge. Far from other edges an edge lies
where u is 1/2: the plain half maximum. Parts not much thicker than the point spread are another matter: half of their
lowered ridge is too wide, the more so the thinner they are; round ones lose a little where they bulge. So the level is
made to agree with the object found: its shares of voxels are blurred as the scanner blurs, and the level is set to
what the blurred object has on its edge, by what it has on the ridge; a new object follows from the new level. Since
too wide an object asks for too high a level, and the other way round, this settles in a few rounds, from the
outside in. All figures here were chosen on simulated scans, and their effect is small about the values chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np
from scipy import ndimage

from monai_ctseg.half_maximum.ridges import Floats, Ridges, Spacing, climb
from monai_ctseg.half_maximum.spread import blur, refine_spread, smooth, usual_spread
from monai_ctseg.scan import BoolArray

WAY_MM = 3.0
BRIGHT_HU = 1000.0
LEVELS = (0.35, 0.8)
ROUNDS = 6
SURROUNDINGS_MM = 3.0
SURROUNDINGS_HU = (-1000.0, 2000.0)
NEAR_MM = 1.5
NEAR_HU = (-1500.0, 4000.0)
"""Streaks glow, and undershoot, close to the metal."""
FREE = 0.01
ALONG_EDGE_MM = 2.5
"""The level is a mean along the edge: noise and streaks make single places unsure."""
LOST = 0.1
"""How much a ridge that the object has lost weighs beside an edge, so that thin parts come back."""
STREAK_MM = 15.0
WEAK = 0.17
"""Streaks reach 0.1 to 0.16 of the metal near by, the thinnest of true screws 0.2."""
FLOOR = 0.2
THICK = 0.95
DENSER = 1.25
DENSEST_HU = 30_000.0
LEAST_LEFT = 0.1
PARTS = 3
"""Parts of a voxel along each side, odd so that no voxel is exactly half full."""


@dataclass(frozen=True, eq=False)
class Edges:
    """What was found in a box [i, j, k].

    shares: of each voxel that is object. surroundings_hu: what the scan would hold without it.
    plateau_hu: of the object that the voxel belongs to, as it would be without blur.
    edge_hu: that parts object from surroundings. spread_mm: sigma of the point spread in the plane and along k.
    """

    shares: Floats
    surroundings_hu: Floats
    plateau_hu: Floats
    edge_hu: Floats
    spread_mm: tuple[float, float]

    def facts_hu(self) -> tuple[Floats, Floats, Floats]:
        """Plateau, edge and surroundings of each voxel, in HU."""
        return self.plateau_hu, self.edge_hu, self.surroundings_hu


def find_edges(
    hu: Floats, spacing_mm: Spacing, *, seed_hu: float, spread_mm: tuple[float, float] | None = None
) -> Edges:
    """Objects whose ridge exceeds `seed_hu` in `hu` [i, j, k]; without `spread_mm` the edges themselves tell it."""
    ridges = climb(hu, hu > min(BRIGHT_HU, seed_hu / 2), spacing_mm, WAY_MM)
    around = _surroundings(hu, hu > seed_hu, spacing_mm)
    u, height = _heights(hu, around, ridges, seed_hu, spacing_mm)
    level = np.full(hu.shape, 0.5, dtype=np.float32)
    least = np.full(len(ridges.at), LEAST_LEFT, dtype=np.float32)
    spread = spread_mm or usual_spread(spacing_mm)
    for turn in range(ROUNDS):
        shares = _shares(u - level, u)
        if turn == 1:
            around = _surroundings_near(hu, shares, around, spread, spacing_mm)
            u, height = _heights(hu, around, ridges, seed_hu, spacing_mm)
        model, on_ridge = _model(shares, ridges, spread, spacing_mm, least)
        if spread_mm is None:
            spread = refine_spread(spread, spacing_mm, u, model)
            model, on_ridge = _model(shares, ridges, spread, spacing_mm, least)
        least = _least_left(height, on_ridge.ravel()[ridges.at])
        near = shares * (1 - shares) + np.float32(LOST) * (u > 0.9) * (1 - shares)
        off = smooth(near * (u - model), ALONG_EDGE_MM, spacing_mm)
        off /= np.maximum(smooth(near, ALONG_EDGE_MM, spacing_mm), 1e-5)
        level = np.clip(level - off, *LEVELS)
    known = ridges.spread(np.where(np.isfinite(height), height, np.float32(0)))
    return Edges(_shares(u - level, u), around, around + known / on_ridge, around + known * level, spread)


def _heights(hu: Floats, around: Floats, ridges: Ridges, seed_hu: float, spacing_mm: Spacing) -> tuple[Floats, Floats]:
    """What u is, and the height of each bright voxel's ridge; infinite where the ridge is none of metal."""
    flat, low = hu.ravel(), around.ravel()[ridges.at]
    height = flat[ridges.ends] - low
    size = [2 * int(STREAK_MM / mm) + 1 for mm in spacing_mm]
    highest = ndimage.maximum_filter(hu, size).ravel()[ridges.at]
    metal = (flat[ridges.ends] > seed_hu) & (height > WEAK * highest)
    height = np.where(metal, np.maximum(height, 1.0), np.inf).astype(np.float32)
    return ridges.spread((flat[ridges.at] - low) / height), height


def _model(
    shares: Floats, ridges: Ridges, spread_mm: tuple[float, float], spacing_mm: Spacing, least: Floats
) -> tuple[Floats, Floats]:
    """What u is by the blurred shares, and what is left of the plateau on each voxel's ridge."""
    blurred = blur(shares, spread_mm, spacing_mm)
    left: Floats = np.maximum(blurred.ravel()[ridges.ends], least)
    return ridges.spread(blurred.ravel()[ridges.at] / left), ridges.spread(left, rest=1.0)


def _least_left(height: Floats, on_ridge: Floats) -> Floats:
    """What is left of a plateau on its ridge, at least: thin parts are hardly denser than the densest thick one."""
    thick = height[(on_ridge > THICK) & np.isfinite(height)]
    most = DENSER * float(np.percentile(thick, 95)) if len(thick) else DENSEST_HU
    return np.asarray(np.clip(height / np.float32(most), LEAST_LEFT, 1.0), dtype=np.float32)


def _surroundings(hu: Floats, seeds: BoolArray, spacing_mm: Spacing) -> Floats:
    """HU around the objects, carried on into them."""
    size = [2 * int(np.ceil(SURROUNDINGS_MM / mm)) + 1 for mm in spacing_mm]
    free = (~ndimage.maximum_filter(seeds, size)).astype(np.float32)
    total = smooth(np.clip(hu, *SURROUNDINGS_HU) * free, SURROUNDINGS_MM, spacing_mm)
    weight = smooth(free, SURROUNDINGS_MM, spacing_mm)
    return np.asarray((total + np.float32(0.05)) / (weight + np.float32(1e-3)))


def _surroundings_near(
    hu: Floats, shares: Floats, around: Floats, spread_mm: tuple[float, float], spacing_mm: Spacing
) -> Floats:
    """HU just outside the objects found so far, glow of streaks and all, carried on into them."""
    free = (blur(shares, spread_mm, spacing_mm) < FREE).astype(np.float32)
    total = smooth(np.clip(hu, *NEAR_HU) * free, NEAR_MM, spacing_mm)
    weight = smooth(free, NEAR_MM, spacing_mm)
    return np.asarray((total + np.float32(0.02) * around) / (weight + np.float32(0.02)))


def _shares(height: Floats, u: Floats) -> Floats:
    """Share of each voxel where `height`, linear between voxel centres, is positive; dips inside count as positive."""
    height = np.where(_dips(height > 0, u), np.float32(1), height)
    above = height > 0
    shares = above.astype(np.float32)
    mixed = np.nonzero(ndimage.maximum_filter(above, 3) & ~ndimage.minimum_filter(above, 3))
    padded = np.pad(height, 1, mode="edge")
    near = np.stack([padded[i + mixed[0], j + mixed[1], k + mixed[2]] for i, j, k in np.ndindex(3, 3, 3)])
    shares[mixed] = (_INTERPOLATION @ near > 0).mean(axis=0)
    return shares


def _dips(above: BoolArray, u: Floats) -> BoolArray:
    """Enclosed holes whose floor is too bright for one: beam hardening dims the middle of thick metal."""
    labels = cc3d.connected_components(~above, connectivity=6, out_dtype=np.uint32)
    floor = np.full(int(labels.max()) + 1, np.inf, dtype=np.float32)
    np.minimum.at(floor, labels.ravel(), u.ravel())
    dips = floor > FLOOR
    dips[0] = False
    return np.asarray(dips[labels])


def _interpolation() -> Floats:
    """Weights of 27 neighbours at the centres of a voxel's parts, (parts, 27)."""
    line = np.zeros((PARTS, 3))
    for part in range(PARTS):
        offset = (part + 0.5) / PARTS - 0.5
        line[part] = max(-offset, 0), 1 - abs(offset), max(offset, 0)
    return np.asarray(np.einsum("ai,bj,ck->abcijk", line, line, line).reshape(PARTS**3, 27), dtype=np.float32)


_INTERPOLATION = _interpolation()
