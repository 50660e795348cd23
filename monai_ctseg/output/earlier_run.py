"""What an earlier run left in a folder, and whether a new one may replace it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from monai_ctseg.errors import OutputError

RECORD = "run.json"
TOOL = "monai_ctseg"
LOCK = ".lock"
PARTIAL = ".partial."
"""How the names of unfinished files begin. A killed process may leave some; they are nobody's result."""


def result_files(folder: Path) -> set[str]:
    """Every file below an output folder.

    Args:
        folder: Searched with its sub-folders; links to folders are not followed.

    Returns:
        Paths relative to the folder, with forward slashes. Locks and unfinished files do not count.
    """
    paths = (path for path in folder.rglob("*") if path.name != LOCK and not path.name.startswith(PARTIAL))
    return {path.relative_to(folder).as_posix() for path in paths if not path.is_dir()}


def read_record(folder: Path) -> dict[str, Any]:
    """run.json of a folder; empty where there is none of ours."""
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and record.get("tool") == TOOL else {}


def is_finished(folder: Path) -> bool:
    """False only where a run of ours was interrupted and says so."""
    return bool(read_record(folder).get("finished", True))


def require_free(folder: Path, *, overwrite: bool) -> None:
    """Make sure that nothing is lost when a folder is replaced.

    Args:
        folder: Need not exist.
        overwrite: Whether a folder may be replaced whose run.json lists all its files.

    Raises:
        OutputError: The folder is a file, holds files and `overwrite` is not set, or holds files of others.
        OSError: The folder cannot be searched.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder}: is a file; name a folder")
    present = result_files(folder)
    if not present:
        return
    if not overwrite:
        what = "holds files already" if RECORD not in present else "holds a finished run"
        what = what if is_finished(folder) else "holds a run that did not end"
        raise OutputError(f"{folder}: {what}; name another folder, or give --overwrite to replace it")
    record = read_record(folder)
    recorded = {*map(str, record.get("files", ()))}
    own = {RECORD} if record else set()
    folders = tuple(name for name in recorded if name.endswith("/"))
    foreign = sorted(name for name in present - recorded - own if not name.startswith(folders or ("//",)))
    if foreign:
        raise OutputError(
            f"{folder}: holds {len(foreign)} files that no earlier run wrote ({foreign[0]}), "
            "and --overwrite would lose them; name another folder"
        )
