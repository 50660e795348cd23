"""Real scans: two hips, each method against the half-maximum labels of the unsaturated scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.quality.methods import Method, half_maximum, plain_half_maximum
from benchmarks.quality.oracles import dice
from benchmarks.quality.records import VARIANTS, Record, Store, on_scale, run_method
from monai_ctseg import read_scan
from monai_ctseg.scan import BoolArray, Mask, Scan, voxels_sha256

SCANS = ("hip-screw-ct", "hip-prosthesis-ct")
BARE = ("hip-screw-ct", 85)
"""Slices 0 to 85 of this scan by SliceLocation show no metal."""


def run_real(
    data: Path, store: Store, methods: Callable[[str], Sequence[Method]], scans: Sequence[str] = SCANS
) -> list[Record]:
    """Records of each method on each scan on both scales. methods: those for a scan, by its name.

    dice: against the half-maximum labels of the unsaturated scan; dice_plain: against those of the plain version.
    """
    records = []
    for name in scans:
        scan = read_scan(data / name / "dicom")
        reference = Mask(half_maximum(scan, None).voxels, scan.grid)
        digest = voxels_sha256(scan)
        plain = plain_half_maximum(scan, None).voxels
        bare = bare_slices(scan) if name == BARE[0] else np.zeros(scan.grid.shape[2], dtype=bool)
        for variant in VARIANTS:
            given = cache(lambda variant=variant, scan=scan: on_scale(scan, variant))
            for method in methods(name):
                record = run_method(
                    store, method, name, variant, given, reference, group="real", kind=name, voxels=digest
                )
                voxels = store.mask(record)
                record["bare_mm3"] = float(voxels[:, :, bare].sum() * scan.grid.voxel_mm3) if bare.any() else None
                record["dice_plain"] = dice(voxels, plain)
                records.append(record)
                print(f"{name}, {variant}, {method.name}: Dice {record['dice']:.4f}", flush=True)
    return records


def bare_slices(scan: Scan) -> BoolArray:
    """The slices [k] that come first by SliceLocation, up to the last without metal."""
    order = np.argsort([float(header.SliceLocation) for header in scan.headers])
    bare = np.zeros(scan.grid.shape[2], dtype=bool)
    bare[order[: BARE[1] + 1]] = True
    return bare
