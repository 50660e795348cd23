"""Analyse: a study's folder, its sheets and the program's measurements -> statistics and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_ctseg.agreement.report import write_report
from monai_ctseg.agreement.statistics import Agreement, analyse
from monai_ctseg.agreement.study.join import Joined, join, write_table
from monai_ctseg.agreement.study.key import KEY, read_key, require_unchanged
from monai_ctseg.agreement.study.protocol import StudyProtocol, sha256
from monai_ctseg.agreement.study.protocol_file import read_protocol
from monai_ctseg.agreement.study.sheets import KEY_FOLDER, PROTOCOL, READERS
from monai_ctseg.agreement.study.statements import statements
from monai_ctseg.errors import ProtocolError

MEASUREMENTS = "measurements.csv"


@dataclass(frozen=True)
class StudyResult:
    """The results of a study, and its protocol."""

    protocol: StudyProtocol
    protocol_sha256: str
    joined: Joined
    agreement: Agreement


def analyse_study(study: Path, measurements: Sequence[Path], *, allow_missing: bool = False) -> StudyResult:
    """Compare the protocol with its hash, join all measurements, and compute the statistics. Writes nothing.

    Args:
        study: The folder that `write_sheets` wrote.
        measurements: All filled sheets, and the program's tables.
        allow_missing: Count readings that are missing or not blind as failures.

    Raises:
        ProtocolError: The protocol or the key was changed, the key is in a reader's folder, or `join` refuses a sheet.
        MeasurementsError: A table of measurements cannot be used.
    """
    protocol = read_protocol(study / PROTOCOL)
    key = read_key(study / KEY_FOLDER)
    require_unchanged(protocol, key)
    _require_key_apart(study)
    joined = join(measurements, key, protocol, allow_missing=allow_missing)
    agreement = analyse(joined.table, protocol.as_agreement())
    return StudyResult(protocol, sha256(key.fixed), joined, agreement)


def _require_key_apart(study: Path) -> None:
    for path in (study / READERS).rglob(KEY):
        reader = path.relative_to(study / READERS).parts[0]
        raise ProtocolError(f"the key is in the readers' folder of {reader}, who is not blind; have it read again")


def write_result(result: StudyResult, folder: Path) -> None:
    """Write measurements.csv and the report into an existing folder. Raises OSError where it cannot be written."""
    write_table(result.joined.table, folder / MEASUREMENTS)
    said = statements(result.protocol, result.protocol_sha256, result.joined)
    write_report(
        result.agreement, result.joined.table, folder, statements=said, title=result.protocol.reporting.title or None
    )
