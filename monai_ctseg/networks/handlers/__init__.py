"""Ignite handlers.

checkpoints  a training that can be cut off at any step: seeds, last.pt, history, loss that is no number
pictures     validation slices for TensorBoard, and the overview of the best epoch
masks        what validation predicted, a PNG a slice
progress     tells a callback of each training step
scores       every case against its truth: tables and a sheet of the worst
"""

from monai_ctseg.networks.handlers.checkpoints import Checkpoint, Reseed, StopOnNaN
from monai_ctseg.networks.handlers.masks import MaskWriter
from monai_ctseg.networks.handlers.pictures import Pictures, Validated, choose_slices, draw_sheet
from monai_ctseg.networks.handlers.progress import Progress, ProgressReport
from monai_ctseg.networks.handlers.scores import Scores

__all__ = [
    "Checkpoint",
    "MaskWriter",
    "Pictures",
    "Progress",
    "ProgressReport",
    "Reseed",
    "Scores",
    "StopOnNaN",
    "Validated",
    "choose_slices",
    "draw_sheet",
]
