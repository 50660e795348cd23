"""Scan -> Segmentation: the one way from a scan to its metal, by threshold, half-maximum or a network.

Command line, Python, cohorts and scores all come through `segment`. Padding, intensity scale, body and components are
computed once a scan (`ScanFacts`) and handed on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.segmentation.components import Components
from monai_ctseg.segmentation.confidence import Calibration, out_of_distribution, volume_intervals
from monai_ctseg.segmentation.half_maximum import (
    average_probabilities,
    find_objects,
    find_plateaus,
    plateau_interval,
    shows_plateaus,
)
from monai_ctseg.segmentation.intensity import METAL_HU
from monai_ctseg.segmentation.keep import Judged, judge
from monai_ctseg.segmentation.records import METAL, Component, Confidence, Method, Segmentation, Shares, Volumes
from monai_ctseg.segmentation.scan_facts import ScanFacts
from monai_ctseg.segmentation.threshold import find_above, try_other_thresholds


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network sees in one scan, on the scan's grid, also outside the body.

    Attributes:
        mask: the metal. At the bundles' threshold of 0.5 it is exactly where the probability reaches 128.
        probability: uint8 [i, j, k] in 255ths.
        notes: what was done otherwise than asked, a sentence each.
    """

    mask: Mask
    probability: Shares
    notes: tuple[str, ...] = ()


class Network(Protocol):
    """A network as `segment` takes it; `load_network` makes one.

    Attributes:
        half_maximum_weight, threshold_weight: of these methods' shares beside the network's probability, from 0 to 1
            (`average_probabilities`).
        calibration: what is known of its weights.
    """

    @property
    def half_maximum_weight(self) -> float: ...  # noqa: D102

    @property
    def threshold_weight(self) -> float: ...  # noqa: D102

    @property
    def calibration(self) -> Calibration: ...  # noqa: D102

    def predict(self, scan: Scan, *, progress: Progress | None = None) -> Prediction:
        """The network's probability of metal, and its mask."""
        ...


def segment(
    scan: Scan,
    *,
    method: Literal["threshold", "half-maximum"] = "threshold",
    network: Network | None = None,
    threshold_hu: float = METAL_HU,
    body_mask: bool = True,
    progress: Progress | None = None,
) -> Segmentation:
    """Find the metal in a scan.

    Args:
        scan: HU on a grid.
        method: "threshold": voxels strictly above `threshold_hu`. "half-maximum": objects that exceed `threshold_hu`
            somewhere, each up to edges half-way between its own plateau and what is around it; on a saturated scan,
            where no edge can be found so, the plateaus at the saturation level, grown to a lower threshold, with an
            interval of volume.
        network: finds the metal instead of `method`; from `load_network`.
        threshold_hu: HU, see `method`; a network does without.
        body_mask: drop components that lie outside the patient's body by more than three quarters.
        progress: called by a network with windows done and windows in all.

    Returns:
        The mask on the scan's own grid, its components with reasons, and how far to rely on it. An empty mask is the
        answer for a scan without metal.

    Raises:
        SaturatedScan: metal could not show above `threshold_hu`, or cannot be told from bone.
        TypeError: `scan` is no Scan, such as a path.
        ValueError: there is no such method.
        BundleError: the network ran out of memory, or its bundle's config is broken.
    """
    if not isinstance(scan, Scan):
        raise TypeError(f"segment takes a Scan, not {type(scan).__name__}; read_scan makes one of a path")
    facts = ScanFacts(scan)
    if network is not None:
        return _by_network(facts, network, body_mask=body_mask, progress=progress)
    by = {"threshold": _by_threshold, "half-maximum": _by_half_maximum}
    if method not in by:
        raise ValueError(f"method is {method!r}; take one of {', '.join(by)}, or give a network")
    return by[method](facts, threshold_hu, body_mask=body_mask)


def judge_mask(scan: Scan, mask: Mask, *, body_mask: bool = True) -> Segmentation:
    """What `segment` makes of a mask that was drawn elsewhere.

    Args:
        scan: HU on a grid.
        mask: on the same grid.
        body_mask: drop components that lie outside the patient's body by more than three quarters.

    Returns:
        The mask without voxels of sentinel values and without the components that were dropped, and the components with
        reasons. The method is "given", and there is neither threshold nor interval of volume.

    Raises:
        GridMismatch: the mask lies on another grid than the scan.
    """
    scan.grid.require(mask.grid)
    facts = ScanFacts(scan)
    return _judged(facts, Components.of(facts.without_sentinels(mask.voxels)), "given", body_mask=body_mask)


