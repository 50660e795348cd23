"""Scores as files: a table of cases, and everything as JSON."""

from __future__ import annotations

import csv
from pathlib import Path

from monai_ctseg.metrics.scores import ScoreTable
from monai_ctseg.output.atomic import write_json

CASES, SCORES = "cases.csv", "scores.json"


def write_scores(scores: ScoreTable, folder: Path) -> None:
    """Write cases.csv, a row a case and method, empty where a figure is not defined; and scores.json."""
    rows = [score.row() for score in scores.cases]
    with (folder / CASES).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    write_json(folder / SCORES, scores.as_json())
