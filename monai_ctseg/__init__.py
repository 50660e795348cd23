"""monai_ctseg: finds metal in CT scans.

>>> from monai_ctseg import read_scan, segment, load_network

Each name is imported when it is first asked for, so that `import monai_ctseg` costs nothing;
only `load_network`, `predict`, `train` and `TrainOptions` import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from monai_ctseg.errors import CtsegError
    from monai_ctseg.grid import Grid
    from monai_ctseg.io.read import read_scan
    from monai_ctseg.metrics.overlap import compare_masks
    from monai_ctseg.networks.predict import load_network, predict
    from monai_ctseg.networks.train import TrainOptions, train
    from monai_ctseg.scan import Mask, Scan
    from monai_ctseg.segmentation.pipeline import segment
    from monai_ctseg.segmentation.records import Segmentation
    from monai_ctseg.stats import scan_stats

__all__ = [
    "CtsegError",
    "Grid",
    "Mask",
    "Scan",
    "Segmentation",
    "TrainOptions",
    "compare_masks",
    "load_network",
    "predict",
    "read_scan",
    "scan_stats",
    "segment",
    "train",
]

_HOMES = {
    "CtsegError": "errors",
    "Grid": "grid",
    "Mask": "scan",
    "Scan": "scan",
    "Segmentation": "segmentation.records",
    "TrainOptions": "networks.train",
    "compare_masks": "metrics.overlap",
    "load_network": "networks.predict",
    "predict": "networks.predict",
    "read_scan": "io.read",
    "scan_stats": "stats",
    "segment": "segmentation.pipeline",
    "train": "networks.train",
}
"""The module of each public name."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(globals().keys() | _HOMES.keys())
