"""Protocol: what a validation study fixes before anybody measures, under the headings of its outline.

Each field says in its metadata what it means, and which values it takes; the YAML file (`protocol_file`) and the
checks are made of that. All but `reporting` is fixed once reader sheets are made.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, get_args

from monai_ctseg.agreement.statistics.protocol import IccForm, TrueValue
from monai_ctseg.agreement.statistics.protocol import Protocol as AgreementProtocol
from monai_ctseg.agreement.study.field_checks import check_section
from monai_ctseg.errors import ProtocolError

OPEN_SECTION = "reporting"
"""What may still be written when the results are there."""


def about(comment: str, default: Any, **rules: Any) -> Any:
    """A field with its comment. rules: above, least, below, most (bounds), choices, fewest (of a list), filled."""
    return field(default=default, metadata={"comment": comment, **rules})


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """Requirements and performance criteria."""

    question: str = about("What is to be shown, in a sentence.", "")
    quantity: str = about("What is measured, as `monai-ctseg measure` names it.", "femoral_head_diameter", filled=True)
    unit: str = about("Unit of all values.", "mm", choices=("mm", "degrees"))
    test_method: str = about("The method under test, as it stands in measurements.csv.", "monai-ctseg", filled=True)
    reference_method: str = about("What it is held against: the readers.", "clinician", filled=True)
    acceptable_difference: float = about(
        "Largest difference that changes nothing for a patient. Fixed now, from clinical need, never from the data.",
        2.0,
        above=0,
    )
    why_acceptable: str = about("Where that figure comes from.", "")
    level: float = about("Level of all confidence intervals.", 0.95, least=0.5, below=1)


@dataclass(frozen=True, kw_only=True)
class Methods:
    """Choice of methods, of cases and of readers."""

    device: str = about("Program, scanner, reconstruction: what measures, and how.", "")
    how_to_read: str = about(
        "How a reader measures, step by step; it is printed into the readers' instructions.", "", filled=True
    )
    population: str = about(
        "The patients that the result is meant for, such as: adults with a CT that holds at least one target whole.", ""
    )
    inclusion: tuple[str, ...] = about(
        "A case is taken if all of these hold, such as: 18 years or older; slices of 3 mm or less.", ()
    )
    exclusion: tuple[str, ...] = about(
        "A case is left out if any of these holds, such as: fracture at the joint; or none. Never because a method "
        "failed.",
        (),
    )
    recruitment: str = about(
        "How cases and readers were found: consecutive, at random, from when to when, by whom.", ""
    )
    rater_population: str = about("The readers that the result is meant for: profession, training, years.", "")


@dataclass(frozen=True, kw_only=True)
class SampleSize:
    """Sample size: what it was computed from, and what came out."""

    expected_sd: float = about("SD of differences that is expected (pilot, literature), in the unit.", 0.7, above=0)
    expected_bias: float = about("Mean difference that is expected, in the unit.", 0.0)
    limit_width: float = about("Wanted full width of a limit's confidence interval, in the unit.", 0.5, above=0)
    power: float = about("Wanted probability to show that the limits are acceptable.", 0.8, least=0.5, below=1)
    expected_icc: float = about("ICC between readers that is expected.", 0.9, least=0, below=1)
    icc_width: float = about("Wanted full width of its confidence interval.", 0.1, above=0, below=1)
    sides_per_subject: int = about("Targets measured per patient.", 2, least=1, most=2)
    side_correlation: float = about("Correlation of the differences of two targets of a patient.", 0.5, least=0, most=1)
    dropout_share: float = about(
        "Share of targets without a pair of values (failures, drop-outs).", 0.1, least=0, below=1
    )
    subjects: int = about("Patients to enrol; `study plan` computed it.", 1, least=1)


@dataclass(frozen=True, kw_only=True)
class DataCollection:
    """Data collection: repeatable procedures, repeated trials."""

    raters: tuple[str, ...] = about("Readers, by pseudonym; at least two.", ("R1", "R2"), fewest=2)
    sessions: int = about("How often each reader reads each case.", 2, least=1, most=20)
    days_between_sessions: int = about("Days between two sessions of a reader, at least.", 14, least=0)
    blinding: str = about(
        "What readers do not know.",
        "Readers see a code, never the patient, the program's figures, other readers' or their own earlier ones.",
    )


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Reliability: the same again?"""

    test_retest: str = about(
        "The same again by the same.",
        "Each reader reads each case in every session: within-reader SD, repeatability coefficient, ICC.",
    )
    alternate_form: str = about(
        "The same from another form of the measurement.",
        "Between readers: ICC. Where a case has a second reconstruction or scan, it is measured as another session.",
    )
    internal_consistency: str = about(
        "Do the parts of one measurement agree?",
        "The residual and the interval of each fit are reported; opposite targets of a patient are compared.",
    )


