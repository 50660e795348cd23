"""The sections of a study's protocol: their fields, bounds and descriptions.

The YAML file (`protocol_file`) repeats the descriptions as comments.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from monai_ctseg.agreement.statistics.protocol import IccForm, TrueValue
from monai_ctseg.agreement.study.checked import Section

Filled = Annotated[str, StringConstraints(pattern=r"\S")]
"""Text that must not be empty."""
Texts = Annotated[tuple[Filled, ...], Field(strict=False)]


class Requirements(Section):
    """Requirements and performance criteria."""

    question: str = Field(default="", description="What is to be shown, in a sentence.")
    quantity: Filled = Field(description="What is measured, as the table of measurements names it.")
    unit: Literal["mm", "degrees"] = Field(default="mm", description="Unit of all values.")
    test_method: Filled = Field(description="The method under test, as named in measurements.csv.")
    reference_method: Filled = Field(
        default="clinician", description="The method that it is compared with: the readers."
    )
    acceptable_difference: float = Field(
        default=2.0,
        gt=0,
        description="Largest difference without consequence for a subject. Fixed now, from clinical need, never from "
        "the data.",
    )
    why_acceptable: str = Field(default="", description="Where that figure comes from.")
    level: float = Field(default=0.95, ge=0.5, lt=1, description="Level of all confidence intervals.")


class Methods(Section):
    """Choice of methods, of cases and of readers."""

    device: str = Field(default="", description="Program, scanner, reconstruction: what measures, and how.")
    how_to_read: Filled = Field(
        description="How a reader measures, step by step; it is printed into the readers' instructions."
    )
    population: str = Field(
        default="", description="The subjects that the result is meant for: age, disease, what their images show."
    )
    inclusion: Texts = Field(
        default=(),
        description="A case is included if all of these hold, such as: 18 years or older; slices of 3 mm or less.",
    )
    exclusion: Texts = Field(
        default=(),
        description="A case is excluded if any of these holds, such as: fracture at the joint; or none. Never because "
        "a method failed.",
    )
    recruitment: str = Field(
        default="", description="How cases and readers were found: consecutive, at random, from when to when, by whom."
    )
    rater_population: str = Field(
        default="", description="The readers that the result is meant for: profession, training, years."
    )


class SampleSize(Section):
    """Sample size: the assumptions, and the result."""

    expected_sd: float = Field(
        default=0.7, gt=0, description="Expected SD of differences (pilot, literature), in the unit."
    )
    expected_bias: float = Field(default=0.0, description="Expected mean difference, in the unit.")
    limit_width: float = Field(
        default=0.5, gt=0, description="Wanted full width of the confidence interval of a limit, in the unit."
    )
    power: float = Field(
        default=0.8, ge=0.5, lt=1, description="Wanted probability to show that the limits are acceptable."
    )
    expected_icc: float = Field(default=0.9, ge=0, lt=1, description="Expected ICC between readers.")
    icc_width: float = Field(default=0.1, gt=0, lt=1, description="Wanted full width of its confidence interval.")
    sides_per_subject: int = Field(default=2, ge=1, le=2, description="Sides measured per subject.")
    side_correlation: float = Field(
        default=0.5, ge=0, le=1, description="Correlation of the differences of two sides of a subject."
    )
    dropout_share: float = Field(
        default=0.1, ge=0, lt=1, description="Share of targets without a pair of values (failures, drop-outs)."
    )
    subjects: int = Field(default=1, ge=1, description="Subjects to enrol; `study plan` computed it.")


class DataCollection(Section):
    """Data collection: repeatable procedures, repeated trials."""

    raters: Texts = Field(default=("R1", "R2"), min_length=2, description="Readers, by pseudonym; at least two.")
    sessions: int = Field(default=2, ge=1, le=20, description="How often each reader reads each case.")
    days_between_sessions: int = Field(
        default=14, ge=0, description="Minimum number of days between two sessions of a reader."
    )
    blinding: str = Field(
        default="Readers see a code, never the patient, the program's figures, other readers' or their own earlier "
        "ones.",
        description="What readers do not know.",
    )

    @field_validator("raters")
    @classmethod
    def _name_files(cls, raters: tuple[str, ...]) -> tuple[str, ...]:
        for name in raters:
            if not re.fullmatch(r"[\w-]+", name):
                raise ValueError(f"has {name!r}; use letters, digits, - and _: it names files")
        if len({name.casefold() for name in raters}) < len(raters):
            raise ValueError("names a reader twice; give each reader a name of their own")
        return raters


class Reliability(Section):
    """Reliability: is the result the same again?"""

    test_retest: str = Field(
        default="Each reader reads each case in every session: within-reader SD, repeatability coefficient, ICC.",
        description="The same again by the same reader.",
    )
    alternate_form: str = Field(
        default="Between readers: ICC. Where a case has a second reconstruction or scan, it is measured as another "
        "session.",
        description="The same from another form of the measurement.",
    )
    internal_consistency: str = Field(default="", description="Do the parts of one measurement agree?")


class Validity(Section):
    """Validity: is the result the right one?"""

    content: str = Field(
        default="Definition and reference plane are written down and agreed with the readers before the first session.",
        description="Does the quantity mean what a clinician means by it?",
    )
    criterion: str = Field(
        default="Compared with the readers (bias, limits of agreement) and with phantoms of known size.",
        description="Compared with the best there is.",
    )
    construct_: str = Field(default="", alias="construct", description="Does it behave as anatomy requires?")


class Analysis(Section):
    """Analysis."""

    scale: Literal["difference", "auto"] = Field(
        default="auto",
        description="Differences, or as the spread requires; the acceptable difference judges differences only.",
    )
    icc_form: IccForm = Field(default="A,1", description="The ICC that answers the question (McGraw & Wong).")
    true_value: TrueValue = Field(
        default="constant",
        description="constant: all readings of a target see one true value; varying: one per session.",
    )
    error_variance_ratio: float | None = Field(
        default=None, gt=0, description="For Deming regression; null: from the repeated readings."
    )
    missing: str = Field(
        default="A target without a value is a failure of that method: counted, with its reason, and never filled in.",
        description="What happens to targets without a value.",
    )

    @field_validator("scale", mode="before")
    @classmethod
    def _judged_by_the_difference(cls, scale: object) -> object:
        if scale == "ratio":
            raise ValueError(
                "is 'ratio', which requirements.acceptable_difference cannot judge; write difference or auto"
            )
        return scale


class Reporting(Section):
    """Reporting, by GRRAS; only this section may be filled in when the results are there."""

    title: str = Field(default="", description="Title of the report; empty: one that names methods and quantity.")
    rationale: str = Field(default="", description="What is known already, and why this study is done.")
    measured_with: str = Field(
        default="", description="Version of the program that measured; scanners; what else was not as planned."
    )
    time_between_sessions: str = Field(
        default="", description="Actual number of days between two sessions of a reader."
    )
    characteristics: str = Field(
        default="", description="Who was measured, and by whom: age, sex, disease, implants; experience."
    )
    relevance: str = Field(default="", description="What the result means in practice, and its limits.")
