"""Pictures: a hip on three planes through its head, with the spheres and rims that were fitted.

matplotlib is imported on use. No picture shows a name or a header of the patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.find import Hip, NativeHip
from monai_ctseg.hip.rays import Region
from monai_ctseg.hip.records import Side
from monai_ctseg.hip.rim import Rim
from monai_ctseg.hip.sphere import Sphere
from monai_ctseg.scan import Scan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HALF_MM, STEP_MM = 48.0, 0.4
BONE_WINDOW_HU, METAL_WINDOW_HU = (-150.0, 1200.0), (-200.0, 6000.0)
HEAD_COLOR, SOCKET_COLOR, RIM_COLOR = "#ff6d00", "#00b8d4", "#76ff03"
SLAB_MM = 2.0
"""Points of a rim within so many mm of a plane are drawn on it."""


@dataclass(frozen=True)
class Plane:
    """A cut: its two patient axes, rightwards and upwards in the picture, and what lies at its ends."""

    name: str
    axes: tuple[int, int]
    ends: tuple[str, str, str, str]
    upside_down: bool = False


PLANES = (
    Plane("axial", (0, 1), ("R", "L", "A", "P"), upside_down=True),
    Plane("coronal", (0, 2), ("R", "L", "S", "I")),
    Plane("sagittal", (1, 2), ("A", "P", "S", "I")),
)
"""Ends: left, right, top and bottom of the picture; the axial one is seen from the feet."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """What is drawn on a hip."""

    inner: Sphere
    outer: Sphere | None
    rim: Rim | None
    names: tuple[str, str]
    window_hu: tuple[float, float]


def plot_hip(scan: Scan, side: Side, hip: Hip, path: Path) -> None:
    """Draw one hip into a PNG. Raises OSError where `path` cannot be written."""
    from matplotlib.figure import Figure

    fitted = _fitted(hip)
    region = Region.around(scan, hip.center_lps, HALF_MM * 1.1)
    figure = Figure(figsize=(13.0, 5.0), layout="constrained")
    for axes, plane in zip(figure.subplots(1, 3), PLANES, strict=True):
        _draw(axes, region, hip.center_lps, plane, fitted)
    inner, outer = fitted.inner, fitted.outer
    title = f"{side} hip: {fitted.names[0]} {2 * inner.radius_mm:.1f} mm"
    title += f", {fitted.names[1]} {2 * outer.radius_mm:.1f} mm" if outer is not None else ""
    figure.suptitle(title, x=0.01, ha="left")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3, frameon=False)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _fitted(hip: Hip) -> Fitted:
    if isinstance(hip, NativeHip):
        names = ("femoral head", "acetabulum")
        return Fitted(hip.head.sphere, hip.socket.sphere, hip.socket.rim, names, BONE_WINDOW_HU)
    outer, rim = (hip.cup.surface.sphere, hip.cup.rim) if hip.cup else (None, None)
    return Fitted(hip.ball.sphere, outer, rim, ("ball head", "cup"), METAL_WINDOW_HU)


def _draw(axes: Axes, region: Region, center: FloatArray, plane: Plane, fitted: Fitted) -> None:
    across, up = plane.axes
    at = np.arange(-HALF_MM, HALF_MM + STEP_MM, STEP_MM)
    points = np.tile(center, (len(at), len(at), 1))
    points[..., across] += at[None, :]
    points[..., up] += at[:, None]
    low, high = fitted.window_hu
    shown = np.nan_to_num(region.sample(points), nan=low)
    extent = (at[0], at[-1], at[0], at[-1])
    axes.imshow(shown, extent=extent, origin="lower", cmap="gray", vmin=low, vmax=high)
    if fitted.outer is not None:
        _circle(axes, fitted.outer, center, plane, (SOCKET_COLOR, fitted.names[1]))
    _circle(axes, fitted.inner, center, plane, (HEAD_COLOR, fitted.names[0]))
    if fitted.rim is not None:
        _rim(axes, fitted.rim, center, plane)
    axes.set(xlim=(-HALF_MM, HALF_MM), ylim=(-HALF_MM, HALF_MM), title=plane.name)
    axes.set_xlabel("mm from the head's centre")
    if plane.upside_down:
        axes.invert_yaxis()
    for (x, y), end in zip(((0.03, 0.5), (0.97, 0.5), (0.5, 0.96), (0.5, 0.04)), plane.ends, strict=True):
        axes.text(x, y, end, color="white", ha="center", va="center", transform=axes.transAxes)


def _circle(axes: Axes, sphere: Sphere, center: FloatArray, plane: Plane, look: tuple[str, str]) -> None:
    """Where a sphere meets the plane; look: color and name."""
    color, name = look
    across, up = plane.axes
    offset = sphere.center_lps - center
    height = offset[3 - across - up]
    if abs(height) < sphere.radius_mm:
        turn = np.linspace(0, 2 * np.pi, 200)
        radius = np.sqrt(sphere.radius_mm**2 - height**2)
        axes.plot(
            offset[across] + radius * np.cos(turn),
            offset[up] + radius * np.sin(turn),
            color=color,
            linewidth=1,
            label=name,
        )


def _rim(axes: Axes, rim: Rim, center: FloatArray, plane: Plane) -> None:
    """Points of a rim that lie near the plane."""
    across, up = plane.axes
    offset = rim.points_lps[rim.weights > 0] - center
    near = np.abs(offset[:, 3 - across - up]) < SLAB_MM
    axes.plot(offset[near, across], offset[near, up], "o", color=RIM_COLOR, markersize=3.5, label="rim")
