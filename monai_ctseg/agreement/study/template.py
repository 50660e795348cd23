"""Template: the first draft of a protocol, with the texts that hold for any study of this program."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata

from monai_ctseg.agreement.study.protocol import DataCollection, Methods, Requirements, SampleSize, StudyProtocol


def first_draft(requirements: Requirements, size: SampleSize, collection: DataCollection) -> StudyProtocol:
    """A whole protocol to edit. Raises ProtocolError for figures that cannot be."""
    quantity = requirements.quantity.replace("_", " ")
    question = (
        f"Does the {quantity} that {requirements.test_method} measures on CT agree with readers "
        f"within {requirements.acceptable_difference:g} {requirements.unit}?"
    )
    return StudyProtocol(
        requirements=replace(requirements, question=question),
        methods=_methods(quantity),
        sample_size=size,
        data_collection=collection,
    )


def _methods(quantity: str) -> Methods:
    return Methods(
        device=f"monai-ctseg, command measure, on CT; planned with version {metadata.version('monai_ctseg')}.",
        how_to_read=(
            f"Measure the {quantity} on the CT in a bone window, on multiplanar reformations through the centre. Fit a "
            "circle to the edge in the axial, coronal and sagittal plane, and write down the mean of the three."
        ),
    )
