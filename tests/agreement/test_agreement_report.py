"""Agreement reports: the plots' lines, the pages' items, and that nothing in them depends on the day or the machine."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from monai_ctseg.agreement.report import ITEMS, write_report
from monai_ctseg.agreement.report.grras import fill
from monai_ctseg.agreement.report.marks import spread
from monai_ctseg.agreement.report.plots import draw_plots, plot_bland_altman
from monai_ctseg.agreement.report.readings import rater_columns
from monai_ctseg.agreement.statistics import Protocol, Reading, analyse, make_table

# Bland and Altman 1986, table 1: first readings by the large and by the mini peak flow meter (l/min)
LARGE = (494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427)
MINI = (512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451)


def reading(subject, method, value, *, side="", rater="", session="1", unit="mm", reason=""):
    return Reading(
        subject=str(subject),
        side=side,
        method=method,
        rater=rater,
        session=session,
        value=value,
        unit=unit,
        quantity="femoral_head_diameter",
        reason=reason,
    )


def targets(*, subjects=8, raters=("A", "B"), sessions=("1", "2"), seed=3):
    """Both targets of some subjects, read by raters in sessions and once by the program."""
    noise = np.random.default_rng(seed)
    rows = []
    for subject in range(subjects):
        for side in ("left", "right"):
            true = 48 + noise.normal(0, 3)
            rows.append(reading(subject, "monai-ctseg", float(true + noise.normal(0.2, 0.3)), side=side))
            rows += [
                reading(
                    subject, "clinician", float(true + noise.normal(0, 0.3)), side=side, rater=rater, session=session
                )
                for rater in raters
                for session in sessions
            ]
    return rows


def compare(rows, **options):
    table = make_table(rows)
    return analyse(table, Protocol(reference="clinician", test="monai-ctseg", **options)), table


@pytest.fixture(scope="module")
def study():
    """Agreement and table of 16 targets, with failures and an acceptable difference."""
    failed = [reading("last", "monai-ctseg", None, side="left", reason="outside the field of view")]
    other = [reading("last", "clinician", 50.0, side="left", rater="A")]
    return compare([*targets(), *failed, *other], acceptable_difference=2.0)


@pytest.fixture(scope="module")
def pages(study, tmp_path_factory):
    """The folder of its report, with a statement that tries to be markup."""
    folder = tmp_path_factory.mktemp("report")
    write_report(*study, folder, statements={"population": "Adults <b>|of_any_age|</b>\n\nand *others*"})
    return folder


@pytest.mark.slow
def test_the_summary_has_the_published_figures_of_1986(tmp_path):
    rows = [reading(n, "large", float(value), unit="l/min") for n, value in enumerate(LARGE)]
    rows += [reading(n, "mini", float(value), unit="l/min") for n, value in enumerate(MINI)]
    table = make_table(rows)
    write_report(analyse(table, Protocol(reference="mini", test="large")), table, tmp_path)
    text = (tmp_path / "report.md").read_text("utf-8").replace("\N{MINUS SIGN}", "-")
    assert "| bias | **-2.1 l/min** |" in text
    assert "| limits | **-78.1 to +73.9 l/min** |" in text
    assert "| verdict | **not judged** | no acceptable difference was fixed beforehand |" in text


@pytest.mark.slow
def test_both_pages_have_all_items_in_order_each_filled_or_missing(pages):
    html, text = ((pages / name).read_text("utf-8") for name in ("report.html", "report.md"))
    titles = [f"{item.number}. {item.title}" for item in ITEMS]
    assert [line.removeprefix("### ") for line in text.splitlines() if line.startswith("### ")] == titles
    assert re.findall(r"<h3>(.*?)</h3>", html) == titles
    for item, part in zip(ITEMS, text.split("\n### ")[1:], strict=True):
        body = part.partition("\n")[2].partition("\n## ")[0]
        assert re.search(r"\w", body), f"item {item.number} is empty"
        assert ("**missing:** state" in body) == bool(item.missing and item.key != "population")


def test_an_item_is_filled_only_where_each_part_is_stated(study):
    def missing(**said):
        found = {
            filled.item.key: filled.missing for filled in fill(study[0], {f"process{k}": v for k, v in said.items()})
        }
        return found["process"]

    parts = {"": "By hand.", ".time": "20 days.", ".blinding": "Codes."}
    assert "the time that lay between sessions" in missing()
    assert missing(**{"": "By hand."}) == "; ".join(text for _, text in ITEMS[7].parts)
    assert missing(**{**parts, ".time": " "}) == "the time that lay between sessions"
    assert missing(**parts) == ""
    once, _ = compare(targets(sessions=("1",)))
    assert "time" not in next(filled.missing for filled in fill(once, {}) if filled.item.key == "process")


@pytest.mark.slow
def test_what_people_write_is_text_in_both_formats(pages):
    html, text = ((pages / name).read_text("utf-8") for name in ("report.html", "report.md"))
    assert "<p>Adults &lt;b&gt;|of_any_age|&lt;/b&gt;</p>" in html
    assert "<p>and *others*</p>" in html
    assert r"Adults \<b\>\|of\_any\_age\|\</b\>" in text


@pytest.mark.slow
def test_the_page_needs_nothing_from_elsewhere(pages):
    html = (pages / "report.html").read_text("utf-8")
    assert "<script" not in html
    assert not re.search(r"""(src|href)=["'](?!#|data:image/png;base64)""", html)
    assert not re.search(r"url\((?!#)|@import", html)
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert html.count("<svg") == 3


