"""Checkpoints: a training can be interrupted at any step, and resumes as if it had not been."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from monai_ctseg.errors import TrainingError
from monai_ctseg.networks.handlers.history import History
from monai_ctseg.output import write_bytes, write_text

logger = logging.getLogger(__name__)

LAST = "last.pt"
BEST = "model.pt"
HISTORY = "history.csv"


class Resumable(Protocol):
    """What a checkpoint can keep: a network, an optimizer, a scheduler, a history."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Take what `state_dict` gave."""
        ...


class Checkpoint:
    """After each epoch: last.pt with all that is needed to resume, history.csv, and model.pt of the best epoch.

    A training that starts in a folder with a last.pt resumes from it; where that one had ended, nothing is left to do.
    An unfinished training with other settings is refused, a finished one with others is replaced. Every file appears
    whole or not at all.

    Args:
        folder: Where the files go.
        parts: What last.pt keeps beside the history, the engine's state and the best metric, by name. The best epoch
            of "model" goes to model.pt as a bare state dict; "optimizer" has the learning rate.
        evaluator: Validates, and knows the best metric.
        settings: Plain values by name. A training that differs in one of them is another training.

    """

    def __init__(self, folder: str, parts: Mapping[str, Any], evaluator: Engine, settings: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.history = History(parts["optimizer"], evaluator)
        # DistributedDataParallel wraps the network; the bare one is saved.
        self.parts: dict[str, Resumable] = {name: getattr(part, "module", part) for name, part in parts.items()}
        self.parts["history"] = self.history
        self.evaluator = evaluator
        self.settings = {name: str(value) for name, value in settings.items()}

    def attach(self, engine: Engine) -> None:
        """Attach it to a trainer, after all handlers that change what is saved."""
        self.history.attach(engine)
        engine.add_event_handler(Events.STARTED, self.resume)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)

    def resume(self, engine: Engine) -> None:
        """Handle the start: resume from last.pt, if there is one of this training. Raises TrainingError."""
        path = self.folder / LAST
        if not path.is_file():
            return
        content = read_checkpoint(path)
        changed = self._differences(content["settings"], engine)
        if changed and is_finished(content):
            return
        if changed:
            raise TrainingError(
                f"{path}: an unfinished training with other settings ({', '.join(changed)}); "
                "give the same settings to resume it, or take an empty output folder, or --overwrite"
            )
        self._load(content, engine, path)
        state = content["engine"]
        engine.state.epoch, engine.state.iteration = state["epoch"], state["iteration"]
        self.evaluator.state.best_metric = content["best"]["metric"]
        self.evaluator.state.best_metric_epoch = content["best"]["epoch"]
        logger.info("resuming after epoch %d of %d, from %s", state["epoch"], engine.state.max_epochs, path)

    def save(self, engine: Engine) -> None:
        """Handle the end of an epoch: write the files, in the first process."""
        if idist.get_rank() > 0:
            return
        best = self.evaluator.state
        if best.best_metric_epoch == engine.state.epoch:
            write_bytes(self.folder / BEST, _saved(self.parts["model"].state_dict()), durable=True)
        content = {
            **{name: part.state_dict() for name, part in self._all_parts(engine).items()},
            "engine": {name: getattr(engine.state, name) for name in ("epoch", "iteration", "max_epochs")},
            "settings": self._all_settings(engine),
            "best": {"metric": float(best.best_metric), "epoch": int(best.best_metric_epoch)},
        }
        write_bytes(self.folder / LAST, _saved(content), durable=True)
        write_text(self.folder / HISTORY, self.history.as_csv(), durable=True)

    def _all_parts(self, engine: Engine) -> dict[str, Resumable]:
        scaler = getattr(engine, "scaler", None)  # of mixed precision
        return self.parts if scaler is None else {**self.parts, "scaler": scaler}

    def _load(self, content: Mapping[str, Any], engine: Engine, path: Path) -> None:
        for name, part in self._all_parts(engine).items():
            try:
                part.load_state_dict(content[name])
            except (KeyError, ValueError, RuntimeError) as error:
                raise TrainingError(
                    f"{path}: its {name} is not of this training; take an empty output folder, or --overwrite"
                ) from error

    def _all_settings(self, engine: Engine) -> dict[str, str]:
        more = {
            "max_epochs": engine.state.max_epochs,
            "steps_per_epoch": engine.state.epoch_length,
            "processes": idist.get_world_size(),
        }
        return {**self.settings, **{name: str(value) for name, value in more.items()}}

    def _differences(self, then: Mapping[str, str], engine: Engine) -> list[str]:
        """The names of settings that changed; where both values are short, with them."""
        now = self._all_settings(engine)
        changed = [name for name in now if then.get(name) != now[name]]
        both = {name: f"{name} {then.get(name)} -> {now[name]}" for name in changed}
        return [both[name] if len(both[name]) < 60 else name for name in changed]


class StopOnNaN:
    """Stops a training whose loss is NaN or infinite.

    Args:
        folder: Where `Checkpoint` writes, to say what is kept.

    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def attach(self, engine: Engine) -> None:
        """Attach it to a trainer, before all handlers that use the loss."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Handle the end of a step. Raises TrainingError."""
        loss = float(engine.state.output[0]["loss"])
        if math.isfinite(loss):
            return
        kept = f"{self.folder / LAST} keeps the epochs before it" if engine.state.epoch > 1 else "nothing is kept"
        raise TrainingError(
            f"the loss is {loss} in epoch {engine.state.epoch}, step {engine.state.iteration}: "
            f"train with a smaller learning_rate, and look for wrong values in the scans; {kept}"
        )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What `Checkpoint` saved: the state of each part, "engine", "settings" and "best".

    Only tensors and plain values are loaded.

    Raises:
        TrainingError: It cannot be read, or is not a checkpoint of `Checkpoint`.

    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if {"engine", "best", "model", "settings"} <= content.keys():
            return dict(content)
    except Exception as error:  # a damaged file can fail in any way
        raise TrainingError(f"{path}: no checkpoint that can be read; remove it, or give --overwrite") from error
    raise TrainingError(f"{path}: no checkpoint of monai-ctseg train; remove it, or give --overwrite")


def is_finished(checkpoint: Mapping[str, Any]) -> bool:
    """Whether the training of a `read_checkpoint` had reached its last epoch."""
    return int(checkpoint["engine"]["epoch"]) >= int(checkpoint["engine"]["max_epochs"])


def _saved(content: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
