"""The connected components of a mask, measured all at once: a threshold of 0 HU makes thousands of them."""

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
"""The box of an empty mask."""


@dataclass(frozen=True, eq=False)
class Components:
    """26-connected components of a mask, in the box that holds them.

    Arrays "by label" are 1-D and start with label 0, which is the background.

    Attributes:
        labels: uint32 [i, j, k] in the box, 0 outside the components.
        origin: the box's first voxel (i, j, k).
        shape: of the whole volume.
    """

    labels: npt.NDArray[np.uint32]
    origin: tuple[int, int, int]
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, mask: BoolArray) -> Components:
        """Label `mask` [i, j, k]."""
        box = bounding_box(mask) or ONE_VOXEL
        labels = cc3d.connected_components(mask[box], connectivity=26, out_dtype=np.uint32)
        i, j, k = mask.shape
        return cls(labels, (box[0].start, box[1].start, box[2].start), (i, j, k))

    def select(self, chosen: BoolArray) -> Components:
        """The components that are `chosen`, by label, in the same order."""
        chosen = chosen.copy()
        chosen[0] = False
        numbers = np.where(chosen, np.cumsum(chosen), 0).astype(np.uint32)
        return Components(numbers[self.labels], self.origin, self.shape)

    @cached_property
    def _measures(self) -> dict[str, npt.NDArray[Any]]:
        return dict(cc3d.statistics(self.labels))

    @cached_property
    def voxels(self) -> IntArray:
        """Voxels of each component, by label."""
        counts = self._measures["voxel_counts"].astype(np.int64)
        counts[0] = 0
        return np.asarray(counts)

    @property
    def by_size(self) -> IntArray:
        """Labels, largest component first."""
        return np.argsort(-self.voxels[1:], kind="stable") + 1

    def centroids_lps(self, grid: Grid) -> FloatArray:
        """Mean position of each component, by label, (n, 3) mm."""
        return grid.to_lps(self._measures["centroids"] + np.array(self.origin))

    def shares_in_body(self, body: Body) -> FloatArray:
        """Which share of each component lies in the body, by label."""
        return self._share(lambda ij, k: body.at(body.blocks, ij, k))

    def shares_in(self, mask: BoolArray) -> FloatArray:
        """Which share of each component lies in `mask` [i, j, k], by label."""
        return self._share(lambda ij, k: mask[:, :, k][ij])

    def _share(self, inside: Any) -> FloatArray:
        counts = np.zeros(len(self.voxels))
        for k, ij, labels in self._slices():
            counts += np.bincount(labels, weights=inside(ij, k), minlength=len(counts))
        return counts / np.maximum(self.voxels, 1)

    def deepest_mm(self, body: Body) -> FloatArray:
        """Depth below the body's surface of each component's deepest voxel, by label; negative outside."""
        deepest = np.full(len(self.voxels), -np.inf)
        owners, blocks = self._blocks(body)
        if len(owners):
            np.maximum.at(deepest, owners, body.depth_mm(blocks))
        return deepest

    def _blocks(self, body: Body) -> tuple[IntArray, IntArray]:
        """Each component's label with each block of the body's grid that it touches: (n,) and (n, 3)."""
        size = body.blocks.size
        pairs = [
            np.unique(labels.astype(np.int64) * size + body.flat_blocks(ij, k)) for k, ij, labels in self._slices()
        ]
        found = np.unique(np.concatenate(pairs)) if pairs else np.zeros(0, dtype=np.int64)
        return found // size, np.transpose(np.unravel_index(found % size, body.blocks.shape))

    def highest_hu(self, hu: HUArray) -> FloatArray:
        """Maximum of `hu` [i, j, k] in each component, by label."""
        highest = np.full(len(self.voxels), -np.inf)
        for k, ij, labels in self._slices():
            np.maximum.at(highest, labels, hu[:, :, k][ij])
        return highest

    def paint(self, kept: BoolArray | None = None) -> BoolArray:
        """Mask [i, j, k] of the whole volume with the components that are `kept`, by label; None: all of them."""
        mask = np.zeros(self.shape, dtype=bool, order="F")
        for k, (i, j), labels in self._slices():
            mask[i, j, k] = True if kept is None else kept[labels]
        return mask

    def _slices(self) -> Iterator[tuple[int, tuple[IntArray, IntArray], npt.NDArray[np.uint32]]]:
        """For each slice with components: k, the indices (i, j) of their voxels, and their labels."""
        for n in range(self.labels.shape[2]):
            i, j = np.nonzero(self.labels[:, :, n])
            if len(i):
                yield n + self.origin[2], (i + self.origin[0], j + self.origin[1]), self.labels[i, j, n]
