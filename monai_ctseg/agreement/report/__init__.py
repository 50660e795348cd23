"""Agreement report: what two methods of measurement have in common, as pictures and as pages to read.

items   the 15 items of the Guidelines for Reporting Reliability and Agreement Studies
grras   these items, filled or named as missing
plots   Bland-Altman, identity and rater plots as PNG and SVG
report  report.md and report.html, in the order of those items
"""

from monai_ctseg.agreement.report.items import ITEMS, Item
from monai_ctseg.agreement.report.report import write_report

__all__ = ["ITEMS", "Item", "write_report"]
