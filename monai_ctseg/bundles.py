"""Bundles: find one by name or path, and describe it without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from monai_ctseg.errors import BundleError
from monai_ctseg.output import file_sha256

DEFAULT_BUNDLE = "metal_unet2d"
WEIGHTS = Path("models") / "model.pt"

_INFERENCE = Path("configs") / "inference.yaml"
_METADATA = Path("configs") / "metadata.json"
_PACKAGE = Path(__file__).resolve().parent
_HOMES = (_PACKAGE / "bundles", _PACKAGE.parent / "bundles")
"""In an installed package; in its source tree."""


@dataclass(frozen=True)
class BundleFacts:
    """What a bundle says of itself. None: it does not say.

    dimensions: Of its network, 2 or 3.
    spacing_mm: To which scans are resampled, along the patient's axes; None: they keep their own.
    window_hu: What the network sees as 0 and as 1.
    weights_sha256: None where it has no models/model.pt.
    figures: What was measured with these weights, `eval_metrics` in its metadata.json.
    """

    name: str
    folder: Path
    version: str
    task: str | None
    dimensions: int | None
    spacing_mm: tuple[float, ...] | None
    window_hu: tuple[float, float] | None
    weights_sha256: str | None
    figures: Mapping[str, Any]


def find_bundle(bundle: str | Path = DEFAULT_BUNDLE) -> Path:
    """The folder of a bundle.

    Args:
        bundle: A path, or the name of one that is part of the package.

    Raises:
        BundleError: There is none.
    """
    for folder in (Path(bundle).expanduser(), *(home / bundle for home in _HOMES)):
        if (folder / _INFERENCE).is_file():
            return folder.resolve()
    known = ", ".join(folder.name for folder in installed_bundles())
    raise BundleError(f"{bundle} is no bundle: there is no configs/inference.yaml in it; known by name: {known}")


def find_weights(folder: Path, weights: str | Path | None = None) -> Path:
    """The file of weights to use with a bundle.

    Args:
        folder: Of the bundle.
        weights: Another file; whether it exists is checked when it is loaded. None: the bundle's own.

    Raises:
        BundleError: The bundle has no weights of its own.
    """
    if weights is not None:
        return Path(weights).expanduser()
    if not (folder / WEIGHTS).is_file():
        raise BundleError(
            f"the bundle {folder.name} has no weights of its own ({folder / WEIGHTS}); "
            "train it (monai-ctseg train), or name the model.pt to use (--weights)"
        )
    return folder / WEIGHTS


def installed_bundles() -> tuple[Path, ...]:
    """The folders of the bundles that are part of the package, by name."""
    folders = {path.parent.parent.name: path.parent.parent for home in _HOMES for path in home.glob(f"*/{_INFERENCE}")}
    return tuple(folders[name] for name in sorted(folders))


def describe_bundle(folder: Path) -> BundleFacts:
    """Read a bundle's metadata.json and inference.yaml as plain data: no expression in them is evaluated.

    Raises:
        BundleError: One of them is missing or broken.
    """
    metadata, config = _read(folder / _METADATA), _read(folder / _INFERENCE)
    network = config.get("network_def")
    dimensions = network.get("spatial_dims") if isinstance(network, dict) else None
    spacing = _numbers(config.get("spacing_mm"))
    window = _numbers([config.get("hu_min"), config.get("hu_max")])
    weights = folder / WEIGHTS
    return BundleFacts(
        name=folder.name,
        folder=folder,
        version=str(metadata.get("version")),
        task=metadata.get("task"),
        dimensions=dimensions if isinstance(dimensions, int) else None,
        spacing_mm=spacing or None,
        window_hu=(window[0], window[1]) if window else None,
        weights_sha256=file_sha256(weights) if weights.is_file() else None,
        figures=metadata.get("eval_metrics") or {},
    )


def _read(file: Path) -> dict[str, Any]:
    """A JSON or YAML file that holds a mapping."""
    try:
        text = file.read_text("utf-8")
        content = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise BundleError(f"{file}: cannot be read ({error.strerror or error}); install the bundle again") from None
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:100]
        raise BundleError(f"{file}: cannot be read as {file.suffix[1:].upper()} ({reason}); correct it") from None
    if not isinstance(content, dict):
        raise BundleError(f"{file}: holds no ids and values; correct it")
    return content


def _numbers(values: Any) -> tuple[float, ...]:
    """The list as numbers; empty where it is none, or holds an expression."""
    if not isinstance(values, list) or not all(isinstance(value, (int, float)) for value in values):
        return ()
    return tuple(float(value) for value in values)
