"""How far a network's mask of a scan can be trusted: a volume interval for each object, and what the network never saw.

The interval of an object is the volume that its probability map reaches at two levels, in the object and in what lies
nearest to it. Where the levels were set on cases of known truth (`matching_levels`, `set_levels`), so many in a hundred
objects hold their true volume in the interval: split conformal prediction (Lei, G'Sell, Rinaldo, Tibshirani,
Wasserman 2018, doi 10.1080/01621459.2017.1307116). An object that was missed whole has no interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import KDTree

from monai_ctseg.body import Body, locate_body
from monai_ctseg.errors import BundleError
from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.intensity import IntensityVerdict, equals, find_padding
from monai_ctseg.metal import Metal
from monai_ctseg.pieces import Pieces
from monai_ctseg.scan import BoolArray, Scan

Probability: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.floating[Any]]
"""[i, j, k]: uint8 in 255ths, or numbers from 0 to 1."""
Volumes: TypeAlias = tuple[float, float]
"""Lowest and highest volume, mm3."""

LEVELS = (0.1, 0.9)
"""Of an interval, where nobody has set others."""
MARGIN_MM = 3.0
"""So far around an object its interval reaches, and at least to the next slice."""
SLAB = 32
"""Slices at a time, so that the memory needed does not grow with the scan."""

SAMPLED_SLICES = 12
NOISE_SIDE_MM = 6.0
TISSUE_HU = (-150.0, 150.0)
FEWEST_NOISE_WINDOWS = 200
WIDEST_PIXEL_MM = 2.0
"""Wider pixels make windows that hold anatomy, not noise."""
AIR_HU = 500.0
"""A scan whose darkest voxel is so far above the training's shows no air."""


@dataclass(frozen=True)
class Trust:
    """What a bundle says of its weights, by ids of its inference.yaml.

    levels: `interval_levels`, the lower first. calibrated: whether they were set for these very weights.
    training_range: lowest and highest spacing_mm, slice_spacing_mm, noise_hu and hu of the training scans;
        empty: nobody says.
    """

    levels: tuple[float, float] = LEVELS
    calibrated: bool = False
    training_range: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, levels: Any, training_range: Any, *, own_weights: bool) -> Trust:
        """From the values of the two ids, None where there is none; of other weights than the bundle's own they say
        nothing. Raises BundleError for values that are none.
        """
        low, high = LEVELS if levels is None else _pair("interval_levels", levels)
        if not 0 < low < high < 1:
            raise BundleError(f"interval_levels is {levels}; it takes two probabilities, the lower first")
        if not isinstance(training_range or {}, Mapping):
            raise BundleError(f"training_range is {training_range}; it takes names with a lowest and a highest value")
        ranges = {str(name): _pair(f"training_range {name}", pair) for name, pair in (training_range or {}).items()}
        return cls((low, high), levels is not None and own_weights, ranges if own_weights else {})


@dataclass(frozen=True)
class VolumeIntervals:
    """objects: one for each piece of the mask, the largest first, as `Pieces.by_size` has them. whole: their sum."""

    whole: Volumes
    objects: tuple[Volumes, ...]


@dataclass(frozen=True)
class Confidence:
    """All of it for one scan. unlike_training: sentences, as `unlike_training` makes them."""

    intervals: VolumeIntervals
    trust: Trust
    unlike_training: tuple[str, ...]

    def add_to(self, audit: Mapping[str, Any]) -> dict[str, Any]:
        """The audit of the same mask with `volume_interval_mm3`, for the whole and for each kept piece."""
        left = iter(self.intervals.objects)
        listed = [
            {**piece, "volume_interval_mm3": list(next(left)) if piece["kept"] else None}
            for piece in audit["components"]
        ]
        return {
            **audit,
            "volume_interval_mm3": list(self.intervals.whole),
            "components": listed,
            "confidence": {
                "interval_levels": list(self.trust.levels),
                "interval_calibrated": self.trust.calibrated,
                "training_range_known": bool(self.trust.training_range),
                "unlike_training": list(self.unlike_training),
            },
        }


def judge_confidence(scan: Scan, found: Metal, probability: Probability, trust: Trust) -> Confidence:
    """Intervals of the metal found, and in which ways the scan is unlike the training scans."""
    intervals = volume_interval(probability, found.mask.voxels, scan.grid, levels=trust.levels)
    if not trust.training_range:
        return Confidence(intervals, trust, ())
    body = None if found.anywhere else locate_body(scan)
    return Confidence(intervals, trust, unlike_training(scan, found.intensity, body, trust.training_range))


