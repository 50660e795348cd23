"""Masks: what validation predicted, a PNG for each slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ignite.engine import Engine, Events

from monai_ctseg.networks.transforms import slice_names, volume_of
from monai_ctseg.output import write_png


class MaskWriter:
    """Writes each predicted slice as an 8-bit PNG, 0 or 255: folder/epoch_NNN/<slice name>.png.

    Several scans get a folder each, scan_NN.

    Args:
        folder: Where the folders of the epochs go.
        scans: Only the first ones are written, because those of a cohort would fill the disk.

    """

    def __init__(self, folder: str, *, scans: int = 4) -> None:
        self.folder = Path(folder)
        self.scans = scans

    def attach(self, engine: Engine) -> None:
        """Attach it to an evaluator."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Handle the end of a step: write the masks of its scans."""
        number = (engine.state.iteration - 1) % engine.state.epoch_length
        if number >= self.scans:
            return
        folder = self.folder / f"epoch_{engine.state.epoch:03d}"
        if engine.state.epoch_length > 1:
            folder /= f"scan_{number:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        for item in engine.state.output:
            mask = volume_of(item["pred"]) > 0
            for k, name in enumerate(slice_names(item["image"])):
                write_png(mask[:, :, k].T.astype(np.uint8) * 255, folder / f"{name}.png")
