"""Report: one agreement as report.html (offline, without scripts) and report.md, in the order of the GRRAS items."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from monai_ctseg.agreement.csv_table import write_csv
from monai_ctseg.agreement.report.blocks import Block, result_blocks
from monai_ctseg.agreement.report.grras import Filled, fill
from monai_ctseg.agreement.report.marks import INK, PAPER
from monai_ctseg.agreement.report.plots import Picture, draw_plots
from monai_ctseg.agreement.report.summary import Line, quantity, summary
from monai_ctseg.agreement.statistics.records import Agreement
from monai_ctseg.agreement.statistics.table import Table
from monai_ctseg.errors import needs_extra

JSON, TARGETS, HTML, MARKDOWN = "agreement.json", "targets.csv", "report.html", "report.md"


@dataclass(frozen=True)
class Page:
    """The content of both templates."""

    title: str
    summary: tuple[Line, ...]
    items: tuple[Filled, ...]
    blocks: tuple[Block, ...]
    pictures: tuple[Picture, ...]
    version: str

    @property
    def missing(self) -> tuple[Filled, ...]:
        """The items that still have to be stated."""
        return tuple(filled for filled in self.items if filled.missing)


def write_report(
    agreement: Agreement,
    table: Table,
    folder: Path,
    *,
    statements: Mapping[str, str] | None = None,
    title: str | None = None,
) -> tuple[str, ...]:
    """Write agreement.json, targets.csv, report.md, report.html and each plot as PNG and SVG into an existing folder.

    An item that the data cannot fill and that has no statement is named as missing. The same input gives the same
    bytes.

    Args:
        agreement: The statistics, from `analyse`.
        table: What `agreement` was computed from; the rater plot shows its readings.
        folder: Where to write.
        statements: What only the people of a study know: plain text by the key of a GRRAS item (`ITEMS`), such as
            {"population": "Adults with ..."}. An empty line separates paragraphs.
        title: Title of the pages; None: one that names methods and quantity.

    Returns:
        The names of the files.

    Raises:
        ValueError: A statement has the key of no item; nothing was written.
        MissingExtra: Jinja is not installed.
        OSError: `folder` cannot be written.
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
    _write_targets(agreement, folder / TARGETS)
    drawn = [f"{picture.name}.{ending}" for picture in pictures for ending in ("png", "svg")]
    return (JSON, TARGETS, MARKDOWN, HTML, *drawn)


def missing_items(agreement: Agreement, statements: Mapping[str, str] | None = None) -> tuple[Filled, ...]:
    """The GRRAS items that still have to be stated; arguments as for `write_report`."""
    return tuple(filled for filled in fill(agreement, statements or {}) if filled.missing)


def render(page: Page, name: str) -> str:
    """The page by the template of this name; texts are escaped for its format."""
    with needs_extra("agreement"):
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
    """Text on one line, escaped for Markdown; what a template marks as safe stays."""
    if hasattr(value, "__html__"):
        return str(value)
    return re.sub(r"([\\`*_\[\]<>|#&~$])", r"\\\1", " ".join(str(value).split()))


def inline_svg(picture: Picture) -> str:
    """A plot for a page: in the colours of the page, with its title as a label and with unique ids."""
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


def _write_targets(agreement: Agreement, path: Path) -> None:
    header = ("subject", "side", "session", "reference", "test", "mean", "difference", "ratio", "readings")
    points = agreement.bland_altman.points
    write_csv(path, header, [asdict(point) | {"readings": "{} + {}".format(*point.readings)} for point in points])
