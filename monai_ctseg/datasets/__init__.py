"""Scans -> image/label pairs, dataset.json and splits.

sources        every CT series and NIfTI volume in any number of folders
case           one of them -> image, label and component report of a case
prepare        the whole run, which can be interrupted and resumed
cohort_folder  the folder it writes; cohort_run: what it collects
dataset_file   dataset.json, read and written; records: its cases; schema: its form; apart: no slice in two sections
label          the label of a scan
split          which slices or patients validate: slice_split, patient_split, facts
simulated      a cohort of simulated cases
"""

from monai_ctseg.datasets.cohort_run import Failure
from monai_ctseg.datasets.prepare import CohortOptions, Prepared, prepare_cohort

__all__ = ["CohortOptions", "Failure", "Prepared", "prepare_cohort"]
