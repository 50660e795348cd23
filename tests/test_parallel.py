"""Cores and memory, as the control group leaves them."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from monai_ctseg import parallel


def test_there_are_cores_and_memory() -> None:
    assert parallel.cores() >= 1
    assert 0 < parallel.free_memory_bytes() <= psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("limit", "expected"), [("1000000", 1_000_000 - 300_000 + 100_000), ("200000", 0), ("max", None)]
)
def test_a_control_group_leaves_what_its_limit_leaves(
    limit: str, expected: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("300000\n")
    (tmp_path / "memory.stat").write_text("anon 200000\ninactive_file 100000\n")
    monkeypatch.setattr(parallel, "CGROUP", tmp_path)
    if expected is None:
        assert parallel.free_memory_bytes() > 10_000_000
    else:
        assert parallel.free_memory_bytes() == expected
