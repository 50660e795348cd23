"""Projection: line integrals of an image along parallel rays, and back.

A pixel is dropped on the detector as the shadow of its square (exact, by the product of two sinc in frequency), a
detector reads the mean over its width. scikit-image's radon and iradon do the same by turning the image: they are the
peer in the tests and in docs/performance.md; here a slice's view costs what its pixels that are not empty cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.sdf import Floats

FINE = 4
"""Bins of a detector on which pixels are dropped."""
FINE_ROWS = 8
"""Steps between two detectors at which a filtered view is read, by the nearest."""


@dataclass(frozen=True)
class Rays:
    """Parallel rays through a plane.

    Attributes:
        views: angles over half a turn.
        detectors: number of detectors, about the centre.
        width_mm: width of a detector.
    """

    views: int
    detectors: int
    width_mm: float

    @property
    def angles(self) -> FloatArray:
        """In radians, (views,)."""
        return np.arange(self.views) * np.pi / self.views

    @property
    def first_mm(self) -> float:
        """Lower edge of the first detector."""
        return -self.detectors * self.width_mm / 2


def project(values: Floats, u: Floats, v: Floats, pixel_mm: tuple[float, float], rays: Rays) -> Floats:
    """Line integrals of images. A ray at angle a meets the points u cos a + v sin a = constant.

    Args:
        values: of m images in the same n pixels, (m, n) float32 per mm.
        u: centres of the pixels, (n,) float32 mm. Pixels beyond the detectors count for the last one.
        v: the other coordinate.
        pixel_mm: size of a pixel along u and v.
        rays: the rays.

    Returns:
        (m, views, detectors) float32.
    """
    bins = rays.detectors * FINE
    step = rays.width_mm / FINE
    dropped = np.zeros((len(values), rays.views, bins), dtype=np.float32)
    for n, angle in enumerate(rays.angles):
        at = u * np.float32(np.cos(angle) / step) + v * np.float32(np.sin(angle) / step)
        at += np.float32((bins - 1) / 2)
        np.clip(at, 0, bins - 2, out=at)
        index = at.astype(np.int32)
        at -= index  # shared between two bins: the nearest one alone would make waves in a flat image
        for image, line in zip(values, dropped[:, n], strict=True):
            upper = image * at
            line += np.bincount(index, weights=image - upper, minlength=bins)
            line[1:] += np.bincount(index, weights=upper, minlength=bins)[:-1]
    dropped *= np.float32(pixel_mm[0] * pixel_mm[1] / step)
    return _shadow(dropped, pixel_mm, rays)


def _shadow(dropped: Floats, pixel_mm: tuple[float, float], rays: Rays) -> Floats:
    """Points on fine bins -> the mean over each detector of the shadows of the pixels' squares."""
    size, spread = _spread(pixel_mm, rays)
    lines = fft.irfft(fft.rfft(dropped, size, axis=-1) * spread, size, axis=-1)
    return np.ascontiguousarray(lines[..., FINE // 2 - 1 : rays.detectors * FINE : FINE], dtype=np.float32)


@lru_cache(maxsize=4)
def _spread(pixel_mm: tuple[float, float], rays: Rays) -> tuple[int, npt.NDArray[np.complex64]]:
    """Length of the transform, and the transform of a pixel's shadow on a detector at each angle [view, frequency]."""
    size = fft.next_fast_len((rays.detectors + 8) * FINE, real=True)
    per_mm = np.fft.rfftfreq(size, rays.width_mm / FINE)
    angles = rays.angles[:, None]
    spread = np.sinc(per_mm * pixel_mm[0] * np.cos(angles)) * np.sinc(per_mm * pixel_mm[1] * np.sin(angles))
    # A detector's centre lies half a fine bin past the one in its middle.
    half_bin = np.exp(1j * np.pi * per_mm * rays.width_mm / FINE)
    return size, (spread * np.sinc(per_mm * rays.width_mm) * half_bin).astype(np.complex64)


def filter_views(lines: Floats, rays: Rays, *, cutoff_per_mm: float, boost: float = 0.0) -> Floats:
    """Ramp filter with a Hann window that ends at `cutoff_per_mm`, for back-projection (Kak and Slaney, chapter 3).

    Args:
        lines: line integrals, [view, detector].
        rays: the rays.
        cutoff_per_mm: where the window ends.
        boost: by how much middle frequencies are raised, as sharp kernels do; 0 for not at all.

    Returns:
        [view, detector] float32.
    """
    size = fft.next_fast_len(2 * rays.detectors, real=True)
    n = np.fft.fftfreq(size, 1 / size)
    ramp = np.zeros(size)
    ramp[0] = 0.25
    odd = n.astype(int) % 2 == 1
    ramp[odd] = -1 / (np.pi * n[odd]) ** 2
    response = 2 * np.real(np.fft.fft(ramp))[: size // 2 + 1] / rays.width_mm
    share = np.fft.rfftfreq(size, rays.width_mm) / cutoff_per_mm
    window = np.where(share < 1, 0.5 + 0.5 * np.cos(np.pi * np.minimum(share, 1)), 0.0)
    window *= 1 + boost * np.sin(np.pi * np.minimum(share, 1)) ** 2
    filtered = fft.irfft(fft.rfft(lines, size, axis=-1) * (response * window / 2).astype(np.float32), size, axis=-1)
    return np.asarray(filtered[..., : rays.detectors], dtype=np.float32)


def backproject(filtered: Floats, u: Floats, v: Floats, rays: Rays) -> Floats:
    """Back-projection.

    Args:
        filtered: filtered views, [view, detector].
        u: where the image is wanted, mm; broadcasts with v.
        v: the other coordinate.
        rays: the rays.

    Returns:
        The image at the points, per mm, float32.
    """
    image = np.zeros(np.broadcast_shapes(u.shape, v.shape), dtype=np.float32)
    centers = np.arange(rays.detectors)
    fine = np.arange((rays.detectors - 1) * FINE_ROWS + 1) / FINE_ROWS
    middle = -rays.first_mm / rays.width_mm - 0.5
    for view, angle in zip(filtered, rays.angles, strict=True):
        line = np.interp(fine, centers, view).astype(np.float32)
        scale = FINE_ROWS / rays.width_mm
        at = u * np.float32(np.cos(angle) * scale) + v * np.float32(np.sin(angle) * scale)
        at += np.float32(middle * FINE_ROWS + 0.5)
        image += line.take(at.astype(np.int32), mode="clip")
    image *= np.float32(np.pi / rays.views)
    return image
