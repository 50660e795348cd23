"""Half-maximum: metal by edges that lie half-way between each object's own plateau and what is around it.

ridges       to which plateau a voxel belongs
spread       how scanners blur
edges        the objects of one box of a scan
boxes        where to look
saturated    what is left to do where the scale ends under the plateau
find         a whole scan
combine      a network's probability and these edges
"""

from monai_ctseg.segmentation.half_maximum.combine import METAL, combine_edges
from monai_ctseg.segmentation.half_maximum.find import find_metal_half_maximum

__all__ = ["METAL", "combine_edges", "find_metal_half_maximum"]
