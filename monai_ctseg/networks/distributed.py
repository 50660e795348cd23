"""Processes: what a training or evaluation needs to run in several at once, under torchrun.

The group is Ignite's (ignite.distributed): NCCL between GPUs, gloo between CPUs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.data import partition_dataset


def started_by_torchrun() -> int:
    """The number of processes that torchrun started, with this one; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that writes; known before the group is joined."""
    return int(os.environ.get("RANK", "0")) == 0


def own_device() -> torch.device:
    """The GPU of this process, another one for each process of a machine, or the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def join(device: torch.device | None = None) -> None:
    """Join the group of processes that torchrun started; without torchrun, or a second time, do nothing.

    Args:
        device: What the processes compute on; it decides between NCCL and gloo. None: `own_device`.

    """
    if started_by_torchrun() > 1 and idist.backend() is None:
        on_gpu = (device or own_device()).type == "cuda"
        idist.initialize("nccl" if on_gpu else "gloo")


def leave() -> None:
    """Leave the group, where there is one."""
    if idist.backend() is not None:
        idist.finalize()


def wait() -> None:
    """Wait until all processes are here."""
    if idist.get_world_size() > 1:
        idist.barrier()


def share(items: Sequence[Any]) -> list[Any]:
    """The items of this process; all of them where there are fewer items than processes.

    Parts differ by one item at most and no item is in two parts, so a mean over the gathered items counts each once.
    """
    processes = idist.get_world_size()
    if len(items) < processes:
        return list(items)
    return list(partition_dataset(items, num_partitions=processes, even_divisible=False)[idist.get_rank()])


class SameBuffers:
    """Gives all processes the running statistics of the first one after each epoch, before the validation.

    Without it each process would validate with the statistics of its own last batches.

    Args:
        network: The network, in a wrapper or not.

    """

    def __init__(self, network: torch.nn.Module) -> None:
        self.network = network

    def attach(self, engine: Engine) -> None:
        """Attach it to a trainer, before the handler that validates."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, _: Engine) -> None:
        """Handle the end of an epoch."""
        if idist.get_world_size() > 1:
            for buffer in self.network.buffers():
                torch.distributed.broadcast(buffer, src=0)
