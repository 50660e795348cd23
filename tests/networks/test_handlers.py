"""What a validation leaves behind: PNG masks, pictures for TensorBoard, the overview."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from PIL import Image

from monai_ctseg.networks.handlers import MaskWriter, Pictures, ProgressReport, Validated, choose_slices, draw_sheet


class Writer:
    """Stands in for TensorBoard's SummaryWriter."""

    def __init__(self) -> None:
        self.pictures: list[tuple[str, Any, int]] = []

    def add_image(self, tag: str, picture: Any, epoch: int, dataformats: str) -> None:
        assert dataformats == "HW"
        self.pictures.append((tag, picture, epoch))


def item() -> dict[str, MetaTensor]:
    """A validated scan of 5 x 4 x 3; metal at (3, 1, 2), predicted at (3, 1, 2)."""
    mask = torch.zeros(1, 5, 4, 3)
    mask[0, 3, 1, 2] = 1
    image = torch.full((1, 5, 4, 3), 0.2)
    return {
        "image": MetaTensor(image, meta={"names": "a\nb\nc"}),
        "label": MetaTensor(mask),
        "pred": MetaTensor(mask.clone()),
    }


def validate(*handlers: Any, scans: int = 1, epoch: int = 3) -> None:
    engine = Engine(lambda _engine, _batch: [item()])
    for handler in handlers:
        handler.attach(engine)
    engine.state.best_metric_epoch = epoch
    engine.state.epoch = epoch - 1
    engine.run(range(scans), max_epochs=epoch)


def test_each_slice_becomes_a_png_under_its_name(tmp_path: Path) -> None:
    validate(MaskWriter(str(tmp_path)))
    assert {file.name for file in (tmp_path / "epoch_003").iterdir()} == {"a.png", "b.png", "c.png"}
    picture = np.array(Image.open(tmp_path / "epoch_003" / "c.png"))
    assert picture.dtype == np.uint8
    assert picture.shape == (4, 5)  # rows are j
    assert np.argwhere(picture == 255).tolist() == [[1, 3]]


def test_several_scans_get_a_folder_each_and_the_disk_is_spared(tmp_path: Path) -> None:
    validate(MaskWriter(str(tmp_path), scans=2), scans=5)
    assert {file.name for file in (tmp_path / "epoch_003").iterdir()} == {"scan_00", "scan_01"}


def test_pictures_go_to_tensorboard_and_the_best_epoch_to_the_overview(tmp_path: Path) -> None:
    writer = Writer()
    validate(Pictures(writer, overview=str(tmp_path / "o.png"), hu_min=-1000, hu_max=4000))
    tag, sheet, epoch = writer.pictures[-1]
    assert (tag, sheet.shape, epoch) == ("image | truth | prediction", (4, 15), 3)
    assert len(writer.pictures) == 3
    assert sheet[1, 5 + 3] == sheet[1, 10 + 3] == 255
    with Image.open(tmp_path / "o.png") as overview:
        assert overview.width > 100


def test_a_worse_epoch_leaves_the_overview_alone(tmp_path: Path) -> None:
    pictures = Pictures(Writer(), overview=str(tmp_path / "o.png"), hu_min=-1000, hu_max=4000)
    engine = Engine(lambda _engine, _batch: [item()])
    pictures.attach(engine)
    engine.state.best_metric_epoch = 7
    engine.run([0], max_epochs=1)
    assert not (tmp_path / "o.png").exists()


def test_slices_with_metal_in_either_mask_are_shown() -> None:
    truth = np.zeros((2, 2, 9), dtype=np.bool_)
    predicted = truth.copy()
    truth[0, 0, 2:5] = True
    predicted[0, 0, 8] = True
    hu = np.broadcast_to(np.arange(9, dtype=np.float32), (2, 2, 9))
    shown = choose_slices(Validated(hu, truth, predicted, tuple("abcdefghi")), count=3)
    assert shown.names == ("c", "d", "i") or shown.names == ("c", "e", "i")
    assert draw_sheet(shown, hu_min=-1000, hu_max=3000)[0, 0] == 109  # 2 HU: log2(2.002) / log2(5) of 255


def test_progress_tells_step_steps_and_loss() -> None:
    told: list[tuple[int, int, float]] = []
    engine = Engine(lambda _engine, batch: [{"loss": torch.tensor(float(batch))}])
    ProgressReport(lambda *facts: told.append(facts)).attach(engine)
    engine.run([5, 6], max_epochs=2)
    assert told == [(1, 4, 5.0), (2, 4, 6.0), (3, 4, 5.0), (4, 4, 6.0)]
