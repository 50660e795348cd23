"""The pieces that a mask falls into, measured all at once: a threshold of 0 HU makes thousands of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import cc3d
import numpy as np
import numpy.typing as npt

from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.scan import BoolArray, Box, HUArray, bounding_box
from monai_ctseg.segmentation.body import Body

IntArray: TypeAlias = npt.NDArray[np.int64]
ONE_VOXEL: Box = (slice(0, 1), slice(0, 1), slice(0, 1))


@dataclass(frozen=True, eq=False)
class Pieces:
    """26-connected pieces of a mask, in the box that holds them.

    labels: uint32 [i, j, k] in the box, 0 outside the pieces. origin: the box's first voxel.
    Arrays by label are 1-D and start with label 0, which is no piece.
    """

    labels: npt.NDArray[np.uint32]
    origin: tuple[int, int, int]

    @classmethod
    def of(cls, mask: BoolArray) -> Pieces:
        """Label `mask` [i, j, k]."""
        box = bounding_box(mask) or ONE_VOXEL
        labels = cc3d.connected_components(mask[box], connectivity=26, out_dtype=np.uint32)
        return cls(labels, (box[0].start, box[1].start, box[2].start))

    @cached_property
    def _measures(self) -> dict[str, npt.NDArray[Any]]:
        return dict(cc3d.statistics(self.labels))

    @cached_property
    def voxels(self) -> IntArray:
        """Voxels of each piece, by label."""
        counts = self._measures["voxel_counts"].astype(np.int64)
        counts[0] = 0
        return np.asarray(counts)

    @property
    def by_size(self) -> IntArray:
        """Labels, largest piece first."""
        return np.argsort(-self.voxels[1:], kind="stable") + 1

    def centroids_lps(self, grid: Grid) -> FloatArray:
        """Mean position of each piece, by label, (n, 3) mm."""
        return grid.to_lps(self._measures["centroids"] + np.array(self.origin))

    def shares(self, body: Body) -> FloatArray:
        """Which share of each piece lies in the body, by label."""
        inside = np.zeros(len(self.voxels))
        for k, ij, labels in self._slices():
            inside += np.bincount(labels, weights=body.at(body.blocks, ij, k), minlength=len(inside))
        return inside / np.maximum(self.voxels, 1)

    def shares_of(self, mask: BoolArray) -> FloatArray:
        """Which share of each piece lies in `mask` [i, j, k], by label."""
        inside = np.zeros(len(self.voxels))
        for k, ij, labels in self._slices():
            inside += np.bincount(labels, weights=mask[:, :, k][ij], minlength=len(inside))
        return inside / np.maximum(self.voxels, 1)

    def deepest_mm(self, body: Body) -> FloatArray:
        """Depth under the body's surface of each piece's deepest voxel, by label; negative outside."""
        deepest = np.full(len(self.voxels), -np.inf)
        for k, ij, labels in self._slices():
            np.maximum.at(deepest, labels, body.at(body.depth_mm, ij, k))
        return deepest

    def highest_hu(self, hu: HUArray) -> FloatArray:
        """Maximum of `hu` [i, j, k] in each piece, by label."""
        highest = np.full(len(self.voxels), -np.inf)
        for k, ij, labels in self._slices():
            np.maximum.at(highest, labels, hu[:, :, k][ij])
        return highest

    def paint(self, kept: BoolArray, shape: tuple[int, int, int]) -> BoolArray:
        """Mask [i, j, k] of the pieces that are `kept`, by label."""
        mask = np.zeros(shape, dtype=bool, order="F")
        for k, (i, j), labels in self._slices():
            mask[i, j, k] = kept[labels]
        return mask

    def _slices(self) -> Iterator[tuple[int, tuple[IntArray, IntArray], npt.NDArray[np.uint32]]]:
        """For each slice with pieces: k, the indices (i, j) of their voxels, and their labels."""
        for n in range(self.labels.shape[2]):
            i, j = np.nonzero(self.labels[:, :, n])
            if len(i):
                yield n + self.origin[2], (i + self.origin[0], j + self.origin[1]), self.labels[i, j, n]
