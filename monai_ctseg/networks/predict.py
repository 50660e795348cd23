"""Scan + bundle -> Mask on the scan's own grid.

The network, the window and the steps after it come from the bundle's inference.yaml. Slices go through in runs of
`slices_at_once`, so the memory needed does not grow with the length of the scan, apart from the scan and its mask.
Where the network sees neighbouring slices, `context_slices_mm` of them on either side of a run are given along.
Where the bundle says `look_above_hu`, windows without a voxel of so many HU are no metal without a look.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from monai.data import MetaTensor
from monai.transforms import Compose

from monai_ctseg.bundles import DEFAULT_BUNDLE, WEIGHTS, find_bundle, find_weights
from monai_ctseg.errors import BundleError
from monai_ctseg.grid import Grid
from monai_ctseg.io.read import read_scan
from monai_ctseg.networks.config import device_override, read_config
from monai_ctseg.networks.guards import config_errors, own_errors, quiet
from monai_ctseg.networks.sliding_window import Network, Windows, out_of_memory, shortage
from monai_ctseg.networks.transforms import scan_to_tensor
from monai_ctseg.networks.weights import load_weights
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.segmentation.confidence import Trust
from monai_ctseg.segmentation.half_maximum import METAL, combine_edges
from monai_ctseg.segmentation.threshold import judge_mask

Item: TypeAlias = dict[str, Any]

Flips: TypeAlias = tuple[tuple[int, ...], ...]
FLIPS: Flips = ((), (-3,), (-2,), (-3, -2))
"""Axes of (1, 1, i, j, k) that are turned around for `tta`."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the network sees in one scan, on its grid, also outside the body.

    probability: uint8 [i, j, k] in 255ths, where it was asked for. At the bundles' threshold of 0.5 the mask is
        exactly where it reaches 128.
    edges: who drew them: the network, or it and a partner (`combine_edges`).
    notes: what was done otherwise than asked, a sentence each.
    """

    mask: Mask
    probability: npt.NDArray[np.uint8] | None = None
    edges: str = "network"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Predictor:
    """A network ready to run, on any number of scans. Made by `load_predictor`.

    inferer: MONAI's. Where memory runs out its `sw_batch_size` is halved, and stays so for the scans that follow.
    to_input, to_probability, to_binary: the bundle's steps, from slices of HU to the network's grid; from logits there
        to probabilities on the slices; from these to 0 and 1.
    look_above_hu: windows that hold nothing so dense are not looked at; None: all are. `to_input` has to keep the
        order of HU.
    half_maximum_weight, threshold_weight: of their edges beside the network's (`combine_edges`); 0: it draws alone.
    trust: what the bundle says of how far its weights can be trusted.
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
    look_above_hu: float | None = None
    half_maximum_weight: float = 0.0
    threshold_weight: float = 0.0
    trust: Trust = field(default_factory=Trust)

    def __call__(self, scan: Scan | str | Path, *, anywhere: bool = False, **options: Any) -> Mask:
        """The mask of a scan, or of what `read_scan` finds at a path; it raises what `read_scan` raises.

        What the network marks outside the body is dropped, unless `anywhere`. Other options as in `predict`.
        """
        source = scan if isinstance(scan, Scan) else read_scan(scan)
        drawn = self.predict(source, **options).mask
        return drawn if anywhere else judge_mask(source, drawn).mask

    def predict(
        self, scan: Scan, *, tta: bool = False, probability: bool = False, progress: Progress | None = None
    ) -> Prediction:
        """The network's mask of a scan, and its probability where that is asked for (one more byte a voxel).

        tta: the mean of the probabilities over flips along i, along j and along both, in four times the time.
        progress: called with (windows done, windows in all); with several runs the latter is an estimate at first.
        Raises BundleError where the memory is too small.
        """
        image, shape = scan_to_tensor(scan), scan.grid.shape
        mask = np.zeros(shape, dtype=np.bool_, order="F")
        chances = np.zeros(shape, dtype=np.uint8, order="F") if probability or self._combines else None
        windows = Windows(self.inferer, self.network, progress=progress, skip_below=self._look_above(scan))
        context = math.ceil(self.context_slices_mm / scan.grid.spacing_mm[2])
        runs = split_runs(shape[2], self.slices_at_once, context=context)
        for n, run in enumerate(runs):
            left = sum(len(later.given) for later in runs[n + 1 :]) / len(run.given)
            with quiet(), torch.inference_mode(), config_errors(self.bundle), _shortages():
                item = self._look(image, run, windows, flips=FLIPS if tta else FLIPS[:1], left=left)
                if chances is not None:
                    chances[:, :, run.wanted] = np.rint(_voxels(item, run) * 255)
                mask[:, :, run.wanted] = _voxels(self.to_binary(item), run) > 0
        edges = "network"
        if chances is not None and self._combines:
            weights = {"half_maximum": self.half_maximum_weight, "threshold": self.threshold_weight}
            if combined := combine_edges(scan, chances, **weights):
                chances, mask = combined.probability, combined.probability >= METAL
                edges += f" and {combined.partner}"
        return Prediction(Mask(mask, scan.grid), chances if probability else None, edges, tuple(windows.notes))

    @property
    def _combines(self) -> bool:
        return bool(self.half_maximum_weight or self.threshold_weight)

    def _look_above(self, scan: Scan) -> float | None:
        """`look_above_hu` as the network would see it in this scan."""
        if self.look_above_hu is None:
            return None
        even = np.full((32, 32, 8), self.look_above_hu, dtype=np.float32)
        with quiet(), config_errors(self.bundle):
            item = self.to_input({"image": scan_to_tensor(Scan(even, Grid(even.shape, scan.grid.index_to_lps)))})
        return float(item["image"].max())

    def _look(self, image: MetaTensor, run: Run, windows: Windows, *, flips: Flips, left: float) -> Item:
        """An item whose "pred" holds the probability (1, i, j, k) on the run's given slices: the mean over flips."""
        item = self.to_input({"image": image, "slices": list(run.given)})
        volume = item["image"].as_tensor()[None].to(self.device)
        total: torch.Tensor | None = None
        for n, axes in enumerate(flips, start=1):
            to_come = len(flips) * (1 + left) - n  # in volumes like this one
            logits = windows(volume.flip(axes) if axes else volume, left=to_come)
            logits = (logits.flip(axes) if axes else logits)[0].float()
            item["pred"] = MetaTensor(logits, affine=item["image"].affine)
            seen = self.to_probability(dict(item))["pred"]
            total = seen if total is None else total + seen
        return {**item, "pred": total if len(flips) == 1 or total is None else total / len(flips)}


