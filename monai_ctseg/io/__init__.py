"""Files <-> Scan and Mask.

read    the one door for a scan, whatever it comes as
dicom/  DICOM series: files, headers, frames, geometry, pixels
nifti   NIfTI volumes and masks
walk    the one search through folders
"""
