"""The first draft of a study's protocol: what holds for any study of `monai-ctseg measure` on hips."""

from __future__ import annotations

from importlib import metadata

from monai_ctseg.agreement.study.protocol import StudyProtocol
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
from monai_ctseg.cli.agreement_choice import PROGRAM


def requirements(
    quantity: str = "femoral_head_diameter", unit: str = "mm", acceptable_difference: float = 2.0
) -> Requirements:
    """What a study of the program against readers has to show. Raises ProtocolError for impossible values."""
    made = Requirements(
        quantity=quantity,
        unit=unit,  # type: ignore[arg-type]  # checked by the model
        test_method=PROGRAM,
        acceptable_difference=acceptable_difference,
    )
    return made.replaced(
        question=f"Does the {quantity.replace('_', ' ')} that {PROGRAM} measures on CT agree with readers within "
        f"{acceptable_difference:g} {unit}?"
    )


def first_draft(wanted: Requirements, size: SampleSize, collection: DataCollection) -> StudyProtocol:
    """A whole protocol to edit."""
    quantity = wanted.quantity.replace("_", " ")
    return StudyProtocol(
        requirements=wanted,
        methods=Methods(
            device=f"{PROGRAM}, command measure, on CT; planned with version {metadata.version('monai_ctseg')}.",
            how_to_read=f"Measure the {quantity} on the CT in a bone window, on multiplanar reformations through the "
            "centre. Fit a circle to the edge in the axial, coronal and sagittal plane, and write down the mean of the "
            "three.",
        ),
        sample_size=size,
        data_collection=collection,
        reliability=Reliability(
            internal_consistency="The residual and the interval of each fit are reported; opposite hips of a patient "
            "are compared."
        ),
        validity=Validity(
            construct="A head is smaller than its socket; both hips of a patient are alike; an implant has the size on "
            "its label."
        ),
        analysis=Analysis(
            missing="A hip without a value is a failure of that method: counted, with its reason, and never filled in."
        ),
        reporting=Reporting(title=f"Agreement of {PROGRAM} with clinicians"),
    )
