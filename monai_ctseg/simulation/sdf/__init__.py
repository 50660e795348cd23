"""Shapes by signed distance: one type, `Solid`, for the phantom's bodies and for implants.

vectors      points, rotations
solid        Solid: distance, box, pose; the distance to the nearest of many
combine      union, difference with a half space, rounded seams
primitives   rods, bars, ellipsoids, shells, lofts
wires        wires, helices, threads, meshes

Distances are in mm, float32, negative inside. Near the surface a distance is exact or too small by some factor, never
too large, unless a function says otherwise.
"""

from monai_ctseg.simulation.sdf.combine import FAR_MM, box_of, cut_by_plane, smooth_max, smooth_min, union
from monai_ctseg.simulation.sdf.primitives import (
    Profile,
    bar,
    block,
    cylinder,
    drum,
    ellipsoid,
    half_shell,
    loft,
    lump,
    ring,
    rod,
    round_cone,
    sphere,
    tube,
)
from monai_ctseg.simulation.sdf.solid import REACH_MM, DistanceFunction, Solid, distance_to_nearest
from monai_ctseg.simulation.sdf.vectors import Floats, Points, Vector, dot, rotation_about, shifted, toward, xyz
from monai_ctseg.simulation.sdf.wires import chain, helix, mesh, thread, wire, zigzag

__all__ = [
    "FAR_MM",
    "REACH_MM",
    "DistanceFunction",
    "Floats",
    "Points",
    "Profile",
    "Solid",
    "Vector",
    "bar",
    "block",
    "box_of",
    "chain",
    "cut_by_plane",
    "cylinder",
    "distance_to_nearest",
    "dot",
    "drum",
    "ellipsoid",
    "half_shell",
    "helix",
    "loft",
    "lump",
    "mesh",
    "ring",
    "rod",
    "rotation_about",
    "round_cone",
    "shifted",
    "smooth_max",
    "smooth_min",
    "sphere",
    "thread",
    "toward",
    "tube",
    "union",
    "wire",
    "xyz",
    "zigzag",
]
