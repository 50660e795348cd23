"""Whether a network's probabilities are what they say: the reliability curve and its error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray
from monai_ctseg.scan import BoolArray

Probability: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.floating[Any]]
"""[i, j, k]: uint8 in 255ths, or numbers from 0 to 1."""


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
    chances = (probability if within is None else probability[within]).ravel() / unit(probability)
    true = (truth if within is None else truth[within]).ravel()
    place = np.minimum((chances * bins).astype(np.int64), bins - 1)
    voxels = np.bincount(place, minlength=bins)
    some = voxels > 0
    mean = np.bincount(place, weights=chances, minlength=bins)[some] / voxels[some]
    share = np.bincount(place, weights=true, minlength=bins)[some] / voxels[some]
    error = float((np.abs(mean - share) * voxels[some]).sum() / max(1, voxels.sum()))
    return Reliability(mean, share, voxels[some], error)


def unit(probability: Probability) -> float:
    """What stands for a probability of 1."""
    return 255.0 if probability.dtype == np.uint8 else 1.0
