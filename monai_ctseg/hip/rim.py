"""Rim: where a bowl ends, and the plane in which it does: a socket's bony rim, or a metal cup's.

The bowl is seen from its sphere's centre, along meridians from its pole outwards: each shows the bowl until its rim.
Holes, notches and other bones show too, so each meridian may have several ends; the plane decides which belong to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.sphere import biweight
from monai_ctseg.scan import BoolArray
from monai_ctseg.simulation.sdf import unit

MERIDIANS = 120
POLAR_DEGREES = np.arange(30.0, 121.0)
"""Between the bowl's pole and its furthest end looked at."""
NEAR_DEGREES = 8.0
SHORTEST_DEGREES = 3
ROUNDS = 6
INDEPENDENT = 10
"""Meridians whose errors are independent: neighbours within some 36 degrees err together, as a real rim is wavy."""


@dataclass(frozen=True, eq=False)
class Rim:
    """A bowl's end.

    opening_lps: unit vector out of the bowl, at right angles to the rim's plane. above_mm: how far before the centre
    of the bowl's sphere the plane lies, along it. points_lps: [n, 3]; weights: [n]. residual_mm: root mean square
    distance of the points that count from the plane. covariance: 3 x 3, of the two tilts (radians) and the height (mm).
    """

    opening_lps: FloatArray
    above_mm: float
    points_lps: FloatArray
    weights: FloatArray
    residual_mm: float
    covariance: FloatArray

    @property
    def points(self) -> int:
        """How many points counted."""
        return int((self.weights > 0).sum())

    @property
    def tilt_sd_degrees(self) -> float:
        """Standard deviation of the opening's direction, about the less certain of two axes."""
        return float(np.degrees(np.sqrt(np.linalg.eigvalsh(self.covariance[:2, :2])[-1])))


@dataclass(frozen=True, eq=False)
class Bowl:
    """What meridians show. hu: [meridians, polar angles] over `ways` [m, p, 3], NaN where nothing can be
    told; level_hu: the bowl reads more.
    """

    center_lps: FloatArray
    radius_mm: float
    ways: FloatArray
    hu: FloatArray
    level_hu: float


def meridians(pole_lps: FloatArray) -> FloatArray:
    """Directions [meridians, polar angles, 3] about a pole."""
    across = unit(np.cross(pole_lps, np.eye(3)[np.abs(pole_lps).argmin()]))
    turn, polar = np.arange(MERIDIANS) * 2 * np.pi / MERIDIANS, np.radians(POLAR_DEGREES)
    out = np.cos(turn)[:, None] * across + np.sin(turn)[:, None] * np.cross(pole_lps, across)
    return np.asarray(np.sin(polar)[None, :, None] * out[:, None] + np.cos(polar)[None, :, None] * pole_lps)


def find_rim(bowl: Bowl) -> Rim | None:
    """The plane in which the outermost ends lie; None where fewer than a third of the meridians end near it.

    Ends far outside the plane, where the bowl meets another bone, are left out in turns.
    """
    ends = _ends(bowl)
    limit = np.full(len(ends), np.inf)
    rim = None
    for _ in range(ROUNDS):
        last = np.where(ends < limit[:, None], ends, -np.inf).max(axis=1, initial=-np.inf)
        rows = np.flatnonzero(last > limit - 2 * NEAR_DEGREES if rim else np.isfinite(last))
        if len(rows) < MERIDIANS // 3:
            return None
        rim = _plane(_place(bowl, rows, last[rows]), bowl)
        limit = _expected(bowl, rim) + NEAR_DEGREES
    return rim


def _ends(bowl: Bowl) -> FloatArray:
    """Polar angles [meridians, n] in degrees at which the bowl ends for some way; NaN for none."""
    on, seen = bowl.hu > bowl.level_hu, np.isfinite(bowl.hu)
    before, after = _steady(on), _steady(seen & ~on)
    end = before[:, :-SHORTEST_DEGREES] & ~on[:, SHORTEST_DEGREES : -SHORTEST_DEGREES + 1]
    end &= after[:, SHORTEST_DEGREES:]
    at = np.arange(end.shape[1]) + SHORTEST_DEGREES - 1
    here, there = bowl.hu[:, at], bowl.hu[:, at + 1]
    share = (here - bowl.level_hu) / np.where(here > there, here - there, 1)
    return np.where(end, POLAR_DEGREES[at] + np.clip(share, 0, 1), np.nan)


def _steady(flags: BoolArray) -> BoolArray:
    """Whether SHORTEST_DEGREES flags from each on are all set, [meridians, n]."""
    windows = np.lib.stride_tricks.sliding_window_view(flags, SHORTEST_DEGREES, axis=1)
    return np.asarray(np.all(windows, axis=2))


def _place(bowl: Bowl, rows: npt.NDArray[np.intp], polar_degrees: FloatArray) -> FloatArray:
    """Points [n, 3] on meridians."""
    first, last = bowl.ways[rows, 0], bowl.ways[rows, -1]
    start, end = np.radians(POLAR_DEGREES[[0, -1]])
    at = np.radians(polar_degrees)[:, None]
    ways = (np.sin(end - at) * first + np.sin(at - start) * last) / np.sin(end - start)
    return np.asarray(bowl.center_lps + bowl.radius_mm * ways)


def _expected(bowl: Bowl, rim: Rim) -> FloatArray:
    """Polar angle [meridians] in degrees where each meridian crosses the rim's plane."""
    height = bowl.radius_mm * (bowl.ways @ rim.opening_lps) - rim.above_mm
    return np.asarray(POLAR_DEGREES[np.abs(height).argmin(axis=1)])


def _plane(points: FloatArray, bowl: Bowl) -> Rim:
    """The robust plane of points."""
    weights = np.ones(len(points))
    for _ in range(30):
        middle = np.average(points, axis=0, weights=weights)
        axes = np.linalg.svd((points - middle) * np.sqrt(weights)[:, None], full_matrices=False)[2]
        off = (points - middle) @ axes[2]
        scale = np.clip(1.4826 * np.median(np.abs(off)), 0.2, 1.0)
        weights = np.maximum(biweight(off, float(scale)), 1e-18)
    opening = axes[2] if axes[2] @ bowl.ways[0, 0] < 0 else -axes[2]
    kept = weights > 1e-9
    design = np.c_[(points - middle) @ axes[:2].T, np.ones(len(points))]
    residual = float(np.sqrt((off[kept] ** 2).mean()))
    normal = (design * weights[:, None]).T @ design * INDEPENDENT / MERIDIANS
    above = float((middle - bowl.center_lps) @ opening)
    return Rim(opening, above, points, np.where(kept, weights, 0), residual, np.linalg.pinv(normal) * residual**2)
