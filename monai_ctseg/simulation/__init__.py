"""Simulation: CT of a body with metal in it, by the physics that make its artefacts, with the truth beside it.

materials    attenuation of tissues and metals, spectra
projection   line integrals of a slice, and back
scanner      what varies from one CT to another
acquire      one slice: readings, noise, corrections, reconstruction
simulate     a whole scan, slices in parallel
cases        body, implants, grid and scanner at random
real_body    a real scan as the body
"""

from monai_ctseg.simulation.cases import Case, Wish, draw_case, draw_case_in, make_case
from monai_ctseg.simulation.scanner import Scanner, draw_scanner
from monai_ctseg.simulation.simulate import Simulated, simulate

__all__ = ["Case", "Scanner", "Simulated", "Wish", "draw_case", "draw_case_in", "draw_scanner", "make_case", "simulate"]
