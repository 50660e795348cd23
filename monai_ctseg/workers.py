"""Workers: many tasks at once, in processes of their own, with results in the order of the tasks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from monai_ctseg.errors import CtsegError
from monai_ctseg.machine import cores, free_memory_bytes

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
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
