"""How far the figures of one scan change when the image does and the patient does not."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.ndimage import affine_transform

from monai_ctseg.grid import Grid
from monai_ctseg.hip import measure_hips
from monai_ctseg.reading import read_scan
from monai_ctseg.scan import Scan

COLUMNS = ("variant", "side", "quantity", "unit", "value", "low", "high", "residual_mm", "points", "reason")
CROP = 0.08
NOISE_HU = 20.0
TWELVE_BITS_HU = 3071


def repeat_on(source: Path, out: Path) -> str:
    """Measure a scan and its variants; OUT.csv and OUT.md hold the figures, which are also returned as Markdown."""
    scan = read_scan(source)
    found = {name: {(m.side, m.quantity): m for m in measure_hips(one)} for name, one in variants(scan)}
    first = found["as it is"]
    keys = list(dict.fromkeys(key for one in found.values() for key in one))
    lines = [f"## {out.name}\n", "| side | quantity | " + " | ".join(found) + " |", "| --- " * (len(found) + 2) + "|"]
    with out.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ("variant", "side", "quantity", "unit", "value", "low", "high", "residual_mm", "points", "reason")
        )
        for key in keys:
            base, cells = first.get(key), []
            for name, one in found.items():
                m = one.get(key)
                if m is None:
                    cells.append("no row")
                    continue
                writer.writerow((name, *key, m.unit, m.value, m.low, m.high, m.residual_mm, m.points, m.reason))
                if m.value is None:
                    cells.append("-")
                elif name == "as it is" or base is None or base.value is None:
                    cells.append(f"{m.value:.2f}")
                else:
                    cells.append(f"{m.value - base.value:+.2f}")
            lines.append(f"| {key[0]} | {key[1]} | " + " | ".join(cells) + " |")
    reasons = sorted({f"- {key[0]} {key[1]}: {m.reason}" for key, m in first.items() if m.reason})
    text = "\n".join([*lines, "", *reasons, ""])
    out.with_suffix(".md").write_text(text)
    return text


def variants(scan: Scan) -> Iterator[tuple[str, Scan]]:
    """The scan, and others of the same patient in the same coordinates."""
    yield "as it is", scan
    yield "crop", _crop(scan)
    yield "flip", _flip(scan)
    for factor in (0.8, 1.25):
        yield f"resampled {factor:g}", _resample(scan, factor)
    noise = np.random.default_rng(0).standard_normal(scan.hu.shape, dtype=np.float32) * np.float32(NOISE_HU)
    yield "noise", Scan(np.asfortranarray(np.rint(scan.hu + noise).astype(np.int16)), scan.grid)
    yield "12 bits", Scan(np.minimum(scan.hu, TWELVE_BITS_HU).astype(np.int16, order="F"), scan.grid)


def _crop(scan: Scan) -> Scan:
    """Without the outermost voxels of each side."""
    cut = [int(n * CROP) for n in scan.hu.shape]
    i, j, k = (slice(c, n - c) for c, n in zip(cut, scan.hu.shape, strict=True))
    matrix = np.array(scan.grid.index_to_lps)
    matrix[:3, 3] = scan.grid.to_lps(cut)
    hu = np.asfortranarray(scan.hu[i, j, k])
    return Scan(hu, Grid(hu.shape, matrix))


def _flip(scan: Scan) -> Scan:
    """All three index axes the other way round."""
    matrix = np.array(scan.grid.index_to_lps)
    matrix[:3, 3] = scan.grid.to_lps(np.array(scan.hu.shape) - 1)
    matrix[:3, :3] *= -1
    return Scan(np.asfortranarray(scan.hu[::-1, ::-1, ::-1]), Grid(scan.grid.shape, matrix))


def _resample(scan: Scan, factor: float) -> Scan:
    """Linear, on voxels `factor` times as large."""
    i, j, k = (int((n - 1) / factor) + 1 for n in scan.hu.shape)
    hu = affine_transform(scan.hu.astype(np.float32), 3 * [factor], output_shape=(i, j, k), order=1)
    matrix = np.array(scan.grid.index_to_lps)
    matrix[:3, :3] *= factor
    return Scan(np.asfortranarray(np.rint(hu).astype(np.int16)), Grid((i, j, k), matrix))
