"""The folder of a cohort, in which an interrupted run resumes.

images/, labels/, component_reports/   the cases
done/                                  a record for each source, by fingerprint: which cases it gave, by which settings
partial/                               what is being made; worth nothing after the run
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from monai_ctseg.datasets.case import CASE_FILES, MadeCase
from monai_ctseg.datasets.dataset_file import FILE_NAME
from monai_ctseg.errors import OutputError
from monai_ctseg.output import write_json
from monai_ctseg.output.earlier_run import RECORD, TOOL

COMMAND = "prepare"
FAILURES = "failures.json"
DONE = "done"
PARTIAL = "partial"


class CohortFolder:
    """The folder, and the settings that its cases are made with. Nothing changes before the first case is kept."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Prepare to write.

        Args:
            folder: Of the cohort; it need not exist.
            settings: Values that JSON can hold; a case made with others is made again.
            overwrite: Whether a finished cohort may be brought up to date.

        Raises:
            OutputError: The folder holds other files, or an earlier result that may not be replaced.
        """
        self.folder = folder
        self.settings = dict(settings)
        self._begun = False
        self._require_free(overwrite)
        self.clean()

    def recall(self, fingerprint: str) -> list[MadeCase] | None:
        """The cases of a source that is done with these settings and whose files all exist, else None."""
        try:
            record = json.loads((self.folder / DONE / f"{fingerprint}.json").read_text("utf-8"))
            made = [MadeCase(**case) for case in record["cases"]]
            same = record["settings"] == self.settings
        except (OSError, ValueError, KeyError, TypeError):
            return None
        whole = all(self.file(folder, case.name).is_file() for case in made for folder in CASE_FILES)
        return made if same and whole else None

    def keep(
        self, fingerprint: str, made: Sequence[MadeCase], known: Mapping[str, MadeCase], partial: Path, *, whole: bool
    ) -> None:
        """Move the cases of a source into place, and record it.

        Args:
            fingerprint: Of the source.
            made: Its cases, with their files in `partial`.
            known: Cases that the cohort has already, by name; they stay as they are.
            partial: The folder of the task.
            whole: Whether nothing in the source was refused; only then it is recorded as done.
        """
        self.begin()
        record = self.folder / DONE / f"{fingerprint}.json"
        record.unlink(missing_ok=True)
        for case in made:
            for folder in CASE_FILES if case.name not in known else ():
                target = self.file(folder, case.name)
                (partial / folder / target.name).replace(target)
        shutil.rmtree(partial, ignore_errors=True)
        if whole:
            write_json(record, {"settings": self.settings, "cases": [asdict(case) for case in made]})

    def begin(self) -> None:
        """Mark the folder as unfinished and remove an earlier dataset.json."""
        if self._begun:
            return
        for name in (*CASE_FILES, DONE):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        files = [f"{name}/" for name in (*CASE_FILES, DONE, PARTIAL)] + [FILE_NAME, FAILURES]
        marker = {"tool": TOOL, "finished": False, "command": COMMAND, "settings": self.settings, "files": files}
        write_json(self.folder / RECORD, marker)
        (self.folder / FILE_NAME).unlink(missing_ok=True)
        self._begun = True

    def tidy(self, cases: Sequence[str], fingerprints: Sequence[str]) -> None:
        """Remove the cases and records of earlier runs that do not belong to this one."""
        for folder, ending in CASE_FILES.items():
            _remove_others(self.folder / folder, f"case_*{ending}", {name + ending for name in cases})
        _remove_others(self.folder / DONE, "*.json", {f"{name}.json" for name in fingerprints})

    def clean(self) -> None:
        """Remove partial/, and folders that are empty."""
        shutil.rmtree(self.folder / PARTIAL, ignore_errors=True)
        for folder in (*(self.folder / name for name in (*CASE_FILES, DONE)), self.folder):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def file(self, folder: str, name: str) -> Path:
        """Path of a case's image, label or component report; folder: a key of `CASE_FILES`."""
        return self.folder / folder / (name + CASE_FILES[folder])

    def _require_free(self, overwrite: bool) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise OutputError(f"{self.folder}: is a file; name a folder")
        if not self.folder.exists() or not {path.name for path in self.folder.iterdir()} - {PARTIAL}:
            return
        try:
            record = json.loads((self.folder / RECORD).read_text("utf-8"))
            ours = (record["tool"], record["command"]) == (TOOL, COMMAND)
            finished, settings = record["finished"], record.get("settings")
        except (OSError, ValueError, KeyError, TypeError):
            ours = False
        if not ours:
            raise OutputError(f"{self.folder}: holds files that no `prepare` wrote; name another folder")
        if finished and not overwrite:
            raise OutputError(
                f"{self.folder}: holds a finished cohort; name another folder, or bring it up to date with --overwrite"
            )
        if settings != self.settings and not overwrite:
            raise OutputError(
                f"{self.folder}: holds a run that did not end, with {_differences(settings, self.settings)}; "
                "start the same command again, or give --overwrite to make its cases again"
            )


def _differences(old: Any, new: Mapping[str, Any]) -> str:
    if not isinstance(old, dict):
        return "other settings"
    return ", ".join(f"{name} {old.get(name)} and not {value}" for name, value in new.items() if old.get(name) != value)


def _remove_others(folder: Path, pattern: str, keep: set[str]) -> None:
    for path in folder.glob(pattern):
        if path.name not in keep:
            path.unlink()
