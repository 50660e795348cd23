"""Boxes around seeds: small enough to work in, and together they hold every seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from monai_ctseg.scan import BoolArray, Box, bounding_box

LARGEST = 150_000
"""Voxels of a box; larger ones are divided, which also drops the empty corners of oblique implants."""


def boxes_around(seeds: BoolArray) -> Iterator[Box]:
    """Disjoint boxes that hold all seeds [i, j, k]."""
    if seeds.any():
        i, j, k = (slice(0, n) for n in seeds.shape)
        yield from _divide(seeds, (i, j, k))


def _divide(seeds: BoolArray, box: Box) -> Iterator[Box]:
    inner = bounding_box(seeds, box)
    if inner is None:
        return
    sides = [s.stop - s.start for s in inner]
    if np.prod(sides) <= LARGEST:
        yield inner
        return
    axis = int(np.argmax(sides))
    middle = (inner[axis].start + inner[axis].stop) // 2
    for part in (slice(inner[axis].start, middle), slice(middle, inner[axis].stop)):
        i, j, k = (part if n == axis else side for n, side in enumerate(inner))
        yield from _divide(seeds, (i, j, k))


def grow(box: Box, margin: tuple[int, ...], shape: tuple[int, ...]) -> Box:
    """The box with a margin, within the volume."""
    i, j, k = (slice(max(0, s.start - m), min(n, s.stop + m)) for s, m, n in zip(box, margin, shape, strict=True))
    return i, j, k
