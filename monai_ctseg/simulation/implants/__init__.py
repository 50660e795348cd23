"""Implants: metal shapes in three dimensions, as signed distances, with plausible sizes and metals.

implant    kind, metal and solids; implants turned and shifted
screws     screws, plates
hip, femur, spine, teeth, trunk, outside   the kinds
catalogue  all kinds by name
"""

from monai_ctseg.simulation.implants.catalogue import GROUPS, KINDS, ImplantGroup, kinds_in, make_implants
from monai_ctseg.simulation.implants.implant import Family, Implant, pose_implants

__all__ = ["GROUPS", "KINDS", "Family", "Implant", "ImplantGroup", "kinds_in", "make_implants", "pose_implants"]
