"""Table: a thin shell around foam, flat or curved, with or without mattress and rails; not turned with the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_ctseg.grid import FloatArray
from monai_ctseg.simulation.phantom.canvas import Bone, Layer
from monai_ctseg.simulation.sdf import Floats, Points, Solid, round_cone, xyz

LONG_MM = 2000.0
NARROW_MM = 300.0


@dataclass(frozen=True)
class Table:
    """A table, in LPS: x along its width, y down.

    Attributes:
        top: a point of its surface (of the mattress, if there is one) in its middle, (3,) mm.
        width_mm: of the table.
        bend_mm: radius of its hollow, inf if it is flat.
        mattress_mm: thickness of the mattress; 0 for none.
        thick_mm: thickness of the table without the mattress.
        shell_mm: thickness of its shell.
        shell_hu: of the shell.
        foam_hu: of the foam in it.
        mattress_hu: of the mattress.
        rails: of each: x and y from the top, radius, all in mm, and HU.
    """

    top: FloatArray
    width_mm: float
    bend_mm: float
    mattress_mm: float
    thick_mm: float
    shell_mm: float
    shell_hu: float
    foam_hu: float
    mattress_hu: float
    rails: tuple[tuple[float, float, float, float], ...]

    def depth(self, at: Points) -> Floats:
        """How deep points lie under the surface that carries the patient, mm."""
        x = at[0] - np.float32(self.top[0])
        hollow: Floats = x * x * np.float32(0.5 / self.bend_mm)
        return at[1] - np.float32(self.top[1]) + hollow

    @property
    def narrow(self) -> bool:
        """Whether it is a head rest."""
        return self.width_mm < NARROW_MM

    def press(self, skin: Floats, at: Points) -> Floats:
        """Distance to the skin, flattened where it lies on the table; a head rest flattens nothing."""
        return skin if self.narrow else np.maximum(skin, self.depth(at))

    def layers(self) -> list[Layer]:
        """To paint in LPS."""
        board = self._board(self.mattress_mm, self.thick_mm)
        layers = [Bone([board], self.shell_mm, self.shell_hu, self.foam_hu).layer()]
        if self.mattress_mm > 2:
            layers.append(Bone([self._board(0, self.mattress_mm)], 0.6, -600.0, self.mattress_hu).layer())
        for x, down, radius, hu in self.rails:
            start = self.top + xyz(x, self.mattress_mm + down, -LONG_MM)
            rail = round_cone(start, start + xyz(0, 0, 2 * LONG_MM), radius, radius)
            layers.append(Bone([rail], 1.5, hu, -900.0).layer())
        return layers

    def _board(self, start_mm: float, thick_mm: float) -> Solid:
        half = self.width_mm / 2

        def distance(at: Points) -> Floats:
            depth = self.depth(at) - np.float32(start_mm + thick_mm / 2)
            side = np.abs(at[0] - np.float32(self.top[0])) - np.float32(half)
            board: Floats = np.maximum(np.abs(depth) - np.float32(thick_mm / 2), side)
            return board

        rise = half**2 / 2 / self.bend_mm
        low = self.top + xyz(-half, start_mm - rise, -LONG_MM)
        return Solid(distance, low, self.top + xyz(half, start_mm + thick_mm, LONG_MM))


def sample_table(random: np.random.Generator, *, head: bool = False) -> Table:
    """A table at random, or a head rest, its top in the origin."""
    if head and random.random() < 0.6:
        width, bend, thick = random.uniform(180, 280), random.uniform(90, 160), random.uniform(6, 25)
        shell, foam = random.uniform(-250, 300), random.uniform(-960, -850)
        return Table(np.zeros(3), width, bend, random.uniform(3, 25), thick, 2.0, shell, foam, -950.0, ())
    curved = random.random() < 0.5
    thick = float(random.choice([random.uniform(3, 8), random.uniform(20, 60)]))
    mattress = float(random.choice([0, random.uniform(8, 45)]))
    rails: tuple[tuple[float, float, float, float], ...] = ()
    if random.random() < 0.4:
        x, hu = random.uniform(150, 230), random.uniform(-100, 700)
        rails = tuple((side * x, thick + random.uniform(5, 25), random.uniform(4, 10), hu) for side in (-1, 1))
    return Table(
        top=np.zeros(3),
        width_mm=random.uniform(400, 530),
        bend_mm=random.uniform(280, 700) if curved else np.inf,
        mattress_mm=mattress,
        thick_mm=thick,
        shell_mm=min(random.uniform(0.8, 3.0), thick / 3),
        shell_hu=random.uniform(-150, 350),
        foam_hu=random.uniform(-985, -880),
        mattress_hu=random.uniform(-990, -900),
        rails=rails,
    )
