"""What lies in a bundle: the files of MONAI's bundle specification, and metadata that tell the truth."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import monai_ctseg
from monai_ctseg.networks.config import read_config
from monai_ctseg.networks.weights import load_weights

RULES = Path(__file__).with_name("metadata_rules.json")
ROOT = Path(__file__).parents[2]
FILES = (
    "LICENSE",
    "configs/metadata.json",
    "configs/logging.conf",
    "configs/inference.yaml",
    "configs/train.yaml",
    "configs/evaluate.yaml",
    "configs/labels.yaml",
    "configs/multi_gpu_train.yaml",
    "configs/multi_gpu_evaluate.yaml",
    "models/model.pt",
    "docs/README.md",
    "docs/data_license.txt",
)
MEGABYTE = 1_000_000


@pytest.fixture
def meta(bundle: Path) -> Any:
    return json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FILES)
def test_the_bundle_holds(name: str, bundle: Path) -> None:
    assert (bundle / name).stat().st_size > 0


def test_no_file_is_larger_than_the_model_zoo_takes(bundle: Path) -> None:
    assert [file for file in bundle.rglob("*") if file.stat().st_size >= 25 * MEGABYTE] == []


def test_the_weights_are_a_bare_state_dict_that_fits(bundle: Path) -> None:
    file = bundle / "models" / "model.pt"
    state = torch.load(file, weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    load_weights(read_config(bundle, "inference").get_parsed_content("network_def"), file)


def test_the_licence_is_the_packages(bundle: Path) -> None:
    assert (bundle / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_logging_goes_to_stderr_and_names_only_what_monai_allows(bundle: Path) -> None:
    conf = configparser.RawConfigParser()
    conf.read(bundle / "configs" / "logging.conf")
    assert conf["handler_console"]["class"] == "StreamHandler"
    assert conf["handler_console"]["args"] == "(sys.stderr,)"


def test_monai_verifies_the_metadata(bundle: Path, monai_bundle: Callable[..., None]) -> None:
    """Offline: MONAI takes a schema file that is there as it is."""
    monai_bundle("verify_metadata", "--meta_file", bundle / "configs" / "metadata.json", "--filepath", RULES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 1}, "1 is not of type 'string'"),
        ({"task": None}, "None is not of type 'string'"),
        ({"network_data_format": {"inputs": {"image": {}}, "outputs": {}}}, "'pred' is a required property"),
    ],
)
def test_wrong_metadata_are_refused(
    change: dict[str, Any], words: str, meta: Any, monai_bundle: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "metadata.json").write_text(json.dumps({**meta, **change}))
    with pytest.raises(ValueError, match=re.escape(words)):
        monai_bundle("verify_metadata", "--meta_file", tmp_path / "metadata.json", "--filepath", RULES)


def test_the_newest_change_is_the_version(meta: Any) -> None:
    assert max(meta["changelog"], key=lambda key: [int(part) for part in key.split(".")]) == meta["version"]
    assert next(iter(meta["changelog"])) == meta["version"]


def test_versions_are_those_that_were_tested(meta: Any) -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    tested = dict(line.lower().split("==") for line in lines if "==" in line)
    required = dict(meta["required_packages_version"])
    assert required.pop("monai_ctseg") == monai_ctseg.__version__
    required |= {"monai": meta["monai_version"], "torch": meta["pytorch_version"], "numpy": meta["numpy_version"]}
    assert {name: tested.get(name.lower()) for name in required} == required


def test_the_shapes_are_those_of_the_network(meta: Any, bundle: Path) -> None:
    config = read_config(bundle, "inference")
    image, pred = meta["network_data_format"]["inputs"]["image"], meta["network_data_format"]["outputs"]["pred"]
    flat = config.get("network_def::spatial_dims") == 2
    assert image["spatial_shape"] == ([f"{config.get('divisor')}*n"] * 2 if flat else config.get("window"))
    assert pred["spatial_shape"] == image["spatial_shape"]
    assert (image["num_channels"], pred["num_channels"]) == (
        config.get("network_def::in_channels"),
        config.get("network_def::out_channels"),
    )
    window = torch.tensor([config.get("hu_min"), config.get("hu_max")])
    scaled = config.get_parsed_content("scale")({"image": window})["image"]
    assert image["value_range"] == scaled.tolist()
    assert f"from {config.get('hu_min')} to {config.get('hu_max')}" in meta["image_classes"]
