"""Half-maximum: metal by edges that lie half-way between each object's own plateau and what is around it.

ridges       to which plateau a voxel belongs
spread       how scanners blur
edges        the objects of one box of a scan
boxes        where to look
saturated    what can be done where the scale ends below the plateau
find         a whole scan
average      a network's probability and these edges
"""

from monai_ctseg.segmentation.half_maximum.average import average_probabilities
from monai_ctseg.segmentation.half_maximum.find import Objects, find_objects, shows_plateaus
from monai_ctseg.segmentation.half_maximum.saturated import find_plateaus, plateau_interval

__all__ = ["Objects", "average_probabilities", "find_objects", "find_plateaus", "plateau_interval", "shows_plateaus"]
