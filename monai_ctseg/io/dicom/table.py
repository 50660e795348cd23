"""The table of the stacks in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from monai_ctseg.grid import Grid
from monai_ctseg.io.dicom.geometry import has_geometry, normal_of, positions_of
from monai_ctseg.io.dicom.header import text_of

if TYPE_CHECKING:
    from monai_ctseg.io.dicom.stack import Stack


@dataclass(frozen=True)
class SeriesRow:
    """One line of the table that `series` prints.

    Attributes:
        series: The name of the stack, as `read_scan` takes it.
        number: SeriesNumber.
        description: SeriesDescription.
        slices: Number of slices.
        matrix: Columns x rows.
        spacing_mm: Along i, j and k, in millimetres; "unknown" without geometry.
        orientation: The letters of `Grid.orientation`; "unknown" without geometry.
    """

    series: str
    number: str
    description: str
    slices: int
    matrix: str
    spacing_mm: str
    orientation: str


def series_rows(stacks: Iterable[Stack]) -> tuple[SeriesRow, ...]:
    """What a folder holds, as a table that helps to choose a stack.

    Args:
        stacks: From `find_stacks`.

    Returns:
        One row for each stack, in the same order.
    """
    return tuple(_row(stack) for stack in stacks)


def _row(stack: Stack) -> SeriesRow:
    first = stack.frames[0]
    spacing, orientation = "unknown", "unknown"
    if all(map(has_geometry, stack.frames)):
        between_rows, between_columns = first.spacing or ()
        steps = np.linalg.norm(np.diff(positions_of(stack.frames), axis=0), axis=1)
        between_slices = f"{float(np.median(steps)):.4g}" if steps.size else "-"
        spacing = f"{between_columns:.4g} x {between_rows:.4g} x {between_slices}"
        row, column = np.reshape(first.orientation or (), (2, 3))
        turn = np.eye(4)
        turn[:3, :3] = np.stack([row, column, normal_of(first)], axis=1)
        orientation = Grid((1, 1, 1), turn).orientation
    return SeriesRow(
        series=stack.name,
        number=text_of(first.header, "SeriesNumber"),
        description=text_of(first.header, "SeriesDescription"),
        slices=len(stack.frames),
        matrix=f"{first.columns} x {first.rows}",
        spacing_mm=spacing,
        orientation=orientation,
    )


def series_table(rows: Sequence[SeriesRow]) -> str:
    """The rows as text in aligned columns, under the names of their fields."""
    cells = [[field.name.replace("_mm", " mm") for field in fields(SeriesRow)]]
    cells += [[str(getattr(row, field.name)) for field in fields(SeriesRow)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )
