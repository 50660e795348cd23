"""A bundle's network, ready to run over whole scans.

The network, the window and the steps after it come from the bundle's inference.yaml. Slices pass through in runs of
`slices_at_once`, so the memory needed does not grow with the length of the scan, apart from the scan and its mask.
Where the network sees neighbouring slices, `context_slices_mm` of them on either side of a run are given along.
Where the bundle says `skip_below_hu`, windows without a voxel of so many HU are no metal, and are not evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from monai.data import MetaTensor

from monai_ctseg.grid import Grid
from monai_ctseg.networks.guards import config_errors, own_errors, quiet
from monai_ctseg.networks.sliding_window import Network, Windows, out_of_memory, shortage
from monai_ctseg.networks.transforms import scan_to_tensor
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.segmentation.confidence import Calibration
from monai_ctseg.segmentation.pipeline import Prediction

Item: TypeAlias = dict[str, Any]

FLIPS: tuple[tuple[int, ...], ...] = ((), (-3,), (-2,), (-3, -2))
"""Axes of (1, 1, i, j, k) that are flipped for test-time augmentation."""


@dataclass(frozen=True, eq=False)
class MetalNetwork:
    """A network ready to run, on any number of scans. Made by `load_network`; `segment` takes it.

    Attributes:
        bundle, weights: the bundle's folder, and the file of weights.
        device: where the network runs.
        network: the network, in evaluation mode.
        inferer: MONAI's. Where memory runs out its `sw_batch_size` is halved, and stays so for the scans that follow.
        to_input: the bundle's steps from slices of HU to the network's grid.
        to_probability: from logits there to probabilities on the slices.
        to_binary: from these to 0 and 1.
        slices_at_once, context_slices_mm: how a scan is divided into runs.
        skip_below_hu: windows that hold nothing so dense are not evaluated; None: all are. `to_input` has to keep the
            order of HU.
        half_maximum_weight, threshold_weight: of these methods' shares beside the network's probability; 0: the network
            alone.
        calibration: what the bundle says of how far its weights can be relied on.
        tta: test-time augmentation: the mean of the probabilities over flips along i, along j and along both, in four
            times the time.
    """

    bundle: Path
    weights: Path
    device: torch.device
    network: Network
    inferer: Any
    to_input: Callable[[Item], Item]
    to_probability: Callable[[Item], Item]
    to_binary: Callable[[Item], Item]
    slices_at_once: int
    context_slices_mm: float
    skip_below_hu: float | None = None
    half_maximum_weight: float = 0.0
    threshold_weight: float = 0.0
    calibration: Calibration = field(default_factory=Calibration)
    tta: bool = False

    def predict(self, scan: Scan, *, progress: Progress | None = None) -> Prediction:
        """The network's own mask and probability of a scan, also outside the body.

        Args:
            scan: HU on a grid.
            progress: called with windows done and windows in all; with several runs the latter is an estimate at first.

        Raises:
            BundleError: the memory is too small.
        """
        image, shape = scan_to_tensor(scan), scan.grid.shape
        mask = np.zeros(shape, dtype=np.bool_, order="F")
        probability = np.zeros(shape, dtype=np.uint8, order="F")
        windows = Windows(self.inferer, self.network, progress=progress, skip_below=self._skip_below(scan))
        context = math.ceil(self.context_slices_mm / scan.grid.spacing_mm[2])
        runs = split_runs(shape[2], self.slices_at_once, context=context)
        for n, run in enumerate(runs):
            left = sum(len(later.given) for later in runs[n + 1 :]) / len(run.given)
            with quiet(), torch.inference_mode(), config_errors(self.bundle), _shortages():
                item = self._evaluate(image, run, windows, left=left)
                probability[:, :, run.wanted] = np.rint(_voxels(item, run) * 255)
                mask[:, :, run.wanted] = _voxels(self.to_binary(item), run) > 0
        return Prediction(Mask(mask, scan.grid), probability, tuple(windows.notes))

    def _skip_below(self, scan: Scan) -> float | None:
        """`skip_below_hu` as the network would see it in this scan."""
        if self.skip_below_hu is None:
            return None
        even = np.full((32, 32, 8), self.skip_below_hu, dtype=np.float32)
        with quiet(), config_errors(self.bundle):
            item = self.to_input({"image": scan_to_tensor(Scan(even, Grid(even.shape, scan.grid.index_to_lps)))})
        return float(item["image"].max())

    def _evaluate(self, image: MetaTensor, run: Run, windows: Windows, *, left: float) -> Item:
        """An item whose "pred" holds the probability (1, i, j, k) on the run's given slices: the mean over flips.

        left: volumes like this one that are still to come.
        """
        flips = FLIPS if self.tta else FLIPS[:1]
        item = self.to_input({"image": image, "slices": list(run.given)})
        volume = item["image"].as_tensor()[None].to(self.device)
        total: torch.Tensor | None = None
        for n, axes in enumerate(flips, start=1):
            logits = windows(volume.flip(axes) if axes else volume, left=len(flips) * (1 + left) - n)
            logits = (logits.flip(axes) if axes else logits)[0].float()
            item["pred"] = MetaTensor(logits, affine=item["image"].affine)
            seen = self.to_probability(dict(item))["pred"]
            total = seen if total is None else total + seen
        return {**item, "pred": total if len(flips) == 1 or total is None else total / len(flips)}


@dataclass(frozen=True)
class Run:
    """Slices that pass through at a time: those given to the network, and those of them whose mask is wanted."""

    given: range
    wanted: slice

    @property
    def inside(self) -> slice:
        """The wanted slices, counted from the first given one."""
        return slice(self.wanted.start - self.given.start, self.wanted.stop - self.given.start)


def split_runs(count: int, at_once: int, *, context: int = 0) -> list[Run]:
    """Runs of `at_once` slices that cover `count`; each is given `context` more on either side, where there are any.

    >>> [(run.given, run.wanted) for run in split_runs(5, 3, context=1)]
    [(range(0, 4), slice(0, 3, None)), (range(2, 5), slice(3, 5, None))]
    """
    wanted = [slice(first, min(first + at_once, count)) for first in range(0, count, at_once)]
    return [Run(range(max(0, run.start - context), min(count, run.stop + context)), run) for run in wanted]


def _voxels(item: Item, run: Run) -> npt.NDArray[Any]:
    """What "pred" holds on the wanted slices, [i, j, k]."""
    values: npt.NDArray[Any] = item["pred"].as_tensor()[0, :, :, run.inside].cpu().numpy()
    return values


@contextmanager
def _shortages() -> Iterator[None]:
    """Memory that runs out in a step before or after the network, as our refusal."""
    try:
        with own_errors():
            yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise shortage() from error
