"""The three kinds of cache give the same items, and a disk cache is never stale or poisoned."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import CacheDataset, Dataset, MetaTensor
from monai.transforms import Compose, DivisiblePadd, Invertd
from monai.utils import set_determinism

from benchmarks.quick_phantom import Phantom
from monai_ctseg.bundles import find_bundle
from monai_ctseg.datasets.dataset_file import write_dataset
from monai_ctseg.datasets.records import Case, DataSplit
from monai_ctseg.errors import DatasetError, OutputError
from monai_ctseg.io.nifti import write_mask, write_scan
from monai_ctseg.networks.caches import count_voxels, open_items
from monai_ctseg.networks.config import read_config
from monai_ctseg.networks.disk_cache import DiskItems
from monai_ctseg.networks.transforms import LabelMetald, LoadScand

KINDS = ("memory", "disk", "none")


@pytest.fixture
def cohort(phantom: Phantom, phantom_folder: Path, tmp_path: Path) -> Path:
    """dataset.json over a DICOM folder and a NIfTI volume with its mask."""
    write_scan(phantom.scan, tmp_path / "scan.nii.gz")
    write_mask(phantom.truth, tmp_path / "mask.nii.gz")
    training = (
        Case(phantom_folder, slices=tuple(range(16))),
        Case(tmp_path / "scan.nii.gz", label=tmp_path / "mask.nii.gz", slices=tuple(range(20))),
    )
    write_dataset(DataSplit(training, (Case(phantom_folder, slices=(20, 21)),)), tmp_path / "dataset.json")
    return tmp_path


@pytest.fixture(autouse=True)
def no_determinism_left() -> Iterator[None]:
    yield
    set_determinism(None)


def parts(cohort: Path, **overrides: Any) -> Any:
    return read_config(find_bundle(), "inference", "train", overrides={"dataset_dir": str(cohort), **overrides})


def config_items(cohort: Path, section: str, kind: str, **overrides: Any) -> Dataset:
    parser = parts(cohort, **overrides)
    transform = parser.get_parsed_content(f"{section}::preprocessing")
    name = {"train": "training", "validate": "validation"}[section]
    items = parser.get_parsed_content("cases").items(name)
    return open_items(data=items, transform=transform, cache=kind, cache_dir=cohort / "cache")  # type: ignore[arg-type]


def batches(cohort: Path, kind: str) -> list[dict[str, torch.Tensor]]:
    from monai.data import DataLoader

    set_determinism(seed=3)
    items = config_items(cohort, "train", kind)
    return [batch for _ in range(2) for batch in DataLoader(items, batch_size=2, num_workers=0, shuffle=True)]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_training_batches_from_all_three(cohort: Path) -> None:
    expected = batches(cohort, "none")
    assert expected[0]["label"].any()
    for kind in ("memory", "disk", "disk"):  # the second time from files
        for one, other in zip(expected, batches(cohort, kind), strict=True):
            for key in ("image", "label"):
                assert torch.equal(one[key], other[key]), (kind, key)
    assert len(list((cohort / "cache").glob("*.pt"))) == 2


@pytest.mark.slow
def test_validation_items_keep_names_grid_and_a_way_back_to_the_own_grid(cohort: Path) -> None:
    for kind in KINDS:
        parser = parts(cohort)
        transform = parser.get_parsed_content("validate::preprocessing")
        items = parser.get_parsed_content("cases").items("validation")
        opened = open_items(items, transform, cache=kind, cache_dir=cohort / "cache")  # type: ignore[arg-type]
        for item in (opened[0], opened[0]):
            image = item["image"]
            assert isinstance(image, MetaTensor)
            assert len(str(image.meta["names"]).split("\n")) == 2
            item["pred"] = MetaTensor(image.as_tensor() > 0.5, meta=dict(image.meta))
            back = parser.get_parsed_content("to_own_grid")(item)["pred"]
            assert tuple(back.shape[1:]) == (96, 96, 2)


def test_a_way_back_survives_the_disk(phantom: Phantom, tmp_path: Path) -> None:
    write_scan(phantom.scan, tmp_path / "scan.nii")
    pad = DivisiblePadd("image", k=64, method="end")
    for _ in range(2):
        item = open_items(
            [{"image": tmp_path / "scan.nii"}],
            Compose([LoadScand("image"), pad]),
            cache="disk",
            cache_dir=tmp_path / "c",
        )[0]
        assert item["image"].shape == (1, 128, 128, 64)
        back = Invertd("image", transform=pad, orig_keys="image")(item)["image"]
        np.testing.assert_array_equal(back.numpy()[0], phantom.scan.hu)
        assert back.dtype == torch.int16
        np.testing.assert_allclose(back.affine.numpy(), phantom.scan.grid.affine_ras)


@pytest.fixture
def counted(phantom: Phantom, tmp_path: Path) -> Callable[..., int]:
    """Opens a disk cache, takes its item, and says how often a scan was read for it."""
    write_scan(phantom.scan, tmp_path / "scan.nii")
    reads = []

    class Counting(LoadScand):
        def __call__(self, data: Any) -> Any:
            reads.append(1)
            return super().__call__(data)

    globals()["Counting"] = Counting
    Counting.__qualname__ = "Counting"

    def take(threshold_hu: float = 3000) -> int:
        before = len(reads)
        transform = Compose([Counting("image"), LabelMetald("image", threshold_hu=threshold_hu)])
        opened = open_items([{"image": str(tmp_path / "scan.nii")}], transform, cache="disk", cache_dir=tmp_path / "c")
        assert opened[0]["label"].shape == (1, 96, 96, 30)
        return len(reads) - before

    return take


def test_a_changed_file_or_transform_is_prepared_again(counted: Callable[..., int], tmp_path: Path) -> None:
    assert [counted(), counted(), counted(2500), counted(2500), counted()] == [1, 0, 1, 0, 0]
    os.utime(tmp_path / "scan.nii", ns=(1, 1))
    assert [counted(), counted()] == [1, 0]


@pytest.mark.parametrize("keep", [0, 100, -100])
def test_a_truncated_file_is_made_again(counted: Callable[..., int], tmp_path: Path, keep: int) -> None:
    counted()
    (file,) = (tmp_path / "c").glob("*.pt")
    file.write_bytes(file.read_bytes()[:keep])
    assert [counted(), counted()] == [1, 0]
    assert [path.name for path in (tmp_path / "c").iterdir()] == [file.name]


@pytest.mark.slow
def test_names_of_cached_files_are_the_same_in_another_process(cohort: Path) -> None:
    names = config_items(cohort, "train", "disk")._names
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path; import test_caches as t\n"
        "print(*t.config_items(Path(sys.argv[1]), 'train', 'disk')._names)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(cohort), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert done.stdout.split() == names
    assert config_items(cohort, "train", "disk", threshold_hu=2500)._names != names
    assert config_items(cohort, "train", "disk", learning_rate=0.5)._names == names


@pytest.mark.parametrize(
    ("memory_bytes", "cache_dir", "expected", "words"),
    [
        (10**9, True, CacheDataset, "1 scan needs 1.7 MB of 1.0 GB free memory: kept in memory"),
        (10**6, True, DiskItems, "kept on disk"),
        (10**6, False, Dataset, "read again each time"),
    ],
)
def test_auto_goes_by_the_space_there_is_and_says_so(
    phantom: Phantom,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    memory_bytes: int,
    cache_dir: bool,
    expected: type,
    words: str,
) -> None:
    write_scan(phantom.scan, tmp_path / "scan.nii")
    monkeypatch.setattr("monai_ctseg.networks.caches.free_memory_bytes", lambda: memory_bytes)
    with caplog.at_level(logging.INFO, "monai_ctseg.networks.caches"):
        opened = open_items(
            [{"image": str(tmp_path / "scan.nii")}],
            Compose([LoadScand("image")]),
            cache_dir=tmp_path / "c" if cache_dir else None,
        )
    assert type(opened) is expected
    (line,) = [record.getMessage() for record in caplog.records]
    assert words in line


def test_more_processes_need_more_memory(phantom: Phantom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monai_ctseg.networks.caches.free_memory_bytes", lambda: 4_000_000)
    write_scan(phantom.scan, tmp_path / "scan.nii")
    items = [{"image": str(tmp_path / "scan.nii")}]
    transform = Compose([LoadScand("image")])
    assert type(open_items(items, transform)) is CacheDataset
    assert type(open_items(items, transform, processes=2)) is Dataset


def test_voxels_are_counted_from_headers(phantom: Phantom, phantom_folder: Path, tmp_path: Path) -> None:
    write_scan(phantom.scan, tmp_path / "scan.nii.gz")
    for place in (phantom_folder, tmp_path / "scan.nii.gz"):
        assert count_voxels({"image": str(place)}) == 96 * 96 * 30
        assert count_voxels({"image": str(place), "slices": [3, 4]}) == 96 * 96 * 2
    assert count_voxels({"image": str(tmp_path / "gone.nii")}) == 0


def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    items = [{"image": "scan.nii"}]
    for error, options in (
        (DatasetError, {"cache": "ram"}),
        (DatasetError, {"cache": "disk"}),
        (OutputError, {"cache": "disk", "cache_dir": tmp_path / "file"}),
    ):
        with pytest.raises(error) as refusal:
            open_items(items, Compose([]), **options)  # type: ignore[arg-type]
        assert "\n" not in str(refusal.value)
