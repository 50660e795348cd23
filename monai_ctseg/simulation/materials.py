"""Materials: how strongly water, bone and metals attenuate X-rays, and the spectrum of a tube.

Attenuation: xraydb (tables of Elam, Ravel and Sieber, doi 10.1016/S0969-806X(01)00227-4), total cross sections without
coherent scattering, which stays within the beam. Spectra: spekpy (Poludniowski and others, doi 10.1002/mp.14945).
Cortical bone by mass: ICRU Report 44. Alloys by mass: ASTM F136 (Ti-6Al-4V), F138 (316L), F1537 (Co-28Cr-6Mo); dental
gold type III and high-copper amalgam by their usual ranges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from monai_ctseg.errors import needs_extra
from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.sdf import Floats


@dataclass(frozen=True)
class Material:
    """What a material is made of.

    Attributes:
        density: g/cm3.
        shares: each element and its share by mass.
    """

    density: float
    shares: tuple[tuple[str, float], ...]


# Shares by mass; the module's docstring names the sources.
WATER = Material(1.0, (("H", 0.1119), ("O", 0.8881)))
CORTICAL_BONE = Material(
    1.92,
    (
        ("H", 0.034),
        ("C", 0.155),
        ("N", 0.042),
        ("O", 0.435),
        ("Na", 0.001),
        ("Mg", 0.002),
        ("P", 0.103),
        ("S", 0.003),
        ("Ca", 0.225),
    ),
)
METALS = {
    "titanium": Material(4.43, (("Ti", 0.90), ("Al", 0.06), ("V", 0.04))),
    "steel": Material(7.95, (("Fe", 0.655), ("Cr", 0.175), ("Ni", 0.14), ("Mo", 0.025), ("Mn", 0.005))),
    "cobalt_chromium": Material(8.3, (("Co", 0.66), ("Cr", 0.28), ("Mo", 0.06))),
    "gold": Material(15.5, (("Au", 0.76), ("Ag", 0.12), ("Cu", 0.12))),
    "amalgam": Material(11.4, (("Hg", 0.47), ("Ag", 0.31), ("Sn", 0.14), ("Cu", 0.08))),
}

LOWEST_KEV = 20.0
"""Softer photons are left out, since hardly any pass the filter and a body. Chosen by hand."""
STEP_KEV = 5.0
"""Width of the groups of energies: each group takes time for every ray. Chosen by hand."""


@dataclass(frozen=True, eq=False)
class Beam:
    """What reaches the detector, by energy: `weights` sum to 1 and hold the detector's response (its energy).

    Attributes:
        weights: (e,).
        water: linear attenuation per mm at full density, (e,), float32 as the lengths that it is multiplied with.
        bone: the same of cortical bone.
        metals: the same of each metal by name.
    """

    weights: FloatArray
    water: Floats
    bone: Floats
    metals: dict[str, Floats]


@lru_cache(maxsize=64)
def make_beam(kv: float, aluminium_mm: float) -> Beam:
    """The beam of a tungsten tube, read by an energy-integrating detector (spekpy, doi 10.1002/mp.14945).

    Args:
        kv: the tube's voltage.
        aluminium_mm: thickness of the filter.

    Raises:
        MissingExtra: the extra `simulation` is not installed.
    """
    with needs_extra("simulation"):
        import spekpy

    tube = spekpy.Spek(kvp=kv, th=10.0)
    tube.filter("Al", aluminium_mm)
    kev, fluence = tube.get_spectrum()
    group = ((kev - LOWEST_KEV) // STEP_KEV).astype(int)
    used = group >= 0
    response = np.bincount(group[used], weights=(fluence * kev)[used])
    mean_kev = np.bincount(group[used], weights=(fluence * kev**2)[used]) / np.maximum(response, 1e-30)
    strong = response > 1e-4 * response.max()
    kev, weights = mean_kev[strong], response[strong] / response[strong].sum()
    metals = {name: attenuation(metal, kev).astype(np.float32) for name, metal in METALS.items()}
    water, bone = (attenuation(tissue, kev).astype(np.float32) for tissue in (WATER, CORTICAL_BONE))
    return Beam(weights, water, bone, metals)


def attenuation(material: Material, kev: FloatArray) -> FloatArray:
    """Linear attenuation of a material (xraydb, doi 10.1016/S0969-806X(01)00227-4).

    Args:
        material: what the rays pass.
        kev: energies, (e,).

    Returns:
        Per mm, (e,) float64.

    Raises:
        MissingExtra: the extra `simulation` is not installed.
    """
    with needs_extra("simulation"):
        import xraydb

    electronvolt = 1e3 * np.asarray(kev)
    total = sum(
        share
        * (xraydb.mu_elam(element, electronvolt, kind="photo") + xraydb.mu_elam(element, electronvolt, kind="incoh"))
        for element, share in material.shares
    )
    return np.asarray(material.density * total / 10.0)
