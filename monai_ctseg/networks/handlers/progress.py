"""Progress: tells a callback of each training step."""

from __future__ import annotations

from collections.abc import Callable

from ignite.engine import Engine, Events

Progress = Callable[[int, int, float], None]
"""Called after each step with the step (from 1), the number of steps, and the loss."""


class ProgressReport:
    """Calls `report(step, steps, loss)` after each training step."""

    def __init__(self, report: Progress) -> None:
        self.report = report

    def attach(self, engine: Engine) -> None:
        """To a trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Ignite's event."""
        state = engine.state
        self.report(state.iteration, state.max_epochs * state.epoch_length, float(state.output[0]["loss"]))
