"""Hip: the measures of hips on CT, native or replaced, left and right.

`measure_hips` gives every quantity, with a 95 % interval or the reason why it is not measurable:

femoral_head_diameter, femoral_head_center_x, _y, _z   the sphere of the head's bony surface; centres in LPS mm
acetabulum_diameter, acetabulum_center_x, _y, _z       the sphere of the socket's subchondral bone
acetabulum_depth                                       from the plane of its rim to the sphere's pole
acetabulum_inclination, acetabulum_anteversion         of that plane, radiological, to the scanner's coronal plane
ball_head_diameter, ball_head_center_x, _y, _z         of a metal ball head
cup_diameter, cup_center_x, _y, _z                     the outer surface of a metal cup, without pegs and screws
cup_inclination, cup_anteversion                       of its rim, as above
stem_axis_coronal, stem_axis_sagittal                  of the stem from 60 mm below the ball, to patient z: positive
                                                       where its lower end lies lateral, or in front
hip_center_distance                                    between the centres of both heads
hip_center_height_difference                           left minus right along patient z: a proxy for leg length

fitness                           whether a scan can be measured
search                            positions like a ball
rays sphere layers rim            edges along rays, and what is fitted to them
head_rays head socket imaging     a native hip; the blur of a scan and the HU of its bone
ball cup stem                     a replaced hip
native replaced hips find         which hips there are
measure uncertainty               measurements and their intervals
records table pictures            what comes out

Constants are frozen records beside the code that uses them. "Chosen by hand" means: they were set while the method was
made, on sampled cases (`benchmarks/hip_cases.py`) and on real scans, and no comparison of values was kept. Ranges of
"true" hips were measured in November 2026 on three real scans (hip-screw-ct, hip-prosthesis-ct, second-hip-ct) and six
sampled ones: (kind, seed) native 1008, replaced 2006, replaced 5 as it is and clipped to 3071 HU, metal-both 3 and 11.
"""

from monai_ctseg.hip.find import find_hips
from monai_ctseg.hip.hips import Hips, NativeHip, ReplacedHip
from monai_ctseg.hip.measure import measure_hips, measurements
from monai_ctseg.hip.records import Measurement

__all__ = ["Hips", "Measurement", "NativeHip", "ReplacedHip", "find_hips", "measure_hips", "measurements"]
