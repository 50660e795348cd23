"""Protocol: what a validation study fixes before anybody measures.

Once reader sheets are made, only the section `reporting` may change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from monai_ctseg.agreement.statistics.protocol import Protocol
from monai_ctseg.agreement.study.checked import Section
from monai_ctseg.agreement.study.sections import (
    Analysis,
    DataCollection,
    Methods,
    Reliability,
    Reporting,
    Requirements,
    SampleSize,
    Validity,
)

OPEN_SECTION = "reporting"
"""What may still be written when the results are there."""


class StudyProtocol(Section):
    """The protocol of a study. Raises ProtocolError, in one line, for an impossible value."""

    requirements: Requirements
    methods: Methods
    sample_size: SampleSize
    data_collection: DataCollection
    reliability: Reliability = Reliability()
    validity: Validity = Validity()
    analysis: Analysis = Analysis()
    reporting: Reporting = Reporting()

    @model_validator(mode="after")
    def _can_be_analysed(self) -> StudyProtocol:
        self.as_agreement()
        return self

    def as_agreement(self) -> Protocol:
        """The part that the statistics of agreement need."""
        wanted, analysis = self.requirements, self.analysis
        return Protocol(
            reference=wanted.reference_method,
            test=wanted.test_method,
            quantity=wanted.quantity,
            unit=wanted.unit,
            acceptable_difference=wanted.acceptable_difference,
            level=wanted.level,
            scale=analysis.scale,
            icc_form=analysis.icc_form,
            true_value=analysis.true_value,
            error_variance_ratio=analysis.error_variance_ratio,
        )

    def fixed(self) -> dict[str, Any]:
        """What must not change once sheets are made: "section.field" to value."""
        return {
            f"{name}.{key}": list(value) if isinstance(value, tuple) else value
            for name, section in self.model_dump(exclude={OPEN_SECTION}, by_alias=True).items()
            for key, value in section.items()
        }


def sha256(fixed: Mapping[str, Any]) -> str:
    """Hash of what `StudyProtocol.fixed` gives; comments and layout of the file do not count."""
    return hashlib.sha256(json.dumps(dict(fixed), sort_keys=True, ensure_ascii=False).encode()).hexdigest()
