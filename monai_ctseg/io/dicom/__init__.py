"""DICOM: files -> series -> Scan, and a Scan -> a DICOM series.

header     elements of a header, and what they say the file is
frame      what one slice says of itself; the list of repairs for stripped headers
files      which files are images
geometry   order along the normal, and the Grid
pixels     stored values -> HU; decode: compressed pixels
stacks     frames -> stacks of parallel slices, and the choice among them
table      the table of stacks
series     one stack -> a Scan
write      a Scan as a CT series
"""

from monai_ctseg.io.dicom.series import read_series
from monai_ctseg.io.dicom.stacks import find_stacks
from monai_ctseg.io.dicom.table import SeriesRow, series_rows, series_table
from monai_ctseg.io.dicom.write import write_series

__all__ = ["SeriesRow", "find_stacks", "read_series", "series_rows", "series_table", "write_series"]
