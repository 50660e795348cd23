"""Records: a method run on a case, measured, and kept, so that an interrupted run resumes where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from benchmarks.quality.methods import Found, Method
from benchmarks.quality.oracles import box_around
from monai_ctseg.grid import Grid
from monai_ctseg.metrics.overlap import compare_masks
from monai_ctseg.scan import BoolArray, Mask, Scan

SATURATION_LEVEL_HU = 3071
VARIANTS = ("extended", "saturated")
NEAR_MM = 5.0
BINS = 10
Record = dict[str, Any]


@dataclass(frozen=True)
class Store:
    """Records and masks in a folder."""

    folder: Path

    def _path(self, name: str, variant: str, method: str, ending: str) -> Path:
        return self.folder / method / f"{name}__{variant}{ending}"

    def load(self, name: str, variant: str, method: str, key: str) -> Record | None:
        """The record, where it was made with the same key."""
        path = self._path(name, variant, method, ".json")
        record = json.loads(path.read_text()) if path.exists() else None
        return record if record and record["key"] == key else None

    def keep(self, record: Record, mask: BoolArray) -> None:
        """Write the mask, then the record that says it is there."""
        words = (record["case"], record["variant"], record["method"])
        path = self._path(*words, ".npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, shape=mask.shape, bits=np.packbits(mask))
        self._path(*words, ".json").write_text(json.dumps(record))

    def mask(self, record: Record) -> BoolArray:
        """The mask of a record."""
        with np.load(self._path(record["case"], record["variant"], record["method"], ".npz")) as file:
            shape = tuple(file["shape"])
            return np.unpackbits(file["bits"], count=int(np.prod(shape))).astype(bool).reshape(shape)


def on_scale(scan: Scan, variant: str) -> Scan:
    """The scan as it is ("extended"), or clipped as a 12-bit scanner stores it ("saturated")."""
    if variant == "extended":
        return scan
    return replace(scan, hu=np.minimum(scan.hu, np.asarray(SATURATION_LEVEL_HU, dtype=scan.hu.dtype)))


def run_method(
    store: Store,
    method: Method,
    name: str,
    variant: str,
    scan: Callable[[], Scan],
    truth: Mask | None,
    *,
    voxels: str = "",
    **facts: Any,
) -> Record:
    """The record of a method on a scan, from the store or new.

    truth: None where there is none to measure against. voxels: a hash of the scan. A record is taken from the store
    where method, scan and truth are those that it was made with.
    """
    key = f"{method.key} {voxels[:12]} {_hash_of(truth)}"
    kept = store.load(name, variant, method.name, key)
    if kept is not None:
        return {**kept, **facts}
    given, start = scan(), perf_counter()
    found = method.run(given, truth)
    seconds = perf_counter() - start
    record: Record = {"case": name, "variant": variant, "method": method.name, "key": key, "seconds": seconds}
    record |= {"note": found.note, "mm3": float(found.voxels.sum() * given.grid.voxel_mm3)}
    if truth is not None:
        record |= measure(found, truth)
    store.keep(record, found.voxels)
    return {**record, **facts}


def _hash_of(truth: Mask | None) -> str:
    return "" if truth is None else hashlib.sha256(np.packbits(truth.voxels).tobytes()).hexdigest()[:12]


def measure(found: Found, truth: Mask) -> Record:
    """Agreement with the truth; distances and ratios are None where they are not defined.

    stray_mm3: marked more than 5 mm from any true metal. touched: anything marked nearer than that.
    reliability: see `count_chances`. objects_held: of the found objects, those whose interval holds their true volume.
    """
    overlap = compare_masks(Mask(found.voxels, truth.grid), truth)
    near_truth = within(truth.voxels, truth.grid, NEAR_MM)
    record: Record = {
        "dice": overlap.dice if truth.count else None,
        "volume_percent": overlap.volume_difference_percent,
        "surface_mm": overlap.average_surface_distance_mm,
        "hd95_mm": overlap.hd95_mm,
        "truth_mm3": overlap.volume_truth_mm3,
        "false_mm3": overlap.false_positive_mm3,
        "missed_mm3": overlap.false_negative_mm3,
        "stray_mm3": float(np.count_nonzero(found.voxels & ~near_truth) * truth.grid.voxel_mm3),
        "touched": bool((found.voxels & near_truth).any()),
        "volume_interval_mm3": found.component_report.get("volume_interval_mm3"),
        "objects": len(found.held),
        "objects_held": sum(found.held),
        "out_of_distribution": (found.component_report.get("confidence") or {}).get("out_of_distribution", []),
    }
    if found.probability is not None:
        near = within(truth.voxels | found.voxels, truth.grid, NEAR_MM)
        record["reliability"] = {
            "near": count_chances(found.probability[near], truth.voxels[near]),
            "all": count_chances(found.probability, truth.voxels),
        }
    return record


def within(mask: BoolArray, grid: Grid, mm: float) -> BoolArray:
    """The voxels at most so far from the mask."""
    near = np.zeros(mask.shape, dtype=bool, order="F")
    box = box_around(mask, [int(mm / spacing) + 1 for spacing in grid.spacing_mm])
    if box is not None:
        near[box] = distance_transform_edt(~mask[box], sampling=grid.spacing_mm) <= mm
    return near


def count_chances(chances: npt.NDArray[np.uint8], truth: BoolArray) -> list[list[float]]:
    """For each of ten bins of probability: voxels, sum of the probability, and how many are metal."""
    values = np.arange(256) / 255
    at = np.minimum((values * BINS).astype(int), BINS - 1)
    voxels, metal = (np.bincount(some.ravel(order="K"), minlength=256) for some in (chances, chances[truth]))
    return [np.bincount(at, weights=w, minlength=BINS).tolist() for w in (voxels, voxels * values, metal)]
