"""Where the patient's body is: skin to skin, without the table.

Method: the volume is averaged to blocks of about 4 mm; blocks over -400 HU are matter. An opening by a ball of 7 mm
removes what is thin (table tops, blankets, wires, masks) and separates the table from the skin that rests on it. Of
the components left, those of tissue density and of some size are body: trunk, legs, arms. Air that matter encloses
within their convex hull belongs to them, with its wall: lungs under a thin chest wall, but not the hollow of a table.
A closing by 15 mm repairs the cuts of dark streaks and bridges an open mouth; the holes left are filled slice by slice.

Limits: the surface is good to about one block. Parts thinner than 15 mm (fingers, ears) are not body. A solid object
of tissue density that touches the patient (a calibration phantom under the back) is body. Gaps narrower than 30 mm
between body parts are body. Where two of the volume's sides are under 150 mm (a finger, a jaw), all these lengths
shrink in proportion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import cc3d
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import ConvexHull, KDTree, QhullError

from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.scan import BoolArray, Box, Scan, bounding_box

# All chosen by hand; the module's docstring says what each does.
BLOCK_MM = 4.0
"""Side of a block: blocks are far fewer than voxels, and the surface is good to about one of them."""
OPENING_MM = 7.0
"""Radius of the opening: it removes what is thinner than about 14 mm."""
CLOSING_MM = 15.0
"""Radius of the closing: it bridges gaps narrower than 30 mm."""
HULL_SHARE = 0.9
"""Enclosed air belongs to the body where more than this share lies in its convex hull; a table's hollow has less."""
WALL_MM = 15.0
"""Matter so near to such air is its wall: a thin chest wall is lost in the opening."""
SMALL_FIELD_MM = 150.0
"""Where two of the volume's sides are shorter, the lengths shrink: the opening would remove a finger."""
MATTER_HU = -400.0
"""Blocks above are matter: it lies between air at -1000 HU and fat at -110 HU."""
TISSUE_HU = -160.0
"""The median of a body part lies above: fat reads -110, carbon and foam -200 to -900."""
SMALLEST_PART_MM = 31.0
"""Side of the cube that a part fills at least, 30 ml: what is smaller is taken for an object."""

IntArray: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Body:
    """A body mask in blocks.

    blocks: bool [a, b, c], the scan's axes in coarser steps.
    block_of: for each axis, the block of every voxel index.
    spacing_mm: mean size of a block along each axis.
    """

    blocks: BoolArray
    block_of: tuple[IntArray, IntArray, IntArray]
    spacing_mm: tuple[float, float, float]

    def at(self, values: npt.NDArray[Any], ij: tuple[IntArray, IntArray], k: int | IntArray) -> npt.NDArray[Any]:
        """What an array of blocks holds at the voxels (i, j) of slice k, or of the slices k."""
        return np.asarray(values[self.block_of[0][ij[0]], self.block_of[1][ij[1]], self.block_of[2][k]])

    def flat_blocks(self, ij: tuple[IntArray, IntArray], k: int) -> IntArray:
        """Flat indices into `blocks` (C order) of the blocks that hold the voxels (i, j) of slice k."""
        _, columns, slices = self.blocks.shape
        return np.asarray((self.block_of[0][ij[0]] * columns + self.block_of[1][ij[1]]) * slices + self.block_of[2][k])

    def depth_mm(self, places: IntArray) -> FloatArray:
        """How deep below the body's surface blocks lie, in mm; negative outside, -inf without a body.

        Args:
            places: indices of blocks, (n, 3).

        Returns:
            (n,): the distance to the nearest block across the surface, less half a block.
        """
        inside = self.blocks[tuple(places.T)]
        depth = np.empty(len(places))
        depth[inside] = _nearest_mm(places[inside], ~self.blocks, self.spacing_mm)
        depth[~inside] = -_nearest_mm(places[~inside], self.blocks, self.spacing_mm)
        return depth - np.where(inside, 0.5, -0.5) * min(self.spacing_mm)

    def voxels(self, grid: Grid) -> BoolArray:
        """The body as a mask [i, j, k] on the scan's grid."""
        voxels = np.empty(grid.shape, dtype=bool, order="F")
        rows, columns, slices = self.block_of
        for k in range(grid.shape[2]):
            voxels[:, :, k] = self.blocks[:, :, slices[k]][np.ix_(rows, columns)]
        return voxels


