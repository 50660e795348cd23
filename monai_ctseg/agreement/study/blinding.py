"""Blinding: what would reveal a subject to a reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

TELLING_COLUMNS = ("subject", "patient", "name", "id", "method", "truth", "order")
"""Columns that no reader's sheet has: whoever added them had more than the sheet."""

MARK = "unblinded"
"""A reader who recognised a case, or saw the key or the program's figures, writes this."""


def subject_finder(subjects: Iterable[str]) -> Callable[[str], str]:
    """A function that finds a pseudonym in a text, as a separate word in any case; it gives an empty text for none.

    A pseudonym of digits only, such as 12, counts only as the whole text or as a part of a path: notes contain numbers.

    Args:
        subjects: All pseudonyms.
    """
    by_name = {subject.casefold(): subject for subject in subjects}
    words = sorted((re.escape(name) for name in by_name if not name.isdigit()), key=len, reverse=True)
    pattern = re.compile(rf"(?<![^\W_])(?:{'|'.join(words)})(?![^\W_])") if words else None

    def find(text: str) -> str:
        low = text.casefold().strip()
        steps = [part for step in re.split(r"[/\\]", low) for part in (step, step.partition(".")[0])]
        whole = next((name for name in (low, *steps) if name in by_name), "")
        match = pattern.search(low) if pattern else None
        return by_name.get(whole or (match.group() if match else ""), "")

    return find


def is_marked(*texts: str) -> bool:
    """Whether a reader marked this reading as not blind."""
    return any(MARK in text.casefold() for text in texts)
