"""DICOM: files -> series -> Scan, and a Scan -> a DICOM series.

files      which files are images
frame      what one slice says of itself; the list of repairs for stripped headers
geometry   order along the normal, and the Grid
pixels     stored values -> HU
series     stacks, the choice among them, and the Scan
write      a Scan as a CT series
"""

from monai_ctseg.io.dicom.series import SeriesRow, find_stacks, read_series, series_rows, series_table
from monai_ctseg.io.dicom.write import write_series

__all__ = ["SeriesRow", "find_stacks", "read_series", "series_rows", "series_table", "write_series"]
