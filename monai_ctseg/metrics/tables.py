"""Scores as files: a table of cases, and everything as JSON."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from monai_ctseg.metrics.scores import ScoreTable
from monai_ctseg.output.atomic import write_json, write_text

CASES, SCORES = "cases.csv", "scores.json"


def write_scores(scores: ScoreTable, folder: Path) -> None:
    """Write cases.csv and scores.json.

    Args:
        scores: One row for each case and method; cells are empty where a figure is not defined.
        folder: An existing folder.

    Raises:
        OutputError: A file cannot be written.
    """
    rows = [score.row() for score in scores.cases]
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(folder / CASES, text.getvalue())
    write_json(folder / SCORES, scores.as_json())
