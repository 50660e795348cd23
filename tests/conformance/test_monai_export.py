"""MONAI's export commands, as the READMEs give them: what they write computes what the network computes in PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.reference
import pytest
import torch

from monai_ctseg.networks.config import read_config
from monai_ctseg.networks.weights import load_weights

Command = Callable[..., None]


@pytest.fixture
def network(bundle: Path, weights: Path) -> torch.nn.Module:
    made: torch.nn.Module = read_config(bundle, "inference").get_parsed_content("network_def")
    load_weights(made, weights)
    return made.eval()


@pytest.fixture
def batch(bundle: Path) -> torch.Tensor:
    """Random input, of another shape than the exports are traced with."""
    dims = read_config(bundle, "inference").get("network_def::spatial_dims")
    return torch.rand(3, 1, *(16, 8, 8)[:dims], generator=torch.Generator().manual_seed(1))


@pytest.mark.slow
def test_the_network_takes_and_gives_what_the_metadata_say(bundle: Path, monai_bundle: Command) -> None:
    files = ("--config_file", "configs/inference.yaml", "--meta_file", "configs/metadata.json")
    monai_bundle("verify_net_in_out", "network_def", *files, "--device", "cpu", cwd=bundle)


@pytest.mark.slow
def test_other_channels_than_the_metadata_say_are_refused(bundle: Path, monai_bundle: Command) -> None:
    files = ("--config_file", "configs/inference.yaml", "--meta_file", "configs/metadata.json")
    with pytest.raises(ValueError, match="output channel number"):
        monai_bundle("verify_net_in_out", "network_def", *files, "--network_def::out_channels", 2, cwd=bundle)


@pytest.mark.slow
def test_torchscript_computes_the_same(
    bundle_copy: Path, network: torch.nn.Module, batch: torch.Tensor, readme: list[list[str]], monai_bundle: Command
) -> None:
    (words,) = (words for words in readme if words[0] == "ckpt_export")
    monai_bundle(*words, cwd=bundle_copy)
    inside = {"metadata.json": "", "inference.json": ""}
    exported = torch.jit.load(bundle_copy / "model.ts", _extra_files=inside)
    with torch.no_grad():
        assert torch.equal(exported(batch), network(batch))
    assert json.loads(inside["metadata.json"])["version"]
    assert json.loads(inside["inference.json"])["network_def"]["_target_"] == "UNet"


@pytest.mark.slow
def test_onnx_computes_the_same_at_any_size(
    bundle_copy: Path, network: torch.nn.Module, batch: torch.Tensor, readme: list[list[str]], monai_bundle: Command
) -> None:
    (words,) = (words for words in readme if words[0] == "onnx_export")
    monai_bundle(*words, cwd=bundle_copy)
    exported = onnx.load(bundle_copy / "model.onnx")
    onnx.checker.check_model(exported)
    (pred,) = onnx.reference.ReferenceEvaluator(exported).run(["pred"], {"image": batch.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(pred, network(batch).numpy(), rtol=0, atol=1e-5)
