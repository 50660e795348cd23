"""What commands leave behind.

atomic       the one writer: a file or folder that appears whole or not at all
earlier_run  what an earlier run left in a folder, and whether a new one may replace it
resumable    a folder for long work that can be interrupted and resumed
run_record   run.json: versions, arguments, inputs, timings
figures      the one set-up for matplotlib
masks        a mask as NIfTI, a PNG a slice, and its component report
"""

from monai_ctseg.output.atomic import new_file, new_folder, write_bytes, write_json, write_text
from monai_ctseg.output.masks import WINDOW_HU, segmentation_writer, to_8_bit, write_png
from monai_ctseg.output.resumable import locked, resumable_folder
from monai_ctseg.output.run_record import file_sha256, write_run

__all__ = [
    "WINDOW_HU",
    "file_sha256",
    "locked",
    "new_file",
    "new_folder",
    "resumable_folder",
    "segmentation_writer",
    "to_8_bit",
    "write_bytes",
    "write_json",
    "write_png",
    "write_run",
    "write_text",
]