def test_what_cannot_be_estimated_is_said_in_words(tmp_path):
    same = [reading(n, method, 50.0) for n in range(4) for method in ("clinician", "monai-ctseg")]
    write_report(*compare(same), tmp_path)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text("utf-8")
        assert "not estimable" in text
        assert not re.search(
            r"\b(nan|inf|None)\b", re.sub(r"<svg.*?</svg>|<style.*?</style>", "", text, flags=re.DOTALL)
        )


def test_failures_are_named_and_counted(pages):
    text = (pages / "report.md").read_text("utf-8")
    assert "1 of 17 readings by monai-ctseg" in text
    assert "outside the field of view: 1" in text
    assert "1 target more with a value by one method only" in text


@pytest.mark.slow
def test_the_same_study_gives_the_same_bytes_whatever_matplotlib_is_set_to(study, pages, tmp_path):
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 20, "lines.linewidth": 9, "svg.hashsalt": None}):
        names = write_report(*study, tmp_path, statements={"population": "Adults <b>|of_any_age|</b>\n\nand *others*"})
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())
    for name in names:
        assert (tmp_path / name).read_bytes() == (pages / name).read_bytes(), name


def test_an_unknown_statement_is_refused_before_anything_is_written(study, tmp_path):
    with pytest.raises(ValueError, match="no GRRAS item is called popluation"):
        write_report(*study, tmp_path, statements={"popluation": "x"})
    assert not list(tmp_path.iterdir())


def test_data_files_contain_every_target_and_figure(study, pages):
    agreement, _ = study
    with (pages / "targets.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["difference"]) for row in rows] == [point.difference for point in agreement.bland_altman.points]
    found = json.loads((pages / "agreement.json").read_text("utf-8"))
    assert found["bland_altman"]["bias"]["value"] == agreement.bland_altman.bias.value


def test_lines_and_bands_lie_where_the_figures_do(study):
    agreement, _ = study
    found = agreement.bland_altman
    axes = plot_bland_altman(agreement)[0].axes[0]
    heights = {float(line.get_ydata()[0]) for line in axes.lines if len(line.get_ydata()) == 2}
    assert {0.0, found.bias.value, found.lower_limit.value, found.upper_limit.value, -2.0, 2.0} == heights
    bands = {(patch.get_y(), round(patch.get_y() + patch.get_height(), 9)) for patch in axes.patches}
    wanted = {(each.low, round(each.high, 9)) for each in (found.bias, found.lower_limit, found.upper_limit)}
    assert bands == wanted
    assert [len(line) for line in axes.collections[0].get_segments()] == [2] * 8  # the targets of each subject


def test_ratios_are_drawn_on_a_logarithmic_axis_around_1():
    agreement, _ = compare(targets(raters=("A",), sessions=("1",)), scale="ratio", acceptable_ratio=1.25)
    axes = plot_bland_altman(agreement)[0].axes[0]
    assert axes.get_yscale() == "log"
    heights = {float(line.get_ydata()[0]) for line in axes.lines if len(line.get_ydata()) == 2}
    assert {0.8, 1.0, 1.25, agreement.bland_altman.bias.value} < heights
    assert axes.get_ylabel() == "monai-ctseg / clinician"


def test_rater_columns_are_each_reading_against_the_other_methods_mean():
    rows = [reading(n, "monai-ctseg", 50.0 + n, session=session) for n in range(3) for session in ("1", "2")]
    rows += [reading(n, "clinician", 49.0 + 2 * n, rater="A", session="1") for n in range(3)]
    rows += [reading(n, "clinician", 50.0, rater="B", session="2") for n in range(3)]
    agreement, table = compare(rows, scale="difference")
    found = {
        (column.rater, column.session): [value for _, value in column.values]
        for column in rater_columns(agreement, table)
    }
    assert found == {("A", "1"): [1.0, 0.0, -1.0], ("B", "2"): [0.0, 1.0, 2.0]}


@pytest.mark.slow
def test_no_rater_plot_for_one_rater_in_one_session(tmp_path):
    agreement, table = compare(targets(raters=("A",), sessions=("1",)))
    assert [picture.name for picture in draw_plots(agreement, table, tmp_path)] == ["bland_altman", "identity"]


@pytest.mark.slow
def test_thousands_of_points_stay_a_small_drawing(study, tmp_path):
    agreement, table = study
    points = agreement.bland_altman.points * 300
    many = replace(agreement, bland_altman=replace(agreement.bland_altman, points=points, subjects=3000))
    drawn = draw_plots(many, table, tmp_path)[0]
    assert len(drawn.svg) < 500_000
    assert any(each.tag.endswith("}image") for each in ElementTree.fromstring(drawn.svg).iter())


def test_labels_move_apart_and_keep_their_order():
    moved = spread([0.5, 0.5, 0.52, 0.0], 0.1)
    assert np.diff(sorted(moved)).min() > 0.0999
    assert moved[3] == 0.0
    assert sorted(moved)[1:] == pytest.approx([0.40667, 0.50667, 0.60667], abs=1e-3)
