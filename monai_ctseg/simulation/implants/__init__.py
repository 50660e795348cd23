"""Implants: metal shapes in three dimensions, as signed distances, with plausible sizes and metals.

part       solids with a box and a place; their union
place      an implant: kind, metal, parts; where it lies
shapes     threads, wires, meshes, lofts, lumps
screws     screws, plates
hip, femur, spine, teeth, trunk, outside   the kinds
catalogue  all kinds by name
"""

from monai_ctseg.simulation.implants.catalogue import KINDS, PLACES, Place, kinds_for, make_implants
from monai_ctseg.simulation.implants.part import Part, toward
from monai_ctseg.simulation.implants.place import Family, Implant, place

__all__ = ["KINDS", "PLACES", "Family", "Implant", "Part", "Place", "kinds_for", "make_implants", "place", "toward"]
