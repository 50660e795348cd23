"""Figures of scans and masks. None shows a name or a header of the patient.

statistics  a scan's intensities slice by slice
sheets      truth beside prediction
methods     one slice with the masks of several methods
"""

from monai_ctseg.plots.methods import plot_methods
from monai_ctseg.plots.sheets import SheetSlice, plot_overview, plot_sheet, shorten
from monai_ctseg.plots.statistics import plot_stats

__all__ = ["SheetSlice", "plot_methods", "plot_overview", "plot_sheet", "plot_stats", "shorten"]
