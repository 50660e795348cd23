"""Quick phantom: two thighs with a hip screw in a second, for tests and benchmarks; its streaks are no physics.

The patient is one of `monai_ctseg.simulation.phantom`: lean, straight, on a flat table. Metal is mixed in at its HU;
then the volume is blurred and gets noise and something that looks like streaks. Do not judge the removal of artefacts
on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product

import numpy as np
from scipy.ndimage import gaussian_filter

from benchmarks.streaks import streaks
from monai_ctseg.grid import FloatArray, Grid, unit
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.simulation.phantom.bodies import paint_body
from monai_ctseg.simulation.phantom.canvas import Space, every
from monai_ctseg.simulation.phantom.muscles import muscles
from monai_ctseg.simulation.phantom.organs import arteries, bladder, rectum, veins, vessels
from monai_ctseg.simulation.phantom.outline import Outline
from monai_ctseg.simulation.phantom.pelvis import femur, hip, hip_bone, sacrum
from monai_ctseg.simulation.phantom.person import Person, Pose, sample_person
from monai_ctseg.simulation.phantom.positioning import PatientOnTable
from monai_ctseg.simulation.phantom.scene import Scene
from monai_ctseg.simulation.phantom.table import Table
from monai_ctseg.simulation.sdf import Floats, Points, Solid, bar, rod, rotation_about, xyz

SCENE_MM = (384.0, 384.0, 180.0)
CENTER_LPS = (3.4, 27.7, 1206.4)
TABLE_TOP_Y_MM = 104.0
"""The table's top behind the middle of the volume."""
HIPS_Z_MM = 44.0
"""The femoral heads above the middle of the volume."""
PADDING_HU = -2048
POINT_SPREAD_SIGMA_MM = (1.0, 1.0, 0.6)
NOISE_HU = 20.0
SUBSAMPLE_MM = 0.5
"""Step at which voxels on the metal's surface are divided, in at most 6 parts a side."""


@dataclass(frozen=True)
class Phantom:
    """A CT and what is true of it.

    Attributes:
        scan: int16 HU; -2048 outside the field of view, not named in `padding_hu`, as on many real scans.
        truth: the implant; a voxel counts when more than half of its volume lies inside the implant.
        marker: a steel rod on the table, outside the body and not in `truth`, by the same rule.
    """

    scan: Scan
    truth: Mask
    marker: Mask


@dataclass(frozen=True, eq=False)
class QuickPatient:
    """A body on a table, and the side of its implant (1 left, -1 right)."""

    person: Person
    body: PatientOnTable
    side: int

    @property
    def from_lps(self) -> FloatArray:
        """LPS -> mm about the hips, 4 x 4: the body frame in true size."""
        return np.diag([*3 * [self.person.scale], 1.0]) @ self.body.scene.pose.from_lps


def make_phantom(
    *,
    shape: tuple[int, int, int] = (192, 192, 60),
    spacing_mm: tuple[float, float, float] | None = None,
    seed: int = 0,
) -> Phantom:
    """Make a phantom; the same arguments give the same voxels, bit for bit, on one installation.

    Args:
        shape: voxels along i, j and k.
        spacing_mm: by default what spreads the scene of 384 x 384 x 180 mm over `shape` (2 x 2 x 3 mm at the default
            shape); another spacing shows less or more of the scene, about its centre.
        seed: chooses the side, size, pose, screws, metal and noise.

    Raises:
        ValueError: no voxel of the grid is implant.
    """
    random = np.random.default_rng(seed)
    grid = _make_grid(shape, spacing_mm)
    patient = sample_patient(random, grid)
    on_table = _voxel_centers(grid)
    in_body = Space(grid.shape, patient.from_lps @ grid.index_to_lps).points(every(grid.shape))
    implant = occupancy(hip_screw(patient, random), in_body, grid)
    marker = occupancy([table_marker(patient, random)], on_table, grid)
    if not (implant > 0.5).any():
        raise ValueError(f"no implant on this grid, show more of the scene or use smaller voxels: {grid.describe()}")
    hu = paint_body(grid, patient.body)
    hu += implant * (np.float32(random.uniform(12_000, 18_000)) - hu) + marker * (9_000 - hu)
    hu = gaussian_filter(hu, np.divide(POINT_SPREAD_SIGMA_MM, grid.spacing_mm), mode="nearest")
    hu += streaks(implant + marker, on_table, random)
    hu += np.float32(NOISE_HU) * random.standard_normal(hu.shape, dtype=np.float32)
    x, y, _ = on_table
    hu[np.hypot(x, y)[:, :, 0] > min(-x.min(), -y.min())] = PADDING_HU
    scan = Scan(np.asfortranarray(np.rint(hu).astype(np.int16)), grid)
    return Phantom(scan, *(Mask(np.asfortranarray(fraction > 0.5), grid) for fraction in (implant, marker)))


def _make_grid(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float] | None) -> Grid:
    spacing = np.divide(SCENE_MM, shape) if spacing_mm is None else np.array(spacing_mm)
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = np.array(CENTER_LPS) - (np.array(shape) - 1) / 2 * spacing
    return Grid(shape, matrix)


