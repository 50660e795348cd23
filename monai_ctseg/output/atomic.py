"""The one writer: a file or folder that appears whole or not at all.

It is built beside its final path under another name, and renamed at the end.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monai_ctseg.errors import OutputError, output_error, writing_errors
from monai_ctseg.output.earlier_run import PARTIAL, require_free

_KEPT_OF_NAME = 40
"""Characters at the end of a file's name that its unfinished file keeps: libraries choose a format by the ending."""


@contextmanager
def new_file(target: Path, *, overwrite: bool = False, durable: bool = False) -> Iterator[Path]:
    """A path to write that becomes `target` when the block ends well, and vanishes when it does not.

    Args:
        target: The final file; its folder is made where it is missing.
        overwrite: Whether an existing file may be replaced.
        durable: Wait until the content is on the disk, so that not even a power cut loses the old and the new file.

    Yields:
        A path in the same folder, with the ending of `target`.

    Raises:
        OutputError: `target` exists and may not be replaced, is a folder, or cannot be written.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow a link to replace
    with writing_errors(target):
        if target.is_dir():
            raise OutputError(f"{target}: is a folder; name a file")
        if target.exists() and not overwrite:
            raise OutputError(f"{target}: exists already; name another file or give --overwrite")
    partial = target.with_name(f"{PARTIAL}{secrets.token_hex(4)}.{target.name[-_KEPT_OF_NAME:]}")
    try:
        with writing_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            if durable:
                with partial.open("rb+") as file:
                    os.fsync(file.fileno())
            partial.replace(target)
    except OutputError as error:
        raise _of(error, partial, target) from error.__cause__
    finally:
        partial.unlink(missing_ok=True)


def _of(error: OutputError, partial: Path, target: Path) -> OutputError:
    """The refusal, about `target` where it is about the hidden path, which nobody knows."""
    cause = error.__cause__
    if isinstance(cause, OSError) and str(partial) in str(error):
        return output_error(cause, target)
    return error


def write_bytes(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a file, or replace it; see `new_file`."""
    with new_file(path, overwrite=True, durable=durable) as partial:
        partial.write_bytes(content)


def write_text(path: Path, content: str, *, durable: bool = False) -> None:
    """Write a file as UTF-8 with the line ends as they are, or replace it; see `new_file`."""
    write_bytes(path, content.encode(), durable=durable)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write indented UTF-8 JSON with a newline at the end, or replace it; ValueError for NaN and infinity."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def new_folder(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder to write into that becomes `target` when the block ends well, and vanishes when it does not.

    Args:
        target: The final folder; the folders above it are made where they are missing.
        overwrite: Whether an earlier result may be replaced, if its run.json lists all files.

    Yields:
        An empty folder on the same disk.

    Raises:
        OutputError: `target` holds something that may not be replaced, or cannot be written.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100
    with writing_errors(target):
        require_free(target, overwrite=overwrite)
        home = next(folder for folder in target.parents if folder.exists())
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=home))
    try:
        with writing_errors(target):
            partial.chmod(0o777 & ~_umask())
            yield partial
            _replace_folder(partial, target)
    except OutputError as error:
        raise _of(error, partial, target) from error.__cause__
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _replace_folder(partial: Path, target: Path) -> None:
    """Rename; an existing target is moved away before and comes back if that fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        partial.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
    try:
        target.rename(aside / "old")
        try:
            partial.rename(target)
        except OSError:
            (aside / "old").rename(target)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