def _by_threshold(facts: ScanFacts, threshold_hu: float, *, body_mask: bool) -> Segmentation:
    found = _judged(facts, find_above(facts, threshold_hu), "threshold", body_mask=body_mask)
    return replace(found, threshold_hu=threshold_hu, sensitivity=try_other_thresholds(facts, body_mask=body_mask))


def _by_half_maximum(facts: ScanFacts, seed_hu: float, *, body_mask: bool) -> Segmentation:
    if not shows_plateaus(facts.intensity):
        return _by_plateaus(facts, body_mask=body_mask)
    objects = find_objects(facts, seed_hu)
    found = _judged(facts, objects.components, "half-maximum", body_mask=body_mask)
    return replace(found, threshold_hu=seed_hu, components=objects.describe(found.components))


def _by_plateaus(facts: ScanFacts, *, body_mask: bool) -> Segmentation:
    """What half-maximum falls back to on a saturated scan."""
    plateaus = find_plateaus(facts)
    level = facts.intensity.highest_hu
    found = _judged(facts, plateaus.components, "plateau", body_mask=body_mask)
    low, high = plateau_interval(facts.scan, found.mask.voxels, level)
    note = (
        f"the scan is saturated at {level:g} HU, so the half maximum cannot be known: the mask is what exceeds "
        f"{plateaus.threshold_hu:g} HU around voxels at the saturation level; the metal's volume lies between "
        f"{low:,.0f} and {high:,.0f} mm3"
    )
    return replace(
        found,
        threshold_hu=plateaus.threshold_hu,
        volume_interval_mm3=(low, high),
        notes=(note,) if found.mask.count else (),
    )


def _by_network(facts: ScanFacts, network: Network, *, body_mask: bool, progress: Progress | None) -> Segmentation:
    prediction = network.predict(facts.scan, progress=progress)
    probability, voxels = prediction.probability, prediction.mask.voxels
    method: Method = "network"
    weights = {"half_maximum": network.half_maximum_weight, "threshold": network.threshold_weight}
    if averaged := average_probabilities(facts, probability, **weights):
        probability, voxels = averaged.probability, averaged.probability >= METAL
        method = "network and half-maximum" if averaged.partner == "half-maximum" else "network and threshold"
    judged = judge(Components.of(facts.without_sentinels(voxels)), facts, body_mask=body_mask)
    found = _segmentation(judged, facts, method, body_mask=body_mask)
    known = network.calibration
    intervals = volume_intervals(
        probability, found.mask.voxels, facts.scan.grid, components=judged.kept, levels=known.levels
    )
    return replace(
        found,
        components=_with_intervals(found.components, intervals.objects),
        volume_interval_mm3=intervals.whole,
        confidence=Confidence(
            interval_levels=known.levels,
            interval_calibrated=known.calibrated,
            training_range_known=bool(known.training_range),
            out_of_distribution=out_of_distribution(facts, known.training_range, body_mask=body_mask),
        ),
        probability=probability,
        notes=prediction.notes,
    )


def _with_intervals(components: tuple[Component, ...], intervals: tuple[Volumes, ...]) -> tuple[Component, ...]:
    """The components, each kept one with the next of the intervals; both largest first."""
    left = iter(intervals)
    return tuple(replace(one, volume_interval_mm3=next(left)) if one.kept else one for one in components)


def _judged(facts: ScanFacts, components: Components, method: Method, *, body_mask: bool) -> Segmentation:
    return _segmentation(judge(components, facts, body_mask=body_mask), facts, method, body_mask=body_mask)


def _segmentation(judged: Judged, facts: ScanFacts, method: Method, *, body_mask: bool) -> Segmentation:
    return Segmentation(
        mask=Mask(judged.kept.paint(), facts.scan.grid),
        method=method,
        threshold_hu=None,
        body_mask=body_mask,
        intensity=facts.intensity,
        components=judged.listed,
        unlisted=judged.unlisted,
    )
