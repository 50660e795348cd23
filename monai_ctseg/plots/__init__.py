"""Figures of scans and masks. None shows a name or a header of the patient.

scan_stats  a scan's intensities slice by slice
sheets      truth beside prediction
methods     one slice with the masks of several methods
"""

from monai_ctseg.plots.methods import plot_methods
from monai_ctseg.plots.scan_stats import plot_stats
from monai_ctseg.plots.sheets import SheetSlice, plot_overview, plot_sheet, shorten

__all__ = ["SheetSlice", "plot_methods", "plot_overview", "plot_sheet", "plot_stats", "shorten"]
