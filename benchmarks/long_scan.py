"""Seconds and peak memory of commands on a long scan, each in a process of its own.

    python -m benchmarks.long_scan FOLDER [--source SCAN] [--slices 2000] [--dicom] [--commands stats labels infer]
        [--weights model.pt] [--infer ...]

The scan is written into FOLDER and used again if it is there: the slices of SCAN (default: a phantom of 512 x 512 x 128
voxels) up and down again until there are enough. What follows --infer goes to that command.
Peak memory is the largest resident set (ru_maxrss), the interpreter and torch included.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from multiprocessing import Process
from pathlib import Path

import numpy as np

from benchmarks.quick_phantom import make_phantom
from monai_ctseg import Grid, Scan, read_scan
from monai_ctseg.io.dicom import write_series
from monai_ctseg.io.nifti import write_scan


def main() -> None:
    """Make the scan, run the commands, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--slices", type=int, default=2000)
    parser.add_argument("--dicom", action="store_true")
    parser.add_argument("--commands", nargs="+", default=["stats", "labels", "infer"])
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--infer", nargs=argparse.REMAINDER, default=[])
    wanted = parser.parse_args()
    scan = place_of(wanted.folder, slices=wanted.slices, dicom=wanted.dicom)
    if not scan.exists():  # in a process of its own: the peak of a child is never under its parent's
        maker = Process(target=make, args=(scan, wanted.source, wanted.slices))
        maker.start()
        maker.join()
    weights = ["--weights", str(wanted.weights)] if wanted.weights else []
    for command in wanted.commands:
        out = wanted.folder / f"{command}_out"
        more = {"stats": ["--json"], "labels": ["-o", str(out)], "infer": ["-o", str(out), *weights, *wanted.infer]}
        measure(command, str(scan), *more[command])
        shutil.rmtree(out, ignore_errors=True)


def place_of(folder: Path, *, slices: int, dicom: bool) -> Path:
    """Where the scan lies."""
    return folder / (f"scan_{slices}" if dicom else f"scan_{slices}.nii")


def long_scan(source: Path | None, *, slices: int) -> Scan:
    """The source's slices up and down again, at its spacing."""
    short = (
        read_scan(source) if source else make_phantom(shape=(512, 512, 128), spacing_mm=(0.75, 0.75, 0.5), seed=0).scan
    )
    count = short.grid.shape[2]
    order = [k if k < count else 2 * count - 1 - k for k in (n % (2 * count) for n in range(slices))]
    hu = np.empty((*short.hu.shape[:2], slices), dtype=short.hu.dtype, order="F")
    for n, k in enumerate(order):
        hu[:, :, n] = short.hu[:, :, k]
    return Scan(hu, Grid(hu.shape, short.grid.index_to_lps))


def make(place: Path, source: Path | None, slices: int) -> None:
    """Write the scan as NIfTI, or as a DICOM folder."""
    scan = long_scan(source, slices=slices)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.suffix:
        write_scan(scan, place)
        return
    place.mkdir()
    write_series(scan, place)


def measure(*words: str) -> None:
    """Run one command and print its time and peak."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "monai_ctseg", *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    print(f"{words[0]:<8} {seconds:7.1f} s   {usage.ru_maxrss / 2**20:6.2f} GiB   exit code {code}", flush=True)


if __name__ == "__main__":
    main()
