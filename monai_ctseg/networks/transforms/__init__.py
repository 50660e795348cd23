"""Dictionary transforms: how scans enter MONAI. Each one is a thin wrapper over a pure function.

scans      a Scan as a tensor and back; LoadScand
masks      the label, the body, and masks without what lies outside it
values     HU and logits: the logarithmic window, the temperature
slices     chosen slices, and runs of slices without a gap
patches    where patches may be centred

LoadScand is not a MONAI ImageReader on purpose: LoadImage tries other readers when one refuses a scan.
"""

from monai_ctseg.networks.transforms.masks import FindBodyd, KeepInBodyd, LabelMetald
from monai_ctseg.networks.transforms.patches import PatchCentersd
from monai_ctseg.networks.transforms.scans import LoadScand, scan_to_tensor, slice_names, tensor_to_scan, volume_of
from monai_ctseg.networks.transforms.slices import SelectSlicesd, contiguous_runs, select_slices
from monai_ctseg.networks.transforms.values import CompressHUd, DivideByTemperatured, compress_hu, expand_hu

__all__ = [
    "CompressHUd",
    "DivideByTemperatured",
    "FindBodyd",
    "KeepInBodyd",
    "LabelMetald",
    "LoadScand",
    "PatchCentersd",
    "SelectSlicesd",
    "compress_hu",
    "contiguous_runs",
    "expand_hu",
    "scan_to_tensor",
    "select_slices",
    "slice_names",
    "tensor_to_scan",
    "volume_of",
]
