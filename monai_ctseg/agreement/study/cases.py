"""Cases: the list of targets to read, by pseudonym."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from monai_ctseg.agreement.csv_table import read_csv
from monai_ctseg.agreement.statistics.table import SIDES
from monai_ctseg.errors import ProtocolError


@dataclass(frozen=True, order=True)
class Case:
    """One target to read.

    Attributes:
        subject: Pseudonym.
        side: left, right, both, or empty where a subject has only one target.
        image: Where its image is.
    """

    subject: str
    side: str
    image: str

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"{self.subject} {self.side}".strip()


def read_cases(path: Path) -> tuple[Case, ...]:
    """Read SUBJECTS.csv, in the order of the file.

    Args:
        path: A CSV file with the columns subject and image, and side where a subject has several targets.

    Raises:
        ProtocolError: An empty cell, an unknown side, or a target that is there twice.
    """
    table = read_csv(path, refusal=ProtocolError, hint="name the list of cases: subject,side,image")
    locations: dict[tuple[str, str], str] = {}
    cases = []
    for row in table.rows(("subject", "image"), fill_short=True):
        case = Case(row.cells["subject"], row.cells.get("side", "").lower(), row.cells["image"])
        if not case.subject or not case.image:
            raise ProtocolError(f"{row.location}: {'subject' if not case.subject else 'image'} is empty; fill it in")
        if case.side not in SIDES:
            raise ProtocolError(f"{row.location}: side {case.side!r} is unknown; write left, right or both")
        if (case.subject, case.side) in locations:
            raise ProtocolError(
                f"{row.location}: {case.name} is there already ({locations[case.subject, case.side]}); keep one"
            )
        locations[case.subject, case.side] = row.location
        cases.append(case)
    _check_whole(path.name, cases)
    return tuple(cases)


def _check_whole(name: str, cases: list[Case]) -> None:
    if not cases:
        raise ProtocolError(f"{name}: has no cases; write one row per target: subject,side,image")
    sided = {case.subject for case in cases if case.side}
    for case in cases:
        if not case.side and case.subject in sided:
            raise ProtocolError(
                f"{name}: subject {case.subject} has rows with and without a side; name the side in all"
            )
