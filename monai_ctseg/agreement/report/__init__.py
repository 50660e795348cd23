"""Agreement report: how well two methods of measurement agree, as plots and as pages.

items   the 15 items of the Guidelines for Reporting Reliability and Agreement Studies (GRRAS)
grras   these items, filled or named as missing
blocks  the statistics as tables; summary: the main figures as lines
plots   Bland-Altman, identity and rater plots as PNG and SVG
report  report.md and report.html, in the order of those items
"""

from monai_ctseg.agreement.report.items import ITEMS, Item
from monai_ctseg.agreement.report.report import write_report

__all__ = ["ITEMS", "Item", "write_report"]