def locate_body(scan: Scan) -> Body:
    """The patient's body, filled, in blocks; empty where the scan shows none.

    The module's docstring gives the method and its limits. Flipping the axes changes nothing; turning another axis into
    k changes little, as hollows and holes are filled slice by slice.

    Args:
        scan: HU on a grid.

    Returns:
        The body; `Body.voxels` puts it on the scan's grid.
    """
    extents = [n * mm for n, mm in zip(scan.hu.shape, scan.grid.spacing_mm, strict=True)]
    scale = min(1.0, sorted(extents)[1] / SMALL_FIELD_MM)
    edges = [block_edges(n, scale * BLOCK_MM / mm) for n, mm in zip(scan.hu.shape, scan.grid.spacing_mm, strict=True)]
    i, j, k = (mm * e[-1] / (len(e) - 1) for mm, e in zip(scan.grid.spacing_mm, edges, strict=True))
    means = _block_means(scan, edges)
    matter = means > MATTER_HU
    blocks = _parts(means, matter, (i, j, k), scale)
    if blocks.any():
        blocks |= _hollows(matter, blocks, (i, j, k), scale)
        closed = _close(blocks, scale * CLOSING_MM, (i, j, k))
        blocks = np.stack([ndimage.binary_fill_holes(closed[:, :, n]) for n in range(closed.shape[2])], axis=2)
    a, b, c = (np.repeat(np.arange(len(e) - 1), np.diff(e)) for e in edges)
    return Body(blocks, (a, b, c), (i, j, k))


