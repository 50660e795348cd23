"""Reading time against SimpleITK on a DICOM series, paired in one process.

    python benchmarks/reading.py SERIES_FOLDER

Prints, over several rounds after a warm-up: the fastest time of each reader, and the median of the ratios round by
round (ours / theirs; under 1 is faster). SimpleITK is timed twice: with and without its search for the series' files.
"""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc

import SimpleITK as sitk

from monai_ctseg import read_scan

ROUNDS = 15


def main(folder: str) -> None:
    """Measure and print."""
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    rounds = [measure(folder) for _ in range(ROUNDS + 1)][1:]
    ours, searched, read = zip(*rounds, strict=True)
    print(f"monai_ctseg                     {min(ours):.3f} s")
    for name, theirs in (("SimpleITK, series search + read", searched), ("SimpleITK, read alone", read)):
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        print(f"{name:<31} {min(theirs):.3f} s, ours / theirs {ratio:.2f}")
    tracemalloc.start()
    scan = read_scan(folder)
    peak = tracemalloc.get_traced_memory()[1]
    print(f"peak memory of reading / int16 voxels: {peak / (2 * scan.hu.size):.2f} ({scan.hu.dtype})")


def measure(folder: str) -> tuple[float, float, float]:
    """Seconds of one round: ours, SimpleITK with the search, SimpleITK without."""
    start = time.perf_counter()
    read_scan(folder)
    ours = time.perf_counter()
    reader = sitk.ImageSeriesReader()
    names = reader.GetGDCMSeriesFileNames(folder)
    searched = time.perf_counter()
    reader.SetFileNames(names)
    reader.Execute()
    end = time.perf_counter()
    return ours - start, end - ours, end - searched


if __name__ == "__main__":
    main(sys.argv[1])