@dataclass(frozen=True)
class Run:
    """Slices that go through at a time: those given to the network, and those of them whose mask is wanted."""

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


def load_predictor(
    bundle: str | Path = DEFAULT_BUNDLE,
    *,
    weights: str | Path | None = None,
    device: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Predictor:
    """Build the bundle's network and load its weights once, for many scans.

    weights: a model.pt; without it, the bundle's own.
    device: "cpu", "cuda", "cuda:1"; without it, CUDA where there is one.
    overrides: values for other ids of the bundle's inference.yaml, such as {"windows_per_batch": 1}.
    Raises BundleError where there are no weights, or they do not fit, or the config has no such id.
    """
    folder = find_bundle(bundle)
    file = find_weights(folder, weights)
    own = _same(file, folder / WEIGHTS)
    with quiet(), config_errors(folder):
        config = read_config(folder, "inference", overrides={**device_override(device), **(overrides or {})})
        part = config.get_parsed_content
        at_once, context_mm = _lengths(part("slices_at_once"), part("context_slices_mm"))
        known = {name: part(name) if name in config else None for name in _OPTIONAL}
        network = part("network")
        load_weights(network, file)
        if part("device").type == "cpu":
            _channels_last(network)
        return Predictor(
            bundle=folder,
            weights=file,
            device=part("device"),
            network=network.eval(),
            inferer=part("inferer"),
            to_input=part("slices_to_input"),
            to_probability=part("to_probability"),
            to_binary=_without(part("to_probability"), part("to_mask")),
            slices_at_once=at_once,
            context_slices_mm=context_mm,
            look_above_hu=_hounsfield(known["look_above_hu"]),
            **{name: _weight(name, known[name]) * own for name in _WEIGHTS},
            trust=Trust.of(known["interval_levels"], known["training_range"], own_weights=own),
        )


def predict(
    scan: Scan | str | Path,
    *,
    bundle: str | Path = DEFAULT_BUNDLE,
    weights: str | Path | None = None,
    device: str | None = None,
    anywhere: bool = False,
    tta: bool = False,
    progress: Progress | None = None,
) -> Mask:
    """The metal that the bundle's network sees in one scan, on the scan's own grid; options as in `load_predictor`.

    anywhere: keep what it sees outside the body, too. tta, progress: as in `Predictor.predict`.
    """
    predictor = load_predictor(bundle, weights=weights, device=device)
    return predictor(scan, anywhere=anywhere, tta=tta, progress=progress)


def _lengths(slices_at_once: Any, context_slices_mm: Any) -> tuple[int, float]:
    """The two ids checked: a count of 1 or more, a length of 0 or more."""
    if not isinstance(slices_at_once, int) or slices_at_once < 1:
        raise BundleError(f"slices_at_once is {slices_at_once}; it takes a number of slices, 1 or more")
    if not isinstance(context_slices_mm, (int, float)) or not 0 <= context_slices_mm < math.inf:
        raise BundleError(f"context_slices_mm is {context_slices_mm}; it takes millimetres, 0 or more")
    return slices_at_once, float(context_slices_mm)


_WEIGHTS = ("half_maximum_weight", "threshold_weight")
_OPTIONAL = ("look_above_hu", *_WEIGHTS, "interval_levels", "training_range")


def _hounsfield(look_above_hu: Any) -> float | None:
    if look_above_hu is None:
        return None
    if not isinstance(look_above_hu, (int, float)) or not math.isfinite(look_above_hu):
        raise BundleError(f"look_above_hu is {look_above_hu}; it takes a number of HU, or null to look everywhere")
    return float(look_above_hu)


def _weight(name: str, value: Any) -> float:
    if value is None:
        return 0.0
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise BundleError(f"{name} is {value}; it takes a number from 0 to 1")
    return float(value)


def _same(file: Path, own: Path) -> bool:
    return own.is_file() and file.is_file() and file.samefile(own)


_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def _channels_last(network: torch.nn.Module) -> None:
    """Convolutions' weights as processors take them fastest: a U-Net in 0.6 of the time, the logits as before but for
    rounding.
    """
    for weight in network.parameters():
        if weight.dim() in _FORMATS:
            weight.data = weight.data.to(memory_format=_FORMATS[weight.dim()])  # contiguous() skips single channels


def _without(first: Any, steps: Compose) -> Compose:
    """What a Compose does after its first step, which has to be `first`."""
    if not steps.transforms or steps.transforms[0] is not first:
        raise BundleError("to_mask has to begin with @to_probability; mend inference.yaml")
    return Compose(steps.transforms[1:])


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