def volume_interval(
    probability: Probability,
    mask: BoolArray,
    grid: Grid,
    *,
    levels: tuple[float, float] = LEVELS,
    margin_mm: float = MARGIN_MM,
) -> VolumeIntervals:
    """For each piece of `mask` [i, j, k] the volume where the probability reaches the higher level, and the lower.

    A voxel outside the mask counts for the nearest piece, if that is `margin_mm` away or less. The interval is
    widened to the piece's own volume where that lies outside.
    """
    pieces = Pieces.of(mask)
    low, high = (level * _unit(probability) for level in levels)
    least, most = np.zeros(len(pieces.voxels)), np.zeros(len(pieces.voxels))
    for owners, values, _ in _owned(probability, mask, pieces, grid, low, margin_mm):
        most += np.bincount(owners[values >= low], minlength=len(most))
        least += np.bincount(owners[values >= high], minlength=len(least))
    least = np.minimum(least, pieces.voxels)[pieces.by_size] * grid.voxel_mm3
    most = np.maximum(most, pieces.voxels)[pieces.by_size] * grid.voxel_mm3
    objects = tuple((float(a), float(b)) for a, b in zip(least, most, strict=True))
    return VolumeIntervals((float(least.sum()), float(most.sum())), objects)


def matching_levels(
    probability: Probability, mask: BoolArray, truth: BoolArray, grid: Grid, *, margin_mm: float = MARGIN_MM
) -> FloatArray:
    """For each piece of `mask` the two probabilities between which the level lies that gives its true volume, (n, 2).

    The lower level of an interval that holds the true volume is at most the first; the higher is above the second.
    True voxels belong to pieces as in `volume_interval`; those farther away count for none.
    """
    pieces = Pieces.of(mask)
    parts = list(_owned(probability, mask, pieces, grid, 0.0, margin_mm))
    owners = np.concatenate([part[0] for part in parts] or [np.zeros(0, np.int64)])
    values = np.concatenate([part[1] for part in parts] or [np.zeros(0)]) / _unit(probability)
    true = np.concatenate([truth[part[2]] for part in parts] or [np.zeros(0, bool)])
    found = np.empty((len(pieces.by_size), 2))
    for row, piece in zip(found, pieces.by_size, strict=True):
        mine = owners == piece
        ranked = np.concatenate([[1.0], np.sort(values[mine])[::-1], [0.0]])
        count = int(true[mine].sum())
        row[:] = ranked[count], ranked[count + 1]
    return found


def set_levels(matching: FloatArray, *, coverage: float = 0.9) -> tuple[float, float]:
    """The levels whose intervals hold the true volume of `coverage` of such objects; from `matching_levels`, (n, 2).

    Half of the rest may be missed on either side. The levels lie between those that uint8 tells from 0, 0.5 and 1;
    too few objects, or a network too sure of itself, leave the outermost ones.
    """
    if not len(matching):
        return LEVELS
    rank = max(1, math.floor((len(matching) + 1) * (1 - coverage) / 2))  # of the object that is just held
    below, above = np.sort(matching[:, 0])[rank - 1], np.sort(matching[:, 1])[-rank]
    half = 0.5 / 255
    return float(np.clip(below - half, half, 0.5 - half)), float(np.clip(above + half, 0.5 + half, 1 - half))


@dataclass(frozen=True)
class Reliability:
    """How often voxels of a given probability are metal.

    chances, shares, voxels: for each bin that holds voxels, the mean probability, the share that is metal, the count.
    expected_error: the mean of |chance - share| over voxels.
    """

    chances: FloatArray
    shares: FloatArray
    voxels: npt.NDArray[np.int64]
    expected_error: float


def reliability(
    probability: Probability, truth: BoolArray, within: BoolArray | None = None, *, bins: int = 15
) -> Reliability:
    """Reliability curve and expected calibration error of the probability of metal, over the voxels `within`.

    Equal bins, as in Guo, Pleiss, Sun, Weinberger 2017 (arXiv 1706.04599), over the probability of metal itself.
    Most voxels of a scan are far from metal and easily right: choose `within` so that they do not hide the others.
    """
    chances = (probability if within is None else probability[within]).ravel() / _unit(probability)
    true = (truth if within is None else truth[within]).ravel()
    place = np.minimum((chances * bins).astype(np.int64), bins - 1)
    voxels = np.bincount(place, minlength=bins)
    some = voxels > 0
    mean = np.bincount(place, weights=chances, minlength=bins)[some] / voxels[some]
    share = np.bincount(place, weights=true, minlength=bins)[some] / voxels[some]
    error = float((np.abs(mean - share) * voxels[some]).sum() / max(1, voxels.sum()))
    return Reliability(mean, share, voxels[some], error)


