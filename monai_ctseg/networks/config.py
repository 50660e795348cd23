"""MONAI bundles: merge the configs of one, and build its workflow or its parts.

A config is code: "$" expressions are evaluated and "_target_" names are imported. Only run bundles that you trust.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from monai.bundle import ConfigParser, ConfigWorkflow

from monai_ctseg.errors import BundleError
from monai_ctseg.networks.guards import config_errors

ConfigName = Literal["inference", "train", "evaluate", "labels", "multi_gpu_train", "multi_gpu_evaluate"]


def read_config(bundle: Path, *names: ConfigName, overrides: Mapping[str, Any] | None = None) -> ConfigParser:
    """The merged configs of a bundle, to take parts from.

    Args:
        bundle: Its folder.
        names: Its configs, without the ending; later ones merge over earlier ones.
        overrides: Ids ("max_epochs", "train::trainer::amp") and the values that replace the config's.

    Returns:
        MONAI's parser; `get_parsed_content(id)` builds a part.

    Raises:
        BundleError: There is no such config, it cannot be read, it has no id that is overridden, or its spacing is
            not three lengths.

    """
    parser = ConfigParser()
    with config_errors(bundle):
        parser.read_config(_config_files(bundle, names))
    overrides = {"bundle_root": str(bundle), **(overrides or {})}
    _require_known(parser, overrides, bundle)
    parser.update(overrides)
    _require_lengths(parser, bundle)
    parser.parse(reset=True)
    return parser


def open_workflow(bundle: Path, *names: ConfigName, overrides: Mapping[str, Any] | None = None) -> ConfigWorkflow:
    """MONAI's workflow over the merged configs, initialized.

    Args:
        bundle: As in `read_config`.
        names: As in `read_config`; with "train" among them it is a workflow that trains.
        overrides: As in `read_config`.

    Returns:
        The workflow, to `run()` and `finalize()`.

    Raises:
        BundleError: As in `read_config`, or a part cannot be built.

    """
    read_config(bundle, *names, overrides=overrides)  # refuses what the workflow would accept silently
    with config_errors(bundle):
        workflow = ConfigWorkflow(
            config_file=_config_files(bundle, names),
            workflow_type="train" if "train" in names else "infer",
            logging_file=False,
            **{"bundle_root": str(bundle), **(overrides or {})},
        )
        workflow.initialize()
    return workflow


def device_override(device: str | None) -> dict[str, Any]:
    """The override that puts a workflow on a device.

    Args:
        device: "cpu", "cuda", "cuda:1"; None leaves the choice to the bundle.

    Raises:
        BundleError: This machine has no such device.

    """
    if device is None:
        return {}
    try:
        chosen = torch.device(device)
        if chosen.type == "meta":
            raise RuntimeError("it computes nothing")
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise BundleError(
            f"there is no device '{device}' here; take cpu, or cuda where torch was built for it"
        ) from error
    return {"device": f"$torch.device('{chosen}')"}


def _config_files(bundle: Path, names: tuple[ConfigName, ...]) -> list[str]:
    files = [bundle / "configs" / f"{name}.yaml" for name in names]
    for file in files:
        if not file.is_file():
            raise BundleError(f"{file} is not there; the bundle cannot do this")
    return [str(file) for file in files]


def _require_known(parser: ConfigParser, overrides: Mapping[str, Any], bundle: Path) -> None:
    for key in overrides:
        if key not in parser:
            near = difflib.get_close_matches(key, [str(name) for name in parser.get()], n=3)
            hint = f"; near it: {', '.join(near)}" if near else ""
            raise BundleError(f"{bundle}: the config has no '{key}' to change{hint}")


def _require_lengths(parser: ConfigParser, bundle: Path) -> None:
    """MONAI would take other values than three lengths for "as the scan has it"."""
    spacing = parser.get("spacing_mm")
    if spacing is None:
        return
    numbers = isinstance(spacing, (list, tuple)) and all(isinstance(mm, (int, float)) for mm in spacing)
    if not numbers or len(spacing) != 3 or not all(0 < mm < math.inf for mm in spacing):
        raise BundleError(f"{bundle}: spacing_mm is {spacing}; it takes three lengths in mm, such as [1, 1, 1.5]")
