"""Marks of the plots: colours, points, lines between them, levels with their bands and names.

Colour-blind people can distinguish the colours, and lines have different dashes. In a page `INK` and `PAPER` become the
page's own colours. matplotlib is imported on use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from monai_ctseg.agreement.report.wording import interval
from monai_ctseg.agreement.statistics.estimate import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, PAPER = "#1b1f24", "#fefefe"
POINTS, LIMITS, ACCEPTABLE, LINES = "#2f7fbf", "#c8540a", "#0a8f6a", "#8a8f96"
MANY = 2000
"""From so many points on they are one picture inside the SVG: it stays small and opens fast."""
MOST_JOINED = 300
"""Up to so many groups of points are joined by lines; with more the lines would be unreadable."""
STYLE = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "figure.facecolor": PAPER,
    "font.size": 9,
    "legend.frameon": False,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "path",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


def dots(axes: Axes, x: Sequence[float], y: Sequence[float]) -> None:
    """Points; smaller and fainter where there are many, one picture inside the SVG where there are very many."""
    many = len(x) > 300
    axes.plot(
        x,
        y,
        linestyle="none",
        marker="o",
        color=POINTS,
        markersize=3 if many else 4.5,
        markeredgewidth=0,
        alpha=0.35 if many else 0.75,
        rasterized=len(x) > MANY,
        zorder=2.5,
    )


def join(axes: Axes, groups: Iterable[Sequence[tuple[float, float]]]) -> None:
    """A thin line through the points of each group, to show that they are not independent."""
    from matplotlib.collections import LineCollection

    lines = [sorted(group) for group in groups if len(group) > 1]
    if 0 < len(lines) <= MOST_JOINED:
        alpha = 0.7 if len(lines) <= 20 else 0.35
        axes.add_collection(LineCollection(lines, colors=LINES, linewidths=0.6, alpha=alpha))


@dataclass(frozen=True)
class Level:
    """A horizontal line over the whole plot, with its interval as a band."""

    name: str
    estimate: Estimate
    color: str
    dashes: str

    @property
    def value(self) -> float:
        """The height of the line."""
        return float(self.estimate.value or 0.0)

    def draw(self, axes: Axes) -> None:
        """Draw the line, and a band where it has an interval."""
        axes.axhline(self.value, color=self.color, linestyle=self.dashes, linewidth=1.4, zorder=3)
        if self.estimate.low is not None and self.estimate.high is not None:
            axes.axhspan(self.estimate.low, self.estimate.high, color=self.color, alpha=0.13, linewidth=0, zorder=0)


def label(axes: Axes, levels: Sequence[Level], value: Callable[[float], str], decimals: int) -> None:
    """Name each level at the right; names do not overlap, a line leads from each to its level."""
    where = [axes.transAxes.inverted().transform(axes.transData.transform((0, each.value)))[1] for each in levels]
    for each, at, y in zip(levels, where, spread(where, 0.115), strict=True):
        between = interval(each.estimate, decimals)
        text = f"{each.name} {value(each.value)}" + (f"\n({between})" if between else "")
        axes.annotate(
            text,
            (1.0, at),
            (1.05, y),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": each.color, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)},
        )


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Heights moved apart until neighbours are at least `gap` apart; order and mean stay."""
    order = sorted(range(len(heights)), key=lambda n: heights[n])
    moved = list(heights)
    for _ in range(100):
        for below, above in pairwise(order):
            lack = gap - (moved[above] - moved[below])
            if lack > 1e-9:
                moved[below] -= lack / 2
                moved[above] += lack / 2
    return moved


def room(axes: Axes, heights: Sequence[float], levels: Sequence[Level]) -> None:
    """Set the vertical range so that all points, levels and bands are visible."""
    ends = [end for each in levels for end in (each.value, each.estimate.low, each.estimate.high) if end is not None]
    low, high = min([*heights, *ends], default=0.0), max([*heights, *ends], default=1.0)
    if axes.get_yscale() == "log":
        share = (high / low) ** 0.06 if high > low else 1.05
        axes.set_ylim(low / share, high * share)
        return
    margin = 0.06 * (high - low) or max(abs(high) * 0.05, 0.5)
    axes.set_ylim(low - margin, high + margin)


def ratio_axis(axes: Axes) -> None:
    """A logarithmic vertical axis with plain numbers: one half and two are equally far from 1."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()


def span(values: Iterable[float]) -> tuple[float, float]:
    """Lowest and highest with a margin; never an empty range."""
    values = list(values) or [0.0]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or max(abs(high) * 0.02, 0.5)
    return low - margin, high + margin