def unlike_training(
    scan: Scan, intensity: IntensityVerdict, body: Body | None, training_range: Mapping[str, tuple[float, float]]
) -> tuple[str, ...]:
    """Sentences that say what of a scan lies outside what the network was trained on; none where it is alike.

    body: None where it was not looked for. training_range: as in `Trust`; what it does not name is not judged.
    """
    if not training_range:
        return ()
    x, y, z = scan.grid.spacing_mm
    noise = measure_noise(scan, body) if "noise_hu" in training_range else None
    facts: list[tuple[str, str, str, float | None]] = [
        ("spacing_mm", "its pixels are {:.3g} mm wide", "mm", x),
        ("spacing_mm", "its pixels are {:.3g} mm high", "mm", y if abs(x - y) > 0.01 * x else None),
        ("slice_spacing_mm", "its slices lie {:.3g} mm apart", "mm", z if scan.grid.shape[2] > 1 else None),
        ("noise_hu", "its noise is about {:.0f} HU", "HU", noise),
    ]
    found = [_outside(*fact, training_range) for fact in facts]
    found += _odd_scale(scan, intensity, training_range)
    if scan.grid.orientation[2] not in "SI":
        found.append(f"its slices are not axial ({scan.grid.orientation}); the network was trained on axial ones")
    if body is not None and not body.blocks.any():
        found.append("no body was found in it")
    return tuple(sentence for sentence in found if sentence)


def measure_noise(scan: Scan, body: Body | None = None) -> float | None:
    """The commonest standard deviation in small windows of soft tissue (in the body, if given), HU; None without any.

    Windows with an edge in them, or a vessel, deviate more and are rarer: the "global noise level" of Christianson,
    Winslow, Frush, Samei 2015 (doi 10.2214/AJR.14.13613). Windows measure 6 mm, and 5 pixels at least; with pixels
    over 2 mm there is no telling.
    """
    if max(scan.grid.spacing_mm[:2]) > WIDEST_PIXEL_MM:
        return None
    counts = np.zeros(600)  # windows by standard deviation, half an HU each
    for k in _sample(scan.grid.shape[2]):
        deviations = _deviations(scan, k, None if body is None else _plane(body, k))
        counts += np.bincount((2 * deviations).astype(np.int64), minlength=600)[:600]
    if counts.sum() < FEWEST_NOISE_WINDOWS:
        return None
    return float(ndimage.uniform_filter1d(counts, 5, mode="constant").argmax()) / 2 + 0.25


def _pair(name: str, values: Any) -> tuple[float, float]:
    numbers = isinstance(values, (list, tuple)) and all(isinstance(value, (int, float)) for value in values)
    if not numbers or len(values) != 2:
        raise BundleError(f"{name} is {values}; it takes two numbers, such as [0.1, 0.9]")
    return float(values[0]), float(values[1])


def _unit(probability: Probability) -> float:
    return 255.0 if probability.dtype == np.uint8 else 1.0


def _owned(
    probability: Probability, mask: BoolArray, pieces: Pieces, grid: Grid, lowest: float, margin_mm: float
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any], tuple[npt.NDArray[Any], ...]]]:
    """Slab by slab, the voxels of `lowest` and more that belong to pieces: their labels, probabilities, indices."""
    reach = 1.001 * max(margin_mm, *grid.spacing_mm)
    steps = [math.ceil(reach / mm) for mm in grid.spacing_mm]
    ends = [(o, o + n) for o, n in zip(pieces.origin, pieces.labels.shape, strict=True)]
    starts = [max(0, first - step) for (first, _), step in zip(ends, steps, strict=True)]
    stops = [min(n, last + step) for (_, last), step, n in zip(ends, steps, mask.shape, strict=True)]
    if not len(pieces.by_size):
        return
    i, j = slice(starts[0], stops[0]), slice(starts[1], stops[1])
    for first in range(starts[2], stops[2], SLAB):
        k = slice(first, min(first + SLAB, stops[2]))
        chosen = np.nonzero((probability[i, j, k] >= lowest) | mask[i, j, k])
        voxels = (chosen[0] + starts[0], chosen[1] + starts[1], chosen[2] + first)
        owners = _labels_at(pieces, voxels)
        free = owners == 0
        if free.any():
            around = (max(first - steps[2], 0), min(k.stop + steps[2], mask.shape[2]))
            owners[free] = _nearest(pieces, [axis[free] for axis in voxels], around, grid, reach)
        mine = owners > 0
        inside = tuple(axis[mine] for axis in voxels)
        yield owners[mine], probability[inside], inside


def _labels_at(pieces: Pieces, voxels: tuple[npt.NDArray[Any], ...]) -> npt.NDArray[np.int64]:
    """The label at each voxel; 0 outside the pieces' box."""
    local = [axis - o for axis, o in zip(voxels, pieces.origin, strict=True)]
    inside = np.all([(a >= 0) & (a < n) for a, n in zip(local, pieces.labels.shape, strict=True)], axis=0)
    labels = np.zeros(len(inside), dtype=np.int64)
    labels[inside] = pieces.labels[tuple(axis[inside] for axis in local)]
    return labels


