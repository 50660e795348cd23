"""GRRAS: its items, filled with what people stated and what the data say, and what is missing of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monai_ctseg.agreement.report.items import ITEMS, KEYS, Item
from monai_ctseg.agreement.report.summary import numbers_of, quantity, raters_of, subject_of, verdicts
from monai_ctseg.agreement.report.wording import count, listed
from monai_ctseg.agreement.statistics.records import Agreement


@dataclass(frozen=True)
class Filled:
    """An item with what was stated for it, what the data say, and what is missing (empty where nothing is)."""

    item: Item
    stated: tuple[str, ...]
    found: tuple[str, ...]
    missing: str


def fill(agreement: Agreement, statements: Mapping[str, str]) -> tuple[Filled, ...]:
    """Each item, in order; filled is one of which each part is stated. Raises ValueError for a statement about none."""
    unknown = sorted(set(statements) - set(KEYS))
    if unknown:
        raise ValueError(f"no GRRAS item is called {listed(unknown)}; there are {listed(KEYS)}")
    found = from_data(agreement)
    answered = () if len(agreement.sessions) > 1 else ("process.time",)  # no time lies between sessions where one is
    filled = []
    for item in ITEMS:
        stated = {key: _paragraphs(statements.get(key, "")) for key in item.asked}
        lacking = [text for key, text in item.asked.items() if text and not stated[key] and key not in answered]
        texts = tuple(text for texts in stated.values() for text in texts)
        filled.append(Filled(item, texts, found.get(item.key, ()), "; ".join(lacking)))
    return tuple(filled)


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split("\n\n") if part.strip())


def from_data(agreement: Agreement) -> dict[str, tuple[str, ...]]:
    """What the measurements themselves say on an item, by its key."""
    protocol, unit = agreement.protocol, f" in {agreement.unit}" if agreement.unit else ""
    what = quantity(agreement) or "one quantity"
    return {
        "title": (f"Agreement was investigated: {subject_of(agreement)}.", *_reliability(agreement)),
        "device": (f"{protocol.test} measured {what}{unit}; the reference is {protocol.reference}.",),
        "rater_population": (f"Raters in the data: {raters_of(agreement)}.", *_raters(agreement)),
        "process": (_sessions(agreement),),
        "analysis": analysis(agreement),
        "actual_numbers": (
            f"{numbers_of(agreement)}. {count(len(agreement.unpaired), 'hip')} more with a value by one method only. "
            "Failures are counted under item 13.",
        ),
        "relevance": tuple(f"{line.name.capitalize()}: {_sentence(line.text())}" for line in verdicts(agreement)),
        "details": (
            "agreement.json holds every figure, hips.csv each hip's mean reading by either method; "
            "each plot is there as PNG and SVG.",
        ),
    }


def analysis(agreement: Agreement) -> tuple[str, ...]:
    """The statistics in sentences; the method of each figure stands beside it."""
    protocol, found = agreement.protocol, agreement.bland_altman
    one = "all readings of a hip see one truth" if protocol.true_value == "constant" else "readings pair up by session"
    return (
        f"Limits of agreement after Bland and Altman (1986, 1999), with confidence intervals. "
        f"Design: {agreement.design}; two hips of one subject are not taken as independent, and {one}.",
        f"Scale: {found.scale}s ({found.scale_reason}).",
        f"Reliability by intraclass correlation after Shrout and Fleiss (1979) and McGraw and Wong (1996), "
        f"ICC({protocol.icc_form}) named beforehand or by default, absolute agreement with generalised intervals "
        "(Weerahandi 1993); concordance after Lin (1989); "
        "regression after Deming and after Passing and Bablok (1983).",
        f"Confidence level {100 * protocol.level:g} %. Acceptable difference: {_acceptable(agreement)}.",
        *agreement.notes,
    )


def _acceptable(agreement: Agreement) -> str:
    protocol = agreement.protocol
    given = []
    if protocol.acceptable_difference is not None:
        given.append(f"{protocol.acceptable_difference:g} {agreement.unit}".strip())
    if protocol.acceptable_ratio is not None:
        given.append(f"a ratio of {protocol.acceptable_ratio:g}")
    return " or ".join(given) or "none was fixed beforehand"


def _reliability(agreement: Agreement) -> tuple[str, ...]:
    kinds = tuple(dict.fromkeys(found.between for found in agreement.reliability))
    return (f"Reliability was investigated between {listed(kinds)}.",) if kinds else ()


def _raters(agreement: Agreement) -> tuple[str, ...]:
    """For whom a figure holds: limits take raters as fixed, the ICC between raters as drawn at random."""
    if not agreement.raters:
        return ()
    whom = "this rater" if len(agreement.raters) == 1 else f"these {len(agreement.raters)} raters"
    like = "; the ICC between raters is for raters like them, of whom they are taken as a sample"
    return (f"Bias and limits of agreement hold for {whom}{like if len(agreement.raters) > 1 else ''}.",)


def _sessions(agreement: Agreement) -> str:
    named = [session for session in agreement.sessions if session]
    if not named:
        return "No session is named in the data."
    raters = f"{count(len(agreement.raters), 'rater')} and " if agreement.raters else ""
    return f"{raters}{count(len(named), 'session')} in the data: {listed(named)}. Design: {agreement.design}."


def _sentence(text: str) -> str:
    return text if not text or text.endswith(".") else f"{text}."
