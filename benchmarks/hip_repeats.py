"""How much the figures of one scan change when the image changes and the patient does not."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
from scipy.ndimage import affine_transform

from monai_ctseg.grid import Grid
from monai_ctseg.hip import Measurement, measure_hips
from monai_ctseg.io.read import read_scan
from monai_ctseg.scan import Scan

AS_IT_IS = "as it is"
CROP = 0.08
NOISE_HU = 20.0
TWELVE_BITS_HU = 3071


def repeat_on(source: Path, out: Path) -> str:
    """Measure a scan and its variants; OUT.csv and OUT.md hold the figures, which are also returned as Markdown."""
    found = {name: measure_hips(scan) for name, scan in variants(read_scan(source))}
    with out.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["variant", *(field.name for field in fields(Measurement))])
        writer.writeheader()
        writer.writerows({"variant": name} | asdict(one) for name, ones in found.items() for one in ones)
    text = "\n".join([f"## {out.name}\n", *_table(found)]) + "\n"
    out.with_suffix(".md").write_text(text)
    return text


def _table(found: dict[str, tuple[Measurement, ...]]) -> Iterator[str]:
    """The figures of the scan, and how much those of its variants differ."""
    by_key = {name: {(m.side, m.quantity): m for m in ones} for name, ones in found.items()}
    yield "| side | quantity | 95 % interval | " + " | ".join(found) + " |"
    yield "| --- " * (len(found) + 3) + "|"
    for m in found[AS_IT_IS]:
        values = [by_key[name][m.side, m.quantity].value for name in found]
        if any(value is not None for value in values):
            cells = [f"{m.value:.2f}" if m.value is not None else "none"]
            cells += [_change(value, m.value) for value in values[1:]]
            half = "" if m.low is None or m.high is None else f"+- {(m.high - m.low) / 2:.2f}"
            yield f"| {m.side} | {m.quantity} ({m.unit}) | {half} | " + " | ".join(cells) + " |"


def _change(value: float | None, before: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:.2f} (new)" if before is None else f"{value - before:+.2f}"


def variants(scan: Scan) -> Iterator[tuple[str, Scan]]:
    """The scan, and others of the same patient in the same coordinates."""
    yield AS_IT_IS, scan
    yield "crop", _crop(scan)
    yield "flip", _flip(scan)
    for factor in (0.8, 1.25):
        yield f"resampled {factor:g}", _resample(scan, factor)
    noise = np.random.default_rng(0).standard_normal(scan.hu.shape, dtype=np.float32) * np.float32(NOISE_HU)
    yield "noise", Scan(np.asfortranarray(np.rint(scan.hu + noise).astype(np.int16)), scan.grid, headers=scan.headers)
    yield (
        "12 bits",
        Scan(np.minimum(scan.hu, TWELVE_BITS_HU).astype(np.int16, order="F"), scan.grid, headers=scan.headers),
    )


def _crop(scan: Scan) -> Scan:
    """Without the outermost voxels of each side."""
    cut = [int(n * CROP) for n in scan.hu.shape]
    i, j, k = (slice(c, n - c) for c, n in zip(cut, scan.hu.shape, strict=True))
    matrix = np.array(scan.grid.index_to_lps)
    matrix[:3, 3] = scan.grid.to_lps(cut)
    hu = np.asfortranarray(scan.hu[i, j, k])
    return Scan(hu, Grid(hu.shape, matrix), headers=scan.headers[k])


def _flip(scan: Scan) -> Scan:
    """All three index axes the other way round."""
    matrix = np.array(scan.grid.index_to_lps)
    matrix[:3, 3] = scan.grid.to_lps(np.array(scan.hu.shape) - 1)
    matrix[:3, :3] *= -1
    return Scan(np.asfortranarray(scan.hu[::-1, ::-1, ::-1]), Grid(scan.grid.shape, matrix), headers=scan.headers[::-1])


def _resample(scan: Scan, factor: float) -> Scan:
    """Linear, on voxels `factor` times as large."""
    i, j, k = (int((n - 1) / factor) + 1 for n in scan.hu.shape)
    hu = affine_transform(scan.hu.astype(np.float32), 3 * [factor], output_shape=(i, j, k), order=1)
    matrix = np.array(scan.grid.index_to_lps)
    matrix[:3, :3] *= factor
    return Scan(np.asfortranarray(np.rint(hu).astype(np.int16)), Grid((i, j, k), matrix), headers=k * scan.headers[:1])
