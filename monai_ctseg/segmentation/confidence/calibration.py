"""What a bundle says of how far its weights can be relied on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from monai_ctseg.errors import BundleError
from monai_ctseg.segmentation.confidence.intervals import LEVELS


@dataclass(frozen=True)
class Calibration:
    """What a bundle says of its weights, by ids of its inference.yaml.

    Attributes:
        levels: `interval_levels`, two probabilities, the lower first.
        calibrated: whether they were set for these very weights.
        training_range: lowest and highest spacing_mm, slice_spacing_mm, noise_hu and hu of the training scans; empty
            where the bundle does not say.
    """

    levels: tuple[float, float] = LEVELS
    calibrated: bool = False
    training_range: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, levels: Any, training_range: Any, *, own_weights: bool) -> Calibration:
        """From the values of the two ids; they say nothing of other weights than the bundle's own.

        Args:
            levels: the value of `interval_levels`; None where the bundle has no such id.
            training_range: the value of that id; None where the bundle has no such id.
            own_weights: whether the weights are those that came with the bundle.

        Raises:
            BundleError: a value that cannot be used.
        """
        low, high = LEVELS if levels is None else _pair("interval_levels", levels)
        if not 0 < low < high < 1:
            raise BundleError(f"interval_levels is {levels}; it takes two probabilities, the lower first")
        if not isinstance(training_range or {}, Mapping):
            raise BundleError(f"training_range is {training_range}; it takes names with a lowest and a highest value")
        ranges = {str(name): _pair(f"training_range {name}", pair) for name, pair in (training_range or {}).items()}
        return cls((low, high), levels is not None and own_weights, ranges if own_weights else {})


def _pair(name: str, values: Any) -> tuple[float, float]:
    numbers = isinstance(values, (list, tuple)) and all(isinstance(value, (int, float)) for value in values)
    if not numbers or len(values) != 2:
        raise BundleError(f"{name} is {values}; it takes two numbers, such as [0.1, 0.9]")
    return float(values[0]), float(values[1])
