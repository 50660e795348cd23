"""Methods: the ways to find metal, each from a scan to a mask in the body."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter

import monai_ctseg
from benchmarks.quality.oracles import best_threshold, box_around
from monai_ctseg.errors import SaturatedScan
from monai_ctseg.scan import BoolArray, Mask, Scan
from monai_ctseg.segmentation.confidence import matching_levels
from monai_ctseg.segmentation.pipeline import judge_mask, segment

NETWORKS = {"net2d": "metal_unet2d", "net3d": "metal_unet3d", "infer": "metal_unet2d"}
"""Alone, except "infer", which averages probabilities with half-maximum as the command does."""
METHODS = ("threshold", "best_threshold", "plain_half_maximum", "half_maximum", *NETWORKS)
NAMES = {
    "threshold": "3000 HU",
    "best_threshold": "best threshold, truth in hand",
    "plain_half_maximum": "half-maximum, plain",
    "half_maximum": "half-maximum",
    "net2d": "network 2D",
    "net3d": "network 3D",
    "infer": "infer (2D)",
}
PACKAGE = Path(inspect.getfile(monai_ctseg)).parent
NEAR_MM = 4.0
SURE_HU = 3000.0


@dataclass(frozen=True)
class Found:
    """What a method says of a scan.

    component_report: as `infer` and `labels` write it.
    held: for each object found, whether its interval holds its true volume.
    note: why there is nothing.
    """

    voxels: BoolArray
    probability: npt.NDArray[np.uint8] | None = None
    component_report: dict[str, Any] = field(default_factory=dict)
    held: tuple[bool, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Method:
    """key: changes where the method's code or weights change, so that old figures are not taken for new ones."""

    name: str
    key: str
    run: Callable[[Scan, Mask | None], Found]


def make_methods(names: Sequence[str], weights: Mapping[str, Path | None]) -> list[Method]:
    """The methods by name; weights: of the networks, None for the shipped ones."""
    return [_network(name, weights.get(name)) if name in NETWORKS else _simple(name) for name in names]


def _simple(name: str) -> Method:
    run = {
        "threshold": threshold,
        "best_threshold": oracle,
        "plain_half_maximum": plain_half_maximum,
        "half_maximum": half_maximum,
    }[name]
    return Method(name, _key_of(run, segment, *_own_files(name)), run)


def _own_files(name: str) -> list[Any]:
    if name != "half_maximum":
        return []
    from monai_ctseg.segmentation import half_maximum as module

    path = Path(module.__file__)
    return [file.read_text() for file in (sorted(path.parent.glob("*.py")) if path.stem == "__init__" else [path])]


def _key_of(*things: Any) -> str:
    text = "".join(thing if isinstance(thing, str) else inspect.getsource(thing) for thing in things)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def threshold(scan: Scan, truth: Mask | None) -> Found:
    """Above 3000 HU, as `labels` does it."""
    try:
        found = segment(scan, threshold_hu=SURE_HU)
    except SaturatedScan as error:
        return Found(np.zeros(scan.grid.shape, dtype=bool), note=str(error))
    return Found(found.mask.voxels, component_report=found.component_report())


def oracle(scan: Scan, truth: Mask | None) -> Found:
    """The threshold that fits the truth best, in the body."""
    if truth is None or not truth.count:
        return Found(np.zeros(scan.grid.shape, dtype=bool), note="no metal in the truth")
    best, voxels = best_threshold(scan.hu, truth.voxels)
    return Found(judge_mask(scan, Mask(voxels, scan.grid)).mask.voxels, note=f"{best:.0f} HU")


def plain_half_maximum(scan: Scan, truth: Mask | None) -> Found:
    """Above half of the maximum within 4 mm; components with a voxel above 3000 HU, in the body."""
    reach = [np.arange(-int(NEAR_MM / mm), int(NEAR_MM / mm) + 1) * mm for mm in scan.grid.spacing_mm]
    ball = np.sqrt(sum(axis**2 for axis in np.meshgrid(*reach, indexing="ij"))) <= NEAR_MM
    voxels = np.zeros(scan.grid.shape, dtype=bool, order="F")
    box = box_around(scan.hu > SURE_HU, [len(r) for r in reach])
    if box is not None:
        hu = scan.hu[box].astype(np.float32)
        highest = maximum_filter(hu, footprint=ball)
        labels = cc3d.connected_components((hu > highest / 2) & (highest > SURE_HU), connectivity=26)
        sure = np.zeros(int(labels.max()) + 1, dtype=bool)
        sure[np.unique(labels[hu > SURE_HU])] = True
        sure[0] = False
        voxels[box] = sure[labels]
    return Found(judge_mask(scan, Mask(voxels, scan.grid)).mask.voxels)


def half_maximum(scan: Scan, truth: Mask | None) -> Found:
    """As `labels --method half-maximum` does it."""
    found = segment(scan, method="half-maximum")
    return Found(found.mask.voxels, component_report=found.component_report())


def _network(name: str, weights: Path | None) -> Method:
    """A bundle's network, loaded once, as `infer` uses it."""
    from monai_ctseg.networks.predict import load_network
    from monai_ctseg.output import file_sha256

    predictor = load_network(NETWORKS[name], weights=weights)
    if name != "infer":
        predictor = replace(predictor, half_maximum_weight=0.0, threshold_weight=0.0)
    config = (predictor.bundle / "configs" / "inference.yaml").read_text()

    def run(scan: Scan, truth: Mask | None) -> Found:
        found = segment(scan, network=predictor)
        assert found.probability is not None
        held = hold_objects(found.probability, found.mask, truth, predictor.calibration.levels)
        return Found(found.mask.voxels, found.probability, found.component_report(), held)

    code = [path.read_text() for path in sorted((PACKAGE / "networks").glob("*.py"))]
    edges = _own_files("half_maximum") if predictor.half_maximum_weight else []
    return Method(name, _key_of(config, file_sha256(predictor.weights), run, *code, *edges), run)


def hold_objects(
    probability: npt.NDArray[np.uint8], found: Mask, truth: Mask | None, levels: tuple[float, float]
) -> tuple[bool, ...]:
    """For each component found, whether the interval between the levels holds its true volume."""
    if truth is None:
        return ()
    matching = matching_levels(probability, found.voxels, truth.voxels, truth.grid)
    return tuple(((levels[0] <= matching[:, 0]) & (levels[1] > matching[:, 1])).tolist())
