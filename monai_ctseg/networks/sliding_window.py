"""Windows: a volume goes through a network window by window, by one of MONAI's inferers.

Windows are counted, for a progress bar that moves within a volume. Where memory runs out, fewer go at a time. Those
that hold nothing dense are skipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from monai.utils import ensure_tuple_rep

from monai_ctseg.errors import BundleError
from monai_ctseg.parallel import Progress

Network: TypeAlias = Callable[[torch.Tensor], torch.Tensor]

SKIPPED = -30.0
"""The logit of skipped windows: a probability of 0, also where windows overlap or are resampled."""


class Windows:
    """An inferer and its network over the volumes of one scan.

    Args:
        inferer: One of MONAI's. Where memory runs out its `sw_batch_size` is halved, and stays so.
        network: Windows (n, C, i, j[, k]) -> logits of the same size.
        progress: Called with (windows done, windows in all).
        skip_below: Windows whose values all lie below it do not go through the network, and read SKIPPED; None: all
            go. It needs a network with one channel of logits.

    Attributes:
        notes: What was done otherwise than asked, a sentence each.

    """

    def __init__(
        self,
        inferer: Any,
        network: Network,
        *,
        progress: Progress | None = None,
        skip_below: float | None = None,
    ) -> None:
        self.inferer = inferer
        self.network = network
        self.progress = progress
        self.skip_below = skip_below
        self.done = 0
        self.notes: list[str] = []

    def __call__(self, volume: torch.Tensor, *, left: float = 0.0) -> torch.Tensor:
        """Run the network over a volume.

        Args:
            volume: What the network takes, (1, C, i, j, k).
            left: How much is to come after it, in volumes like this one; for the progress bar.

        Returns:
            Logits (1, channels, i, j, k) on the volume's device.

        Raises:
            BundleError: Not even a single window fits in memory.

        """
        before = self.done
        total = before + round(count_windows(self.inferer, volume.shape[2:]) * (1 + left))

        def counted(batch: torch.Tensor) -> torch.Tensor:
            logits = self._evaluate(batch)
            self.done += len(batch)
            if self.progress is not None:
                self.progress(self.done, max(total, self.done))
            return logits

        while True:
            try:
                logits: torch.Tensor = self.inferer(volume, counted)
                return logits
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            self.done = before
            self._halve(volume.device)  # outside the handler: the error keeps the tensors that filled the memory

    def _evaluate(self, batch: torch.Tensor) -> torch.Tensor:
        """Logits of windows (n, C, i, j[, k])."""
        if self.skip_below is None:
            return self.network(batch)
        dense = batch.flatten(1).amax(dim=1) >= self.skip_below
        if dense.all():
            return self.network(batch)
        logits = batch.new_full((len(batch), 1, *batch.shape[2:]), SKIPPED)
        if dense.any():
            logits[dense] = self.network(batch[dense]).to(logits.dtype)
        return logits

    def _halve(self, device: torch.device) -> None:
        batch = getattr(self.inferer, "sw_batch_size", 1)
        if batch <= 1:
            raise shortage()
        self.inferer.sw_batch_size = batch // 2
        self.notes.append(f"the memory was too small for {batch} windows at a time; {batch // 2} went instead")
        if device.type == "cuda":
            torch.cuda.empty_cache()


def count_windows(inferer: Any, size: Sequence[int]) -> int:
    """How many windows MONAI's SlidingWindowInferer or SliceInferer makes of a volume; 1 for other inferers.

    Args:
        inferer: Used or not; SliceInferer changes its window when it is used.
        size: Of the volume, (i, j, k).

    """
    window = list(getattr(inferer, "orig_roi_size", None) or ensure_tuple_rep(getattr(inferer, "roi_size", -1), 3))
    if len(window) < len(size):
        window.insert(inferer.spatial_dim, 1)
    overlap = ensure_tuple_rep(getattr(inferer, "overlap", 0.0), len(size))
    return math.prod(_steps(*facts) for facts in zip(size, window, overlap, strict=True))


def _steps(size: int, window: int, overlap: float) -> int:
    if window <= 0 or window >= size:  # the whole side
        return 1
    return math.ceil((size - window) / max(1, int(window * (1 - overlap)))) + 1


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on any device, in this error or in one that caused it."""
    words = ("out of memory", "can't allocate memory")
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(word in str(error) for word in words):
        return True
    return error.__cause__ is not None and out_of_memory(error.__cause__)


def shortage() -> BundleError:
    """The refusal where nothing smaller is left to try."""
    return BundleError(
        "not enough memory, even with one window at a time; take fewer slices at once (--set slices_at_once=8), "
        "another --device, or close other programs"
    )
