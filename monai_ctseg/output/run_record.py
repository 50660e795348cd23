"""Record: run.json, which says how a result came about. It never names the patient or the path of the scan."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from monai_ctseg.output.atomic import RECORD, TOOL
from monai_ctseg.scan import Scan, provenance

_PACKAGES = (
    "monai_ctseg",
    "numpy",
    "scipy",
    "statsmodels",
    "pydicom",
    "nibabel",
    "connected-components-3d",
    "torch",
    "monai",
    "pytorch-ignite",
)


def write_run(
    folder: Path,
    command: str,
    arguments: Mapping[str, Any],
    *,
    scans: Sequence[Scan] = (),
    inputs: Sequence[Mapping[str, Any]] = (),
    seconds: Mapping[str, float] | None = None,
    **facts: Any,
) -> None:
    """Write run.json: versions, arguments, inputs by UID and voxel hash, timings, and every file of the folder.

    inputs: what `provenance` gave, where the scans themselves are gone.
    """
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = [name for name in files if name != RECORD]
    record = {
        "tool": TOOL,
        "finished": True,
        "command": command,
        "arguments": dict(arguments),
        "inputs": [provenance(scan) for scan in scans] if scans else list(inputs),
        **facts,
        "seconds": {name: round(value, 3) for name, value in (seconds or {}).items()},
        "versions": _versions(),
        "files": files,
    }
    write_json(folder / RECORD, record)


def file_sha256(path: Path) -> str:
    """Hash of a file, such as weights."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": f"{sys.platform}-{platform.machine()}"}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Indented UTF-8 JSON with a newline at the end; the file is never half there."""
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
    partial.replace(path)
