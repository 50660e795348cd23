"""Scan + bundle -> Mask on the scan's own grid.

The network, the window and the steps after it come from the bundle's inference.yaml. Slices go through in runs, so
the memory needed does not grow with the length of the scan, apart from the scan and its mask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from monai_ctseg.bundle import (
    DEFAULT_BUNDLE,
    WEIGHTS,
    config_errors,
    device_override,
    find_bundle,
    load_weights,
    quiet,
    read_config,
)
from monai_ctseg.errors import BundleError
from monai_ctseg.metal import judge_mask
from monai_ctseg.reading import read_scan
from monai_ctseg.scan import BoolArray, Mask, Scan
from monai_ctseg.transforms import scan_to_tensor

Progress = Callable[[int, int], None]
"""Called with the slices done and the slices in all."""

SLICES_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class Predictor:
    """A network ready to run, on any number of scans. Made by `load_predictor`."""

    bundle: Path
    weights: Path
    device: torch.device
    network: torch.nn.Module
    inferer: Any
    to_input: Any
    to_mask: Any

    def __call__(self, scan: Scan | str | Path, *, anywhere: bool = False, progress: Progress | None = None) -> Mask:
        """The mask of a scan, or of what `read_scan` finds at a path; it raises what `read_scan` raises.

        What the network marks outside the body is dropped, unless `anywhere`.
        """
        source = scan if isinstance(scan, Scan) else read_scan(scan)
        image = scan_to_tensor(source)
        count = source.grid.shape[2]
        voxels = np.zeros(source.grid.shape, dtype=np.bool_, order="F")
        for first in range(0, count, SLICES_AT_ONCE):
            slices = list(range(first, min(first + SLICES_AT_ONCE, count)))
            voxels[:, :, first : slices[-1] + 1] = self._predict_slices(image, slices)
            if progress is not None:
                progress(slices[-1] + 1, count)
        drawn = Mask(voxels, source.grid)
        return drawn if anywhere else judge_mask(source, drawn).mask

    def _predict_slices(self, image: Any, slices: list[int]) -> BoolArray:
        with quiet(), torch.inference_mode():
            item = self.to_input({"image": image, "slices": slices})
            batch = item["image"].as_tensor()[None].to(self.device)
            with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
                item["pred"] = MetaTensor(self.inferer(batch, self.network)[0].float())
            mask: BoolArray = self.to_mask(item)["pred"][0].cpu().numpy() > 0
        return mask


def load_predictor(
    bundle: str | Path = DEFAULT_BUNDLE, *, weights: str | Path | None = None, device: str | None = None
) -> Predictor:
    """Build the bundle's network and load its weights once, for many scans.

    weights: a model.pt; without it, the bundle's own.
    device: "cpu", "cuda", "cuda:1"; without it, CUDA where there is one.
    Raises BundleError where there are no weights, or they do not fit.
    """
    folder = find_bundle(bundle)
    file = folder / WEIGHTS if weights is None else Path(weights).expanduser()
    if weights is None and not file.is_file():
        raise BundleError(
            f"the bundle {folder.name} has no weights of its own ({file}); "
            "train it (monai-ctseg train), or name the model.pt to use (--weights)"
        )
    with quiet(), config_errors(folder):
        parser = read_config(folder, "inference", overrides=device_override(device))
        network = parser.get_parsed_content("network")
        load_weights(network, file)
        return Predictor(
            bundle=folder,
            weights=file,
            device=parser.get_parsed_content("device"),
            network=network.eval(),
            inferer=parser.get_parsed_content("inferer"),
            to_input=parser.get_parsed_content("slices_to_input"),
            to_mask=parser.get_parsed_content("to_mask"),
        )


def predict(
    scan: Scan | str | Path,
    *,
    bundle: str | Path = DEFAULT_BUNDLE,
    weights: str | Path | None = None,
    device: str | None = None,
    anywhere: bool = False,
    progress: Progress | None = None,
) -> Mask:
    """The metal that the bundle's network sees in one scan, on the scan's own grid; options as in `load_predictor`.

    anywhere: keep what it sees outside the body, too.
    """
    return load_predictor(bundle, weights=weights, device=device)(scan, anywhere=anywhere, progress=progress)
