"""Pictures: a hip on three planes through its head, with the spheres and the rim that were fitted.

No picture shows a name or a header of the patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.hip.hips import Hip, NativeHip
from monai_ctseg.hip.rays import Region
from monai_ctseg.hip.records import Side
from monai_ctseg.hip.rim import Rim
from monai_ctseg.hip.sphere import Sphere
from monai_ctseg.output.figures import figure_style, new_figure, save_figure
from monai_ctseg.scan import Scan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HALF_MM, STEP_MM = 48.0, 0.4
"""Half the side of a picture, which holds a socket and its surroundings, and its pixels."""
BONE_WINDOW_HU, METAL_WINDOW_HU = (-150.0, 1200.0), (-200.0, 6000.0)
"""Soft tissue to cortical bone, and to metal."""
HEAD_COLOR, SOCKET_COLOR, RIM_COLOR = "#ff6d00", "#00b8d4", "#76ff03"
SLAB_MM = 2.0
"""Points of a rim this near a plane are drawn on it: one or two slices."""


@dataclass(frozen=True)
class Plane:
    """A section: its patient axes, to the right and up in the picture; the letters at left, right, top and bottom."""

    name: str
    axes: tuple[int, int]
    ends: tuple[str, str, str, str]
    upside_down: bool = False

    @property
    def normal(self) -> int:
        """The patient axis perpendicular to it."""
        return 3 - sum(self.axes)


PLANES = (
    Plane("axial", (0, 1), ("R", "L", "A", "P"), upside_down=True),
    Plane("coronal", (0, 2), ("R", "L", "S", "I")),
    Plane("sagittal", (1, 2), ("A", "P", "S", "I")),
)
"""The axial one is seen from the feet."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """What is drawn on a hip: the head's sphere, the socket's or the cup's, the rim; their names; the HU window."""

    inner: Sphere
    outer: Sphere | None
    rim: Rim | None
    names: tuple[str, str]
    window_hu: tuple[float, float]

    @classmethod
    def on(cls, hip: Hip) -> Fitted:
        """What is drawn on this hip."""
        if isinstance(hip, NativeHip):
            names = ("femoral head", "acetabulum")
            return cls(hip.head.sphere, hip.socket.sphere, hip.socket.rim, names, BONE_WINDOW_HU)
        outer, rim = (hip.cup.surface.sphere, hip.cup.rim) if hip.cup else (None, None)
        return cls(hip.ball.sphere, outer, rim, ("ball head", "cup"), METAL_WINDOW_HU)


@figure_style()
def plot_hip(scan: Scan, side: Side, hip: Hip, path: Path) -> None:
    """Draw one hip into a PNG.

    Args:
        scan: in which it was found.
        side: of the patient, for the title.
        hip: from `find_hips`.
        path: of the PNG.

    Raises:
        OutputError: The file cannot be written.

    """
    fitted = Fitted.on(hip)
    region = Region.around(scan, hip.center_lps, HALF_MM * 1.1)  # a margin for oblique scans
    figure = new_figure(13.0, 5.0)
    for axes, plane in zip(figure.subplots(1, 3), PLANES, strict=True):
        _draw(axes, region, hip.center_lps, plane, fitted)
    inner, outer = fitted.inner, fitted.outer
    title = f"{side} hip: {fitted.names[0]} {2 * inner.radius_mm:.1f} mm"
    title += f", {fitted.names[1]} {2 * outer.radius_mm:.1f} mm" if outer is not None else ""
    figure.suptitle(title, x=0.01, ha="left")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3, frameon=False)
    save_figure(figure, path)


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
        _draw_circle(axes, fitted.outer, center, plane, (SOCKET_COLOR, fitted.names[1]))
    _draw_circle(axes, fitted.inner, center, plane, (HEAD_COLOR, fitted.names[0]))
    if fitted.rim is not None:
        offset = fitted.rim.points_lps[fitted.rim.weights > 0] - center
        near = offset[np.abs(offset[:, plane.normal]) < SLAB_MM]
        axes.plot(near[:, across], near[:, up], "o", color=RIM_COLOR, markersize=3.5, label="rim")
    axes.set(xlim=(-HALF_MM, HALF_MM), ylim=(-HALF_MM, HALF_MM), title=plane.name)
    axes.set_xlabel("mm from the head's centre")
    if plane.upside_down:
        axes.invert_yaxis()
    for (x, y), end in zip(((0.03, 0.5), (0.97, 0.5), (0.5, 0.96), (0.5, 0.04)), plane.ends, strict=True):
        axes.text(x, y, end, color="white", ha="center", va="center", transform=axes.transAxes)


def _draw_circle(axes: Axes, sphere: Sphere, center: FloatArray, plane: Plane, look: tuple[str, str]) -> None:
    """Where a sphere meets the plane; look: color and name."""
    color, name = look
    across, up = plane.axes
    offset = sphere.center_lps - center
    height = offset[plane.normal]
    if abs(height) < sphere.radius_mm:
        turn = np.linspace(0, 2 * np.pi, 200)
        radius = np.sqrt(sphere.radius_mm**2 - height**2)
        x, y = offset[across] + radius * np.cos(turn), offset[up] + radius * np.sin(turn)
        axes.plot(x, y, color=color, linewidth=1, label=name)
