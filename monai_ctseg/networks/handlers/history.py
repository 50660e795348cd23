"""History: a row for each epoch of a training."""

from __future__ import annotations

import csv
import io
from statistics import fmean
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events


class History:
    """A row for each epoch: mean loss, learning rate, and the metrics of the validation if there was one.

    The trainer's output has to be MONAI's, with the loss under "loss". A checkpoint keeps the rows.

    Args:
        optimizer: Knows the learning rate.
        evaluator: Validates.

    """

    def __init__(self, optimizer: torch.optim.Optimizer, evaluator: Engine) -> None:
        self.optimizer = optimizer
        self.evaluator = evaluator
        self.rows: list[dict[str, float]] = []
        self._losses: list[float] = []

    def attach(self, engine: Engine) -> None:
        """Attach it to a trainer, after the handler that validates."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.end)

    def start(self, _: Engine) -> None:
        """Handle the start of an epoch."""
        self._losses = []
        self._rate = float(self.optimizer.param_groups[0]["lr"])

    def add(self, engine: Engine) -> None:
        """Handle the end of a step."""
        self._losses.append(float(engine.state.output[0]["loss"]))

    def end(self, engine: Engine) -> None:
        """Handle the end of an epoch."""
        loss = float(idist.all_reduce(fmean(self._losses))) / idist.get_world_size()
        row = {"epoch": engine.state.epoch, "loss": loss, "learning_rate": self._rate}
        if self.evaluator.state.epoch == engine.state.epoch:
            row |= {name: float(value) for name, value in self.evaluator.state.metrics.items()}
        self.rows.append(row)

    def state_dict(self) -> dict[str, Any]:
        """The rows, for a checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the rows of the epochs that a checkpoint has."""
        self.rows = [dict(row) for row in state_dict["rows"]]

    def as_csv(self) -> str:
        """A header and a line for each epoch; empty cells where there was no validation."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        table = csv.DictWriter(text, names, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows)
        return text.getvalue()