@dataclass(frozen=True, kw_only=True)
class Validity:
    """Validity: the right thing?"""

    content: str = about(
        "Does the quantity mean what a clinician means by it?",
        "Definition and reference plane are written down and agreed with the readers before the first session.",
    )
    criterion: str = about(
        "Against the best there is.",
        "Against the readers (bias, limits of agreement) and against phantoms of known size.",
    )
    construct: str = about(
        "Does it behave as anatomy says it must?",
        "A head is smaller than its socket; both targets of a patient are alike; an implant has the size on its label.",
    )


@dataclass(frozen=True, kw_only=True)
class AnalysisPlan:
    """Analysis."""

    scale: str = about(
        "Differences, or as the spread demands; the acceptable difference judges differences alone.",
        "auto",
        choices=("difference", "auto"),
    )
    icc_form: str = about("The ICC that answers the question (McGraw & Wong).", "A,1", choices=get_args(IccForm))
    true_value: str = about(
        "constant: all readings of a target see one truth.", "constant", choices=get_args(TrueValue)
    )
    error_variance_ratio: float | None = about("Deming's; null: from the repeated readings.", None, above=0)
    missing: str = about(
        "What becomes of targets without a value.",
        "A target without a value is a failure of that method: counted, with its reason, and never filled in.",
    )


@dataclass(frozen=True, kw_only=True)
class Reporting:
    """Reporting, by GRRAS; this section alone may be filled in when the results are there."""

    title: str = about("Title of the report.", "Agreement of monai-ctseg with clinicians")
    rationale: str = about("What is known already, and why this study.", "")
    measured_with: str = about("Version of the program that measured; scanners; what else was not as planned.", "")
    time_between_sessions: str = about("Days that lay between two sessions of a reader, in fact.", "")
    characteristics: str = about("Who was measured, and by whom: age, sex, disease, implants; experience.", "")
    relevance: str = about("What the result means in practice, and its limits.", "")


@dataclass(frozen=True, kw_only=True)
class StudyProtocol:
    """All of it. Raises ProtocolError, in one line, for a value that cannot be."""

    requirements: Requirements
    methods: Methods
    sample_size: SampleSize
    data_collection: DataCollection
    reliability: Reliability = Reliability()
    validity: Validity = Validity()
    analysis: AnalysisPlan = AnalysisPlan()
    reporting: Reporting = Reporting()

    def __post_init__(self) -> None:
        _check_scale(self.analysis.scale)
        for section in fields(self):
            check_section(section.name, getattr(self, section.name))
        self.as_agreement()
        _check_raters(self.data_collection.raters)

    def as_agreement(self) -> AgreementProtocol:
        """What the statistics of agreement need of it."""
        wanted, analysis = self.requirements, self.analysis
        return AgreementProtocol(
            reference=wanted.reference_method,
            test=wanted.test_method,
            quantity=wanted.quantity,
            unit=wanted.unit,
            acceptable_difference=wanted.acceptable_difference,
            level=wanted.level,
            scale=analysis.scale,  # type: ignore[arg-type]  # among the choices: checked above
            icc_form=analysis.icc_form,  # type: ignore[arg-type]
            true_value=analysis.true_value,  # type: ignore[arg-type]
            error_variance_ratio=analysis.error_variance_ratio,
        )

    def fixed(self) -> dict[str, Any]:
        """What must not change once sheets are made: "section.field" to value."""
        sections = {name: section for name, section in asdict(self).items() if name != OPEN_SECTION}
        return {
            f"{name}.{key}": list(value) if isinstance(value, tuple) else value
            for name, section in sections.items()
            for key, value in section.items()
        }


def sha256(fixed: Mapping[str, Any]) -> str:
    """Hash of what `StudyProtocol.fixed` gives; comments and layout of the file do not count."""
    return hashlib.sha256(json.dumps(dict(fixed), sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _check_scale(scale: object) -> None:
    if scale == "ratio":
        raise ProtocolError(
            "analysis.scale is 'ratio', which requirements.acceptable_difference cannot judge; write difference or auto"
        )


def _check_raters(raters: tuple[str, ...]) -> None:
    for name in raters:
        if not re.fullmatch(r"[\w-]+", name):
            raise ProtocolError(f"data_collection.raters has {name!r}; use letters, digits, - and _: it names files")
    if len({name.casefold() for name in raters}) < len(raters):
        raise ProtocolError("data_collection.raters names a reader twice; give each reader a name of their own")
