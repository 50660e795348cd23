"""Report: one agreement as report.html (offline, no scripts) and report.md, in the order of the GRRAS items."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from monai_ctseg.agreement.report.blocks import Block, result_blocks
from monai_ctseg.agreement.report.grras import Filled, fill
from monai_ctseg.agreement.report.marks import INK, PAPER
from monai_ctseg.agreement.report.plots import Picture, draw_plots
from monai_ctseg.agreement.report.summary import Line, quantity, summary
from monai_ctseg.agreement.statistics.records import Agreement
from monai_ctseg.agreement.statistics.table import Table

JSON, HIPS, HTML, MARKDOWN = "agreement.json", "hips.csv", "report.html", "report.md"


@dataclass(frozen=True)
class Page:
    """What both templates show."""

    title: str
    summary: tuple[Line, ...]
    items: tuple[Filled, ...]
    blocks: tuple[Block, ...]
    pictures: tuple[Picture, ...]
    version: str

    @property
    def missing(self) -> tuple[Filled, ...]:
        """The items that somebody still has to state."""
        return tuple(filled for filled in self.items if filled.missing)


def write_report(
    agreement: Agreement,
    table: Table,
    folder: Path,
    *,
    statements: Mapping[str, str] | None = None,
    title: str | None = None,
) -> tuple[str, ...]:
    """Write agreement.json, hips.csv, report.md, report.html and each plot as PNG and SVG into an existing folder.

    table: what `agreement` was made from; the rater plot shows its readings.
    statements: what only the people of a study can say, plain text by the key of a GRRAS item (`grras.ITEMS`), such
    as {"population": "Adults with ..."}; it stands before what the data say. Paragraphs are parted by an empty line.
    An item that the data cannot fill and that has no statement is named as missing.
    Returns the names of the files; the same input gives the same bytes. Raises ValueError for a key that no item has
    (before anything is written), OSError where `folder` cannot be written.
    """
    items = fill(agreement, statements or {})
    pictures = draw_plots(agreement, table, folder)
    page = Page(
        title or _title(agreement),
        summary(agreement),
        items,
        result_blocks(agreement),
        pictures,
        metadata.version("monai_ctseg"),
    )
    (folder / HTML).write_text(render(page, HTML), "utf-8")
    (folder / MARKDOWN).write_text(render(page, MARKDOWN), "utf-8")
    text = json.dumps(asdict(agreement), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / JSON).write_text(text + "\n", "utf-8")
    _write_hips(agreement, folder / HIPS)
    drawn = [f"{picture.name}.{ending}" for picture in pictures for ending in ("png", "svg")]
    return (JSON, HIPS, MARKDOWN, HTML, *drawn)


def missing_items(agreement: Agreement, statements: Mapping[str, str] | None = None) -> tuple[Filled, ...]:
    """The GRRAS items that somebody still has to state."""
    return tuple(filled for filled in fill(agreement, statements or {}) if filled.missing)


def render(page: Page, name: str) -> str:
    """The page by the template of this name; what people wrote is escaped as its format needs it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    if name == MARKDOWN:
        options["finalize"] = markdown
    environment = Environment(
        loader=PackageLoader("monai_ctseg.agreement.report"),
        autoescape=name == HTML,
        undefined=StrictUndefined,
        **options,
    )
    environment.filters["inline"] = lambda picture: Markup(inline_svg(picture))
    return environment.get_template(f"{name}.jinja").render(page=page)


def markdown(value: object) -> str:
    """Text that no Markdown reads as anything else, on one line; what a template marks as safe stays."""
    if hasattr(value, "__html__"):
        return str(value)
    return re.sub(r"([\\`*_\[\]<>|#&~$])", r"\\\1", " ".join(str(value).split()))


def inline_svg(picture: Picture) -> str:
    """A plot for a page: the page's own colours for ink and paper, its title for who cannot see it, ids of its own."""
    svg = picture.svg[picture.svg.index("<svg") :]
    svg = svg.replace(INK, "currentColor").replace(PAPER, "none")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{picture.name}-", svg)
    width, height = re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups()  # type: ignore[union-attr]
    return re.sub(
        r"<svg[^>]*>",
        f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" role="img" aria-label="{picture.title}" '
        f'viewBox="0 0 {width} {height}" style="max-width:{float(width) * 4 / 3:.0f}px">',
        svg,
        count=1,
    )


def _title(agreement: Agreement) -> str:
    protocol = agreement.protocol
    what = f": {quantity(agreement)}" if agreement.quantity else ""
    return f"Agreement of {protocol.test} with {protocol.reference}{what}"


def _write_hips(agreement: Agreement, path: Path) -> None:
    header = ("subject", "side", "session", "reference", "test", "mean", "difference", "ratio", "readings")
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(header)
        for point in agreement.bland_altman.points:
            row = asdict(point)
            row["readings"] = "{} + {}".format(*point.readings)
            rows.writerow("" if row[name] is None else row[name] for name in header)
