"""GRRAS items, filled with what people stated and what the data show; what is missing is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monai_ctseg.agreement.report.items import ITEMS, KEYS, Item
from monai_ctseg.agreement.report.summary import numbers_of, quantity, raters_of, subject_of, verdicts
from monai_ctseg.agreement.report.wording import enumerated
from monai_ctseg.agreement.statistics.records import Agreement
from monai_ctseg.errors import plural


@dataclass(frozen=True)
class Filled:
    """An item with what was stated for it, what the data show, and what is missing (empty where nothing is)."""

    item: Item
    stated: tuple[str, ...]
    found: tuple[str, ...]
    missing: str


def fill(agreement: Agreement, statements: Mapping[str, str]) -> tuple[Filled, ...]:
    """Fill each item, in order. An item is complete where each of its parts is stated.

    Args:
        agreement: What the data show.
        statements: Text by the key of an item or of a part of one.

    Raises:
        ValueError: A statement has the key of no item.
    """
    unknown = sorted(set(statements) - set(KEYS))
    if unknown:
        raise ValueError(f"no GRRAS item is called {enumerated(unknown)}; there are {enumerated(KEYS)}")
    found = from_data(agreement)
    answered = (
        () if len(agreement.sessions) > 1 else ("process.time",)
    )  # with one session there is no time between sessions
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
    """What the measurements themselves show, by the key of an item."""
    protocol, unit = agreement.protocol, f" in {agreement.unit}" if agreement.unit else ""
    what = quantity(agreement) or "one quantity"
    return {
        "title": (f"Agreement was investigated: {subject_of(agreement)}.", *_reliability(agreement)),
        "device": (f"{protocol.test} measured {what}{unit}; the reference is {protocol.reference}.",),
        "rater_population": (f"Raters in the data: {raters_of(agreement)}.", *_raters(agreement)),
        "process": (_sessions(agreement),),
        "analysis": analysis(agreement),
        "actual_numbers": (
            f"{numbers_of(agreement)}. {plural(len(agreement.unpaired), 'target')} more with a value by one method "
            "only. Failures are counted under item 13.",
        ),
        "relevance": tuple(
            f"{line.name.capitalize()}: {line.text().removesuffix('.')}." for line in verdicts(agreement)
        ),
        "details": (
            "agreement.json contains every figure, targets.csv each target's mean reading by either method; "
            "each plot is also a PNG and an SVG file.",
        ),
    }


def analysis(agreement: Agreement) -> tuple[str, ...]:
    """The statistics in sentences; the tables name the method of each figure."""
    protocol, found = agreement.protocol, agreement.bland_altman
    constant = protocol.true_value == "constant"
    truth = "all readings of a target see one true value" if constant else "readings are paired by session"
    return (
        f"Limits of agreement after Bland and Altman (1986, 1999), with confidence intervals. "
        f"Design: {agreement.design}; targets of one subject are not taken as independent, and {truth}.",
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
    return (f"Reliability was investigated between {enumerated(kinds)}.",) if kinds else ()


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
    raters = f"{plural(len(agreement.raters), 'rater')} and " if agreement.raters else ""
    return f"{raters}{plural(len(named), 'session')} in the data: {enumerated(named)}. Design: {agreement.design}."
