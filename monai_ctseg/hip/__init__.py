"""Hip: the measures of hips on CT, native or replaced, left and right.

`measure_hips` gives every quantity, with a 95 % interval or the reason why it is not measurable:

femoral_head_diameter, femoral_head_center_x, _y, _z   the sphere of the head's bony surface; centres in LPS mm
acetabulum_diameter, acetabulum_center_x, _y, _z       the sphere of the socket's subchondral bone
acetabulum_depth                                       from the plane of its rim to the sphere's pole
acetabulum_inclination, acetabulum_anteversion         of that plane, radiological, to the scanner's coronal plane
ball_head_diameter, ball_head_center_x, _y, _z         of a metal ball head
cup_diameter, cup_center_x, _y, _z                     the outer surface of a metal cup, pegs and screws left out
cup_inclination, cup_anteversion                       of its rim, as above
stem_axis_coronal, stem_axis_sagittal                  of the stem from 60 mm below the ball, to patient z: positive
                                                       where its lower end lies lateral, or in front
hip_center_distance                                    between the centres of both heads
hip_center_height_difference                           left minus right along patient z: a proxy for leg length

search     places like a ball
sphere rim layers rays   spheres, planes, and edges along rays
optics     blur and bone of a scan
native socket ball cup stem   the parts of a hip
find       which hips there are
measure    measurements and their intervals
records table pictures   what comes out
"""

from monai_ctseg.hip.find import Hips, NativeHip, ReplacedHip, find_hips
from monai_ctseg.hip.measure import measure_hips, measurements
from monai_ctseg.hip.records import Measurement

__all__ = ["Hips", "Measurement", "NativeHip", "ReplacedHip", "find_hips", "measure_hips", "measurements"]
