"""Scores: every case compared with its truth, by the network and by the threshold, with pictures of the worst cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
from ignite.engine import Engine, Events

from monai_ctseg.errors import SaturatedScan
from monai_ctseg.grid import Grid
from monai_ctseg.metrics.score import Score
from monai_ctseg.metrics.scores import ScoreTable, score_masks
from monai_ctseg.metrics.tables import write_scores
from monai_ctseg.networks.transforms import tensor_to_scan, volume_of
from monai_ctseg.plots import SheetSlice, plot_sheet, shorten
from monai_ctseg.scan import BoolArray, Mask, Scan, provenance
from monai_ctseg.segmentation.pipeline import segment

SHEET = "sheet.png"


@dataclass(frozen=True, eq=False)
class _Picture:
    """A slice of one case; sorted by `worst`, the worst case comes first."""

    worst: tuple[float, float, str]
    slice: SheetSlice


class Scores:
    """Scores all cases of an evaluator, and writes cases.csv, scores.json and sheet.png; on rank 0, for all ranks.

    Each output of the evaluator holds "pred" and "label" (1, i, j, k) of the slices that are evaluated, and its batch
    the whole scan in HU under `hu_key`.

    Args:
        output_dir: Where the files go.
        items: What the dataset was given: a dictionary for each case, with its name under "case" (`case_items`).
        threshold_hu: Of `segment`, which is scored beside the network. A scan that is saturated below it has no
            such score.
        pictures: How many cases are on the sheet, the worst first, by the network's Dice.
        hu_key: Where the batch holds the scan.

    Attributes:
        table: The scores, afterwards, on rank 0.
        inputs: The provenance of each scan, likewise.

    """

    def __init__(
        self,
        output_dir: str,
        items: Sequence[Mapping[str, Any]],
        *,
        threshold_hu: float,
        pictures: int = 12,
        hu_key: str = "hu",
    ) -> None:
        self.output_dir = Path(output_dir)
        self.items = {str(item["case"]): item for item in items}
        self.threshold_hu = float(threshold_hu)
        self.pictures = pictures
        self.hu_key = hu_key
        self.table: ScoreTable | None = None
        self.inputs: tuple[Mapping[str, Any], ...] = ()
        self._scores: list[Score] = []
        self._inputs: list[dict[str, Any]] = []
        self._worst: list[_Picture] = []

    def attach(self, engine: Engine) -> None:
        """Attach it to an evaluator."""
        engine.add_event_handler(Events.STARTED, self.forget)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def forget(self, _: Engine) -> None:
        """Handle the start of an evaluation."""
        self._scores, self._inputs, self._worst = [], [], []

    def collect(self, engine: Engine) -> None:
        """Handle the end of a step: score its cases. Of their voxels at most one slice is kept."""
        for batch, output in zip(engine.state.batch, engine.state.output, strict=True):
            self._score({**batch, **output})

    def write(self, _: Engine) -> None:
        """Handle the end: gather all ranks' scores and write them. A case that two ranks evaluated counts once."""
        gathered = [idist.all_gather(own) for own in (self._scores, self._inputs, self._worst)]
        scores, inputs, pictures = (list(chain.from_iterable(ranks)) for ranks in gathered)
        if idist.get_rank() != 0:
            return
        self.table = ScoreTable(
            tuple({(score.case, score.method): score for score in scores}.values()), threshold_hu=self.threshold_hu
        )
        named = {str(source["case"]): source for source in inputs}
        self.inputs = tuple(named[case] for case in sorted(named))
        self.output_dir.mkdir(parents=True, exist_ok=True)
        write_scores(self.table, self.output_dir)
        worst = sorted({picture.worst: picture for picture in pictures}.values(), key=lambda picture: picture.worst)
        title = "The slice of each case where network and truth differ most, worst case first"
        plot_sheet([picture.slice for picture in worst[: self.pictures]], self.output_dir / SHEET, title=title)

    def _score(self, data: Mapping[str, Any]) -> None:
        item, scan = self.items[str(data["case"])], tensor_to_scan(data[self.hu_key])
        slices = list(item.get("slices", range(len(scan.names))))
        truth, network = (np.asarray(volume_of(data[key]) > 0) for key in ("label", "pred"))
        by_file = "label" in item
        masks = {"network": network, "threshold": self._by_threshold(scan, slices) if by_file else truth}
        grid = Grid(truth.shape, scan.grid.index_to_lps)
        scores = [
            score_masks(
                Mask(mask, grid),
                Mask(truth, grid),
                case=str(item["case"]),
                method=method,
                source="mask" if by_file else "threshold",
                adjacent=are_neighbours(slices),
            )
            for method, mask in masks.items()
            if mask is not None
        ]
        self._scores += scores
        self._inputs.append({"case": item["case"], **provenance(scan), "series_instance_uid": item.get("series")})
        self._keep(scores[0], scan, slices, network, truth)

    def _by_threshold(self, scan: Scan, slices: list[int]) -> BoolArray | None:
        """None where the scan is saturated below the threshold."""
        try:
            return segment(scan, threshold_hu=self.threshold_hu).mask.voxels[:, :, slices]
        except SaturatedScan:
            return None

    def _keep(self, score: Score, scan: Scan, slices: list[int], network: BoolArray, truth: BoolArray) -> None:
        """Keep one slice, while the case is among the worst."""
        overlap = score.overlap
        worst = (overlap.dice, -overlap.false_positive_mm3 - overlap.false_negative_mm3, score.case)
        k = choose_slice(network, truth)
        dice = (
            f"Dice of the case {overlap.dice:.4f}"
            if score.has_metal
            else f"false metal {overlap.false_positive_mm3:,.1f} mm3"
        )
        shown = SheetSlice(
            hu=scan.hu[:, :, slices[k]].T.copy(),
            truth=truth[:, :, k].T.copy(),
            predicted=network[:, :, k].T.copy(),
            name=f"{shorten(score.case, 24)}, {shorten(scan.names[slices[k]], 14)}: {dice}",
            truth_note=f"truth: {np.count_nonzero(truth[:, :, k]):,} px here, {overlap.voxels_truth:,} in all",
            predicted_note=f"network: {np.count_nonzero(network[:, :, k]):,} px, {overlap.voxels_predicted:,} in all",
            aspect=scan.grid.spacing_mm[1] / scan.grid.spacing_mm[0],
        )
        self._worst = sorted([*self._worst, _Picture(worst, shown)], key=lambda picture: picture.worst)
        del self._worst[self.pictures :]


def choose_slice(predicted: BoolArray, truth: BoolArray) -> int:
    """The slice to show of a case.

    Args:
        predicted: [i, j, k].
        truth: [i, j, k].

    Returns:
        The k where both differ most; where they are equal, the k with most metal; without metal, the middle one.

    """
    for voxels in (predicted ^ truth, truth):
        counts = np.asarray(voxels.sum(axis=(0, 1)))
        if counts.any():
            return int(counts.argmax())
    return int(truth.shape[2]) // 2


def are_neighbours(slices: Sequence[int]) -> bool:
    """Whether slices k follow each other without a gap."""
    return list(slices) == list(range(slices[0], slices[0] + len(slices)))
