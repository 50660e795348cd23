"""Rim: where a bowl ends, and the plane of that edge: a socket's bony rim, or a metal cup's.

The bowl is seen from the centre of its sphere, along meridians from its pole outwards; each shows the bowl as far as
its rim. Holes, notches and other bones show too, so a meridian may have several ends; the plane decides which of them
belong to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray, unit
from monai_ctseg.hip.rays import crossing
from monai_ctseg.hip.sphere import ROBUST, robust_weights
from monai_ctseg.scan import BoolArray


@dataclass(frozen=True)
class RimSearch:
    """Constants of the search; where no reason is given, chosen by hand."""

    meridians: int = 120
    """One every 3 degrees, some 1.3 mm apart on the rim."""
    independent: int = 10
    """Meridians whose errors are independent: neighbours within 36 degrees err together, as a real rim is wavy."""
    least_share: float = 1 / 3
    """With fewer meridians that end near the plane there is no rim."""
    near_degrees: float = 8.0
    """Ends this far outside the plane still belong to it, and twice as far inside."""
    steady_degrees: int = 3
    """So much bowl lies before an end, and so much beside it after: less is noise or a hole."""
    rounds: int = 6
    pole_rounds: int = 3
    """The first pole lies only roughly in the middle of the bowl, so it is corrected by the plane found."""
    scale_mm: tuple[float, float] = (0.2, 1.0)
    """Least and greatest standard deviation of the rim's points from the plane to assume."""
    least_weight: float = 1e-18
    counted_weight: float = 1e-9
    """Weights are never 0, so that the plane is always determined; smaller ones than the latter do not count."""


SEARCH = RimSearch()
POLAR_DEGREES = np.arange(30.0, 121.0)
"""Angles from the pole at which the bowl is sampled: 30 degrees are inside any bowl, and no bowl closes beyond 120."""


@dataclass(frozen=True, eq=False)
class Rim:
    """The edge of a bowl.

    Attributes:
        opening_lps: (3,) unit vector out of the bowl, perpendicular to the rim's plane.
        above_mm: distance of the plane from the centre of the bowl's sphere, along the opening.
        points_lps: [n, 3] mm.
        weights: [n], how much each point counted.
        residual_mm: root mean square distance from the plane, of the points that counted.
        covariance: 3 x 3, of the two tilts (radians) and the height (mm).

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
        """Standard deviation of the opening's direction, around the less certain of two axes."""
        return float(np.degrees(np.sqrt(np.linalg.eigvalsh(self.covariance[:2, :2])[-1])))


@dataclass(frozen=True, eq=False)
class Bowl:
    """What meridians show of a bowl.

    Attributes:
        center_lps: (3,) mm, of its sphere.
        radius_mm: at which it is sampled.
        directions: [meridians, polar angles, 3].
        hu: [meridians, polar angles]; NaN where nothing is known.
        level_hu: the bowl is denser than this.

    """

    center_lps: FloatArray
    radius_mm: float
    directions: FloatArray
    hu: FloatArray
    level_hu: float


def meridians(pole_lps: FloatArray) -> FloatArray:
    """Unit vectors [meridians, polar angles, 3] around a pole (3,)."""
    across = unit(np.cross(pole_lps, np.eye(3)[np.abs(pole_lps).argmin()]))
    turn, polar = np.arange(SEARCH.meridians) * 2 * np.pi / SEARCH.meridians, np.radians(POLAR_DEGREES)
    out = np.cos(turn)[:, None] * across + np.sin(turn)[:, None] * np.cross(pole_lps, across)
    return np.asarray(np.sin(polar)[None, :, None] * out[:, None] + np.cos(polar)[None, :, None] * pole_lps)


def find_rim_from(pole_lps: FloatArray, sample: Callable[[FloatArray], Bowl | None]) -> Rim | None:
    """The rim of a bowl whose pole is known only roughly.

    Args:
        pole_lps: (3,) unit vector to about the middle of the bowl.
        sample: directions [meridians, polar angles, 3] -> the bowl there, or None where it cannot be seen.

    Returns:
        The rim; None where `find_rim` finds none.

    """
    pole, rim = pole_lps, None
    for _ in range(SEARCH.pole_rounds):
        bowl = sample(meridians(pole))
        rim = None if bowl is None else find_rim(bowl)
        if rim is None:
            return None
        pole = -rim.opening_lps
    return rim


