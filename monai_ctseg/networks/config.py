"""MONAI bundles: merge the configs of one, build its workflow or its parts, load its weights.

A config is code: "$" expressions are evaluated and "_target_" names are imported. Only run bundles that you trust.
"""

from __future__ import annotations

import difflib
import logging
import math
import pickle
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from monai.bundle import ConfigParser, ConfigWorkflow

from monai_ctseg.bundles import DEFAULT_BUNDLE as DEFAULT_BUNDLE
from monai_ctseg.bundles import WEIGHTS as WEIGHTS
from monai_ctseg.bundles import find_bundle as find_bundle
from monai_ctseg.errors import BundleError, CtsegError, OutputError
from monai_ctseg.errors import writing_errors as system_errors

ConfigName = Literal["inference", "train", "evaluate", "labels", "multi_gpu_train", "multi_gpu_evaluate"]
_NOISY = ("monai", "ignite")


def read_config(bundle: Path, *names: ConfigName, overrides: Mapping[str, Any] | None = None) -> ConfigParser:
    """The merged configs of a bundle, to take parts from.

    overrides: ids ("max_epochs", "train::trainer::amp") and the values that replace the config's.
    Raises BundleError for an id that the config does not have.
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
    """MONAI's workflow over the merged configs, initialized; options as in `read_config`."""
    read_config(bundle, *names, overrides=overrides)  # refuses what the workflow would take in silence
    with config_errors(bundle):
        workflow = ConfigWorkflow(
            config_file=_config_files(bundle, names),
            workflow_type="train" if "train" in names else "infer",
            logging_file=False,
            **{"bundle_root": str(bundle), **(overrides or {})},
        )
        workflow.initialize()
    return workflow


def load_weights(network: torch.nn.Module, path: str | Path) -> None:
    """Fill the network from a file of tensors: a bare state dict, or a checkpoint with one under "model".

    Files that hold anything else than tensors and plain values are never unpickled. Raises BundleError.
    """
    try:
        with quiet():
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise BundleError(
            f"{path}: the weights cannot be read ({error.strerror or error}); name another file"
        ) from error
    except (
        RuntimeError,
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
    ) as error:
        raise BundleError(f"{path}: no file of network weights, or more than tensors in it; name a model.pt") from error
    state = content.get("model", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise BundleError(f"{path}: no weights of a network, but other data; name a model.pt")
    own = network.state_dict()
    unfit = [key for key in own.keys() | state.keys() if _shape(own.get(key)) != _shape(state.get(key))]
    if unfit:
        raise BundleError(
            f"{path}: weights of another network: {len(unfit)} of {len(own.keys() | state.keys())} tensors do not fit "
            f"({min(unfit)}); take the weights that belong to this bundle"
        )
    odd = [key for key, value in state.items() if value.dtype != own[key].dtype or not _is_finite(value)]
    if odd:
        raise BundleError(
            f"{path}: {len(odd)} of {len(state)} tensors hold NaN, infinity or another type of number ({min(odd)}); "
            "take weights of a training that ended well"
        )
    network.load_state_dict(state)


def device_override(device: str | None) -> dict[str, Any]:
    """The override that puts a workflow on a device; BundleError where this machine has no such device."""
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


@contextmanager
def config_errors(bundle: Path) -> Iterator[None]:
    """Faults in a config as one line that names the bundle; refusals of ours pass."""
    try:
        with own_errors():
            yield
    except (CtsegError, OSError, MemoryError):
        raise
    except Exception as error:  # a config can fail in any way, it is code
        root = _root_cause(error)
        text = " ".join(str(root).split())[:300]
        raise BundleError(f"{bundle}: the config cannot be used: {type(root).__name__}: {text}") from error


@contextmanager
def own_errors() -> Iterator[None]:
    """Our refusals and the system's, which MONAI wraps into a RuntimeError for each transform, as they were raised."""
    try:
        yield
    except CtsegError:
        raise
    except Exception as error:
        for cause in _causes(error):
            if isinstance(cause, (CtsegError, OSError)):
                raise cause from None
        raise


@contextmanager
def writing_errors(folder: Path) -> Iterator[None]:
    """Errors of the system and of torch on writing (a full disk, missing rights) as one line about the folder."""
    try:
        with system_errors(folder):
            yield
    except RuntimeError as error:  # what torch makes of a full disk
        if "PytorchStreamWriter" not in str(error) and "file write failed" not in str(error):
            raise
        raise OutputError(
            f"{folder}: the weights cannot be written (is the disk full?); make room, or name another path"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without the log and warnings of MONAI, Ignite and torch; what they raise still comes. All is put back."""
    names = [
        *_NOISY,
        *(name for name in logging.root.manager.loggerDict if name.startswith(tuple(f"{n}." for n in _NOISY))),
    ]
    loggers = [logging.getLogger(name) for name in names]
    levels = [(logger, logger.level) for logger in loggers]
    root = logging.root
    root_state = root.level, root.propagate
    ours = logging.getLogger("monai_ctseg")
    our_level = ours.level
    ours.setLevel(ours.getEffectiveLevel())  # whatever MONAI makes of the root's
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(monai|ignite|torch)(\.|$)")
            yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)
        ours.setLevel(our_level)
        # MONAI's StatsHandler sets the root logger to INFO.
        root.setLevel(root_state[0])
        root.propagate = root_state[1]


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
    """A spacing is three lengths; MONAI would take others for "as the scan has it"."""
    spacing = parser.get("spacing_mm")
    if spacing is None:
        return
    numbers = isinstance(spacing, (list, tuple)) and all(isinstance(mm, (int, float)) for mm in spacing)
    if not numbers or len(spacing) != 3 or not all(0 < mm < math.inf for mm in spacing):
        raise BundleError(f"{bundle}: spacing_mm is {spacing}; it takes three lengths in mm, such as [1, 1, 1.5]")


def _is_finite(tensor: torch.Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_meta and bool(torch.isfinite(tensor).all())


def _shape(tensor: Any) -> tuple[int, ...] | None:
    return None if tensor is None else tuple(tensor.shape)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _root_cause(error: BaseException) -> BaseException:
    return list(_causes(error))[-1]
