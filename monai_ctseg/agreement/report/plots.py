"""Plots: Bland-Altman, identity, and differences by rater and session, each as PNG and SVG.

The same agreement gives the same bytes. matplotlib is imported on use.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monai_ctseg.agreement.report.captions import acceptable, compared, sample_title
from monai_ctseg.agreement.report.marks import (
    ACCEPTABLE,
    INK,
    LIMITS,
    LINES,
    MOST_JOINED,
    STYLE,
    Level,
    dots,
    join,
    label,
    ratio_axis,
    room,
    span,
)
from monai_ctseg.agreement.report.rater_plot import plot_raters
from monai_ctseg.agreement.report.readings import rater_columns
from monai_ctseg.agreement.report.wording import number, numbers_for, short, with_unit
from monai_ctseg.agreement.statistics.estimate import Estimate
from monai_ctseg.agreement.statistics.records import Agreement, BlandAltman, Point, Regression
from monai_ctseg.agreement.statistics.table import Table
from monai_ctseg.errors import plural
from monai_ctseg.output.figures import figure_style, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """A plot written as NAME.png and NAME.svg: its title, caption, and the text of the SVG."""

    name: str
    title: str
    caption: str
    svg: str


def draw_plots(agreement: Agreement, table: Table, folder: Path) -> tuple[Picture, ...]:
    """Write each plot into `folder` as PNG and SVG; OSError where that is impossible."""
    with figure_style(STYLE):
        pictures = [
            _save(folder, "bland_altman", "Differences against means", *plot_bland_altman(agreement)),
            _save(folder, "identity", "One method against the other", *plot_identity(agreement)),
        ]
        columns = rater_columns(agreement, table)
        if len(columns) > 1:  # one alone would repeat the first plot
            pictures.append(_save(folder, "raters", "Rater by rater", *plot_raters(agreement, columns)))
    return tuple(pictures)


def plot_bland_altman(agreement: Agreement) -> tuple[Figure, str]:
    """Differences (or ratios) over means with bias, limits, their intervals and the acceptable range; and a caption."""
    found, protocol, numbers = agreement.bland_altman, agreement.protocol, numbers_for(agreement)
    figure = new_figure(5.6, 4.3)
    axes = figure.subplots()
    points = _shown(found)
    heights = [float(point.ratio or 0.0) if found.scale == "ratio" else point.difference for point in points]
    of: dict[str, list[tuple[float, float]]] = {}
    for point, height in zip(points, heights, strict=True):
        of.setdefault(point.subject, []).append((point.mean, height))
    join(axes, of.values())
    dots(axes, [point.mean for point in points], heights)
    axes.axhline(1.0 if found.scale == "ratio" else 0.0, color=LINES, linewidth=0.8, zorder=1)
    levels = [
        Level("upper limit", found.upper_limit, LIMITS, "--"),
        Level("bias", found.bias, INK, "-"),
        Level("lower limit", found.lower_limit, LIMITS, "--"),
        *(Level("acceptable", Estimate(value), ACCEPTABLE, "-.") for value in acceptable(agreement)),
    ]
    levels = [each for each in levels if each.estimate.value is not None]
    for each in levels:
        each.draw(axes)
    if found.scale == "ratio":
        ratio_axis(axes)
    room(axes, heights, levels)
    label(axes, levels, lambda value: numbers.with_unit(value, signed=True), numbers.decimals)
    axes.set_xlabel(with_unit(f"mean of {short(protocol.reference)} and {short(protocol.test)}", agreement.unit))
    axes.set_ylabel(compared(agreement))
    axes.set_title(sample_title(agreement))
    return figure, _bland_altman_caption(agreement)


def plot_identity(agreement: Agreement) -> tuple[Figure, str]:
    """Test over reference with the line of identity, Deming's and Passing and Bablok's; and a caption."""
    protocol, points = agreement.protocol, agreement.bland_altman.points
    figure = new_figure(4.9, 4.6)
    axes = figure.subplots()
    reference, test = [point.reference for point in points], [point.test for point in points]
    low, high = span([*reference, *test])
    axes.plot([low, high], [low, high], color=LINES, linewidth=1.2, label="identity")
    missing = []
    for line, color, dashes in ((agreement.deming, INK, "-"), (agreement.passing_bablok, LIMITS, "--")):
        if line.slope.value is None or line.intercept.value is None:
            missing.append(f"No line by {line.name}: {line.slope.reason or line.intercept.reason}.")
            continue
        ends = [line.intercept.value + line.slope.value * x for x in (low, high)]
        axes.plot([low, high], ends, color=color, linestyle=dashes, linewidth=1.4, label=_line_name(line))
    dots(axes, reference, test)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.legend(loc="upper left", fontsize=8.5, handlelength=2.4)
    axes.set_xlabel(with_unit(short(protocol.reference), agreement.unit))
    axes.set_ylabel(with_unit(short(protocol.test), agreement.unit))
    axes.set_title(sample_title(agreement))
    caption = (
        "Each point is a target: one subject, or one side of it. On the thin line both methods read the same. "
        "Deming and Passing-Bablok allow for errors in both methods."
    )
    return figure, " ".join([caption, *missing])


def _save(folder: Path, name: str, title: str, figure: Figure, caption: str) -> Picture:
    figure.savefig(folder / f"{name}.png", dpi=200, metadata={"Software": None})
    figure.set_layout_engine("none")  # laid out once: the same in both, and quicker
    figure.savefig(folder / f"{name}.svg", dpi=200, metadata={"Date": None, "Creator": None})
    return Picture(name, title, caption, (folder / f"{name}.svg").read_text("utf-8"))


def _shown(found: BlandAltman) -> list[Point]:
    return [point for point in found.points if found.scale == "difference" or point.ratio is not None]


def _line_name(line: Regression) -> str:
    slope, intercept = line.slope.value or 0.0, line.intercept.value or 0.0
    sign = "+" if intercept >= 0 else number(-1, 0)[0]
    return f"{line.name}: {number(slope, 3)} x {sign} {number(abs(intercept), 2)}"


def _bland_altman_caption(agreement: Agreement) -> str:
    found = agreement.bland_altman
    text = (
        "Each point is a target: one subject, or one side of it. Between the limits lie "
        f"{100 * found.limits_share:g} % of single {'ratios' if found.scale == 'ratio' else 'differences'}, as far as "
        f"the model holds; bands are {100 * found.bias.level:g} % confidence intervals."
    )
    if any(max(point.readings) > 1 for point in found.points):
        text += " Points are means of readings, and scatter less than single readings do."
    if found.targets > found.subjects and found.subjects <= MOST_JOINED:
        text += " Thin lines join the points of one subject."
    left_out = len(found.points) - len(_shown(found))
    if left_out:
        text += f" {plural(left_out, 'target')} with a reading of zero or below cannot be drawn as a ratio."
    return text
