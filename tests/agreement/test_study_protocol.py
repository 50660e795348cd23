"""A study's protocol: as a file, its checks, and what is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from monai_ctseg.agreement.report import ITEMS
from monai_ctseg.agreement.statistics import Reading, make_table
from monai_ctseg.agreement.study.blinding import subject_finder
from monai_ctseg.agreement.study.cases import Case
from monai_ctseg.agreement.study.join import Joined
from monai_ctseg.agreement.study.key import draw_key
from monai_ctseg.agreement.study.plan import make_plan
from monai_ctseg.agreement.study.protocol import StudyProtocol, sha256
from monai_ctseg.agreement.study.protocol_file import parse_protocol, protocol_text, read_protocol, write_protocol
from monai_ctseg.agreement.study.sections import DataCollection, SampleSize
from monai_ctseg.agreement.study.statements import statements
from monai_ctseg.cli.study_draft import first_draft, requirements
from monai_ctseg.errors import ProtocolError


@pytest.fixture
def protocol() -> StudyProtocol:
    return first_draft(requirements(), SampleSize(), DataCollection())


def test_a_file_gives_back_what_was_written(protocol: StudyProtocol, tmp_path: Path) -> None:
    path = tmp_path / "protocol.yaml"
    write_protocol(protocol, path)
    assert read_protocol(path) == protocol
    text = path.read_text()
    headings = ("requirements", "methods", "sample_size", "data_collection", "reliability", "validity", "analysis")
    assert [text.index(f"\n{name}:\n") for name in (*headings, "reporting")] == sorted(
        text.index(f"\n{name}:\n") for name in (*headings, "reporting")
    )
    path.write_text(text.replace("level: 0.95", "level:   0.95  # as ever").replace(": 2.0\n", ": 2\n"))
    assert sha256(read_protocol(path).fixed()) == sha256(protocol.fixed())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "acceptable_difference:",
            "aceptable_difference:",
            "'aceptable_difference'; did you mean 'acceptable_difference'?",
        ),
        ("validity:", "validty:", "unknown name 'validty'; did you mean 'validity'?"),
        ("  power: 0.8\n", "", "sample_size lacks 'power'"),
        ("power: 0.8", "power: 0.8\n  power: 0.9", "'power' is there twice"),
        ("power: 0.8", "power: high", "sample_size.power is 'high'; give a number"),
        ("power: 0.8", "power: yes", "sample_size.power is True; give a number"),
        ("sessions: 2", "sessions: 2.5", "data_collection.sessions is 2.5; give a whole number"),
        ("expected_sd: 0.7", "expected_sd: -0.7", "expected_sd is -0.7; give a number above 0"),
        ("  - R2\n", "", "data_collection.raters has 1; give at least 2"),
        ("- R2", "- r1", "names a reader twice"),
        ("- R2", "- 2", "data_collection.raters has 2; give a list of texts, in quotes"),
        ("- R2", "- ../R2", "raters has '../R2'; use letters"),
        ("scale: auto", "scale: log", "analysis.scale is 'log'; choose one of difference, auto"),
        ("scale: auto", "scale: ratio", "acceptable_difference cannot judge; write difference or auto"),
        ("reference_method: clinician", "reference_method: monai-ctseg", "must be two methods"),
        ("quantity: femoral_head_diameter", "quantity: ''", "requirements.quantity is empty"),
        ("title: Agreement", "title: on: Agreement", "is not YAML"),
        ("unit: mm", "unit: [mm", "is not YAML"),
        ("validity:\n", "x:\nvalidity:\n", "unknown name 'x'"),
        ("validity:\n", "validity: none\nx:\n", "unknown name 'x'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_its_fault(
    protocol: StudyProtocol, tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "protocol.yaml"
    write_protocol(protocol, path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ProtocolError) as refusal:
        read_protocol(path)
    assert message in str(refusal.value)
    assert str(refusal.value).startswith("protocol.yaml: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"- a\n", b"text", b"\xff\xfe\x00"])
def test_a_file_without_a_protocol_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.yaml").write_bytes(content)
    with pytest.raises(ProtocolError, match=r"^p.yaml: "):
        read_protocol(tmp_path / "p.yaml")
    with pytest.raises(ProtocolError, match="cannot be read"):
        read_protocol(tmp_path / "nowhere.yaml")


def test_a_plan_adds_hips_that_are_alike_and_hips_without_a_value(protocol: StudyProtocol) -> None:
    plan = make_plan(protocol)
    assert plan.pairs == max(need.pairs or 0 for need in plan.needs if need.counts)
    assert plan.design_effect == 1.5
    assert plan.targets * 0.9 >= plan.pairs * 1.5 > (plan.targets - 1) * 0.9
    assert plan.subjects == -(-plan.targets // 2)
    one_side = protocol.replaced(sample_size=SampleSize(sides_per_subject=1, dropout_share=0.0))
    assert make_plan(one_side).subjects == plan.pairs


def test_each_question_asks_for_more_where_it_is_harder(protocol: StudyProtocol) -> None:
    before = make_plan(protocol).needs
    harder = SampleSize(expected_bias=0.3, limit_width=0.4, icc_width=0.08)
    after = make_plan(protocol.replaced(sample_size=harder)).needs
    assert all((b.pairs or 0) > (a.pairs or 0) for a, b in zip(before, after, strict=True))


def test_statements_are_of_items_that_there_are(protocol: StudyProtocol) -> None:
    reading = Reading(subject="S", side="", method="clinician", rater="R1", session="1", value=48.0)
    said = statements(protocol, "abc", Joined(make_table([reading]), (), ()))
    assert set(said) <= {key for item in ITEMS for key in item.asked}
    assert "abc" in said["analysis"]
    assert "rationale" not in said
    of_plan = statements(protocol, "abc")
    assert not {"independence", "analysis", "process.blinding", "actual_numbers"} & set(of_plan)
    unsaid = {"population", "sampling", "sampling.inclusion", "process.time", "analysis.why", "device.version"}
    assert not unsaid & set(said)
    assert of_plan["process"].startswith("Planned: 2 readers, 2 sessions at least 14 days apart, by ")
    written = protocol.replaced(reporting=protocol.reporting.replaced(rationale="Nobody knows."))
    assert statements(written, "abc")["rationale"] == "Nobody knows."


def test_codes_are_neither_words_nor_numbers_nor_twice(protocol: StudyProtocol) -> None:
    cases = [Case(f"S{n}", "left", "x") for n in range(50)]
    codes = [entry.code for entry in draw_key(protocol, cases, 3).entries]
    assert len(set(codes)) == 200
    assert not set("".join(codes)) & set("AEIOU0123456789")


def test_a_single_case_can_be_read_twice(protocol: StudyProtocol) -> None:
    assert len(draw_key(protocol, [Case("S1", "left", "x")], 3).entries) == 4


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("scans/HIP-01/series", "HIP-01"),
        ("hip-01.nii.gz", "HIP-01"),
        ("as in HIP-01.", "HIP-01"),
        ("HIP-011", ""),
        ("xHIP-01", ""),
        ("12", "12"),
        ("scans/12/3.dcm", "12"),
        ("12.nii.gz", "12"),
        ("osteophyte of 12 mm", ""),
        ("images/BCDFGH", ""),
        ("", ""),
    ],
)
def test_a_subject_is_found_where_a_text_names_it(text: str, subject: str) -> None:
    assert subject_finder(["HIP-01", "12", "B"])(text) == subject


WRONG = (None, True, 5, 2.5, "x", "", " ", [], ["a", 2], {"a": 1}, float("nan"), -1, 10**9, [" "])


def refusal_of(content: object) -> str:
    """Why a protocol is refused; empty where it is accepted."""
    try:
        parse_protocol(content)
    except ProtocolError as refusal:
        return str(refusal)
    return ""


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_every_field_takes_a_value_or_names_itself_in_one_line(protocol: StudyProtocol, value: object) -> None:
    content = yaml.safe_load(protocol_text(protocol))
    for section, fields in content.items():
        for name in fields:
            said = refusal_of({**content, section: {**fields, name: value}})
            assert not said or name in said or "must be two methods" in said
            assert not said or "; " in said
            assert "\n" not in said
            assert "Input" not in said  # as pydantic's own messages begin
