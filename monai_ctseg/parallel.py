"""Cores and memory that this process may use, and tasks in processes of their own, in order.

The limits of a container or a batch job are respected.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from monai_ctseg.errors import CtsegError

if TYPE_CHECKING:
    from concurrent.futures import Future

CGROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def version_of(package: str) -> str:
    """The installed version of a package; "unknown" where it runs without being installed."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def free_memory_bytes() -> int:
    """Memory in bytes that can be used without swapping: of the machine, or of the control group where that is less."""
    import psutil

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
    """Bytes of files that the group caches in memory and would drop first."""
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


Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of steps done and of all steps."""

Task = TypeVar("Task")
Result = TypeVar("Result")

BYTES_PER_VOXEL = 10
"""Peak memory of a worker for each voxel of its scan; 5 were measured with int16."""
WORKER_BYTES = 250_000_000
"""Memory of a worker before it reads anything."""
MEMORY_SHARE = 0.8
"""Of the free memory, for all workers."""
_WAITING = 4
"""Results for each worker that may wait for a slow one, so that memory and unfinished files stay bounded."""


def choose_jobs(largest_voxels: int, tasks: int) -> int:
    """Number of worker processes, one at least.

    Args:
        largest_voxels: Voxels of the largest scan; each worker needs memory for it.
        tasks: Number of tasks.
    """
    each = WORKER_BYTES + BYTES_PER_VOXEL * largest_voxels
    return max(1, min(cores(), tasks, int(MEMORY_SHARE * free_memory_bytes() / each)))


def run_in_order(work: Callable[[Task], Result], tasks: Iterable[Task], *, jobs: int) -> Iterator[Result]:
    """Run a function over tasks in several processes.

    Args:
        work: Importable by other processes.
        tasks: Its arguments.
        jobs: Number of processes; 1: in this one.

    Yields:
        The results, in the order of the tasks.

    Raises:
        CtsegError: The system ended a worker. What `work` raises comes through as well.
    """
    if jobs == 1:
        yield from map(work, tasks)
        return
    import multiprocessing
    from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")  # a fork would copy threads that hold locks
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(work, task))
                if len(waiting) >= _WAITING * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise CtsegError(
                "the system ended a worker, probably because memory ran out; what is done is kept: "
                "start the same command again with fewer --jobs"
            ) from error
        finally:
            for future in waiting:
                future.cancel()


def _start_worker() -> None:
    """Let a worker end when its parent does, in any way, and leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
