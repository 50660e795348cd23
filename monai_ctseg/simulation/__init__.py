"""Simulation: CT of a body with metal in it, by the physics that make its artefacts, with the truth beside it.

sdf            shapes by signed distance: one `Solid`
phantom        bodies of patients on a table, with landmarks
implants       metal implants by kind
sites          which kinds belong to which landmarks
insertion      implants at the landmarks of a patient
field_of_view  the grid of an image
real_body      a real scan as the body
scanner        what varies from one CT to another
materials      attenuation of tissues and metals, spectra
projection     line integrals of a slice, and back
plane, metal   where slices lie, and what implants fill of them
acquire        one slice: readings, noise, corrections, reconstruction
simulate       a whole scan, slices in parallel
cases          all of it sampled at random

The physics need the extra `simulation` (spekpy, xraydb), which is imported when a beam is computed.
"""

from monai_ctseg.simulation.cases import CaseOptions, SimulationCase, sample_case, sample_case_in_body, simulate_case
from monai_ctseg.simulation.scanner import Scanner, sample_scanner
from monai_ctseg.simulation.simulate import SimulatedScan, simulate

__all__ = [
    "CaseOptions",
    "Scanner",
    "SimulatedScan",
    "SimulationCase",
    "sample_case",
    "sample_case_in_body",
    "sample_scanner",
    "simulate",
    "simulate_case",
]
