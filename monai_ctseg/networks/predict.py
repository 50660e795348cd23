"""Load a bundle's network once, for many scans; or segment one scan by it in one call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.transforms import Compose

from monai_ctseg.bundles import DEFAULT_BUNDLE, WEIGHTS, find_bundle, find_weights
from monai_ctseg.errors import BundleError
from monai_ctseg.io.read import read_scan
from monai_ctseg.networks.bundle_network import MetalNetwork
from monai_ctseg.networks.config import device_override, read_config
from monai_ctseg.networks.guards import config_errors, quiet
from monai_ctseg.networks.weights import load_weights
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Scan
from monai_ctseg.segmentation.confidence import Calibration
from monai_ctseg.segmentation.pipeline import segment
from monai_ctseg.segmentation.records import Segmentation


def load_network(
    bundle: str | Path = DEFAULT_BUNDLE,
    *,
    weights: str | Path | None = None,
    device: str | None = None,
    tta: bool = False,
    overrides: Mapping[str, Any] | None = None,
) -> MetalNetwork:
    """Build a bundle's network and load its weights once, for many scans.

    Args:
        bundle: name of a bundle that came with the package, or a bundle's folder.
        weights: a model.pt; without it, the bundle's own.
        device: "cpu", "cuda", "cuda:1"; without it, CUDA where there is one.
        tta: test-time augmentation, see `MetalNetwork`.
        overrides: values for other ids of the bundle's inference.yaml, such as {"windows_per_batch": 1}.

    Returns:
        The network, for `segment(scan, network=...)`.

    Raises:
        BundleError: there are no weights, or they do not fit, or the config has no such id.
    """
    folder = find_bundle(bundle)
    file = find_weights(folder, weights)
    shipped = folder / WEIGHTS
    own = shipped.is_file() and file.is_file() and file.samefile(shipped)
    with quiet(), config_errors(folder):
        config = read_config(folder, "inference", overrides={**device_override(device), **(overrides or {})})
        part = config.get_parsed_content
        known = {name: part(name) if name in config else None for name in _OPTIONAL}
        network = part("network")
        load_weights(network, file)
        if part("device").type == "cpu":
            _channels_last(network)
        return MetalNetwork(
            bundle=folder,
            weights=file,
            device=part("device"),
            network=network.eval(),
            inferer=part("inferer"),
            to_input=part("slices_to_input"),
            to_probability=part("to_probability"),
            to_binary=_without(part("to_probability"), part("to_mask")),
            slices_at_once=_count("slices_at_once", part("slices_at_once")),
            context_slices_mm=_length("context_slices_mm", part("context_slices_mm")),
            skip_below_hu=_hounsfield("skip_below_hu", known["skip_below_hu"]),
            **{name: _weight(name, known[name]) * own for name in _WEIGHTS},
            calibration=Calibration.of(known["interval_levels"], known["training_range"], own_weights=own),
            tta=tta,
        )


def predict(
    scan: Scan | str | Path,
    *,
    bundle: str | Path = DEFAULT_BUNDLE,
    weights: str | Path | None = None,
    device: str | None = None,
    body_mask: bool = True,
    progress: Progress | None = None,
) -> Segmentation:
    """Segment one scan by a bundle's network: `segment` with `load_network` in one call.

    Args:
        scan: HU on a grid, or a path that `read_scan` takes.
        bundle: as in `load_network`.
        weights: as in `load_network`.
        device: as in `load_network`.
        body_mask: as in `segment`.
        progress: as in `segment`.

    Returns:
        The mask on the scan's own grid, its components with reasons, the probability, and how far to rely on them.

    Raises:
        ScanError: the scan cannot be read, see `read_scan`.
        BundleError: the bundle or its weights cannot be used, or the network ran out of memory.
    """
    source = scan if isinstance(scan, Scan) else read_scan(scan)
    network = load_network(bundle, weights=weights, device=device)
    return segment(source, network=network, body_mask=body_mask, progress=progress)


_WEIGHTS = ("half_maximum_weight", "threshold_weight")
_OPTIONAL = ("skip_below_hu", *_WEIGHTS, "interval_levels", "training_range")


def _count(name: str, value: Any) -> int:
    if not isinstance(value, int) or value < 1:
        raise BundleError(f"{name} is {value}; it takes a number of slices, 1 or more")
    return value


def _length(name: str, value: Any) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise BundleError(f"{name} is {value}; it takes millimetres, 0 or more")
    return float(value)


def _hounsfield(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise BundleError(f"{name} is {value}; it takes a number of HU, or null to evaluate every window")
    return float(value)


def _weight(name: str, value: Any) -> float:
    if value is None:
        return 0.0
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise BundleError(f"{name} is {value}; it takes a number from 0 to 1")
    return float(value)


_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def _channels_last(network: torch.nn.Module) -> None:
    """Convolutions' weights in the order that processors compute fastest: a U-Net takes 0.6 of the time.

    The logits stay the same but for rounding.
    """
    for weight in network.parameters():
        if weight.dim() in _FORMATS:
            weight.data = weight.data.to(memory_format=_FORMATS[weight.dim()])  # contiguous() skips single channels


def _without(first: Any, steps: Compose) -> Compose:
    """What a Compose does after its first step, which has to be `first`."""
    if not steps.transforms or steps.transforms[0] is not first:
        raise BundleError("to_mask has to begin with @to_probability; correct inference.yaml")
    return Compose(steps.transforms[1:])
