"""The one set-up for figures by matplotlib: no display, the same look and bytes everywhere.

matplotlib takes most of a second to import, so it is imported when the first figure is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ctseg.output.atomic import new_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110
_NO_DATES: Mapping[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}
"""What would differ between runs or versions, so that the same content gives the same bytes."""


@contextmanager
def figure_style(style: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Matplotlib's defaults with some changes, whatever the user's own matplotlibrc says.

    Enclose both drawing and saving; it also works as a decorator, `@figure_style()`.

    Args:
        style: rcParams that differ from the defaults.
    """
    import matplotlib.style

    with matplotlib.style.context(["default", {"svg.hashsalt": "monai_ctseg", **(style or {})}]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """A figure that belongs to no display and that nobody has to close.

    Args:
        width: In inches.
        height: In inches.

    Returns:
        The empty figure, with a layout that keeps labels apart.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: str | Path, *, dpi: float = DPI) -> None:
    """Write a figure, or replace it; the file appears whole or not at all.

    Args:
        figure: From `new_figure`.
        path: PNG, SVG, PDF, or another format of matplotlib, by its ending.
        dpi: Pixels an inch.

    Raises:
        OutputError: The file cannot be written.
        ValueError: matplotlib knows no format with this ending.
    """
    path = Path(path)
    with new_file(path, overwrite=True) as partial:
        figure.savefig(partial, dpi=dpi, metadata=_NO_DATES.get(path.suffix.lower()))
