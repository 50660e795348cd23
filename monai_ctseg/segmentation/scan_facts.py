"""What is judged once of a scan before metal is looked for: its padding, its intensity scale, the patient's body."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from monai_ctseg.scan import BoolArray, Scan
from monai_ctseg.segmentation.intensity import IntensityVerdict, equals, judge_intensity
from monai_ctseg.segmentation.padding import Padding, find_padding

if TYPE_CHECKING:
    from monai_ctseg.segmentation.body import Body


@dataclass(frozen=True, eq=False)
class ScanFacts:
    """A scan with what is known of it. Each fact is computed when it is first asked for, and then kept.

    Attributes:
        scan: the scan in question.
    """

    scan: Scan

    @cached_property
    def padding(self) -> Padding | None:
        """The voxels that were never measured; None where there are none."""
        return find_padding(self.scan.hu, named_hu=self.scan.padding_hu)

    @cached_property
    def intensity(self) -> IntensityVerdict:
        """What the scan's scale can show, its padding set aside."""
        return judge_intensity(self.scan.hu, padding_hu=self.padding.hu if self.padding else None)

    @cached_property
    def body(self) -> Body:
        """The patient's body."""
        from monai_ctseg.segmentation.body import locate_body  # brings scipy, which `stats` does without

        return locate_body(self.scan)

    def above(self, threshold_hu: float) -> BoolArray:
        """Voxels [i, j, k] strictly above a threshold in HU that hold no sentinel value."""
        return self.without_sentinels(np.asarray(self.scan.hu > threshold_hu))

    def without_sentinels(self, mask: BoolArray) -> BoolArray:
        """A mask [i, j, k] less the voxels with sentinel values, which are no measurement."""
        for sentinel in self.intensity.sentinels:
            mask = mask & ~equals(self.scan.hu, sentinel.hu)
        return mask
