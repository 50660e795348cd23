"""Pictures of hip cases: three planes through a joint, with the true and the measured circle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates

from benchmarks.hip_cases import HipCase
from monai_ctseg.grid import FloatArray
from monai_ctseg.output.figures import new_figure, save_figure

HALF_MM, STEP_MM = 50.0, 0.4
AXES = {"axial": (0, 1, 1.0), "coronal": (0, 2, -1.0), "sagittal": (1, 2, -1.0)}
"""Patient axes to the right and down, and the sign of the latter."""
PARTS = {"femoral_head": "head", "acetabulum": "socket", "ball_head": "ball", "cup": "cup"}


def draw_hip(path: Path, case: HipCase, side: str, quantity: str, values: Mapping[str, float]) -> None:
    """Planes through the true centre; the true circle in yellow, the measured one dashed in red."""
    part = quantity.removesuffix("_diameter")
    center, radius = _true_ball(case, side, PARTS[part])
    found = np.array([values.get(f"{part}_center_{axis}", c) for axis, c in zip("xyz", center, strict=True)])
    figure = new_figure(15, 5.4)
    for plot, (name, (u, v, sign)) in zip(figure.subplots(1, 3), AXES.items(), strict=True):
        high = 3000 if case.truth[side].metal else 1200
        reach = (-HALF_MM, HALF_MM, HALF_MM, -HALF_MM)
        plot.imshow(_plane(case, center, u, v, sign), cmap="gray", vmin=-200, vmax=high, extent=reach)
        _circle(plot, 0, 0, radius, 0, "yellow", "-")
        offset = found - center
        beyond = float(np.delete(offset, (u, v))[0])
        _circle(plot, offset[u], sign * offset[v], values[quantity] / 2, beyond, "red", "--")
        plot.set_title(name)
    error = values[quantity] - 2 * radius
    figure.suptitle(
        f"{case.kind}, seed {case.seed}, {side}: {quantity} {values[quantity]:.2f} mm, true {2 * radius:.2f} "
        f"({error:+.2f}); {case.spacing_mm[0]:.2f} x {case.spacing_mm[1]:.2f} mm, noise {case.noise_hu:.0f} HU"
    )
    save_figure(figure, path, dpi=80)


def _true_ball(case: HipCase, side: str, part: str) -> tuple[FloatArray, float]:
    one = case.truth[side]
    holder = one if part in ("head", "socket") else one.metal
    return getattr(holder, f"{part}_center_lps"), getattr(holder, f"{part}_mm") / 2


def _plane(case: HipCase, center: FloatArray, u: int, v: int, sign: float) -> FloatArray:
    at = np.arange(-HALF_MM, HALF_MM, STEP_MM)
    axes = np.eye(3)
    points = center + at[None, :, None] * axes[u] + sign * at[:, None, None] * axes[v]
    index = np.moveaxis(case.scan.grid.to_index(points), -1, 0)
    return np.asarray(map_coordinates(case.scan.hu.astype(np.float32), index, order=1, cval=-1000.0))


def _circle(plot, x: float, y: float, radius: float, beyond: float, color: str, style: str) -> None:  # type: ignore[no-untyped-def]
    """Where a ball meets a plane `beyond` mm from its centre."""
    turn, cut = np.linspace(0, 2 * np.pi, 200), np.sqrt(max(0.0, radius**2 - beyond**2))
    plot.plot(x + cut * np.cos(turn), y + cut * np.sin(turn), style, color=color, linewidth=0.7)
