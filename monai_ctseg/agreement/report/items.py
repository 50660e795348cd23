"""Items: the 15 items that GRRAS asks to report, in our own words.

Kottner J, Audigé L, Brorson S, et al. Guidelines for Reporting Reliability and Agreement Studies (GRRAS) were
proposed. J Clin Epidemiol 2011;64:96-106, doi 10.1016/j.jclinepi.2010.03.002.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One item.

    Attributes:
        missing: What to state; empty where the data show all that is asked.
        parts: Further parts as (name, what to state); a statement on a part has the key "KEY.NAME".
    """

    number: int
    section: str
    key: str
    title: str
    missing: str = ""
    parts: tuple[tuple[str, str], ...] = ()

    @property
    def asked(self) -> dict[str, str]:
        """All that is asked, by the key of its statement."""
        return {self.key: self.missing} | {f"{self.key}.{name}": text for name, text in self.parts}


ITEMS = (
    Item(1, "Title and abstract", "title", "What was investigated"),
    Item(
        2,
        "Introduction",
        "device",
        "The measurement and the device",
        "which device or program measures what",
        (
            ("version", "the version of the program that measured"),
            ("reference", "how the reference measures it"),
        ),
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
        "how subjects and raters were found",
        (("inclusion", "the criteria of inclusion"), ("exclusion", "the criteria of exclusion")),
    ),
    Item(
        8,
        "Methods",
        "process",
        "How it was measured",
        "the procedure",
        (
            ("time", "the time that lay between sessions"),
            ("blinding", "what raters knew of the patient, and the blinding"),
        ),
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
        "where the acceptable difference was fixed before the data were seen",
        (("why", "why the acceptable difference is this one"),),
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
KEYS = tuple(key for item in ITEMS for key in item.asked)
