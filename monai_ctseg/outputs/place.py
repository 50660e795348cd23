"""Place: a folder or file that appears whole or not at all.

It is built beside its final place and renamed at the end. An earlier result is replaced only on request, and only
where its run.json lists all that is in it.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from monai_ctseg.errors import CtsegError, OutputError

RECORD = "run.json"
TOOL = "monai_ctseg"


@contextmanager
def new_folder(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder to write into that becomes `target` when the block ends well, and vanishes when it does not.

    Raises OutputError where `target` holds something, unless `overwrite` is set and its run.json lists all of it.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow a link to replace
    _require_free(target, overwrite)
    with _os_errors(target):
        home = next(folder for folder in target.parents if folder.exists())
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=home))
    try:
        with _os_errors(target):
            partial.chmod(0o777 & ~_umask())
            yield partial
            _replace_folder(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def lasting_folder(target: Path, *, writes: Sequence[str], overwrite: bool = False) -> Iterator[Path]:
    """A folder for long work that is worth keeping when it is cut off: written in place, gone only if it was refused.

    An earlier result comes back whenever the work does not end well.

    writes: the files, and folders with a slash behind them, that may be overwritten if the work is cut off.
    Raises OutputError as `new_folder` does.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100
    _require_free(target, overwrite)
    with _os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        old = _move_aside(target)
        target.mkdir()
        (target / RECORD).write_text(json.dumps({"tool": TOOL, "finished": False, "files": list(writes)}) + "\n")
    try:
        with _os_errors(target):
            yield target
    except BaseException as error:
        if old or (isinstance(error, CtsegError) and not isinstance(error, OutputError)):
            shutil.rmtree(target, ignore_errors=True)
        if old:
            (old / "old").rename(target)
        raise
    finally:
        if old:
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def new_file(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A file to write that becomes `target` when the block ends well; the path keeps target's ending."""
    target = Path(os.path.abspath(target))  # noqa: PTH100
    if target.is_dir():
        raise OutputError(f"{target}: is a folder; name a file")
    if target.exists() and not overwrite:
        raise OutputError(f"{target}: is there already; name another file or give --overwrite")
    partial = target.with_name(f".partial.{target.name}")
    try:
        with _os_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _require_free(target: Path, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"{target}: is a file; name a folder")
    with _os_errors(target):
        there = {path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()}
    if not there:
        return
    if not overwrite:
        what = "holds files already" if _is_finished(target) else "holds a run that did not end"
        raise OutputError(f"{target}: {what}; name another folder or give --overwrite")
    recorded = _recorded_files(target)
    folders = tuple(name for name in recorded if name.endswith("/"))
    foreign = sorted(name for name in there - recorded if not name.startswith(folders or ("//",)))
    if foreign:
        raise OutputError(
            f"{target}: holds {len(foreign)} files that no earlier run wrote ({foreign[0]}), "
            "and --overwrite would lose them; name another folder"
        )


def _is_finished(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / RECORD).read_text("utf-8"))["finished"])
    except (OSError, ValueError, KeyError, TypeError):
        return True  # not ours, or not one that keeps what it has


def _recorded_files(folder: Path) -> set[str]:
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
        return {*map(str, record["files"]), RECORD} if record["tool"] == TOOL else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _replace_folder(partial: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    old = _move_aside(target)
    try:
        partial.rename(target)
    except OSError:
        if old:
            (old / "old").rename(target)
        raise
    finally:
        if old:
            shutil.rmtree(old, ignore_errors=True)


def _move_aside(target: Path) -> Path | None:
    """Rename an existing folder to "old" in a hidden folder beside it, and return that; None where there is none."""
    if not target.exists():
        return None
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
    target.rename(beside / "old")
    return beside


@contextmanager
def _os_errors(target: Path) -> Iterator[None]:
    """Full disks and missing rights, as one line about the place."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror or error}); name another place") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
