"""Machine: cores and memory that this process may use, in a container or a batch job too; what is installed."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def version_of(package: str) -> str:
    """The installed version; "unknown" where the package runs without being installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def free_memory_bytes() -> int:
    """Memory that can be taken without swapping: the machine's, or what the control group leaves where that is less."""
    machine = int(psutil.virtual_memory().available)
    limits = [
        limit - _number(folder / used) + _inactive(folder)
        for folder, maximum, used in (
            (CGROUP, "memory.max", "memory.current"),
            (CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
        )
        if (limit := _number(folder / maximum))
    ]
    return max(0, min([machine, *limits]))


def _inactive(folder: Path) -> int:
    """Files that the group holds in memory and would drop first."""
    try:
        lines = (folder / "memory.stat").read_text("ascii").splitlines()
    except OSError:
        return 0
    counts = dict(line.rsplit(" ", 1) for line in lines)
    return int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))


def _number(file: Path) -> int:
    """0 where there is no such file, or "max" in it."""
    try:
        text = file.read_text("ascii").strip()
    except OSError:
        return 0
    return int(text) if text.isdecimal() else 0
