"""Pictures: validation slices for TensorBoard, and the overview of the best epoch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from ignite.engine import Engine, Events

from monai_ctseg.networks.transforms import compress_hu, expand_hu, slice_names, volume_of
from monai_ctseg.plots import plot_overview


@dataclass(frozen=True)
class Validated:
    """One validated scan, or some of its validation slices.

    Attributes:
        hu: HU, [i, j, k].
        truth: [i, j, k].
        predicted: [i, j, k].
        names: Of the slices, [k].

    """

    hu: npt.NDArray[np.float32]
    truth: npt.NDArray[np.bool_]
    predicted: npt.NDArray[np.bool_]
    names: tuple[str, ...]


class Pictures:
    """Shows image | truth | prediction of some validation slices in TensorBoard, and the best epoch as a PNG.

    Args:
        writer: TensorBoard's.
        overview: The PNG's path.
        hu_min: The window that the image was scaled by, see `compress_hu`.
        hu_max: Likewise.
        count: How many slices are shown, spread over those with metal.

    """

    def __init__(self, writer: Any, *, overview: str, hu_min: float, hu_max: float, count: int = 8) -> None:
        self.writer = writer
        self.overview = Path(overview)
        self.hu_min = hu_min
        self.hu_max = hu_max
        self.count = count
        self._shown: Validated | None = None

    def attach(self, engine: Engine) -> None:
        """Attach it to an evaluator."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.forget)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.draw)

    def forget(self, _: Engine) -> None:
        """Handle the start of a validation."""
        self._shown = None

    def collect(self, engine: Engine) -> None:
        """Handle the end of a step: keep slices of the first scan that shows metal."""
        for item in engine.state.output:
            if self._shown is None or not self._shown.truth.any():
                self._shown = choose_slices(self._validated(item), count=self.count)

    def draw(self, engine: Engine) -> None:
        """Handle the end of a validation: draw what was kept."""
        if self._shown is None:
            return
        sheet = draw_sheet(self._shown, hu_min=self.hu_min, hu_max=self.hu_max)
        self.writer.add_image("image | truth | prediction", sheet, engine.state.epoch, dataformats="HW")
        if engine.state.best_metric_epoch == engine.state.epoch:
            hu, truth, predicted = (
                volume.transpose(2, 1, 0) for volume in (self._shown.hu, self._shown.truth, self._shown.predicted)
            )
            plot_overview(hu, truth, predicted, self._shown.names, self.overview)

    def _validated(self, item: Any) -> Validated:
        truth = volume_of(item["label"]) > 0
        return Validated(
            hu=volume_of(expand_hu(item["image"], hu_min=self.hu_min, hu_max=self.hu_max)),
            truth=truth,
            predicted=volume_of(item["pred"]) > 0,
            names=slice_names(item["image"]),
        )


def choose_slices(shown: Validated, *, count: int) -> Validated:
    """Some slices, evenly spread over those with metal in either mask; over all slices where none has any.

    Args:
        shown: All slices.
        count: At most so many are chosen.

    """
    metal = np.flatnonzero((shown.truth | shown.predicted).any(axis=(0, 1)))
    slices = metal if metal.size else np.arange(len(shown.names))
    ks = slices[np.unique(np.linspace(0, slices.size - 1, min(count, slices.size)).round().astype(int))]
    return Validated(
        hu=shown.hu[:, :, ks],
        truth=shown.truth[:, :, ks],
        predicted=shown.predicted[:, :, ks],
        names=tuple(shown.names[k] for k in ks),
    )


def draw_sheet(shown: Validated, *, hu_min: float, hu_max: float) -> npt.NDArray[np.uint8]:
    """One grey picture: a row for each slice, with the image as the network sees it, truth and prediction.

    Args:
        shown: The slices.
        hu_min: The network's window, see `compress_hu`.
        hu_max: Likewise.

    Returns:
        uint8 [row, column].

    """
    grey = compress_hu(torch.from_numpy(shown.hu), hu_min=hu_min, hu_max=hu_max).numpy()
    rows = [
        np.concatenate([grey[:, :, k].T, shown.truth[:, :, k].T, shown.predicted[:, :, k].T], axis=1)
        for k in range(len(shown.names))
    ]
    return (np.concatenate(rows) * 255).astype(np.uint8)
