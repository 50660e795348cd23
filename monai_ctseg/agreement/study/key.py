"""Key: which code stands for which target, reader and session. Readers never see it.

Each reader and session has new codes, so that no reader recognises a case by its code. Codes have no vowels and no
digits: they form no words, and no spreadsheet takes them for numbers or dates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from monai_ctseg.agreement.csv_table import read_csv, write_csv
from monai_ctseg.agreement.study.cases import Case
from monai_ctseg.agreement.study.protocol import StudyProtocol, sha256
from monai_ctseg.errors import ProtocolError
from monai_ctseg.output import file_sha256, write_json

LETTERS = "BCDFGHJKMNPQRSTVWXZ"
CODE_LENGTH = 6
KEY, FIXED = "key.csv", "fixed.json"


@dataclass(frozen=True)
class Entry:
    """One planned reading: by whom, when (session, and order in it), and of which target."""

    code: str
    rater: str
    session: str
    order: int
    subject: str
    side: str

    @property
    def name(self) -> str:
        """Its name in messages to the researcher."""
        return f"{self.rater} session {self.session} {self.subject} {self.side}".rstrip()


@dataclass(frozen=True)
class Key:
    """All entries, the protocol when they were drawn, and their seed, which reproduces them."""

    entries: tuple[Entry, ...]
    fixed: Mapping[str, Any]
    seed: int

    @property
    def cases(self) -> tuple[tuple[str, str], ...]:
        """Subject and side of every target, sorted."""
        return tuple(sorted({(entry.subject, entry.side) for entry in self.entries}))

    def of(self, rater: str, session: str) -> tuple[Entry, ...]:
        """One sheet's entries, in reading order."""
        return tuple(entry for entry in self.entries if (entry.rater, entry.session) == (rater, session))


def draw_key(protocol: StudyProtocol, cases: Sequence[Case], seed: int) -> Key:
    """Draw codes and a separate order for each reader and session; the same seed and cases give the same key."""
    collection = protocol.data_collection
    random = np.random.default_rng(seed)
    sheets = [(rater, str(session)) for rater in collection.raters for session in range(1, collection.sessions + 1)]
    codes = iter(_draw_codes(random, len(sheets) * len(cases)))
    entries: list[Entry] = []
    before: dict[str, list[int]] = {}
    for rater, session in sheets:
        order = _shuffle(random, len(cases), before.get(rater))
        before[rater] = order
        chosen = enumerate((cases[index] for index in order), start=1)
        entries += [Entry(next(codes), rater, session, position, case.subject, case.side) for position, case in chosen]
    return Key(tuple(entries), protocol.fixed(), seed)


def _draw_codes(random: np.random.Generator, count: int) -> list[str]:
    codes: dict[str, None] = {}
    while len(codes) < count:
        codes["".join(random.choice(list(LETTERS), CODE_LENGTH))] = None
    return list(codes)


def _shuffle(random: np.random.Generator, count: int, before: list[int] | None) -> list[int]:
    """An order that differs from the reader's previous one, where there are two cases or more."""
    while True:
        order = [int(index) for index in random.permutation(count)]
        if order != before or count < 2:
            return order


def write_key(key: Key, folder: Path) -> None:
    """Write key.csv, and fixed.json with the protocol, the hashes of both, and the seed."""
    write_csv(folder / KEY, [part.name for part in fields(Entry)], map(asdict, key.entries))
    hashes = {"protocol_sha256": sha256(key.fixed), "key_sha256": file_sha256(folder / KEY)}
    write_json(folder / FIXED, {**hashes, "seed": key.seed, "protocol": dict(key.fixed)})


def read_key(folder: Path) -> Key:
    """Read the key from its folder. Raises ProtocolError where it is missing or not as it was written."""
    hint = "name the folder that `monai-ctseg study sheet` wrote, whole"
    rows = read_csv(folder / KEY, refusal=ProtocolError, hint=hint).rows([part.name for part in fields(Entry)])
    try:
        record = json.loads((folder / FIXED).read_text("utf-8"))
        fixed, key_hash, protocol_hash = record["protocol"], record["key_sha256"], record["protocol_sha256"]
        seed = int(record["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ProtocolError(f"{FIXED}: is missing beside {KEY} or not as it was written; {hint}") from None
    if key_hash != file_sha256(folder / KEY) or protocol_hash != sha256(fixed):
        raise ProtocolError(f"{KEY} or {FIXED} was changed after the sheets were made; restore the files as written")
    return Key(tuple(_entry(row.cells) for row in rows), fixed, seed)


def _entry(cells: Mapping[str, str]) -> Entry:
    given = {part.name: cells[part.name] for part in fields(Entry)}
    return Entry(**{**given, "order": int(given["order"])})  # type: ignore[arg-type]


def require_unchanged(protocol: StudyProtocol, key: Key) -> None:
    """Raise ProtocolError, naming what was changed in the protocol since the sheets were made."""
    now = json.loads(json.dumps(protocol.fixed()))
    changed = [name for name in sorted({*now, *key.fixed}) if now.get(name) != key.fixed.get(name)]
    if changed:
        first = changed[0]
        more = f" (and {', '.join(changed[1:])})" if changed[1:] else ""
        raise ProtocolError(
            f"protocol was changed after the sheets were made: {first} was {key.fixed.get(first)!r} and is "
            f"{now.get(first)!r}{more}; restore it, or make a new study"
        )
