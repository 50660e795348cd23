"""Rater plot: differences rater by rater and session by session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from monai_ctseg.agreement.report.captions import acceptable, compared
from monai_ctseg.agreement.report.marks import ACCEPTABLE, INK, LINES, dots, join, ratio_axis
from monai_ctseg.agreement.report.readings import RaterColumn
from monai_ctseg.agreement.report.wording import numbers_for, short
from monai_ctseg.agreement.statistics.records import Agreement
from monai_ctseg.output.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GOLDEN = 0.6180339887
"""Golden section: steps of this share of a column spread points evenly, the same way each time."""
MOST_RATERS = 12


def plot_raters(agreement: Agreement, columns: Sequence[RaterColumn]) -> tuple[Figure, str]:
    """One panel per rater, one column per session: the difference of each reading, joined by target; and a caption."""
    raters = tuple(dict.fromkeys(column.rater for column in columns))
    shown, ratio = raters[:MOST_RATERS], agreement.bland_altman.scale == "ratio"
    wide = min(len(shown), 4)
    tall = -(-len(shown) // wide)
    figure = new_figure(max(1.7 + 1.5 * wide, 3.6), 0.9 + 2.7 * tall)
    panels = list(figure.subplots(tall, wide, sharey=True, squeeze=False).flat)
    for panel, rater in zip(panels, shown, strict=False):
        _panel(panel, [column for column in columns if column.rater == rater], agreement)
        panel.set_title(short(rater, 18) if rater else "no rater named")
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    if ratio:
        ratio_axis(panels[0])
    figure.supylabel(compared(agreement), fontsize=9.5)
    figure.supxlabel("session, mean, number of readings", fontsize=9.5)
    caption = (
        "Each point compares one reading with the other method's mean of that target; lines join a target's readings; "
        "the bar is the mean, written below with the number of readings."
    )
    more = f" The first {MOST_RATERS} of {len(raters)} raters are drawn." if len(raters) > len(shown) else ""
    return figure, caption + more


def _panel(axes: Axes, columns: Sequence[RaterColumn], agreement: Agreement) -> None:
    numbers = numbers_for(agreement)
    by_target: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for x, column in enumerate(columns):
        beside = [x + 0.36 * ((n * GOLDEN) % 1 - 0.5) for n in range(len(column.values))]
        for at, (target, value) in zip(beside, column.values, strict=True):
            by_target.setdefault(target, []).append((at, value))
        dots(axes, beside, [value for _, value in column.values])
        axes.plot([x - 0.28, x + 0.28], [column.mean] * 2, color=INK, linewidth=2, zorder=4)
    join(axes, by_target.values())
    axes.axhline(1.0 if numbers.ratio else 0.0, color=LINES, linewidth=0.8, zorder=1)
    for bound in acceptable(agreement):
        axes.axhline(bound, color=ACCEPTABLE, linestyle="-.", linewidth=1.2)
    names = [
        f"{short(column.session, 8) or 'all'}\n{numbers.value(column.mean, signed=True)}\nn {len(column.values):,}"
        for column in columns
    ]
    axes.set_xticks(range(len(columns)), names, fontsize=8)
    axes.set_xlim(-0.6, len(columns) - 0.4)