def _nearest(
    pieces: Pieces, voxels: list[npt.NDArray[Any]], around: tuple[int, int], grid: Grid, reach: float
) -> npt.NDArray[np.int64]:
    """The label of the nearest piece within `reach` of each voxel, 0 without one; `around`: slices to look at."""
    first, last = (min(max(k - pieces.origin[2], 0), pieces.labels.shape[2]) for k in around)
    labels = pieces.labels[:, :, first:last]
    surface = np.nonzero(_surface(labels > 0))
    if not len(surface[0]):
        return np.zeros(len(voxels[0]), dtype=np.int64)
    place = np.transpose(surface) + np.array([pieces.origin[0], pieces.origin[1], pieces.origin[2] + first])
    tree = KDTree(grid.to_lps(place))
    _, nearest = tree.query(grid.to_lps(np.transpose(voxels)), distance_upper_bound=reach)
    known = np.append(labels[surface].astype(np.int64), 0)  # the tree names its size where nothing is near
    return np.asarray(known[nearest])


def _surface(solid: BoolArray) -> BoolArray:
    """Set voxels with a neighbour across a face that is not set, or beyond the array."""
    inner = solid.copy()
    for axis in range(3):
        into, shown = np.moveaxis(inner, axis, 0), np.moveaxis(solid, axis, 0)
        into[1:] &= shown[:-1]
        into[:-1] &= shown[1:]
        into[0] = into[-1] = False
    return solid & ~inner


def _outside(
    name: str, words: str, unit: str, value: float | None, ranges: Mapping[str, tuple[float, float]]
) -> str | None:
    """The sentence for a value out of its range by more than 1 %."""
    if value is None or name not in ranges:
        return None
    low, high = ranges[name]
    if 0.99 * low <= value <= 1.01 * high:
        return None
    return f"{words.format(value)}; the network was trained on {low:g} to {high:g} {unit}"


def _odd_scale(scan: Scan, intensity: IntensityVerdict, ranges: Mapping[str, tuple[float, float]]) -> list[str | None]:
    """What is odd about the brightest and the darkest voxels; what is darker than air looks like air to a network."""
    if "hu" not in ranges:
        return []
    low, high = ranges["hu"]
    trained = f"the network was trained on {low:g} to {high:g} HU"
    darkest = _darkest(scan, intensity)
    found: list[str | None] = []
    if low + AIR_HU < darkest < math.inf:
        found.append(f"it shows no air, nothing is darker than {darkest:g} HU (is it in HU?); {trained}")
    if intensity.ceiling_hu > high:
        found.append(f"it reaches {intensity.ceiling_hu:g} HU; {trained}")
    return found


def _darkest(scan: Scan, intensity: IntensityVerdict) -> float:
    """The lowest HU measured, in a sample of slices; infinite where nothing was."""
    padding = find_padding(scan.hu, named_hu=scan.padding_hu)
    no_measures = [s.hu for s in intensity.sentinels] + ([padding.hu] if padding and padding.kind == "circle" else [])
    darkest = math.inf
    for k in _sample(scan.grid.shape[2]):
        plane = scan.hu[:, :, k]
        for value in no_measures:
            plane = plane[~equals(plane, value)]
        darkest = min(darkest, float(plane.min())) if plane.size else darkest
    return darkest


def _sample(count: int) -> list[int]:
    """Some slices, evenly spread."""
    some = min(count, SAMPLED_SLICES)
    return [(2 * n + 1) * count // (2 * some) for n in range(some)]


def _plane(body: Body, k: int) -> BoolArray:
    i, j, slices = body.block_of
    return np.asarray(body.blocks[:, :, slices[k]][np.ix_(i, j)])


def _deviations(scan: Scan, k: int, inside: BoolArray | None) -> FloatArray:
    """Standard deviations of windows about voxels of soft tissue in a slice."""
    hu = np.clip(scan.hu[:, :, k], -1000, 1000).astype(np.float64)
    sides = [max(5, 2 * round(NOISE_SIDE_MM / mm / 2) + 1) for mm in scan.grid.spacing_mm[:2]]
    if hu.shape[0] < sides[0] or hu.shape[1] < sides[1]:
        return np.zeros(0)
    mean, square = (ndimage.uniform_filter(values, sides) for values in (hu, hu * hu))
    tissue = (mean > TISSUE_HU[0]) & (mean < TISSUE_HU[1])
    if inside is not None:
        tissue &= inside
    variance = np.maximum(square[tissue] - mean[tissue] ** 2, 0) * math.prod(sides) / (math.prod(sides) - 1)
    return np.asarray(np.sqrt(variance))
