"""Progress: calls back after each training step."""

from __future__ import annotations

from collections.abc import Callable

from ignite.engine import Engine, Events

TrainingProgress = Callable[[int, int, float], None]
"""Called after each step with the step (from 1), the number of steps, and the loss."""


class ProgressReport:
    """Calls `report(step, steps, loss)` after each training step; steps are counted over all epochs, from 1."""

    def __init__(self, report: TrainingProgress) -> None:
        self.report = report

    def attach(self, engine: Engine) -> None:
        """Attach it to a trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Handle the end of a step."""
        state = engine.state
        self.report(state.iteration, state.max_epochs * state.epoch_length, float(state.output[0]["loss"]))
