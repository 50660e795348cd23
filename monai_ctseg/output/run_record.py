"""run.json, which says how a result came about. It never names the patient or the path of the scan."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from monai_ctseg.output.atomic import write_json
from monai_ctseg.output.earlier_run import RECORD, TOOL, result_files
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

    Args:
        folder: Of the finished output.
        command: Name of the command.
        arguments: Its options, as values that JSON can hold, without paths of scans.
        scans: What was read.
        inputs: The `provenance` of each scan, where the scans themselves are no longer in memory.
        seconds: Time of each step.
        facts: More keys of the record.

    Raises:
        OutputError: The file cannot be written.
    """
    record = {
        "tool": TOOL,
        "finished": True,
        "command": command,
        "arguments": dict(arguments),
        "inputs": [provenance(scan) for scan in scans] if scans else list(inputs),
        **facts,
        "seconds": {name: round(value, 3) for name, value in (seconds or {}).items()},
        "versions": _versions(),
        "files": sorted(result_files(folder) - {RECORD}),
    }
    write_json(folder / RECORD, record)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, such as weights, as 64 hexadecimal digits."""
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
