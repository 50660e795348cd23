"""The label of a scan."""

from __future__ import annotations

from pathlib import Path

from monai_ctseg.errors import GridMismatch
from monai_ctseg.io.nifti import read_mask
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.segmentation.pipeline import segment


def read_label(scan: Scan, label: Path | None, *, threshold_hu: float) -> Mask:
    """The mask of a scan.

    Args:
        scan: HU.
        label: A mask file; None: the metal by threshold.
        threshold_hu: Metal is what lies above, where there is no file.

    Raises:
        GridMismatch: The file does not lie on the scan's grid.
        MaskError: It holds other values than 0 and 1.
    """
    if label is None:
        return segment(scan, threshold_hu=threshold_hu).mask
    mask = read_mask(label)
    if not scan.grid.matches(mask.grid):
        raise GridMismatch(
            f"{label}: the grids differ: {mask.grid.describe()}, and its scan {scan.grid.describe()}; "
            "resample one of them"
        )
    return mask
