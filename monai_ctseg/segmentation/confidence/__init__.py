"""How far a network's mask of a scan can be trusted: volume intervals, and what the network has never seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from monai_ctseg.errors import BundleError
from monai_ctseg.scan import Scan
from monai_ctseg.segmentation.body import locate_body
from monai_ctseg.segmentation.confidence.intervals import (
    LEVELS,
    Probability,
    VolumeIntervals,
    matching_levels,
    set_levels,
    volume_interval,
)
from monai_ctseg.segmentation.confidence.out_of_distribution import measure_noise, unlike_training
from monai_ctseg.segmentation.threshold import Metal

__all__ = [
    "LEVELS",
    "Confidence",
    "Trust",
    "VolumeIntervals",
    "judge_confidence",
    "matching_levels",
    "measure_noise",
    "set_levels",
    "unlike_training",
    "volume_interval",
]


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


def _pair(name: str, values: Any) -> tuple[float, float]:
    numbers = isinstance(values, (list, tuple)) and all(isinstance(value, (int, float)) for value in values)
    if not numbers or len(values) != 2:
        raise BundleError(f"{name} is {values}; it takes two numbers, such as [0.1, 0.9]")
    return float(values[0]), float(values[1])