def find_rim(bowl: Bowl) -> Rim | None:
    """The plane of the outermost ends of the meridians.

    Ends far outside the plane, where the bowl meets another bone, are left out in turns.

    Args:
        bowl: what meridians show.

    Returns:
        The rim; None where fewer than a third of the meridians end near one plane.

    """
    ends = _ends(bowl)
    limit = np.full(len(ends), np.inf)
    rim = None
    for _ in range(SEARCH.rounds):
        last = np.where(ends < limit[:, None], ends, -np.inf).max(axis=1, initial=-np.inf)
        rows = np.flatnonzero(last > limit - 2 * SEARCH.near_degrees if rim else np.isfinite(last))
        if len(rows) < SEARCH.meridians * SEARCH.least_share:
            return None
        rim = _plane(_points(bowl, rows, last[rows]), bowl)
        limit = _expected(bowl, rim) + SEARCH.near_degrees
    return rim


def _ends(bowl: Bowl) -> FloatArray:
    """Polar angles [meridians, n] in degrees at which the bowl ends for a while; NaN for none."""
    steady = SEARCH.steady_degrees
    on, seen = bowl.hu > bowl.level_hu, np.isfinite(bowl.hu)
    before, after = _steady(on), _steady(seen & ~on)
    end = before[:, :-steady] & ~on[:, steady : -steady + 1]
    end &= after[:, steady:]
    at = np.arange(end.shape[1]) + steady - 1
    share = crossing(bowl.hu[:, at], bowl.hu[:, at + 1], bowl.level_hu)
    return np.where(end, POLAR_DEGREES[at] + share, np.nan)


def _steady(flags: BoolArray) -> BoolArray:
    """Whether each of the `steady_degrees` flags from here on is set, [meridians, n]."""
    windows = np.lib.stride_tricks.sliding_window_view(flags, SEARCH.steady_degrees, axis=1)
    return np.asarray(np.all(windows, axis=2))


def _points(bowl: Bowl, rows: npt.NDArray[np.intp], polar_degrees: FloatArray) -> FloatArray:
    """Points [n, 3] on meridians."""
    first, last = bowl.directions[rows, 0], bowl.directions[rows, -1]
    start, end = np.radians(POLAR_DEGREES[[0, -1]])
    at = np.radians(polar_degrees)[:, None]
    directions = (np.sin(end - at) * first + np.sin(at - start) * last) / np.sin(end - start)
    return np.asarray(bowl.center_lps + bowl.radius_mm * directions)


def _expected(bowl: Bowl, rim: Rim) -> FloatArray:
    """Polar angle [meridians] in degrees where each meridian crosses the rim's plane."""
    height = bowl.radius_mm * (bowl.directions @ rim.opening_lps) - rim.above_mm
    return np.asarray(POLAR_DEGREES[np.abs(height).argmin(axis=1)])


def _plane(points: FloatArray, bowl: Bowl) -> Rim:
    """The robust plane of points."""
    weights = np.ones(len(points))
    for _ in range(ROBUST.rounds):
        middle = np.average(points, axis=0, weights=weights)
        axes = np.linalg.svd((points - middle) * np.sqrt(weights)[:, None], full_matrices=False)[2]
        residuals = (points - middle) @ axes[2]
        weights = np.maximum(robust_weights(residuals, SEARCH.scale_mm), SEARCH.least_weight)
    opening = axes[2] if axes[2] @ bowl.directions[0, 0] < 0 else -axes[2]
    kept = weights > SEARCH.counted_weight
    design = np.c_[(points - middle) @ axes[:2].T, np.ones(len(points))]
    residual = float(np.sqrt((residuals[kept] ** 2).mean()))
    normal = (design * weights[:, None]).T @ design * SEARCH.independent / SEARCH.meridians
    above = float((middle - bowl.center_lps) @ opening)
    return Rim(opening, above, points, np.where(kept, weights, 0), residual, np.linalg.pinv(normal) * residual**2)