def _voxel_centers(grid: Grid) -> Points:
    """In the table's frame."""
    offset = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(grid.shape, grid.spacing_mm, strict=True)]
    x, y, z = np.meshgrid(*(o.astype(np.float32) for o in offset), indexing="ij", sparse=True)
    return x, y, z


def occupancy(solids: Sequence[Solid], at: Points, grid: Grid) -> Floats:
    """Share of each voxel's volume inside the union [i, j, k]; only voxels that its surface may cross are divided."""
    distance = np.broadcast_to(_nearest(solids, at), grid.shape)
    share = (distance < 0).astype(np.float32)
    crossed = np.abs(distance) <= np.linalg.norm(grid.spacing_mm) / 2
    x, y, z = (np.broadcast_to(p, grid.shape)[crossed] for p in at)
    parts = [min(6, int(np.ceil(mm / SUBSAMPLE_MM))) for mm in grid.spacing_mm]
    steps = [((np.arange(n) + 0.5) / n - 0.5) * mm for n, mm in zip(parts, grid.spacing_mm, strict=True)]
    inside = np.zeros(x.shape, dtype=np.int32)
    for dx, dy, dz in product(*(s.astype(np.float32) for s in steps)):
        inside += _nearest(solids, (x + dx, y + dy, z + dz)) < 0
    share[crossed] = inside / np.float32(np.prod(parts))
    return share


def _nearest(solids: Sequence[Solid], at: Points) -> Floats:
    return reduce(np.minimum, [solid.distance(at) for solid in solids])


def sample_patient(random: np.random.Generator, grid: Grid) -> QuickPatient:
    """A lean patient at random, straight but for a turn about z, hips and thighs in the middle of the grid."""
    person = replace(
        sample_person(random),
        scale=random.uniform(0.92, 0.97),
        fat_mm=random.uniform(7, 12),
        belly_mm=0.0,
        bulk_mm=random.uniform(4, 9),
        forward_degrees=random.uniform(3, 14),
        knee_x=(96.0, 96.0),
    )
    shift = random.uniform((-6, 0, -5), (6, 3, 5))
    pose = Pose(
        rotation_about(2, random.uniform(-3, 3)),
        person.scale,
        xyz(0, 115 + 0.75 * person.fat_mm, 0),
        grid.center_lps + shift + xyz(0, TABLE_TOP_Y_MM, HIPS_Z_MM),
    )
    table = Table(
        grid.center_lps + xyz(0, TABLE_TOP_Y_MM, 0), 480.0, np.inf, 6.0, 27.0, 2.0, -150.0, -920.0, -880.0, ()
    )
    return QuickPatient(
        person, PatientOnTable(_scene(person, pose), table, table.layers()), int(random.choice((-1, 1)))
    )


def _scene(person: Person, pose: Pose) -> Scene:
    """What of the body can be seen from the thighs to the bladder."""
    scene = Scene(person, pose, Outline(person), _low(muscles(person)))
    scene.organs += rectum(person) + bladder(person, 6.0)
    scene.layers += vessels(_low(arteries(person) + veins(person)), person.blood_hu)
    scene.layers.append(sacrum(person).layer())
    for side in (-1, 1):
        axes = hip(person, side)
        scene.layers += [hip_bone(person, axes).layer(), femur(person, axes).layer()]
    return scene


def _low(shapes: list[Solid]) -> list[Solid]:
    """Those that begin below the belly and end above the knees."""
    return [shape for shape in shapes if shape.low[2] < 120 and shape.high[2] > -250]


def hip_screw(patient: QuickPatient, random: np.random.Generator) -> list[Solid]:
    """A dynamic hip screw in mm about the hips: lag screw and its thread, barrel, side plate, three or four screws."""
    axes, mm = hip(patient.person, patient.side), patient.person.scale
    shaft, neck, head = axes.shaft, axes.neck, axes.head * mm
    lateral = np.array([patient.side * shaft[2], 0.0, -patient.side * shaft[0]])
    entry = (axes.trochanter - 21 * axes.neck) * mm + 3 * lateral  # where the neck's axis leaves the shaft
    tip = head + neck * random.uniform(4, 12)
    solids = [
        rod(entry, tip, 4.0),
        rod(tip - 22 * neck, tip, 6.2),
        rod(entry, entry + 38 * neck, 6.4),
        bar(entry + 14 * shaft, entry - random.uniform(58, 70) * shaft, thick=6.0, wide=17.0),
    ]
    for n in range(int(random.integers(3, 5))):
        start = entry - (10 + 13 * n) * shaft + 3 * lateral
        inward = unit(-lateral + random.uniform(-0.12, 0.12, 3))
        solids += [rod(start, start + random.uniform(32, 40) * inward, 2.25), rod(start, start - 3 * inward, 4.0)]
    return solids


def table_marker(patient: QuickPatient, random: np.random.Generator) -> Solid:
    """A rod on the table, beside the body, in mm about the middle of the volume."""
    x, z = random.uniform(148, 156) * -patient.side, random.uniform(-80, -50)
    return rod((x, TABLE_TOP_Y_MM - 5, z), (x + 4, TABLE_TOP_Y_MM - 5, z + 120), 3.0)
