"""Scanner: what varies from one CT to another, and a scanner at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HIGHEST_HU = 31743.0
"""What 16 bits hold at the usual offset of -1024."""


@dataclass(frozen=True)
class Scanner:
    """Settings of one acquisition, named as in a protocol.

    Attributes:
        kv: the tube's voltage.
        aluminium_mm: the tube's filter, with the bow tie's part in it.
        photons: that reach a detector through air, in one view.
        electronic_noise: sigma, in photons.
        lowest_signal: readings are raised to this many photons before the logarithm, as scanners correct photon
            starvation; the higher, the lower metal reads.
        smoothed_signal: readings of about so many photons or fewer are smoothed with their neighbours, against streaks
            (adaptive filtering; Hsieh, Med. Phys. 25 (1998) 2139).
        scatter: what the scatter correction leaves, as a share of the mean reading in a view.
        views: over half a turn.
        detector_mm: width of a detector at the isocentre.
        blur_mm: sigma of focal spot and detector crosstalk.
        cutoff_per_mm: where the reconstruction kernel ends, see `projection.filter_views`.
        boost: by how much the kernel raises middle frequencies, see there.
        slice_mm: thickness of the slice profile; None for the spacing of the slices.
        hardening_correction: whether beam hardening is corrected for water, as on all scanners.
        artefact_reduction: linear interpolation over the metal's trace; the metal's own voxels are kept (Kalender and
            others, Radiology 164 (1987) 576).
        saturation_level_hu: the highest value that is stored: 3071 on 12-bit scanners, None for the extended scale.
        hu_scale: error of the scanner's calibration, a factor on HU + 1000.
        padding_hu: value outside the reconstruction field of view; None for none.
    """

    kv: float = 120.0
    aluminium_mm: float = 7.0
    photons: float = 1e6
    electronic_noise: float = 8.0
    lowest_signal: float = 1.0
    smoothed_signal: float = 100.0
    scatter: float = 2e-5
    views: int = 720
    detector_mm: float = 0.7
    blur_mm: float = 0.3
    cutoff_per_mm: float = 0.7
    boost: float = 0.0
    slice_mm: float | None = None
    hardening_correction: bool = True
    artefact_reduction: bool = False
    saturation_level_hu: float | None = None
    hu_scale: float = 1.0
    padding_hu: float | None = None


def sample_scanner(random: np.random.Generator, *, saturated: bool | None = None) -> Scanner:
    """A scanner at random.

    Args:
        random: chooses the settings.
        saturated: whether the scale is saturated at 12 bits; None for half of the scanners.
    """
    twelve_bits = bool(random.random() < 0.5) if saturated is None else saturated
    return Scanner(
        kv=float(random.choice((80, 100, 110, 120, 120, 120, 130, 140))),
        aluminium_mm=float(random.uniform(5, 11)),
        photons=float(10 ** random.uniform(5.2, 6.8)),
        electronic_noise=float(random.uniform(3, 15)),
        lowest_signal=float(10 ** random.uniform(-0.5, 1.3)),
        smoothed_signal=float(10 ** random.uniform(1, 3)),
        scatter=float(10 ** random.uniform(-6, -4)),
        views=int(random.integers(480, 800)),
        detector_mm=float(random.uniform(0.55, 0.9)),
        blur_mm=float(random.uniform(0.2, 0.5)),
        cutoff_per_mm=float(random.uniform(0.5, 1.1)),
        boost=float(random.uniform(0, 0.8) if random.random() < 0.4 else 0.0),
        artefact_reduction=bool(random.random() < 0.15),
        saturation_level_hu=float(random.integers(2976, 3096)) if twelve_bits else None,
        hu_scale=float(random.uniform(0.98, 1.02)),
        padding_hu=float(random.choice((-2048, -3024, -1024))) if random.random() < 0.6 else None,
    )
