"""Seeds: an epoch draws the same at random, whether or not the training was interrupted before it."""

from __future__ import annotations

import random
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events


class Reseed:
    """Sets every random state at the start of each epoch, from the seed, the epoch and the process.

    Args:
        seed: Of the training.
        transforms: The random transforms of the training data, which have random states of their own.

    """

    def __init__(self, seed: int, transforms: Any) -> None:
        self.seed = seed
        self.transforms = transforms

    def attach(self, engine: Engine) -> None:
        """Attach it to a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Handle the start of an epoch, which comes before the epoch's loader is made."""
        words = np.random.SeedSequence([self.seed, engine.state.epoch, idist.get_rank()]).generate_state(4)
        torch.manual_seed(int(words[0]))
        np.random.seed(int(words[1]))  # noqa: NPY002 - for transforms of others that draw from it
        random.seed(int(words[2]))
        self.transforms.set_random_state(seed=int(words[3]))
