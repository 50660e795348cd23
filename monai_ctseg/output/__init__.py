"""Outputs: what commands write.

place         a folder or file that appears whole or not at all
segmentation  a mask as NIfTI, a PNG a slice, and its audit
record        run.json: versions, arguments, inputs, timings
"""

from monai_ctseg.output.atomic import alone, lasting_folder, new_file, new_folder
from monai_ctseg.output.masks import WINDOW_HU, to_8_bit, write_png, write_segmentation
from monai_ctseg.output.run_record import file_sha256, write_json, write_run

__all__ = [
    "WINDOW_HU",
    "alone",
    "file_sha256",
    "lasting_folder",
    "new_file",
    "new_folder",
    "to_8_bit",
    "write_json",
    "write_png",
    "write_run",
    "write_segmentation",
]
