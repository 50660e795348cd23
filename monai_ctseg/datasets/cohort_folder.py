"""Place: the folder of a cohort, in which a run that was cut off goes on.

images/, labels/, audits/   the cases
done/                       a record a source, by fingerprint: which cases it gave, with which settings
partial/                    what is being made; worth nothing after the run
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from monai_ctseg.datasets.case import PARTS, Made
from monai_ctseg.datasets.dataset_file import FILE_NAME
from monai_ctseg.errors import OutputError
from monai_ctseg.output import write_json
from monai_ctseg.output.earlier_run import RECORD, TOOL

COMMAND = "prepare"
FAILURES = "failures.json"
DONE = "done"
PARTIAL = "partial"


class Place:
    """The folder, and the settings that its cases were made with. Nothing changes before the first case is kept."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Raises OutputError where something else lies there, or an earlier result that may not be replaced."""
        self.folder = folder
        self.settings = dict(settings)
        self._begun = False
        self._require_free(overwrite)
        self.clean()

    def recall(self, fingerprint: str) -> list[Made] | None:
        """The cases of a source that is done with these settings and whose files are all there, else None."""
        try:
            record = json.loads((self.folder / DONE / f"{fingerprint}.json").read_text("utf-8"))
            made = [Made(**case) for case in record["cases"]]
            same = record["settings"] == self.settings
        except (OSError, ValueError, KeyError, TypeError):
            return None
        whole = all(self.file(part, case.name).is_file() for case in made for part in PARTS)
        return made if same and whole else None

    def keep(
        self, fingerprint: str, made: Sequence[Made], known: Mapping[str, Made], partial: Path, *, whole: bool
    ) -> None:
        """Move the cases that are not known yet out of the partial folder, and record a source that gave all it has."""
        self.begin()
        record = self.folder / DONE / f"{fingerprint}.json"
        record.unlink(missing_ok=True)
        for case in made:
            for part in PARTS if case.name not in known else ():
                target = self.file(part, case.name)
                (partial / part / target.name).replace(target)
        shutil.rmtree(partial, ignore_errors=True)
        if whole:
            write_json(record, {"settings": self.settings, "cases": [asdict(case) for case in made]})

    def begin(self) -> None:
        """Mark the folder as unfinished; an earlier dataset.json no longer holds."""
        if self._begun:
            return
        for name in (*PARTS, DONE):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        files = [f"{name}/" for name in (*PARTS, DONE, PARTIAL)] + [FILE_NAME, FAILURES]
        marker = {"tool": TOOL, "finished": False, "command": COMMAND, "settings": self.settings, "files": files}
        write_json(self.folder / RECORD, marker)
        (self.folder / FILE_NAME).unlink(missing_ok=True)
        self._begun = True

    def tidy(self, cases: Sequence[str], fingerprints: Sequence[str]) -> None:
        """Remove the cases and records of earlier runs that are no part of this one."""
        for part, ending in PARTS.items():
            _remove_others(self.folder / part, f"case_*{ending}", {name + ending for name in cases})
        _remove_others(self.folder / DONE, "*.json", {f"{name}.json" for name in fingerprints})

    def clean(self) -> None:
        """Remove partial/, and folders that stayed empty."""
        shutil.rmtree(self.folder / PARTIAL, ignore_errors=True)
        for folder in (*(self.folder / name for name in (*PARTS, DONE)), self.folder):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def file(self, part: str, name: str) -> Path:
        """Where a case's image, label or audit lies."""
        return self.folder / part / (name + PARTS[part])

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
                "start the same command again, or give --overwrite to make its cases anew"
            )


def _differences(old: Any, new: Mapping[str, Any]) -> str:
    if not isinstance(old, dict):
        return "other settings"
    return ", ".join(f"{name} {old.get(name)} and not {value}" for name, value in new.items() if old.get(name) != value)


def _remove_others(folder: Path, pattern: str, keep: set[str]) -> None:
    for path in folder.glob(pattern):
        if path.name not in keep:
            path.unlink()
