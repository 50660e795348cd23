"""Parallel: cores and memory that this process may use, and tasks in processes of their own, in order.

Limits of a container or a batch job count, too.
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
    """The installed version; "unknown" where the package runs without being installed."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def free_memory_bytes() -> int:
    """Memory that can be taken without swapping: the machine's, or what the control group leaves where that is less."""
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


Progress: TypeAlias = Callable[[int, int], None]
"""Called with what is done and what there is to do in all."""

Task = TypeVar("Task")
Result = TypeVar("Result")

BYTES_PER_VOXEL = 10
"""Peak of a worker for each voxel of its scan; 5 were measured with int16."""
WORKER_BYTES = 250_000_000
"""Of a worker before it reads anything."""
MEMORY_SHARE = 0.8
_WAITING = 4


def choose_jobs(largest_voxels: int, tasks: int) -> int:
    """As many workers as there are cores, tasks, and memory for the largest scan in each; one at least."""
    each = WORKER_BYTES + BYTES_PER_VOXEL * largest_voxels
    return max(1, min(cores(), tasks, int(MEMORY_SHARE * free_memory_bytes() / each)))


def run_in_order(work: Callable[[Task], Result], tasks: Iterable[Task], *, jobs: int) -> Iterator[Result]:
    """work(task) for each task, in the order of the tasks; one job works in this process.

    Few results wait for a slow one, so memory and unfinished files stay bounded. Raises what `work` raises, and
    CtsegError where the system ended a worker.
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
                "the system ended a worker, probably for want of memory; what is done is kept: "
                "start the same command again with fewer --jobs"
            ) from error
        finally:
            for future in waiting:
                future.cancel()


def _start_worker() -> None:
    """A worker ends when its parent does, however that ended, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
