"""Segmentation: what `labels` and `infer` write of a mask."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from monai_ctseg.io.nifti import write_mask, write_scan
from monai_ctseg.output.atomic import write_json
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Mask, Scan

WINDOW_HU = (-1000.0, 4000.0)
"""What the 8-bit pictures show: metal stays apart from bone."""


def write_segmentation(
    folder: Path,
    scan: Scan,
    mask: Mask,
    audit: Mapping[str, Any],
    *,
    image: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write mask.nii.gz, masks/NAME.png and images/NAME.png for each slice, and audit.json; image.nii.gz on request.

    PNGs are 8-bit, row j downwards and column i to the right; masks 0 or 255, images `WINDOW_HU` over 0 ... 255.
    """
    scan.grid.require(mask.grid)
    write_mask(mask, folder / "mask.nii.gz")
    if image:
        write_scan(scan, folder / "image.nii.gz")
    write_json(folder / "audit.json", audit)
    for name in ("masks", "images"):
        (folder / name).mkdir()

    def write_slice(k: int) -> None:
        write_png(mask.voxels[:, :, k].T.astype(np.uint8) * np.uint8(255), folder / "masks" / f"{scan.names[k]}.png")
        write_png(to_8_bit(scan.hu[:, :, k].T), folder / "images" / f"{scan.names[k]}.png")

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # zlib works outside the interpreter's lock
        for done, _ in enumerate(pool.map(write_slice, range(len(scan.names))), start=1):
            if progress:
                progress(done, len(scan.names))


def to_8_bit(hu: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """HU clipped to `WINDOW_HU`, over 0 ... 255."""
    low, high = WINDOW_HU
    scaled = (np.clip(hu, low, high).astype(np.float32) - low) * (255 / (high - low))
    return np.asarray(np.rint(scaled), dtype=np.uint8)


def write_png(pixels: npt.NDArray[np.uint8], path: Path) -> None:
    """An 8-bit grey picture, [row, column]."""
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, compress_level=3)
