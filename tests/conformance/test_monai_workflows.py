"""MONAI's workflows over the configs: nothing that it asks for is missing, and ten random volumes go through.

The multi-GPU variants, in two processes, are in test_monai_multi_gpu.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigWorkflow

from monai_ctseg.io.nifti import read_mask, read_nifti
from monai_ctseg.networks.config import read_config
from monai_ctseg.networks.guards import quiet


@pytest.fixture(scope="module")
def trained(bundle: Path, cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The output folder of a training of two steps."""
    folder = tmp_path_factory.mktemp("trained")
    run_workflow(bundle, "inference", "train", dataset_dir=str(cohort), output_dir=str(folder), **short(bundle))
    yield folder
    torch.use_deterministic_algorithms(False)


def short(bundle: Path) -> dict[str, Any]:
    flat = read_config(bundle, "inference").get("network_def::spatial_dims") == 2
    return {"max_epochs": 1, "steps_per_epoch": 2, "patch": 16 if flat else [16, 16, 16]}


def run_workflow(bundle: Path, *names: str, **overrides: Any) -> None:
    """As the model zoo's tests do it: initialize, check, run, finalize."""
    configs = bundle / "configs"
    with quiet():
        workflow = ConfigWorkflow(
            config_file=[str(configs / f"{name}.yaml") for name in names],
            meta_file=str(configs / "metadata.json"),
            logging_file=str(configs / "logging.conf"),
            workflow_type="train" if names[-1] == "train" else "infer",
            bundle_root=str(bundle),
            device="$torch.device('cpu')",
            **overrides,
        )
        workflow.initialize()
        assert workflow.check_properties() == []
        workflow.run()
        workflow.finalize()


@pytest.mark.slow
def test_training_leaves_the_best_weights_as_a_bare_state_dict(trained: Path) -> None:
    state = torch.load(trained / "model.pt", weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())


@pytest.mark.slow
def test_evaluation_merges_over_training_too(bundle: Path, cohort: Path, trained: Path, tmp_path: Path) -> None:
    """As the model zoo merges them; over inference.yaml alone it is in test_bundle_readme.py."""
    places = {"dataset_dir": str(cohort), "output_dir": str(tmp_path), "checkpoint": str(trained / "model.pt")}
    run_workflow(bundle, "inference", "train", "evaluate", **places)
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert {case["case"] for case in scores["cases"]} == {"image_8", "image_9"}


@pytest.mark.slow
def test_inference_writes_a_mask_on_the_scans_own_grid(
    bundle: Path, cohort: Path, trained: Path, tmp_path: Path
) -> None:
    scan = cohort / "image_0.nii.gz"
    places = {"dataset_dir": str(scan), "output_dir": str(tmp_path), "checkpoint": str(trained / "model.pt")}
    run_workflow(bundle, "inference", **places)
    (file,) = tmp_path.iterdir()
    assert read_mask(file).grid.matches(read_nifti(scan).grid)


def test_labels_need_no_weights(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    scan = cohort / "image_0.nii.gz"
    places = {"dataset_dir": str(scan), "output_dir": str(tmp_path), "checkpoint": str(tmp_path / "none.pt")}
    configs = bundle / "configs"
    with quiet():
        workflow = ConfigWorkflow(
            config_file=[str(configs / f"{name}.yaml") for name in ("inference", "labels")],
            workflow_type="infer",
            logging_file=False,
            bundle_root=str(bundle),
            **places,
        )
        workflow.initialize()
        workflow.run()
        workflow.finalize()
    (file,) = tmp_path.iterdir()
    assert read_mask(file).voxels.any()
