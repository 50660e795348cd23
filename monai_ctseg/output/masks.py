"""What `labels` and `infer` leave: the mask as NIfTI and PNG, pictures of the slices, the component report."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from monai_ctseg.io.nifti import write_mask, write_probability, write_scan
from monai_ctseg.output.atomic import write_json
from monai_ctseg.parallel import Progress, cores
from monai_ctseg.scan import Scan
from monai_ctseg.segmentation.records import Segmentation

WINDOW_HU = (-1000.0, 4000.0)
"""What the 8-bit pictures show: metal stays apart from bone."""
RUN_LENGTHS = 3
"""zlib's strategy Z_RLE: half of the time of the usual one, and CT slices come out smaller."""
COMPONENT_REPORT = "component_report.json"


class Write(Protocol):
    """Writes the segmentation of a scan; `progress` is called with files done and files in all."""

    def __call__(self, found: Segmentation, *, progress: Progress | None = None) -> None: ...  # noqa: D102


@contextmanager
def segmentation_writer(folder: Path, scan: Scan, *, image: bool = False, probability: bool = False) -> Iterator[Write]:
    """Write a segmentation into a folder, and the scan's pictures meanwhile: they need not wait for the mask.

    Writes mask.nii.gz, masks/NAME.png and images/NAME.png for each slice, and component_report.json. PNGs are 8-bit,
    row j downwards and column i to the right; masks 0 or 255, images `WINDOW_HU` over 0 ... 255.

    Args:
        folder: an empty folder.
        scan: HU on a grid.
        image: write the scan as image.nii.gz, too.
        probability: write a network's probability as probability.nii.gz, too.

    Yields:
        A function that takes the scan's segmentation and returns when all of it is written.
    """
    for name in ("masks", "images"):
        (folder / name).mkdir()
    with ThreadPoolExecutor(max_workers=cores()) as pool:  # zlib works outside the interpreter's lock
        jobs: list[Future[None]] = [pool.submit(_write_picture, scan, k, folder) for k in range(len(scan.names))]
        if image:
            jobs.append(pool.submit(write_scan, scan, folder / "image.nii.gz"))

        def write(found: Segmentation, *, progress: Progress | None = None) -> None:
            scan.grid.require(found.mask.grid)
            jobs.append(pool.submit(write_mask, found.mask, folder / "mask.nii.gz"))
            if probability and found.probability is not None:
                jobs.append(pool.submit(write_probability, found.probability, scan.grid, folder / "probability.nii.gz"))
            jobs.extend(pool.submit(_write_mask_picture, found, scan, k, folder) for k in range(len(scan.names)))
            write_json(folder / COMPONENT_REPORT, found.component_report())
            for done, job in enumerate(jobs, start=1):
                job.result()
                if progress:
                    progress(done, len(jobs))

        try:
            yield write
        finally:
            for job in jobs:
                job.cancel()


def _write_picture(scan: Scan, k: int, folder: Path) -> None:
    write_png(to_8_bit(scan.hu[:, :, k].T), folder / "images" / f"{scan.names[k]}.png")


def _write_mask_picture(found: Segmentation, scan: Scan, k: int, folder: Path) -> None:
    pixels = found.mask.voxels[:, :, k].T.astype(np.uint8) * np.uint8(255)
    write_png(pixels, folder / "masks" / f"{scan.names[k]}.png")


def to_8_bit(hu: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """HU of any shape clipped to `WINDOW_HU`, over 0 ... 255."""
    low, high = WINDOW_HU
    scaled = (np.clip(hu, low, high).astype(np.float32) - low) * (255 / (high - low))
    return np.asarray(np.rint(scaled), dtype=np.uint8)


def write_png(pixels: npt.NDArray[np.uint8], path: Path) -> None:
    """Write an 8-bit grey picture, [row, column]."""
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, compress_level=1, compress_type=RUN_LENGTHS)
