"""The commands in each bundle's README do what it says; the exports are in test_monai_export.py."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Callable
from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from monai_ctseg.networks.config import read_config


def test_every_file_and_option_is_there(bundle: Path, readme: list[list[str]]) -> None:
    runs = [words for words in readme if words[0] == "run"]
    assert len(runs) == 6
    for words in runs:
        options = dict(zip(words[1::2], words[2::2], strict=True))
        files = options.pop("--config_file")
        config = ConfigParser()
        config.read_config([str(bundle / file) for file in (literal_eval(files) if files[0] == "[" else [files])])
        assert [option for option in options if option.removeprefix("--") not in config] == []


def test_the_figures_are_the_configs(bundle: Path) -> None:
    text = " ".join((bundle / "docs" / "README.md").read_text(encoding="utf-8").split())
    config = read_config(bundle, "inference", "train")
    patch = config.get("patch")
    stated = [f"patches of {' x '.join(map(str, patch if isinstance(patch, list) else [patch] * 2))}"]
    stated += [f"channels {', '.join(map(str, config.get('network_def::channels')))}"]
    stated += [
        f"HU from {config.get('hu_min')} to {config.get('hu_max')}",
        f"`threshold_hu` ({config.get('threshold_hu')})",
    ]
    if config.get("spacing_mm"):
        stated += [f"{' x '.join(map(str, config.get(key)))}" for key in ("spacing_mm", "window")]
    assert [words for words in stated if words not in text] == []


@pytest.mark.slow
def test_train_evaluate_infer_and_labels(
    bundle_copy: Path, cohort: Path, readme: list[list[str]], monai_bundle: Callable[..., None], tmp_path: Path
) -> None:
    """In the README's order, in two steps of training."""
    flat = read_config(bundle_copy, "inference").get("network_def::spatial_dims") == 2
    short = ["--max_epochs", "1", "--steps_per_epoch", "2", "--patch", "16" if flat else "[16,16,16]"]
    places = {"DATA": cohort, "SCAN": cohort / "image_0.nii.gz"}
    places |= {name: tmp_path / name for name in ("RUN", "SCORES", "OUT")}
    before = set(bundle_copy.rglob("*"))
    for words in readme:
        files = " ".join(words)
        if words[0] != "run" or "multi_gpu" in files:
            continue
        chosen = [str(places.get(word, word)).replace("RUN/", f"{places['RUN']}/") for word in words]
        monai_bundle(*chosen, *(short if "train.yaml" in files else []), cwd=bundle_copy)
    for name in ("RUN/model.pt", "RUN/last.pt", "RUN/overview.png", "SCORES/scores.json"):
        assert (tmp_path / name).is_file(), name
    assert {file.name for file in places["OUT"].iterdir()} == {"scan_metal.nii.gz", "scan_label.nii.gz"}
    assert set(bundle_copy.rglob("*")) == before
