"""Checkpoints: a training that can be cut off at any step and goes on as if it had not been."""

from __future__ import annotations

import csv
import io
import logging
import math
import random
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events

from monai_ctseg.errors import TrainingError
from monai_ctseg.output import write_bytes, write_text

logger = logging.getLogger(__name__)

LAST = "last.pt"
BEST = "model.pt"
HISTORY = "history.csv"


class Part(Protocol):
    """What a checkpoint keeps: a network, an optimizer, a scheduler, a history."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """The way back."""
        ...


class Reseed:
    """Sets every source of chance at the start of each epoch, from the seed, the epoch and the process.

    So an epoch draws the same patches whether or not the training was cut off before it.
    transforms: random transforms of the training data, which draw from states of their own.
    """

    def __init__(self, seed: int, transforms: Any) -> None:
        self.seed = seed
        self.transforms = transforms

    def attach(self, engine: Engine) -> None:
        """To a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Ignite's event; it comes before the epoch's loader is made."""
        words = np.random.SeedSequence([self.seed, engine.state.epoch, idist.get_rank()]).generate_state(4)
        torch.manual_seed(int(words[0]))
        np.random.seed(int(words[1]))  # noqa: NPY002 - for third parties' transforms that draw from it
        random.seed(int(words[2]))
        self.transforms.set_random_state(seed=int(words[3]))


class History:
    """A row an epoch: mean loss, learning rate, and the metrics of the validation if there was one.

    trainer's output: MONAI's, with the loss under "loss". The rows are a part of the checkpoint.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, evaluator: Engine) -> None:
        self.optimizer = optimizer
        self.evaluator = evaluator
        self.rows: list[dict[str, float]] = []
        self._losses: list[float] = []

    def attach(self, engine: Engine) -> None:
        """To a trainer, behind the handler that validates."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.end)

    def start(self, _: Engine) -> None:
        """Ignite's event."""
        self._losses = []
        self._rate = float(self.optimizer.param_groups[0]["lr"])

    def add(self, engine: Engine) -> None:
        """Ignite's event."""
        self._losses.append(float(engine.state.output[0]["loss"]))

    def end(self, engine: Engine) -> None:
        """Ignite's event."""
        loss = float(idist.all_reduce(fmean(self._losses))) / idist.get_world_size()
        row = {"epoch": engine.state.epoch, "loss": loss, "learning_rate": self._rate}
        if self.evaluator.state.epoch == engine.state.epoch:
            row |= {name: float(value) for name, value in self.evaluator.state.metrics.items()}
        self.rows.append(row)

    def state_dict(self) -> dict[str, Any]:
        """The rows."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The rows of the epochs that a checkpoint has."""
        self.rows = [dict(row) for row in state_dict["rows"]]

    def as_csv(self) -> str:
        """A header and a line an epoch; empty where there was no validation."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        table = csv.DictWriter(text, names, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows)
        return text.getvalue()


class Checkpoint:
    """After each epoch: last.pt, with all that a training needs to go on, history.csv, and model.pt of the best epoch.

    When a training starts where a last.pt lies, it goes on from there; where that one had ended, nothing is left to do.
    An unfinished one with other settings is refused, a finished one with others is replaced. Every file is written
    beside its place and renamed, so that none is ever half there.

    parts: what last.pt keeps beside the history, the engine's place and the best metric, by name; "model" is the
        network, whose best epoch goes to model.pt as a bare state dict, and "optimizer" has the learning rate.
    evaluator: validates, and knows the best metric.
    settings: plain values by name; a training that differs in any of them is another one.
    """

    def __init__(self, folder: str, parts: Mapping[str, Any], evaluator: Engine, settings: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.history = History(parts["optimizer"], evaluator)
        self.parts: dict[str, Part] = {name: _unwrapped(part) for name, part in parts.items()}
        self.parts["history"] = self.history
        self.evaluator = evaluator
        self.settings = {name: str(value) for name, value in settings.items()}

    def attach(self, engine: Engine) -> None:
        """To a trainer, behind all handlers that change what is saved."""
        self.history.attach(engine)
        engine.add_event_handler(Events.STARTED, self.resume)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)

    def resume(self, engine: Engine) -> None:
        """Ignite's event: take up last.pt, if there is one of this training. Raises TrainingError."""
        path = self.folder / LAST
        if not path.is_file():
            return
        content = read_checkpoint(path)
        place = content["place"]
        other = self._differences(content["settings"], engine)
        if other and is_finished(content):
            return
        if other:
            raise TrainingError(
                f"{path}: an unfinished training with other settings ({', '.join(other)}); "
                "give those again to go on, or take an empty output folder, or --overwrite"
            )
        self._load(content, engine, path)
        engine.state.epoch, engine.state.iteration = place["epoch"], place["iteration"]
        self.evaluator.state.best_metric = content["best"]["metric"]
        self.evaluator.state.best_metric_epoch = content["best"]["epoch"]
        logger.info("going on after epoch %d of %d, from %s", place["epoch"], engine.state.max_epochs, path)

    def save(self, engine: Engine) -> None:
        """Ignite's event."""
        if idist.get_rank() > 0:
            return
        best = self.evaluator.state
        if best.best_metric_epoch == engine.state.epoch:
            write_bytes(self.folder / BEST, _saved(self.parts["model"].state_dict()), durable=True)
        content = {
            **{name: part.state_dict() for name, part in self._all_parts(engine).items()},
            "place": {
                "epoch": engine.state.epoch,
                "iteration": engine.state.iteration,
                "max_epochs": engine.state.max_epochs,
            },
            "settings": self._all_settings(engine),
            "best": {"metric": float(best.best_metric), "epoch": int(best.best_metric_epoch)},
        }
        write_bytes(self.folder / LAST, _saved(content), durable=True)
        write_text(self.folder / HISTORY, self.history.as_csv(), durable=True)

    def _all_parts(self, engine: Engine) -> dict[str, Part]:
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
        """The settings that are not what they were; short values with both."""
        now = self._all_settings(engine)
        changed = [name for name in now if then.get(name) != now[name]]
        both = {name: f"{name} {then.get(name)} -> {now[name]}" for name in changed}
        return [both[name] if len(both[name]) < 60 else name for name in changed]


