"""Projection and reconstruction of a slice, beside scikit-image's in the same process: times as ratios, and errors.

python benchmarks/simulation.py
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
from skimage.transform import iradon, radon

from monai_ctseg.simulation.projection import Rays, backproject, filter_views, project

PIXELS, VIEWS, PAIRS = 512, 720, 3


def main() -> None:
    """Print the medians over pairs."""
    at = (np.arange(PIXELS) - (PIXELS - 1) / 2).astype(np.float32)
    u, v = np.meshgrid(at, at, indexing="ij")
    body = ((u / 170) ** 2 + (v / 110) ** 2 < 1).astype(np.float32)
    body[(u / 20 - 3) ** 2 + (v / 20) ** 2 < 1] = 2.0
    rays, angles = Rays(VIEWS, PIXELS, 1.0), np.arange(VIEWS) * 180 / VIEWS
    times: dict[str, list[float]] = {"radon": [], "project": [], "iradon": [], "backproject": []}

    def timed(name: str, work):
        start = perf_counter()
        result = work()
        times[name].append(perf_counter() - start)
        return result

    for _ in range(PAIRS):
        inside = body > 0
        peer_lines = timed("radon", lambda: radon(body, angles))
        lines = timed("project", lambda i=inside: project(body[i][None], u[i], v[i], (1.0, 1.0), rays)[0])
        peer = timed("iradon", lambda s=peer_lines: iradon(s, angles, filter_name="hann"))
        mine = timed(
            "backproject",
            lambda s=lines: backproject(filter_views(s, rays, cutoff_per_mm=0.5), at[:, None], at[None], rays),
        )
    flat = (u / 150) ** 2 + (v / 90) ** 2 < 1
    flat &= (u / 20 - 3) ** 2 + (v / 20) ** 2 > 1.7
    median = {name: float(np.median(values)) for name, values in times.items()}
    print(f"{PIXELS} x {PIXELS} pixels, {VIEWS} views, median of {PAIRS}")
    print(f"project / radon:       {median['project'] / median['radon']:.2f}  ({median['project']:.2f} s)")
    print(f"backproject / iradon:  {median['backproject'] / median['iradon']:.2f}  ({median['backproject']:.2f} s)")
    errors = [np.abs(image - body)[flat].mean() for image in (mine, peer)]
    print(f"error in flat tissue:  {errors[0]:.4f}, scikit-image {errors[1]:.4f}")


if __name__ == "__main__":
    main()
