"""Files of network weights."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch

from monai_ctseg.errors import BundleError
from monai_ctseg.networks.guards import quiet

State: TypeAlias = dict[str, torch.Tensor]

_DAMAGED = (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, LookupError, AttributeError, TypeError)
"""What torch.load raises where bytes are missing or wrong, or where it would have to run code."""


def load_weights(network: torch.nn.Module, path: str | Path) -> None:
    """Fill a network from a file of tensors.

    Nothing but tensors and plain values is ever unpickled.

    Args:
        network: Takes the weights.
        path: A bare state dict, or a checkpoint with one under "model".

    Raises:
        BundleError: The file cannot be read, holds something else, or does not fit the network; or a tensor of it is
            of another type or not finite.

    """
    state, own = _read_state(path), network.state_dict()
    _require_shapes(state, own, path)
    _require_numbers(state, own, path)
    network.load_state_dict(state)


def _read_state(path: str | Path) -> State:
    try:
        with quiet():
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise BundleError(
            f"{path}: the weights cannot be read ({error.strerror or error}); name another file"
        ) from error
    except _DAMAGED as error:
        raise BundleError(f"{path}: no file of network weights, or more than tensors in it; name a model.pt") from error
    state = content.get("model", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise BundleError(f"{path}: no weights of a network, but other data; name a model.pt")
    return state


def _require_shapes(state: State, own: Mapping[str, torch.Tensor], path: str | Path) -> None:
    names = own.keys() | state.keys()
    unfit = [name for name in names if _shape(own.get(name)) != _shape(state.get(name))]
    if unfit:
        raise BundleError(
            f"{path}: weights of another network: {len(unfit)} of {len(names)} tensors do not fit "
            f"({min(unfit)}); take the weights that belong to this bundle"
        )


def _shape(tensor: torch.Tensor | None) -> tuple[int, ...] | None:
    return None if tensor is None else tuple(tensor.shape)


def _require_numbers(state: State, own: Mapping[str, torch.Tensor], path: str | Path) -> None:
    wrong = [name for name, value in state.items() if value.dtype != own[name].dtype or not _is_finite(value)]
    if wrong:
        raise BundleError(
            f"{path}: {len(wrong)} of {len(state)} tensors hold NaN, infinity or another type of number "
            f"({min(wrong)}); take weights of a training that ended well"
        )


def _is_finite(tensor: Any) -> bool:
    return tensor.layout is torch.strided and not tensor.is_meta and bool(torch.isfinite(tensor).all())
