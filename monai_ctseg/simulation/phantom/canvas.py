"""Canvas: a slab of a grid on which shapes are painted, each in its own box, with edges one voxel wide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.sdf import FAR_MM, Floats, Points, Solid, box_of, smooth_max, smooth_min

Block: TypeAlias = tuple[slice, slice, slice]
Value: TypeAlias = float | Floats | Callable[[Points], Floats]
"""HU: one for all points, one for each of them, or by point."""


@dataclass(frozen=True, eq=False)
class Space:
    """Where a slab's voxels lie in a frame.

    Attributes:
        shape: voxels along i, j and k.
        matrix: index (i, j, k) -> mm, 4 x 4.
    """

    shape: tuple[int, int, int]
    matrix: FloatArray

    def block(self, low: FloatArray, high: FloatArray) -> Block | None:
        """The voxels that a box in the frame may touch; None where there are none."""
        turn, start = self._to_index
        middle, reach = turn @ ((low + high) / 2) + start, np.abs(turn) @ ((high - low) / 2)
        first = np.maximum(np.floor(middle - reach), 0).astype(int).tolist()
        last = np.minimum(np.ceil(middle + reach) + 1, self.shape).astype(int).tolist()
        if any(a >= b for a, b in zip(first, last, strict=True)):
            return None
        i, j, k = (slice(a, b) for a, b in zip(first, last, strict=True))
        return i, j, k

    @cached_property
    def _to_index(self) -> tuple[FloatArray, FloatArray]:
        turn = np.asarray(np.linalg.inv(self.matrix[:3, :3]), dtype=np.float64)
        return turn, -turn @ self.matrix[:3, 3]

    def points(self, block: Block) -> Points:
        """The voxels' centres; an axis that a coordinate does not depend on has length 1."""
        x, y, z = (self._along(row, block) for row in self.matrix[:3])
        return x, y, z

    def _along(self, row: FloatArray, block: Block) -> Floats:
        total = np.full((1, 1, 1), row[3], dtype=np.float32)
        for axis, part in enumerate(block):
            steps = row[axis] * np.arange(part.start, part.stop)
            if abs(row[axis]) * self.shape[axis] > 1e-3:
                total = total + steps.astype(np.float32).reshape([-1 if n == axis else 1 for n in range(3)])
            else:
                total = total + np.float32(steps[0])
        return total


@dataclass(eq=False)
class Canvas:
    """A slab on which layers are painted.

    Attributes:
        hu: [i, j, k] float32.
        space: where its voxels lie in the body.
        edge_mm: width of an edge.
    """

    hu: Floats
    space: Space
    edge_mm: float

    @property
    def whole(self) -> Block:
        """All of its voxels."""
        return every(self.space.shape)

    def cover(self, distance: Floats) -> Floats:
        """Share of a voxel that lies inside, from the distance at its centre."""
        share = distance * np.float32(-1 / self.edge_mm)
        share += np.float32(0.5)
        return np.clip(share, 0, 1, out=share)


@dataclass(frozen=True)
class Layer:
    """One thing to paint.

    Attributes:
        low: lowest corner of its box, (3,) mm.
        high: highest corner.
        draw: changes the voxels of a block of a canvas.
    """

    low: FloatArray
    high: FloatArray
    draw: Callable[[Canvas, Block], None]

    def paint(self, canvas: Canvas) -> None:
        """Paint what of it lies on the canvas."""
        block = canvas.space.block(self.low - canvas.edge_mm, self.high + canvas.edge_mm)
        if block is not None:
            self.draw(canvas, block)


def fill(shape: Solid, value: Value) -> Layer:
    """A layer of one solid in one tissue or material, of HU `value`."""

    def draw(canvas: Canvas, block: Block) -> None:
        at = canvas.space.points(block)
        mix(canvas.hu[block], canvas.cover(shape.distance(at)), at, value)

    return Layer(shape.low, shape.high, draw)


def mix(hu: Floats, share: Floats, at: Points, value: Value) -> None:
    """Put `value` over HU where the share is 1, half of it where it is a half."""
    new = value(at) if callable(value) else np.asarray(value, dtype=np.float32)
    hu += share * (new - hu)


def distance_in(space: Space, block: Block, shapes: Sequence[Solid], round_mm: float, margin_mm: float) -> Floats:
    """Distance to the rounded union in a block; further than `margin_mm` outside it is only known to be that far."""
    near = np.full([part.stop - part.start for part in block], np.float32(FAR_MM))
    margin = margin_mm + round_mm
    for shape in shapes:
        box = space.block(shape.low - margin, shape.high + margin)
        part = None if box is None else overlap(box, block)
        if part is not None:
            inner = tuple(slice(p.start - b.start, p.stop - b.start) for p, b in zip(part, block, strict=True))
            near[inner] = smooth_min(near[inner], shape.distance(space.points(part)), round_mm)
    return near


def every(shape: tuple[int, int, int]) -> Block:
    """All voxels of a shape."""
    i, j, k = (slice(0, n) for n in shape)
    return i, j, k


def overlap(a: Block, b: Block) -> Block | None:
    """The voxels in both."""
    parts = [slice(max(p.start, q.start), min(p.stop, q.stop)) for p, q in zip(a, b, strict=True)]
    if any(part.start >= part.stop for part in parts):
        return None
    return parts[0], parts[1], parts[2]


@dataclass(frozen=True)
class Bone:
    """A bone: solids that grow into each other, hollows, and a shell around spongy bone.

    Attributes:
        solids: their rounded union is the bone.
        cortex_mm: thickness of the shell.
        shell_hu: of the shell.
        inside: HU inside the shell.
        hollows: what the bone lacks.
        round_mm: over which seams are rounded.
        gap_mm: thickness of the cartilage around it, where another bone may touch; 0 for none.
        cartilage_hu: of the cartilage.
    """

    solids: Sequence[Solid]
    cortex_mm: Value
    shell_hu: Value
    inside: Value
    hollows: Sequence[Solid] = ()
    round_mm: float = 5.0
    gap_mm: float = 0.0
    cartilage_hu: float = 70.0

    def layer(self) -> Layer:
        """To paint."""
        low, high = box_of(self.solids)
        return Layer(low - self.gap_mm, high + self.gap_mm, self._draw)

    def distance(self, space: Space, block: Block) -> Floats:
        """Distance to its surface."""
        near = distance_in(space, block, self.solids, self.round_mm, 3 + self.gap_mm)
        for hollow in self.hollows:
            box = space.block(hollow.low - 4, hollow.high + 4)
            part = None if box is None else overlap(box, block)
            if part is not None:
                inner = tuple(slice(p.start - b.start, p.stop - b.start) for p, b in zip(part, block, strict=True))
                near[inner] = smooth_max(near[inner], -hollow.distance(space.points(part)), 2.0)
        return near

    def _draw(self, canvas: Canvas, block: Block) -> None:
        at, hu = canvas.space.points(block), canvas.hu[block]
        near = self.distance(canvas.space, block)
        if self.gap_mm:
            mix(hu, canvas.cover(near - np.float32(self.gap_mm)), at, self.cartilage_hu)
        mix(hu, canvas.cover(near), at, self.shell_hu)
        cortex = self.cortex_mm(at) if callable(self.cortex_mm) else np.asarray(self.cortex_mm, dtype=np.float32)
        mix(hu, canvas.cover(near + cortex), at, self.inside)
