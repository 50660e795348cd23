"""Find: the hips of a scan, native or replaced, left and right."""

from __future__ import annotations

import numpy as np

from monai_ctseg.hip.fitness import why_unfit
from monai_ctseg.hip.hips import Hip, Hips, by_side, can_be_pair
from monai_ctseg.hip.native import find_native
from monai_ctseg.hip.replaced import find_replaced
from monai_ctseg.hip.search import METAL_BALL, find_balls
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Scan
from monai_ctseg.segmentation.scan_facts import ScanFacts


def find_hips(scan: Scan, *, progress: Progress | None = None) -> Hips:
    """Find the hips of a scan: first ball heads of metal, then, away from them, femoral heads of bone.

    Args:
        scan: in HU, any orientation; `why_unfit` says which scans are too coarse or too small.
        progress: called with the steps done and their number.

    Returns:
        The hips by side; None where there is none, with a reason where none can be found.

    """
    report = progress or (lambda done, of: None)
    if reason := why_unfit(scan):
        return Hips(None, None, reason)
    verdict = ScanFacts(scan).intensity
    report(0, 4)
    hips: list[Hip] = []
    if verdict.saturated or verdict.highest_hu > METAL_BALL.window_hu[1]:
        hips += find_replaced(scan, verdict.highest_hu if verdict.saturated else np.inf)
    report(1, 4)
    candidates = find_balls(scan) if len(hips) < 2 else []
    report(2, 4)
    natives = find_native(scan, candidates, [hip.center_lps for hip in hips])
    while len(hips) < 2 and (native := next(natives, None)) is not None:
        if all(can_be_pair(native.center_lps, other.center_lps) for other in hips):
            hips.append(native)
    report(4, 4)
    return by_side(hips)
