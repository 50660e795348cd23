"""monai_ctseg: finds metal in CT scans.

>>> from monai_ctseg import read_scan, scan_stats, find_metal, predict

`predict` and `train` import torch when they are first asked for; the others never do.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from monai_ctseg.errors import CtsegError
from monai_ctseg.grid import Grid
from monai_ctseg.io.read import read_scan
from monai_ctseg.metrics.overlap import compare_masks
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.segmentation.threshold import find_metal
from monai_ctseg.stats import scan_stats

__version__ = "0.1.0"

if TYPE_CHECKING:
    from monai_ctseg.networks.predict import predict
    from monai_ctseg.networks.train import train

__all__ = [
    "CtsegError",
    "Grid",
    "Mask",
    "Scan",
    "compare_masks",
    "find_metal",
    "predict",
    "read_scan",
    "scan_stats",
    "train",
]

_LAZY = {"predict": "monai_ctseg.networks.predict", "train": "monai_ctseg.networks.train"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
