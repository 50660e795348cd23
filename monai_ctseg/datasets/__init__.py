"""Cohort: any number of scans -> image/label pairs, audits and dataset.json.

find      every CT series and NIfTI volume in any number of places
case      one of them -> image, label and audit of a case
prepare   the whole run, which can be cut off and started again
"""

from monai_ctseg.datasets.prepare import Failure, Prepared, prepare_cohort

__all__ = ["Failure", "Prepared", "prepare_cohort"]
