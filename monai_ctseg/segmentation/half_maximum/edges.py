"""The edge of bright objects in one box of a scan.

u, a voxel's HU above its surroundings by those of its ridge, is 1 on the ridge. Far from other edges an edge lies
where u is 1/2: the plain half maximum. Parts not much thicker than the point spread are another matter: half of their
lowered ridge is too wide, the more so the thinner they are; round ones lose a little where they bulge. So the level is
made to agree with the object found: its shares of voxels are blurred as scanners usually blur, and the level is set to
what the blurred object has on its edge, by what it has on the ridge; a new object follows from the new level. Two
rounds are enough, the second with surroundings that begin right outside the object; more rounds and the scan's own blur
were tried and gained nothing. All figures here were chosen on simulated scans, and their effect is small about the
values chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from monai_ctseg.scan import BoolArray
from monai_ctseg.segmentation.half_maximum.ridges import Floats, Ridges, Spacing, climb
from monai_ctseg.segmentation.half_maximum.spread import blur, smooth, usual_spread

WAY_MM = 1.5
"""From the edge to where blur no longer shows; farther uphill, beam hardening and starved beams shape thick metal."""
BRIGHT_HU = 1000.0
LEVELS = (0.42, 0.7)
ROUNDS = 2
SURROUNDINGS_MM = 3.0
SURROUNDINGS_HU = (-1000.0, 2000.0)
NEAR_MM = 1.5
NEAR_HU = (-1500.0, 4000.0)
"""Streaks glow, and undershoot, close to the metal."""
FREE = 0.005
ALONG_EDGE_MM = 2.5
"""The level is a mean along the edge: noise and streaks make single places unsure."""
STREAK_MM = 15.0
WEAK = 0.17
"""Streaks reach 0.1 to 0.16 of the metal near by, the thinnest of true screws 0.2."""
FLOOR = 0.2
DENSEST_HU = 25_000.0
LEAST_LEFT = 0.1
PARTS = 3
"""Parts of a voxel along each side, odd so that no voxel is exactly half full."""


@dataclass(frozen=True, eq=False)
class Edges:
    """What was found in a box [i, j, k].

    shares: of each voxel that is object. surroundings_hu: what the scan would hold without it.
    plateau_hu: of the object that the voxel belongs to, as it would be without blur.
    edge_hu: that parts object from surroundings.
    """

    shares: Floats
    surroundings_hu: Floats
    plateau_hu: Floats
    edge_hu: Floats

    def within(self, box: tuple[slice, slice, slice]) -> Edges:
        """The part in a box."""
        return Edges(self.shares[box], self.surroundings_hu[box], self.plateau_hu[box], self.edge_hu[box])

    def facts_hu(self) -> tuple[Floats, Floats, Floats]:
        """Plateau, edge and surroundings of each voxel, in HU."""
        return self.plateau_hu, self.edge_hu, self.surroundings_hu


def find_edges(hu: Floats, spacing_mm: Spacing, *, seed_hu: float, highest: Floats) -> Edges:
    """Objects whose ridge exceeds `seed_hu` in `hu` [i, j, k]. highest: what the scan holds within STREAK_MM."""
    ridges = climb(hu, hu > min(BRIGHT_HU, seed_hu / 2), spacing_mm, WAY_MM)
    around = _surroundings(hu, hu > seed_hu, spacing_mm)
    u, height = _heights(hu, around, ridges, seed_hu, highest)
    level = np.full(hu.shape, 0.5, dtype=np.float32)
    for turn in range(ROUNDS):
        shares = _shares(u - level, u)
        if turn:
            around = _surroundings_near(hu, shares, around, spacing_mm)
            u, height = _heights(hu, around, ridges, seed_hu, highest)
        model, on_ridge = _model(shares, height, ridges, spacing_mm)
        near = shares * (1 - shares)
        off = smooth(near * (u - model), ALONG_EDGE_MM, spacing_mm)
        off /= np.maximum(smooth(near, ALONG_EDGE_MM, spacing_mm), 1e-5)
        level = np.clip(level - off, *LEVELS)
    known = ridges.spread(np.where(np.isfinite(height), height, np.float32(0)))
    return Edges(_shares(u - level, u), around, around + known / on_ridge, around + known * level)


def _heights(hu: Floats, around: Floats, ridges: Ridges, seed_hu: float, highest: Floats) -> tuple[Floats, Floats]:
    """What u is, and the height of each bright voxel's ridge; infinite where the ridge is none of metal."""
    flat, low = hu.ravel(), around.ravel()[ridges.at]
    height = flat[ridges.ends] - low
    metal = (flat[ridges.ends] > seed_hu) & (height > WEAK * highest.ravel()[ridges.at])
    height = np.where(metal, np.maximum(height, 1.0), np.inf).astype(np.float32)
    return ridges.spread((flat[ridges.at] - low) / height), height


def _model(shares: Floats, height: Floats, ridges: Ridges, spacing_mm: Spacing) -> tuple[Floats, Floats]:
    """What u is by the blurred shares, and what is left of the plateau on each voxel's ridge.

    No less than makes a plateau of the densest metal: noise and dim spots leave shares too small.
    """
    blurred = blur(shares, usual_spread(spacing_mm), spacing_mm)
    least = np.clip(height / np.float32(DENSEST_HU), LEAST_LEFT, 1)
    left: Floats = np.maximum(blurred.ravel()[ridges.ends], least)
    return ridges.spread(blurred.ravel()[ridges.at] / left), ridges.spread(left, rest=1.0)


def _surroundings(hu: Floats, seeds: BoolArray, spacing_mm: Spacing) -> Floats:
    """HU around the objects, carried on into them."""
    size = [2 * int(np.ceil(SURROUNDINGS_MM / mm)) + 1 for mm in spacing_mm]
    free = (~ndimage.maximum_filter(seeds, size)).astype(np.float32)
    total = smooth(np.clip(hu, *SURROUNDINGS_HU) * free, SURROUNDINGS_MM, spacing_mm)
    weight = smooth(free, SURROUNDINGS_MM, spacing_mm)
    return np.asarray((total + np.float32(0.05)) / (weight + np.float32(1e-3)))


def _surroundings_near(hu: Floats, shares: Floats, around: Floats, spacing_mm: Spacing) -> Floats:
    """HU just outside the objects found so far, glow of streaks and all, carried on into them."""
    free = (blur(shares, usual_spread(spacing_mm), spacing_mm) < FREE).astype(np.float32)
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
    """Holes enclosed in a slice whose floor is too bright for one: beam hardening dims the middle of thick metal."""
    labels, count = ndimage.label(~above, _IN_PLANE)
    floor = np.full(count + 1, np.inf, dtype=np.float32)
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
_IN_PLANE = ndimage.generate_binary_structure(3, 1) & np.array([False, True, False])
