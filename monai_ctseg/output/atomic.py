"""Place: a folder or file that appears whole or not at all.

It is built beside its final place and renamed at the end. An earlier result is replaced only on request, and only
where its run.json lists all that is in it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monai_ctseg.errors import OutputError

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
def lasting_folder(
    target: Path, *, writes: Sequence[str], keep: str, options: Mapping[str, Any], overwrite: bool = False
) -> Iterator[Path]:
    """A folder for long work that can be cut off at any moment and gone on with: it is written in place.

    A folder of such work that did not end and had the same `options` is taken up as it is. Else, with `overwrite`, an
    earlier result is moved beside (`.NAME.earlier`), and gone when the work has ended well. Work that stops before
    there is a file `keep` leaves nothing, and the earlier result comes back.

    writes: the files, and folders with a slash behind them, that may be overwritten if the work is cut off.
    Raises OutputError as `new_folder` does, and where the folder holds unfinished work with other options.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100
    earlier = target.with_name(f".{target.name}.earlier")
    options = {**options, "overwrite": overwrite}
    with alone(target):
        if not _can_go_on(target, options, overwrite):
            _require_free(target, overwrite)
            with _os_errors(target):
                _start(target, earlier, {"tool": TOOL, "finished": False, "options": options, "files": list(writes)})
    with alone(target):
        try:
            with _os_errors(target):
                yield target
        except BaseException:
            if not (target / keep).exists():
                shutil.rmtree(target, ignore_errors=True)
                if earlier.exists():
                    earlier.rename(target)
            raise
        shutil.rmtree(earlier, ignore_errors=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keeps other processes out of a folder, if it is there; the system lets go when this process ends, in any way."""
    if not folder.is_dir():
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise OutputError(f"{folder}: another process writes there; wait for it, or name another folder") from None
    finally:
        os.close(descriptor)


def _can_go_on(target: Path, options: Mapping[str, Any], overwrite: bool) -> bool:
    """Whether the folder holds unfinished work with these options; OutputError where only the options differ."""
    record = _read_record(target)
    if record.get("tool") != TOOL or record.get("finished", True) or "options" not in record:
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
            "go on with it, --overwrite to start anew, or another folder"
        )
    return not other


def _start(target: Path, earlier: Path, record: Mapping[str, Any]) -> None:
    """An empty target with its record; a finished result that stood there is moved to `earlier`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and not _read_record(target).get("finished", True):
        shutil.rmtree(target)
    elif target.exists():
        shutil.rmtree(earlier, ignore_errors=True)
        target.rename(earlier)
    target.mkdir()
    partial = target / f"{RECORD}.part"
    partial.write_text(json.dumps(record) + "\n", "utf-8")
    partial.replace(target / RECORD)


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
        what = "holds files already" if RECORD not in there else "holds a finished run"
        what = what if _is_finished(target) else "holds a run that did not end"
        raise OutputError(f"{target}: {what}; name another folder, or give --overwrite to replace it")
    recorded = _recorded_files(target)
    folders = tuple(name for name in recorded if name.endswith("/"))
    foreign = sorted(name for name in there - recorded if not name.startswith(folders or ("//",)))
    if foreign:
        raise OutputError(
            f"{target}: holds {len(foreign)} files that no earlier run wrote ({foreign[0]}), "
            "and --overwrite would lose them; name another folder"
        )


def _is_finished(folder: Path) -> bool:
    return bool(_read_record(folder).get("finished", True))  # without it not ours, or not one that keeps what it has


def _recorded_files(folder: Path) -> set[str]:
    record = _read_record(folder)
    return {*map(str, record.get("files", ())), RECORD} if record.get("tool") == TOOL else set()


def _read_record(folder: Path) -> dict[str, Any]:
    """run.json; empty where there is none of ours."""
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


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
