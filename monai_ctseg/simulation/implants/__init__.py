"""Implants: metal shapes in three dimensions, as signed distances, with plausible sizes and metals.

implant    kind, metal and solids; implants turned and shifted
screws     screws, plates
hip, femur, spine, teeth, trunk, outside   the kinds
catalogue  all kinds by name
"""

from monai_ctseg.simulation.implants.catalogue import KINDS, PLACES, Place, kinds_for, make_implants
from monai_ctseg.simulation.implants.implant import Family, Implant, place

__all__ = ["KINDS", "PLACES", "Family", "Implant", "Place", "kinds_for", "make_implants", "place"]
