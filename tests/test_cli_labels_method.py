"""`monai-ctseg labels --method half-maximum`: what it writes and says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from monai_ctseg.metal import find_metal
from monai_ctseg.nifti import read_mask, write_scan
from monai_ctseg.overlap import compare_masks
from monai_ctseg.phantom import Phantom
from monai_ctseg.scan import Scan

Run = Callable[..., Any]


def test_edges_beat_the_threshold(phantom: Phantom, phantom_folder: Path, tmp_path: Path, run_cli: Run) -> None:
    result = run_cli("labels", phantom_folder, "-o", tmp_path / "out", "--method", "half-maximum")
    assert result.code == 0, result.err
    assert "half-maximum edges around voxels above 3000 HU" in result.out
    found = compare_masks(read_mask(tmp_path / "out" / "mask.nii.gz"), phantom.truth)
    plain = compare_masks(find_metal(phantom.scan).mask, phantom.truth)
    assert found.dice is not None
    assert plain.dice is not None
    assert found.dice > plain.dice + 0.05
    audit = json.loads((tmp_path / "out" / "audit.json").read_text())
    first = audit["components"][0]
    assert audit["method"] == "half-maximum"
    assert first["surroundings_hu"] < first["edge_hu"] < first["plateau_hu"]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["arguments"]["method"] == "half-maximum"


def test_a_saturated_scan_is_recognised_and_said(phantom: Phantom, tmp_path: Path, run_cli: Run) -> None:
    cut = Scan(np.minimum(phantom.scan.hu, 2976).astype(np.int16), phantom.scan.grid)
    write_scan(cut, tmp_path / "cut.nii.gz")
    result = run_cli("labels", tmp_path / "cut.nii.gz", "-o", tmp_path / "out", "--method", "half-maximum")
    assert result.code == 0, result.err
    assert "saturated at 2976 HU, so the half maximum is not knowable" in result.err
    audit = json.loads((tmp_path / "out" / "audit.json").read_text())
    low, high = audit["interval_mm3"]
    assert low < phantom.truth.volume_mm3 < high
    assert low < audit["volume_mm3"] <= high


def test_threshold_stays_the_default(phantom_folder: Path, tmp_path: Path, run_cli: Run) -> None:
    facts = run_cli("labels", phantom_folder, "-o", tmp_path / "out", "--json").json
    assert (facts["method"], facts["threshold_hu"], facts["interval_mm3"]) == ("threshold", 3000, None)
    assert run_cli("labels", phantom_folder, "-o", tmp_path / "no", "--method", "guess").code == 2
