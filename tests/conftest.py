"""Fixtures: small scans, folders of DICOM made from them, and the command line."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from benchmarks.quick_phantom import Phantom, make_phantom
from monai_ctseg.cli import main
from monai_ctseg.grid import Grid
from monai_ctseg.io.dicom import write_series
from monai_ctseg.scan import Scan

Edit = Callable[[pydicom.Dataset, int], None]


@pytest.fixture(autouse=True)
def quiet_log():
    """Takes away the log to stderr that a command of an earlier test set up."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if type(handler) is logging.StreamHandler]:
        root.removeHandler(handler)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real scans."""
    place = os.environ.get("CTSEG_DATA")
    if not place:
        pytest.skip("CTSEG_DATA is not set: it names the folder of real scans, which are not part of this repository")
    return Path(place)


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """A small phantom with an implant, 96 x 96 x 30 voxels."""
    return make_phantom(shape=(96, 96, 30), seed=1)


@pytest.fixture(scope="session")
def phantom_folder(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small phantom as a DICOM series; not to be changed."""
    folder = tmp_path_factory.mktemp("phantom")
    write_series(phantom.scan, folder)
    return folder


@pytest.fixture
def tiny_scan() -> Scan:
    """12 x 10 x 6 voxels of distinct values, spacing 0.5 x 0.75 x 2 mm, off centre."""
    hu = np.arange(12 * 10 * 6, dtype=np.int16).reshape((12, 10, 6), order="F") - 300
    matrix = np.diag([0.5, 0.75, 2.0, 1.0])
    matrix[:3, 3] = (-31.5, 12.25, 100.0)
    return Scan(hu, Grid((12, 10, 6), matrix))


@pytest.fixture
def make_series(tiny_scan: Scan, tmp_path: Path) -> Callable[..., Path]:
    """Writes a scan (the tiny one by default) as DICOM and edits each slice's dataset; returns the folder."""

    def make(edit: Edit | None = None, *, scan: Scan | None = None, name: str = "series", **save: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for k, path in enumerate(write_series(scan or tiny_scan, folder, description=name)):
            if edit:
                dataset = pydicom.dcmread(path)
                edit(dataset, k)
                dataset.save_as(path, **save)
        return folder

    return make


@dataclass(frozen=True)
class Result:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs the command line in this process."""

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(int(end.value.code or 0), captured.out, captured.err)

    return run
