"""The one search through folders for input files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from monai_ctseg.errors import ScanError


def exists(path: Path) -> bool:
    """Whether there is a file or folder; False also for a name that the system cannot have."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def walk_files(
    folder: Path, *, leave_out: Path | None = None, on_unreadable: Callable[[OSError], None] | None = None
) -> Iterator[Path]:
    """Every file below a folder, in a fixed order: those of a folder by name, then its sub-folders by name.

    Links to folders are followed, each folder once, so that a link back ends. Hidden files and folders are left out.

    Args:
        folder: Where to start.
        leave_out: A folder that is not searched, such as the output.
        on_unreadable: Called with the error for a folder that cannot be read, which is then left out.

    Yields:
        Paths that begin with `folder`; also pipes, sockets and links to nowhere.

    Raises:
        ScanError: A folder cannot be read, and there is no `on_unreadable`.
    """
    seen = set() if leave_out is None else {leave_out.resolve()}
    for root, folders, names in os.walk(folder, onerror=on_unreadable or _refuse, followlinks=True):
        here = Path(root).resolve()
        if here in seen:
            folders.clear()
            continue
        seen.add(here)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))


def _refuse(error: OSError) -> None:
    raise ScanError(f"{error.filename}: {unreadable(error)}") from None


def unreadable(error: OSError) -> str:
    """Why a folder cannot be read, and what to do."""
    return f"cannot be read ({error.strerror}); check the folder's permissions"
