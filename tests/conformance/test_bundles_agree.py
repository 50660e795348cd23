"""What both bundles have in common is the same in both, or listed here as different on purpose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from pydoc import locate
from typing import Any

import pytest
from monai.bundle import ConfigParser

from monai_ctseg.bundles import find_bundle

FLAT, SOLID = find_bundle("metal_unet2d") / "configs", find_bundle("metal_unet3d") / "configs"

DIFFERENT = {
    "inference.yaml": {
        # slices at the scan's own resolution, or volumes at one spacing
        "network_def::spatial_dims",
        "network_def::channels",
        "preprocessing::transforms",
        "slices_to_input::transforms",
        "to_own_grid::transform",
        # whole slices, or windows of a volume
        "inferer::_target_",
        "inferer::roi_size",
        "windows_per_batch",
        "slices_at_once",
        "context_slices_mm",
        "half_maximum_weight",
        "threshold_weight",
        "interval_levels",  # set for the weights
        "training_range::spacing_mm",
    },
    "train.yaml": {
        "patch",
        "crop",
        "scans_per_batch",
        "train::preprocessing::transforms",
        "validate::preprocessing::transforms",
        "validate::postprocessing::transforms",
    },
    "evaluate.yaml": {"case_items::_target_"},  # slices with gaps are no volume
    "metadata.json": {
        "version",
        "name",
        "task",
        "description",
        "references",
        "network_data_format::inputs::image::spatial_shape",
        "network_data_format::inputs::image::is_patch_data",
        "network_data_format::outputs::pred::spatial_shape",
        "network_data_format::outputs::pred::is_patch_data",
    },
}
HISTORY = ("changelog::", "eval_metrics")


def leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Ids and values; a list counts as one value."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}::")
        else:
            yield f"{prefix}{key}", value


def test_both_bundles_have_the_same_configs() -> None:
    assert {file.name for file in FLAT.iterdir()} == {file.name for file in SOLID.iterdir()}


@pytest.mark.parametrize("name", sorted(file.name for file in FLAT.iterdir() if file.suffix in (".yaml", ".json")))
def test_shared_keys_agree(name: str) -> None:
    flat, solid = (dict(leaves(ConfigParser.load_config_file(str(home / name)))) for home in (FLAT, SOLID))
    shared = {key for key in flat.keys() & solid.keys() if not key.startswith(HISTORY)}
    differing = {key for key in shared if flat[key] != solid[key]}
    assert differing == DIFFERENT.get(name, set())


@pytest.mark.parametrize("home", [FLAT, SOLID], ids=lambda home: home.parent.name)
def test_nothing_repeats_a_value_of_inference_yaml(home: Path) -> None:
    stated = ConfigParser.load_config_file(str(home / "inference.yaml"))
    for file in home.glob("*.yaml"):
        if file.name != "inference.yaml":
            merged = ConfigParser.load_config_file(str(file))
            shared = merged.keys() & stated.keys() - {"run"}  # evaluate.yaml takes it back from train.yaml
            assert [key for key in shared if merged[key] == stated[key]] == [], file.name


@pytest.mark.parametrize("home", [FLAT, SOLID], ids=lambda home: home.parent.name)
def test_every_name_of_ours_is_there(home: Path) -> None:
    texts = [file.read_text(encoding="utf-8") for file in home.glob("*.yaml")]
    names = {name for text in texts for name in re.findall(r"_target_: *(monai_ctseg\.[\w.]+)", text)}
    assert len(names) > 10
    assert [name for name in names if locate(name) is None] == []


def test_logging_is_the_same() -> None:
    assert (FLAT / "logging.conf").read_bytes() == (SOLID / "logging.conf").read_bytes()
