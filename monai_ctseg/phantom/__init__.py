"""Phantom: a CT of hips and thighs with a hip screw, drawn from formulas, so that the metal's true place is known.

Frames, all in millimetres with x to the patient's left, y to the back and z to the head: LPS (the grid's); the table
frame, which is LPS with its origin in the centre of the volume; and the body frame, which lies in the table frame as
the pose says.

This is a drawing, not a simulation: edges blur as under a scanner's point spread, but streaks, noise and anatomy only
look like the real ones. Do not judge the removal of streaks, or anything anatomical, on it.

solids   rods, bars and balls, and how much of a voxel they fill
anatomy  what varies from patient to patient; bones, skin, implant, marker
tissue   HU of air, table and body
streaks  what metal does to a slice, roughly
draw     all of it on a grid
"""

from monai_ctseg.phantom.bodies import BodyPhantom, draw_body, find_landmarks
from monai_ctseg.phantom.draw import Phantom, make_phantom
from monai_ctseg.phantom.scene import Landmark

__all__ = ["BodyPhantom", "Landmark", "Phantom", "draw_body", "find_landmarks", "make_phantom"]
