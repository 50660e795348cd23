"""Table: measurements as rows that `agreement` and `study` read, one per quantity."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_ctseg.hip.records import Measurement

METHOD = "monai-ctseg"
COLUMNS = (
    "subject", "side", "method", "rater", "session", "quantity", "value", "unit",
    "low", "high", "residual_mm", "points", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """Whose measurements they are, and of which session.

    Attributes:
        subject: a pseudonym.
        session: a label.

    """

    subject: str
    session: str = "1"


def write_table(measurements: Sequence[Measurement], reading: Reading, path: Path) -> None:
    """Write measurements as CSV in UTF-8, one row each, with numbers to a thousandth.

    Args:
        measurements: from `measure_hips`.
        reading: for the columns subject and session.
        path: of the CSV.

    Raises:
        OSError: `path` cannot be written.

    """
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(_row(one, reading) for one in measurements)


def _row(one: Measurement, reading: Reading) -> dict[str, str | int]:
    numbers = {"value": one.value, "low": one.low, "high": one.high, "residual_mm": one.residual_mm}
    return {
        "subject": reading.subject,
        "side": one.side,
        "method": METHOD,
        "rater": "",
        "session": reading.session,
        "quantity": one.quantity,
        "unit": one.unit,
        "points": "" if one.points is None else one.points,
        "reason": one.reason,
        **{name: "" if number is None else f"{number:.3f}" for name, number in numbers.items()},
    }
