"""A folder for long work that can be interrupted at any moment and resumed, by one process at a time."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from monai_ctseg.errors import OutputError, writing_errors
from monai_ctseg.output.atomic import write_json
from monai_ctseg.output.earlier_run import LOCK, RECORD, TOOL, read_record, require_free


@contextmanager
def resumable_folder(
    target: Path, *, writes: Sequence[str], keep: str, options: Mapping[str, Any], overwrite: bool = False
) -> Iterator[Path]:
    """A folder that is written in place; unfinished work with the same options is resumed.

    With `overwrite`, an earlier result is moved beside it (`.NAME.earlier`) and removed when the work has ended well.
    Work that stops before there is a file `keep` leaves nothing, and the earlier result comes back.

    Args:
        target: The folder.
        writes: The files, and folders with a slash at the end, that may be overwritten if the work is interrupted.
        keep: The file, or the folder with something in it, without which nothing is worth keeping.
        options: Values that JSON can hold; work with others is not resumed.
        overwrite: Whether an earlier result, or unfinished work with other options, may be replaced.

    Yields:
        The folder.

    Raises:
        OutputError: As for `new_folder`; unfinished work with other options; another process writes there.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow a link to replace
    earlier = target.with_name(f".{target.name}.earlier")
    options = {**options, "overwrite": overwrite}
    with writing_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target):
        if not _can_resume(target, options, overwrite=overwrite):
            with writing_errors(target):
                require_free(target, overwrite=overwrite)
                _start(target, earlier)
                write_json(
                    target / RECORD, {"tool": TOOL, "finished": False, "options": options, "files": list(writes)}
                )
        try:
            with writing_errors(target):
                yield target
        except BaseException:
            if not _holds(target / keep):
                shutil.rmtree(target, ignore_errors=True)
                if earlier.exists():
                    earlier.rename(target)
            raise
        shutil.rmtree(earlier, ignore_errors=True)


def _holds(place: Path) -> bool:
    """Whether there is such a file, or such a folder with something in it."""
    return any(place.iterdir()) if place.is_dir() else place.exists()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder; the system releases the lock when this process ends in any way.

    The lock file lies beside the folder as `.NAME.lock`, or as `.lock` in it where nothing can be written beside it.

    Raises:
        OutputError: Another process has the lock.
    """
    from filelock import FileLock, Timeout  # slow to import

    folder = folder.resolve()
    beside = os.access(folder.parent, os.W_OK) and not folder.is_mount()
    file = folder.with_name(f".{folder.name}{LOCK}") if beside else folder / LOCK
    lock = FileLock(file, timeout=0)
    with writing_errors(folder):
        try:
            lock.acquire()
        except Timeout:
            raise OutputError(f"{folder}: another process writes there; wait for it, or name another folder") from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes it itself
            file.unlink()
        lock.release()


def _can_resume(target: Path, options: Mapping[str, Any], *, overwrite: bool) -> bool:
    """Whether the folder holds unfinished work with these options; OutputError where only the options differ."""
    record = read_record(target)
    if record.get("finished", True) or "options" not in record:
        return False
    then, now = record["options"], json.loads(json.dumps(options))
    other = [
        f"{name} {then.get(name)} -> {now.get(name)}"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    if other and not overwrite:
        raise OutputError(
            f"{target}: holds a run that did not end, with other options ({', '.join(other)}); give those again to "
            "resume it, --overwrite to start again, or another folder"
        )
    return not other


def _start(target: Path, earlier: Path) -> None:
    """Make an empty target; a finished result there is moved to `earlier`."""
    if target.exists() and not read_record(target).get("finished", True):
        shutil.rmtree(target)
    elif target.exists():
        shutil.rmtree(earlier, ignore_errors=True)
        target.rename(earlier)
    target.mkdir()
