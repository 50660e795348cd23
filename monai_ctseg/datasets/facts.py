"""What a split needs to know of a scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from monai_ctseg.datasets.label import read_label
from monai_ctseg.datasets.records import Case
from monai_ctseg.io.read import read_scan
from monai_ctseg.scan import patient_keys, provenance
from monai_ctseg.segmentation.intensity import METAL_HU

SHARE = 0.2
"""Share of the slices, or of the patients, that validates."""


@dataclass(frozen=True)
class Facts:
    """What a split needs to know of a scan; nothing in it names the patient.

    names: of the slices, [k].
    spacing_mm: between slices.
    metal: voxels of metal in each slice, [k].
    keys: hashes and UIDs; two scans that share one are of one patient.
    source: see `provenance`.
    """

    names: tuple[str, ...]
    spacing_mm: float
    metal: tuple[int, ...]
    keys: frozenset[str]
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_metal(self) -> bool:
        """On any slice."""
        return any(self.metal)


def read_facts(case: Case, *, threshold_hu: float = METAL_HU) -> Facts:
    """Read a scan and its label, and keep what a split needs.

    Args:
        case: The scan; its slices do not matter.
        threshold_hu: Metal is what lies above, where the case names no label.

    Raises:
        ScanError: The scan cannot be read.
        GridMismatch: The label lies on another grid.
        MaskError: The label holds other values than 0 and 1.
    """
    scan = read_scan(case.image, series=case.series)
    mask = read_label(scan, case.label, threshold_hu=threshold_hu)
    source = provenance(scan)
    return Facts(
        names=scan.names,
        spacing_mm=scan.grid.spacing_mm[2],
        metal=tuple(int(n) for n in mask.voxels.sum(axis=(0, 1))),
        keys=frozenset([source["voxels_sha256"]]).union(*(patient_keys(header) for header in scan.headers[:1])),
        source=source,
    )
