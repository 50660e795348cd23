"""Ignite handlers.

reseed       every random state at the start of each epoch
history      a row for each epoch
checkpoints  last.pt, model.pt and history.csv: a training can be interrupted and resumes; a loss of NaN stops it
pictures     validation slices for TensorBoard, and the overview of the best epoch
masks        what validation predicted, a PNG for each slice
progress     calls back after each training step
scores       every case compared with its truth: tables, and a sheet of the worst cases
"""

from monai_ctseg.networks.handlers.checkpoints import Checkpoint, StopOnNaN
from monai_ctseg.networks.handlers.history import History
from monai_ctseg.networks.handlers.masks import MaskWriter
from monai_ctseg.networks.handlers.pictures import Pictures, Validated, choose_slices, draw_sheet
from monai_ctseg.networks.handlers.progress import ProgressReport, TrainingProgress
from monai_ctseg.networks.handlers.reseed import Reseed
from monai_ctseg.networks.handlers.scores import Scores

__all__ = [
    "Checkpoint",
    "History",
    "MaskWriter",
    "Pictures",
    "ProgressReport",
    "Reseed",
    "Scores",
    "StopOnNaN",
    "TrainingProgress",
    "Validated",
    "choose_slices",
    "draw_sheet",
]
