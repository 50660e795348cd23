"""Segmentation: Scan -> metal.

intensity      saturation, sentinel values
padding        voxels that were never measured
body           the patient without the table
scan_facts     these, once a scan
components     connected components of a mask, measured
keep           which of them are kept, and why
threshold      what lies above so many HU
half_maximum/  each object up to its own edges
confidence/    volume intervals, what a network never saw
records        what comes out
pipeline       all of it: `segment`
"""
