"""How far a network's mask of a scan can be relied on.

calibration           what a bundle says of its weights
intervals             a volume interval for each object
out_of_distribution   in which ways a scan is unlike the training scans
"""

from monai_ctseg.segmentation.confidence.calibration import Calibration
from monai_ctseg.segmentation.confidence.intervals import (
    LEVELS,
    VolumeIntervals,
    matching_levels,
    set_levels,
    volume_intervals,
)
from monai_ctseg.segmentation.confidence.out_of_distribution import measure_noise, out_of_distribution

__all__ = [
    "LEVELS",
    "Calibration",
    "VolumeIntervals",
    "matching_levels",
    "measure_noise",
    "out_of_distribution",
    "set_levels",
    "volume_intervals",
]
