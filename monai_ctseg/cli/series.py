"""`monai-ctseg series`: what a folder holds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from monai_ctseg.cli.console import JsonOption, print_json, progress, warn
from monai_ctseg.errors import NoScanFound
from monai_ctseg.io.dicom import find_stacks, series_rows, series_table

app = typer.Typer()


@app.command(epilog="Example:  monai-ctseg series ~/scans/hip")
def series(
    folder: Annotated[
        Path, typer.Argument(help="A folder of DICOM files, searched with the folders in it.", show_default=False)
    ],
    as_json: JsonOption = False,
) -> None:
    """List the CT series in a folder.

    Each with its name, number, description, slices, matrix, spacing and orientation. The first column is what
    --series of the other commands takes.
    """
    if not folder.exists():
        raise NoScanFound(f"{folder}: there is no such file or folder")
    with progress("searching") as callback:
        stacks, found = find_stacks(folder, progress=callback)
    rows = series_rows(stacks)
    if as_json:
        print_json({"series": [asdict(row) for row in rows], "notes": list(found.notes())})
        return
    typer.echo(series_table(rows))
    for note in found.notes():
        warn(note)
