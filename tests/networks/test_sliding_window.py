"""Windows: counted as MONAI cuts them, fewer at a time where memory runs out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.inferers import SimpleInferer, SliceInferer, SlidingWindowInferer

from monai_ctseg.errors import BundleError
from monai_ctseg.networks.sliding_window import SKIPPED, Windows, count_windows, out_of_memory

SIZE = st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 9))


class SmallMemory:
    """A network that can take so many windows at a time."""

    def __init__(self, most: int, error: Exception) -> None:
        self.most, self.error, self.batches = most, error, []

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        if len(batch) > self.most:
            raise self.error
        self.batches.append(len(batch))
        return batch * 2


@settings(max_examples=40, deadline=None)
@given(size=SIZE, window=SIZE, overlap=st.sampled_from([0.0, 0.25, 0.5, 0.8]))
def test_as_many_windows_are_counted_as_there_are(size, window, overlap) -> None:
    network = SmallMemory(99, ValueError())
    inferer = SlidingWindowInferer(roi_size=window, sw_batch_size=4, overlap=overlap)
    inferer(torch.zeros(1, 1, *size), network)
    assert sum(network.batches) == count_windows(inferer, size)


def test_slices_and_whole_volumes_are_counted() -> None:
    inferer = SliceInferer(roi_size=[-1, -1], spatial_dim=2, sw_batch_size=4)
    for _ in range(2):  # the inferer changes its roi_size when it is used
        assert count_windows(inferer, (8, 9, 7)) == 7
        inferer(torch.zeros(1, 1, 8, 9, 7), lambda batch: batch)
    assert count_windows(SimpleInferer(), (8, 9, 7)) == 1


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: ..."),
        MemoryError(),
    ],
)
def test_a_batch_that_does_not_fit_is_halved_and_told(error) -> None:
    told: list[tuple[int, int]] = []
    network = SmallMemory(3, error)
    inferer = SlidingWindowInferer(roi_size=(4, 4, 1), sw_batch_size=8, overlap=0)
    windows = Windows(inferer, network, progress=lambda *facts: told.append(facts))
    volume = torch.rand(1, 1, 4, 4, 10)
    assert torch.equal(windows(volume), volume * 2)
    assert network.batches == [2] * 5
    assert told == [(done, 10) for done in (2, 4, 6, 8, 10)]
    assert windows.notes == [
        "the memory was too small for 8 windows at a time; 4 went instead",
        "the memory was too small for 4 windows at a time; 2 went instead",
    ]
    windows(volume)
    assert len(windows.notes) == 2, "it does not try again what did not fit"


def test_one_window_that_does_not_fit_is_refused() -> None:
    windows = Windows(SlidingWindowInferer(roi_size=(4, 4, 1), sw_batch_size=2), SmallMemory(0, MemoryError()))
    with pytest.raises(BundleError, match="one window at a time"):
        windows(torch.zeros(1, 1, 4, 4, 3))
    with pytest.raises(BundleError, match="one window at a time"):
        Windows(SimpleInferer(), SmallMemory(0, MemoryError()))(torch.zeros(1, 1, 4, 4, 3))


@pytest.mark.parametrize("of_slices", [True, False])
def test_windows_without_anything_dense_are_skipped(of_slices) -> None:
    """The others read as without it; all windows are counted."""
    if of_slices:
        inferer = SliceInferer(roi_size=[-1, -1], spatial_dim=2, sw_batch_size=4)
    else:
        inferer = SlidingWindowInferer(roi_size=(4, 4, 1), sw_batch_size=4, overlap=0)
    volume = torch.rand(1, 1, 4, 4, 10) * 0.4
    volume[0, 0, 1, 2, [3, 8]] = torch.tensor([0.5, 0.9])
    told: list[tuple[int, int]] = []
    network = SmallMemory(4, ValueError())
    windows = Windows(inferer, network, skip_below=0.5, progress=lambda *facts: told.append(facts))
    expected = torch.full_like(volume, SKIPPED)
    expected[..., [3, 8]] = volume[..., [3, 8]] * 2
    assert torch.equal(windows(volume), expected)
    assert network.batches == [1, 1]
    assert told[-1] == (10, 10)
    assert torch.equal(windows(torch.zeros_like(volume)), torch.full_like(volume, SKIPPED))


def test_other_errors_are_not_taken_for_memory() -> None:
    windows = Windows(SimpleInferer(), SmallMemory(0, RuntimeError("mat1 and mat2 shapes cannot be multiplied")))
    with pytest.raises(RuntimeError, match="mat1"):
        windows(torch.zeros(1, 1, 4, 4, 3))
    wrapped = RuntimeError("applying transform")
    wrapped.__cause__ = MemoryError()
    assert out_of_memory(wrapped)
