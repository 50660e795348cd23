"""Plots: Bland-Altman, identity, and differences by rater and session, each as PNG and SVG.

The same agreement gives the same bytes. matplotlib is imported on use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
    new_figure,
    ratio_axis,
    room,
    span,
)
from monai_ctseg.agreement.report.readings import RaterColumn, rater_columns
from monai_ctseg.agreement.report.wording import count, number, numbers_for
from monai_ctseg.agreement.statistics.records import Agreement, BlandAltman, Estimate, Point, Regression
from monai_ctseg.agreement.statistics.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GOLDEN = 0.6180339887
"""Steps of this share of a column put points beside each other evenly, the same way each time."""
MOST_RATERS = 12


@dataclass(frozen=True)
class Picture:
    """A plot that was written as NAME.png and NAME.svg: its title, what it shows in words, and the SVG's text."""

    name: str
    title: str
    caption: str
    svg: str


def draw_plots(agreement: Agreement, table: Table, folder: Path) -> tuple[Picture, ...]:
    """Write each plot into `folder` as PNG and SVG. Raises OSError where it cannot be written."""
    import matplotlib.style

    with matplotlib.style.context(["default", STYLE]):  # whatever the user's own matplotlibrc says
        pictures = [
            _save(folder, "bland_altman", "Differences against means", *plot_bland_altman(agreement)),
            _save(folder, "identity", "One method against the other", *plot_identity(agreement)),
        ]
        columns = rater_columns(agreement, table)
        if len(columns) > 1:  # one alone would repeat the first plot
            pictures.append(_save(folder, "raters", "Rater by rater", *plot_raters(agreement, columns)))
    return tuple(pictures)


def plot_bland_altman(agreement: Agreement) -> tuple[Figure, str]:
    """Differences (or ratios) over means, with bias, limits, their intervals, and what is acceptable; and a caption."""
    found, protocol, numbers = agreement.bland_altman, agreement.protocol, numbers_for(agreement)
    figure = new_figure(5.6, 4.3)
    axes = figure.subplots()
    points = _shown(found)
    heights = [_height(point, found.scale) for point in points]
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
    axes.set_xlabel(_with_unit(f"mean of {_short(protocol.reference)} and {_short(protocol.test)}", agreement.unit))
    axes.set_ylabel(_between(agreement))
    axes.set_title(_title(agreement))
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
    axes.set_xlabel(_with_unit(_short(protocol.reference), agreement.unit))
    axes.set_ylabel(_with_unit(_short(protocol.test), agreement.unit))
    axes.set_title(_title(agreement))
    caption = (
        "Each point is a hip; on the thin line both methods read the same. "
        "Deming and Passing-Bablok allow for errors in both methods."
    )
    return figure, " ".join([caption, *missing])


