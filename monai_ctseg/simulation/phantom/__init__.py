"""Phantom: drawn CTs of patients: without metal, with the places where implants sit; and a quick one with a hip screw.

`draw_body` paints a part of a patient at random, from the knees to the top of the head or an arm, on a couch, on any
grid: HU as a perfect scanner would read them, but for voxels that hold more than one tissue. `make_phantom` draws hips
and thighs of the same anatomy with a hip screw, whose true place is known: its streaks, noise and blur are a likeness,
not a simulation; do not judge the removal of streaks on it.

Frames, in millimetres with x to the patient's left, y to the back and z to the head: LPS (the grid's); and the body
frame, in which the anatomy is written down for a patient of usual size (see `person`), laid into LPS by a pose.

shapes   signed distances and the boxes that hold them
canvas   layers painted on a slab of voxels, each in its own box
fields   profiles along the body, random waves for texture
person   what varies from patient to patient, and the pose
outline muscles pelvis spine chest organs limbs head   anatomy
extras   what is bright without being metal
couch    what the patient lies on
scene    the anatomy of a part in the order of painting, and its landmarks
lying    the body laid on the couch, landmarks on skin and couch
bodies   all of it on a grid
anatomy streaks draw   the phantom with the hip screw
"""

from monai_ctseg.simulation.phantom.bodies import BodyPhantom, draw_body, find_landmarks
from monai_ctseg.simulation.phantom.scene import Landmark

__all__ = ["BodyPhantom", "Landmark", "draw_body", "find_landmarks"]
