"""Statements: what a protocol states for the items of GRRAS, for the report."""

from __future__ import annotations

from collections.abc import Sequence

from monai_ctseg.agreement.study.blinding import MARK
from monai_ctseg.agreement.study.join import Joined, losses
from monai_ctseg.agreement.study.plan import make_plan
from monai_ctseg.agreement.study.protocol import StudyProtocol
from monai_ctseg.errors import plural


def statements(protocol: StudyProtocol, protocol_sha256: str, joined: Joined | None = None) -> dict[str, str]:
    """Text by the key of a GRRAS item or of a part of one; empty texts are left out.

    Args:
        protocol: The protocol of the study.
        protocol_sha256: Its hash.
        joined: The readings from the sheets of this protocol. Without them a protocol is only a plan, and states
            nothing about what was done.
    """
    methods, reporting = protocol.methods, protocol.reporting
    said = {
        "title": protocol.requirements.question,
        "device": methods.device,
        "device.version": reporting.measured_with,
        "device.reference": f"Instruction to the readers: {methods.how_to_read}",
        "population": methods.population,
        "rater_population": methods.rater_population,
        "rationale": reporting.rationale,
        "sample_size": _sample_size(protocol),
        "sampling": methods.recruitment,
        "sampling.inclusion": _listed("Inclusion", methods.inclusion),
        "sampling.exclusion": _listed("Exclusion", methods.exclusion),
        "process": _process(protocol),
        "process.time": reporting.time_between_sessions,
        "analysis.why": protocol.requirements.why_acceptable,
        "characteristics": reporting.characteristics,
        "relevance": reporting.relevance,
    }
    said |= _done(protocol, protocol_sha256, joined) if joined else {}
    return {key: text.strip() for key, text in said.items() if text.strip()}


def _done(protocol: StudyProtocol, protocol_sha256: str, joined: Joined) -> dict[str, str]:
    """What only the study's own key and sheets can prove."""
    marked = sum(gap.why == MARK for gap in joined.gaps)
    lost = "; ".join(loss.text for loss in losses(joined))
    counted = "In the rates below they count as failures of their method, besides the readings that were tried."
    return {
        "process.blinding": "The sheets that came back had codes and named no subject.",
        "independence": (
            "For each reader and session a sheet was made in a separate random order with new codes; the key was kept "
            f"in another folder. {plural(marked, 'reading')} marked as not blind: such readings do not count. "
            "Whether readers kept to their sheets cannot be seen in them."
        ),
        "analysis": _analysis(protocol, protocol_sha256),
        "actual_numbers": f"Readings without a value: {lost}.",
        "estimates": f"{plural(len(joined.gaps), 'reading')} missing or not blind. {counted}" if joined.gaps else "",
    }


def _sample_size(protocol: StudyProtocol) -> str:
    size, collection, plan = protocol.sample_size, protocol.data_collection, make_plan(protocol)
    needs = "; ".join(f"{need.question}: {need.pairs or need.reason} ({need.method})" for need in plan.needs)
    return (
        f"Planned: {plural(size.subjects, 'subject')}, {plural(size.sides_per_subject, 'target')} each, "
        f"{plural(len(collection.raters), 'reader')}, {plural(collection.sessions, 'session')}. "
        f"Independent targets needed by question: {needs}. Design effect {plan.design_effect:g} for targets of one "
        f"subject, {size.dropout_share:.0%} without a value: {plan.subjects} subjects."
    )


def _listed(name: str, items: Sequence[str]) -> str:
    return f"{name}: {'; '.join(item.rstrip('.;') for item in items)}." if items else ""


def _process(protocol: StudyProtocol) -> str:
    collection = protocol.data_collection
    apart = f" at least {plural(collection.days_between_sessions, 'day')} apart" if collection.sessions > 1 else ""
    return (
        f"Planned: {plural(len(collection.raters), 'reader')}, {plural(collection.sessions, 'session')}{apart}, "
        f"by the instruction under item 2. Planned blinding: {collection.blinding}"
    )


def _analysis(protocol: StudyProtocol, protocol_sha256: str) -> str:
    wanted, plan = protocol.requirements, protocol.analysis
    planned = {
        "test-retest": protocol.reliability.test_retest,
        "alternate form": protocol.reliability.alternate_form,
        "internal consistency": protocol.reliability.internal_consistency,
        "content validity": protocol.validity.content,
        "criterion validity": protocol.validity.criterion,
        "construct validity": protocol.validity.construct_,
    }
    parts = (
        f"An acceptable difference of {wanted.acceptable_difference:g} {wanted.unit} was fixed when the sheets were "
        f"made, and not changed since (protocol SHA-256 {protocol_sha256}).",
        plan.missing,
        *(f"Planned, {name}: {text}" for name, text in planned.items() if text.strip()),
    )
    return "\n\n".join(part.strip() for part in parts if part.strip())
