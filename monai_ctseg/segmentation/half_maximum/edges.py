"""The edge of bright objects in one box of a scan.

u is a voxel's HU above its surroundings, divided by those of its ridge: it is 1 on the ridge. Far from other edges an
edge lies where u is 1/2, the plain half maximum. Parts not much thicker than the point spread differ: half of their
lowered ridge is too wide, the more so the thinner they are; round ones lose a little where they bulge. So the level is
made to agree with the object found: its shares of voxels are blurred as scanners usually blur, and the level is set to
what the blurred object has on its edge, divided by what it has on the ridge; a new object follows from the new level.
Two rounds are enough, the second with surroundings that begin right outside the object; more rounds and the scan's own
blur were tried and gained nothing. All figures here were chosen on simulated scans; small changes of them have small
effects.
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
"""What belongs to some ridge exceeds this, or half of the seed."""
LEVELS = (0.42, 0.7)
"""Lowest and highest level of u that an edge may lie at."""
ROUNDS = 2
SURROUNDINGS_MM = 3.0
"""Sigma of the mean around an object, before it is known."""
SURROUNDINGS_HU = (-1000.0, 2000.0)
"""Air to bone: what surrounds metal."""
NEAR_MM = 1.5
"""Sigma of the mean right outside an object, once it is known."""
NEAR_HU = (-1500.0, 4000.0)
"""Streaks glow, and undershoot, close to the metal."""
FREE = 0.005
"""A voxel is free of an object where the blurred object has less than this share of it."""
ALONG_EDGE_MM = 2.5
"""The level is a mean along the edge: noise and streaks make single places unsure."""
STREAK_MM = 15.0
"""So far from metal its streaks are compared with it."""
WEAK = 0.17
"""Of the metal near by; streaks reach 0.1 to 0.16 of it, the thinnest of true screws 0.2."""
FLOOR = 0.2
"""An enclosed hole whose floor exceeds this u is beam hardening, not a hole."""
DENSEST_HU = 25_000.0
"""No metal reads more without blur."""
LEAST_LEFT = 0.1
"""Of the plateau, on the ridge of the thinnest parts."""
PARTS = 3
"""Parts of a voxel along each side, odd so that no voxel is exactly half full."""


@dataclass(frozen=True, eq=False)
class Edges:
    """What was found in a box; all arrays are [i, j, k], float32.

    Attributes:
        shares: how much of each voxel is object, 0 to 1.
        surroundings_hu: what the scan would hold without the object.
        plateau_hu: of the object that the voxel belongs to, as it would be without blur.
        edge_hu: that separates object from surroundings.
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
    """Find the objects of a box by their edges.

    Args:
        hu: [i, j, k], float32.
        spacing_mm: of the voxels along i, j and k.
        seed_hu: an object's ridge exceeds this.
        highest: the highest HU within `STREAK_MM` of each voxel; same shape as `hu`.
    """
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
        excess = smooth(near * (u - model), ALONG_EDGE_MM, spacing_mm)
        excess /= np.maximum(smooth(near, ALONG_EDGE_MM, spacing_mm), 1e-5)
        level = np.clip(level - excess, *LEVELS)
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