def block_edges(voxels: int, step: float) -> IntArray:
    """Edges of blocks of about `step` voxels, the same seen from either end.

    >>> block_edges(7, 2.0).tolist()
    [0, 2, 5, 7]
    """
    count = max(1, round(voxels / max(round(step), 1)))
    if voxels % 2 and count % 2 == 0:
        count -= 1  # an odd row has no middle edge
    half = np.arange(count // 2 + 1) * voxels // count
    return np.unique(np.concatenate([half, voxels - half]))


def _block_means(scan: Scan, edges: list[IntArray]) -> npt.NDArray[np.float32]:
    """Mean HU of each block, clipped to -1000 ... 200 so that padding, streaks and metal do not outweigh it."""
    a, b, c = edges
    means = np.empty((len(a) - 1, len(b) - 1, len(c) - 1), dtype=np.float32)
    area = np.outer(np.diff(a), np.diff(b)).astype(np.float32)
    for n in range(means.shape[2]):
        total = np.zeros(scan.hu.shape[:2], dtype=np.float32, order="F")
        for k in range(c[n], c[n + 1]):
            total += np.clip(scan.hu[:, :, k], -1000, 200)
        rows = np.add.reduceat(total, a[:-1], axis=0)
        means[:, :, n] = np.add.reduceat(rows, b[:-1], axis=1) / (area * (c[n + 1] - c[n]))
    return means


def _parts(
    means: npt.NDArray[np.float32], matter: BoolArray, spacing_mm: tuple[float, float, float], scale: float
) -> BoolArray:
    """The components of opened matter that are body."""
    core = _deeper_than(matter, scale * OPENING_MM, spacing_mm)
    opened = _within(core, scale * OPENING_MM, spacing_mm)
    labels, count = cc3d.connected_components(opened, connectivity=6, return_N=True)
    if not count:
        return opened
    voxels = np.bincount(labels.ravel(), minlength=count + 1)
    tissue = np.zeros(count + 1, dtype=bool)
    tissue[1:] = ndimage.median(means[opened], labels[opened], np.arange(1, count + 1)) > TISSUE_HU
    sides = np.minimum(scale * SMALLEST_PART_MM, np.multiply(matter.shape, spacing_mm))  # a few slices are thinner
    large = voxels * np.prod(spacing_mm) >= np.prod(sides)
    return np.asarray((tissue & large)[labels])


def _hollows(matter: BoolArray, parts: BoolArray, spacing_mm: tuple[float, float, float], scale: float) -> BoolArray:
    """Enclosed air that lies in the convex hull of the body's parts in its slice, and the matter that walls it in."""
    hollows = np.zeros_like(matter)
    for k in np.flatnonzero(parts.any(axis=(0, 1))):
        labels, count = ndimage.label(ndimage.binary_fill_holes(matter[:, :, k]) & ~matter[:, :, k])
        if count:
            share = ndimage.mean(_hull(parts[:, :, k]), labels, np.arange(count + 1))
            share[0] = 0.0
            hollows[:, :, k] = (share > HULL_SHARE)[labels]
    return np.asarray(hollows | (matter & _within(hollows, scale * WALL_MM, spacing_mm)))


def _hull(plane: BoolArray) -> BoolArray:
    """The convex hull of the pixels set."""
    points = np.argwhere(plane)
    try:
        sides = ConvexHull(points).equations
    except QhullError:  # fewer than three points, or all in a line
        return plane
    low, high = points.min(axis=0), points.max(axis=0) + 1
    i, j = np.ogrid[low[0] : high[0], low[1] : high[1]]
    inside = np.ones((high[0] - low[0], high[1] - low[1]), dtype=bool)
    for a, b, c in sides:
        inside &= a * i + b * j + c <= 1e-9
    hull = np.zeros_like(plane)
    hull[low[0] : high[0], low[1] : high[1]] = inside
    return hull


def _close(blocks: BoolArray, radius_mm: float, spacing_mm: tuple[float, float, float]) -> BoolArray:
    """Closing by a ball; beyond the volume's faces the body continues as it is there."""
    width = [(n, n) for n in (int(np.ceil(radius_mm / mm)) + 1 for mm in spacing_mm)]
    grown = _within(np.pad(blocks, width, mode="edge"), radius_mm, spacing_mm)
    closed = _deeper_than(grown, radius_mm, spacing_mm)
    (i, _), (j, _), (k, _) = width
    return np.asarray(closed[i:-i, j:-j, k:-k] | blocks)


def _within(blocks: BoolArray, radius_mm: float, spacing_mm: tuple[float, float, float]) -> BoolArray:
    """Blocks at most `radius_mm` from one that is set, those included: a dilation by a ball."""
    found = np.zeros_like(blocks)
    if box := _box_around(blocks, radius_mm, spacing_mm):
        found[box] = ndimage.distance_transform_edt(~blocks[box], sampling=spacing_mm) <= radius_mm
    return found


def _deeper_than(blocks: BoolArray, radius_mm: float, spacing_mm: tuple[float, float, float]) -> BoolArray:
    """Blocks more than `radius_mm` from the nearest one that is not set: an erosion by a ball.

    Nothing beyond the volume counts as not set.
    """
    if blocks.all():
        return np.ones_like(blocks)
    found = np.zeros_like(blocks)
    if box := _box_around(blocks, 0.0, spacing_mm):
        found[box] = ndimage.distance_transform_edt(blocks[box], sampling=spacing_mm) > radius_mm
    return found


def _box_around(blocks: BoolArray, margin_mm: float, spacing_mm: tuple[float, float, float]) -> Box | None:
    """The box of what is set and of all within a margin, and one block more. Distances in it are those in the whole."""
    box = bounding_box(blocks)
    if box is None:
        return None
    i, j, k = (
        slice(max(0, side.start - step), min(n, side.stop + step))
        for side, n, step in zip(
            box, blocks.shape, (int(np.ceil(margin_mm / mm)) + 1 for mm in spacing_mm), strict=True
        )
    )
    return i, j, k


def _nearest_mm(places: IntArray, others: BoolArray, spacing_mm: tuple[float, float, float]) -> FloatArray:
    """Distance in mm from blocks (n, 3) that are not set in `others` to the nearest that is; inf without one."""
    if not others.any() or not len(places):
        return np.full(len(places), np.inf)
    # The nearest one always has a face in common with a block that is not set.
    rim = np.argwhere(others & ndimage.binary_dilation(~others))
    _, nearest = KDTree(rim * spacing_mm).query(places * spacing_mm)
    x, y, z = ((rim[nearest] - places) * spacing_mm).T
    return np.asarray(np.sqrt(x * x + y * y + z * z))