class StopOnNaN:
    """Stops a training whose loss is no number any more. Raises TrainingError."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def attach(self, engine: Engine) -> None:
        """To a trainer, before all handlers that use the loss."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Ignite's event."""
        loss = float(engine.state.output[0]["loss"])
        if math.isfinite(loss):
            return
        kept = f"{self.folder / LAST} keeps the epochs before it" if engine.state.epoch > 1 else "nothing is kept"
        raise TrainingError(
            f"the loss is {loss} in epoch {engine.state.epoch}, step {engine.state.iteration}: "
            f"train with a smaller learning_rate, and look for odd values in the scans; {kept}"
        )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What `Checkpoint` saved; tensors and plain values only are loaded. Raises TrainingError."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if {"place", "best", "model", "settings"} <= content.keys():
            return dict(content)
    except Exception as error:  # a damaged file can fail in any way
        raise TrainingError(f"{path}: no checkpoint that can be read; take it away, or give --overwrite") from error
    raise TrainingError(f"{path}: no checkpoint of a training of ours; take it away, or give --overwrite")


def is_finished(checkpoint: Mapping[str, Any]) -> bool:
    """Whether the training of `read_checkpoint` had come to its last epoch."""
    return int(checkpoint["place"]["epoch"]) >= int(checkpoint["place"]["max_epochs"])


def _saved(content: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _unwrapped(part: Any) -> Any:
    """The network itself, where DistributedDataParallel wraps it."""
    return getattr(part, "module", part)
