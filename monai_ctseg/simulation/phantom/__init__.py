"""Phantom: bodies of patients on a table, without metal, with the landmarks at which implants sit.

`sample_body` paints a part of a patient at random, from the knees to the top of the head or an arm, on any grid: HU as
a perfect scanner would read them, except that voxels hold more than one tissue. No noise and no blur.

Frames, in millimetres with x to the patient's left, y to the back and z to the head: LPS (the grid's); and the body
frame, in which the anatomy is written down for a patient of usual size (see `person`), brought into LPS by a pose.

canvas       layers painted on a slab of voxels, each in its own box
fields       profiles along the body, random waves for texture
person       what varies from patient to patient, and the pose
outline muscles pelvis spine chest organs limbs head   anatomy
extras       what is bright without being metal
table        what the patient lies on
scene        the anatomy of a part in the order of painting, and its landmarks
positioning  the body on the table, landmarks on skin and table
bodies       all of it on a grid
"""

from monai_ctseg.simulation.phantom.bodies import BodyPhantom, sample_body
from monai_ctseg.simulation.phantom.scene import Landmark

__all__ = ["BodyPhantom", "Landmark", "sample_body"]
