"""Head and neck: 24 coarse real scans, whose bright objects are known.

Jaw: where teeth are. All are 128 x 128 x 128 voxels, i to the patient's left, j to the back, k to the feet, and the
jaw lies at about (64, 46, 50) in each; contrast medium, table rods and a wire lie elsewhere. Bright means above
2450 HU, which metal is on all of them and enamel on none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cc3d
import numpy as np

from benchmarks.quality.methods import Method
from benchmarks.quality.records import Record, Store, run_method, within
from monai_ctseg import read_scan
from monai_ctseg.scan import BoolArray, Scan, voxels_sha256

KNOWN = {
    "pt_38": "table rods, no metal in the body",
    "pt_265": "dental; contrast in an arm",
    "pt_277": "dental; contrast in an arm",
    "pt_312": "dental; contrast in veins",
    "pt_59": "dental; contrast in veins",
    "pt_74": "dental; a wire on the skin",
    **dict.fromkeys(("pt_54", "pt_294", "pt_285", "pt_130", "pt_229"), "no metal"),
}
BRIGHT_HU = 2450
SURE_HU = 2900
JAW = ((46, 82), (34, 60), (34, 70))
NEAR_MM = 8.0
FOUND_MM3 = 20.0
"""So much marked in the jaw counts as found: half of one of these voxels."""


def run_head_neck(data: Path, store: Store, methods: Sequence[Method]) -> list[Record]:
    """A record for each volume and method: mm3 marked in the jaw near bright voxels, and elsewhere."""
    records = []
    for path in sorted((data / "head-neck-ct").glob("*.nii.gz"), key=lambda p: int(p.name[3:-7])):
        name, scan = path.name[:-7], read_scan(path)
        components = bright_components(scan)
        for method in methods:
            if method.name == "best_threshold":
                continue
            record = run_method(
                store,
                method,
                name,
                "as it is",
                lambda scan=scan: scan,
                None,
                group="head-neck",
                kind=name,
                voxels=voxels_sha256(scan),
            )
            records.append(
                record | measure_by_site(store.mask(record), components, scan) | _known(name, scan, components)
            )
        row = {r["method"]: round(r["jaw_mm3"]) for r in records if r["case"] == name}
        print(f"{name}: {KNOWN.get(name, 'dental')}; in the jaw, mm3: {row}", flush=True)
    return records


def bright_components(scan: Scan) -> tuple[BoolArray, BoolArray]:
    """Bright components [i, j, k] in the jaw, and all others; in the jaw they reach 2900 HU, or 2450 on 3 voxels."""
    bright = np.asarray(scan.hu > BRIGHT_HU)
    labels = cc3d.connected_components(bright, connectivity=26)
    stats, jaw = cc3d.statistics(labels), np.zeros(int(labels.max()) + 1, dtype=bool)
    for n in range(1, len(jaw)):
        inside = all(a <= c <= b for c, (a, b) in zip(stats["centroids"][n], JAW, strict=True))
        jaw[n] = inside and bool(stats["voxel_counts"][n] >= 3 or scan.hu[labels == n].max() > SURE_HU)
    return jaw[labels], bright & ~jaw[labels]


def measure_by_site(voxels: BoolArray, components: tuple[BoolArray, BoolArray], scan: Scan) -> Record:
    """What was marked near bright components of the jaw (8 mm), how many of those were touched, and the rest."""
    jaw, _ = components
    near = within(jaw, scan.grid, NEAR_MM)
    labels = cc3d.connected_components(jaw, connectivity=26)
    touched = set(np.unique(labels[voxels & jaw]).tolist()) - {0}
    mm3 = scan.grid.voxel_mm3
    return {
        "jaw_mm3": float((voxels & near).sum() * mm3),
        "elsewhere_mm3": float((voxels & ~near).sum() * mm3),
        "components": int(labels.max()),
        "components_found": len(touched),
    }


def _known(name: str, scan: Scan, components: tuple[BoolArray, BoolArray]) -> Record:
    mm3 = scan.grid.voxel_mm3
    highest = int(scan.hu.max())
    return {
        "known": KNOWN.get(name, "dental"),
        "dental": name != "pt_38" and KNOWN.get(name) != "no metal",
        "highest_hu": highest,
        "bright_jaw_mm3": float(components[0].sum() * mm3),
        "bright_elsewhere_mm3": float(components[1].sum() * mm3),
    }


def is_found(record: Record) -> bool:
    """Whether a method found the dental metal of a volume at all."""
    return bool(record["jaw_mm3"] >= FOUND_MM3)


def counts(records: Sequence[Record]) -> Record:
    """Of one method: volumes with dental metal in which it is found, those saturated at 2976 HU, false metal."""
    dental = [r for r in records if r["dental"]]
    low = [r for r in dental if r["highest_hu"] == 2976]
    return {
        "found": sum(map(is_found, dental)),
        "dental": len(dental),
        "found_2976": sum(map(is_found, low)),
        "saturated_2976": len(low),
        "false_metal_free_mm3": sum(r["jaw_mm3"] + r["elsewhere_mm3"] for r in records if not r["dental"]),
        "elsewhere_mm3": sum(r["elsewhere_mm3"] for r in dental),
        "volumes_with_elsewhere": sum(r["elsewhere_mm3"] > 0 for r in dental),
    }
