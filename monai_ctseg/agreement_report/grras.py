"""GRRAS: the 15 items of the Guidelines for Reporting Reliability and Agreement Studies, in words of our own.

Kottner J, Audigé L, Brorson S, et al. Guidelines for Reporting Reliability and Agreement Studies (GRRAS) were
proposed. J Clin Epidemiol 2011;64:96-106, doi 10.1016/j.jclinepi.2010.03.002.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monai_ctseg.agreement.records import Agreement
from monai_ctseg.agreement_report.summary import numbers_of, quantity, raters_of, subject_of, verdicts
from monai_ctseg.agreement_report.wording import count, listed


@dataclass(frozen=True)
class Item:
    """One item. `missing` is what to state where nobody did; it is empty where the data say all that is asked."""

    number: int
    section: str
    key: str
    title: str
    missing: str = ""


ITEMS = (
    Item(1, "Title and abstract", "title", "What was investigated"),
    Item(
        2,
        "Introduction",
        "device",
        "The measurement and the device",
        "which device or program, in which version, measures what, and how the reference measures it",
    ),
    Item(3, "Introduction", "population", "The patients", "which patients the result is meant for"),
    Item(
        4,
        "Introduction",
        "rater_population",
        "The raters",
        "which raters the result is meant for, by profession and training",
    ),
    Item(
        5,
        "Introduction",
        "rationale",
        "What is known, and why this study",
        "what is known about how well these methods agree, and why this study was done",
    ),
    Item(
        6,
        "Methods",
        "sample_size",
        "How the sample size was chosen",
        "how many subjects, raters and repetitions were planned, and by what calculation",
    ),
    Item(
        7,
        "Methods",
        "sampling",
        "How subjects and raters were found",
        "how subjects and raters were found, with the criteria of inclusion and exclusion",
    ),
    Item(
        8,
        "Methods",
        "process",
        "How it was measured",
        "the procedure, the time between sessions, what raters knew of the patient, and the blinding",
    ),
    Item(
        9,
        "Methods",
        "independence",
        "Whether readings were independent",
        "whether each reading was made without knowledge of the others",
    ),
    Item(
        10,
        "Methods",
        "analysis",
        "The statistics",
        "where the acceptable difference was fixed before the data were seen, and why it is this one",
    ),
    Item(11, "Results", "actual_numbers", "How many were measured"),
    Item(
        12,
        "Results",
        "characteristics",
        "Who was measured, and by whom",
        "age, sex, disease and implants of the subjects; profession and experience of the raters",
    ),
    Item(13, "Results", "estimates", "Agreement and reliability, with their uncertainty"),
    Item(
        14,
        "Discussion",
        "relevance",
        "What the result means in practice",
        "what differences of this size mean for patients, and what limits the study has",
    ),
    Item(15, "Auxiliary material", "details", "Detailed results"),
)
KEYS = tuple(item.key for item in ITEMS)


@dataclass(frozen=True)
class Filled:
    """An item with what was stated for it, what the data say, and what is missing (empty where nothing is)."""

    item: Item
    stated: tuple[str, ...]
    found: tuple[str, ...]
    missing: str


def fill(agreement: Agreement, statements: Mapping[str, str]) -> tuple[Filled, ...]:
    """Each item, in order. Raises ValueError for a statement about no item."""
    unknown = sorted(set(statements) - set(KEYS))
    if unknown:
        raise ValueError(f"no GRRAS item is called {listed(unknown)}; there are {listed(KEYS)}")
    found = from_data(agreement)
    filled = []
    for item in ITEMS:
        stated = tuple(" ".join(part.split()) for part in statements.get(item.key, "").split("\n\n") if part.strip())
        filled.append(Filled(item, stated, found.get(item.key, ()), "" if stated else item.missing))
    return tuple(filled)


def from_data(agreement: Agreement) -> dict[str, tuple[str, ...]]:
    """What the measurements themselves say on an item, by its key."""
    protocol, unit = agreement.protocol, f" in {agreement.unit}" if agreement.unit else ""
    what = quantity(agreement) or "one quantity"
    return {
        "title": (f"Agreement was investigated: {subject_of(agreement)}.", *_reliability(agreement)),
        "device": (f"{protocol.test} measured {what}{unit}; the reference is {protocol.reference}.",),
        "rater_population": (f"Raters in the data: {raters_of(agreement)}.",),
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
        f"ICC({protocol.icc_form}) named beforehand or by default; concordance after Lin (1989); "
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


def _sessions(agreement: Agreement) -> str:
    named = [session for session in agreement.sessions if session]
    if not named:
        return "No session is named in the data."
    return f"{count(len(named), 'session')} in the data: {listed(named)}. Design: {agreement.design}."


def _sentence(text: str) -> str:
    return text if not text or text.endswith(".") else f"{text}."
