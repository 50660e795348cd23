"""Statements: what a protocol says to the items of GRRAS, for the report."""

from __future__ import annotations

from collections.abc import Sequence

from monai_ctseg.study.plan import make_plan
from monai_ctseg.study.protocol import StudyProtocol


def statements(protocol: StudyProtocol, protocol_sha256: str) -> dict[str, str]:
    """Text by key of a GRRAS item (`agreement_report.grras`); items that nobody wrote about are left out."""
    methods, reporting = protocol.methods, protocol.reporting
    said = {
        "title": protocol.requirements.question,
        "device": methods.device,
        "population": methods.population,
        "rater_population": methods.rater_population,
        "rationale": reporting.rationale,
        "sample_size": _sample_size(protocol),
        "sampling": _sampling(protocol),
        "process": _process(protocol),
        "independence": _independence(protocol),
        "analysis": _analysis(protocol, protocol_sha256),
        "characteristics": reporting.characteristics,
        "relevance": reporting.relevance,
    }
    return {key: text.strip() for key, text in said.items() if text.strip()}


def _sample_size(protocol: StudyProtocol) -> str:
    size, plan = protocol.sample_size, make_plan(protocol)
    needs = "; ".join(f"{need.question}: {need.pairs or need.reason} ({need.method})" for need in plan.needs)
    return (
        f"Planned: {size.subjects} patients, {size.sides_per_subject} hips each. Independent hips needed by question: "
        f"{needs}. Design effect {plan.design_effect:g} for hips of one patient, {size.dropout_share:.0%} without a "
        f"value: {plan.subjects} patients."
    )


def _sampling(protocol: StudyProtocol) -> str:
    methods = protocol.methods
    taken, left_out = _listed("Inclusion", methods.inclusion), _listed("Exclusion", methods.exclusion)
    return "\n\n".join(filter(None, (methods.recruitment, taken, left_out)))


def _listed(name: str, items: Sequence[str]) -> str:
    return f"{name}: {'; '.join(item.rstrip('.;') for item in items)}." if items else ""


def _process(protocol: StudyProtocol) -> str:
    collection = protocol.data_collection
    return (
        f"{protocol.methods.how_to_read} {len(collection.raters)} readers, {collection.sessions} sessions at least "
        f"{collection.days_between_sessions} days apart. {collection.blinding}"
    )


def _independence(protocol: StudyProtocol) -> str:
    return (
        "Each reader had, in each session, a sheet in a random order of its own with codes drawn anew "
        f"(seed {protocol.data_collection.seed}); the key was kept apart. Readings marked as not blind do not count."
    )


def _analysis(protocol: StudyProtocol, protocol_sha256: str) -> str:
    wanted, plan = protocol.requirements, protocol.analysis
    planned = {
        "test-retest": protocol.reliability.test_retest,
        "alternate form": protocol.reliability.alternate_form,
        "internal consistency": protocol.reliability.internal_consistency,
        "content validity": protocol.validity.content,
        "criterion validity": protocol.validity.criterion,
        "construct validity": protocol.validity.construct,
    }
    parts = (
        f"An acceptable difference of {wanted.acceptable_difference:g} {wanted.unit} was fixed before the readings "
        f"(protocol SHA-256 {protocol_sha256}). {wanted.why_acceptable}",
        plan.missing,
        *(f"Planned, {name}: {text}" for name, text in planned.items() if text.strip()),
    )
    return "\n\n".join(part.strip() for part in parts if part.strip())