def plot_raters(agreement: Agreement, columns: Sequence[RaterColumn]) -> tuple[Figure, str]:
    """A panel a rater with a column a session: each reading's difference, one hip's joined; and a caption."""
    raters = tuple(dict.fromkeys(column.rater for column in columns))
    shown, ratio = raters[:MOST_RATERS], agreement.bland_altman.scale == "ratio"
    wide = min(len(shown), 4)
    tall = -(-len(shown) // wide)
    figure = new_figure(max(1.7 + 1.5 * wide, 3.6), 0.9 + 2.7 * tall)
    panels = list(figure.subplots(tall, wide, sharey=True, squeeze=False).flat)
    for panel, rater in zip(panels, shown, strict=False):
        _panel(panel, [column for column in columns if column.rater == rater], agreement)
        panel.set_title(_short(rater, 18) if rater else "no rater named")
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    if ratio:
        ratio_axis(panels[0])
    figure.supylabel(_between(agreement), fontsize=9.5)
    figure.supxlabel("session, mean, number of readings", fontsize=9.5)
    caption = (
        "Each point is one reading against the other method's mean of that hip; lines join a hip's readings; "
        "the bar is the mean, written below with the number of readings."
    )
    more = f" The first {MOST_RATERS} of {len(raters)} raters are drawn." if len(raters) > len(shown) else ""
    return figure, caption + more


def acceptable(agreement: Agreement) -> tuple[float, ...]:
    """The bounds that the protocol fixed on the scale that is shown; empty without."""
    protocol = agreement.protocol
    if agreement.bland_altman.scale == "ratio":
        return (1 / protocol.acceptable_ratio, protocol.acceptable_ratio) if protocol.acceptable_ratio else ()
    return (-protocol.acceptable_difference, protocol.acceptable_difference) if protocol.acceptable_difference else ()


def _panel(axes: Axes, columns: Sequence[RaterColumn], agreement: Agreement) -> None:
    numbers = numbers_for(agreement)
    places: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for x, column in enumerate(columns):
        beside = [x + 0.36 * ((n * GOLDEN) % 1 - 0.5) for n in range(len(column.values))]
        for at, (hip, value) in zip(beside, column.values, strict=True):
            places.setdefault(hip, []).append((at, value))
        dots(axes, beside, [value for _, value in column.values])
        axes.plot([x - 0.28, x + 0.28], [column.mean] * 2, color=INK, linewidth=2, zorder=4)
    join(axes, places.values())
    axes.axhline(1.0 if numbers.ratio else 0.0, color=LINES, linewidth=0.8, zorder=1)
    for bound in acceptable(agreement):
        axes.axhline(bound, color=ACCEPTABLE, linestyle="-.", linewidth=1.2)
    names = [
        f"{_short(column.session, 8) or 'all'}\n{numbers.value(column.mean, signed=True)}\nn {len(column.values):,}"
        for column in columns
    ]
    axes.set_xticks(range(len(columns)), names, fontsize=8)
    axes.set_xlim(-0.6, len(columns) - 0.4)


def _save(folder: Path, name: str, title: str, figure: Figure, caption: str) -> Picture:
    figure.savefig(folder / f"{name}.png", dpi=200, metadata={"Software": None})
    figure.set_layout_engine("none")  # laid out once: the same in both, and quicker
    figure.savefig(folder / f"{name}.svg", dpi=200, metadata={"Date": None, "Creator": None})
    return Picture(name, title, caption, (folder / f"{name}.svg").read_text("utf-8"))


def _shown(found: BlandAltman) -> list[Point]:
    return [point for point in found.points if found.scale == "difference" or point.ratio is not None]


def _height(point: Point, scale: str) -> float:
    return float(point.ratio or 0.0) if scale == "ratio" else point.difference


def _line_name(line: Regression) -> str:
    slope, intercept = line.slope.value or 0.0, line.intercept.value or 0.0
    sign = "+" if intercept >= 0 else number(-1, 0)[0]
    return f"{line.name}: {number(slope, 3)} x {sign} {number(abs(intercept), 2)}"


def _between(agreement: Agreement) -> str:
    protocol = agreement.protocol
    reference, test = _short(protocol.reference, 19), _short(protocol.test, 19)
    if agreement.bland_altman.scale == "ratio":
        return f"{test} / {reference}"
    return _with_unit(f"{test} {number(-1, 0)[0]} {reference}", agreement.unit)


def _with_unit(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def _short(name: str, length: int = 24) -> str:
    name = " ".join(name.split())
    return name if len(name) <= length else f"{name[: length - 3]}..."


def _title(agreement: Agreement) -> str:
    found = agreement.bland_altman
    what = f"{_short(agreement.quantity, 30).replace('_', ' ')}: " if agreement.quantity else ""
    return f"{what}{count(found.hips, 'hip')} of {count(found.subjects, 'subject')}"


def _bland_altman_caption(agreement: Agreement) -> str:
    found = agreement.bland_altman
    text = (
        f"Each point is a hip. Between the limits lie {100 * found.limits_share:g} % of single "
        f"{'ratios' if found.scale == 'ratio' else 'differences'}, as far as the model holds; "
        f"bands are {100 * found.bias.level:g} % confidence intervals."
    )
    if any(max(point.readings) > 1 for point in found.points):
        text += " Points are means of readings, and scatter less than single readings do."
    if found.hips > found.subjects and found.subjects <= MOST_JOINED:
        text += " Thin lines join the points of one subject."
    left_out = len(found.points) - len(_shown(found))
    if left_out:
        text += f" {count(left_out, 'hip')} with a reading of nought or below cannot be drawn as a ratio."
    return text
