"""Cases: a body, implants, a grid and a scanner drawn at random, as wide as scanners and patients differ."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np

from monai_ctseg.errors import CtsegError
from monai_ctseg.grid import FloatArray, Grid
from monai_ctseg.parallel import Progress
from monai_ctseg.scan import Scan
from monai_ctseg.simulation.implants import PLACES, Family, Implant, kinds_for, make_implants, place
from monai_ctseg.simulation.phantom.bodies import draw_body
from monai_ctseg.simulation.phantom.canvas import Space, every
from monai_ctseg.simulation.phantom.lying import Lying, lay_down
from monai_ctseg.simulation.phantom.scene import Landmark, Part
from monai_ctseg.simulation.real_body import along_bone, require_no_metal, without_burned_in
from monai_ctseg.simulation.scanner import Scanner, draw_scanner
from monai_ctseg.simulation.sdf import toward, unit
from monai_ctseg.simulation.simulate import Simulated, simulate

PARTS: dict[Part, float] = {"pelvis": 0.45, "limb": 0.2, "spine": 0.1, "head": 0.2, "trunk": 0.05}
"""Body parts, and how often each is drawn."""
MARGIN_MM = 6.0
WITHOUT_METAL = 0.2
WITH_OUTSIDE = 0.3
BONE_MM = 8.0
"""Radius of an unknown bone."""
NECK_MM = 75.0
"""From the middle of the femoral head, along the neck, to the cortex on the other side."""
OFTEN = {
    "total_hip": 3.0,
    "hip_screw": 2.0,
    "plate": 3.0,
    "screws": 3.0,
    "pedicle_screws": 3.0,
    "cerclage": 0.4,
    "pins": 0.6,
}
"""Kinds that are drawn more or less often than the others at their place."""
OFTEN_AT = {"hip": 8.0, "femur": 4.0, "spine": 0.25, "trunk": 0.5, "chest": 0.5}
"""How often a landmark of a place is chosen; a jaw has many teeth, a spine many pedicles."""
PEDICLE_MM, BEHIND_MM = 16.0, 24.0
"""From the midline to a pedicle, and from its middle to where rods lie behind it."""
BODY_MM = 22.0
"""From a pedicle forward to the middle of the vertebral body."""
GUM_MM = 4.0
"""From the middle of a tooth's crown to the gum."""
BACK = np.array([0.0, 1.0, 0.0])
ALONG_THE_ARCH = ("bridge", "braces")
ON_THE_SHAFT = ("hip_screw", "nail")
OWN_PLACES = {"sternal_wires": "sternum", "generator": "chest"}
"""Landmarks of the trunk that take one kind only."""
UNDER_MM = 25.0
"""From the couch's surface to a rail."""
DEEP_MM, EVERY_MM = 10.0, 5.0
"""What is outside lies nowhere deeper than that under the skin; at points so far apart."""
OFF_MIDDLE = 0.25
"""How far from the middle of the image what it is about may lie, as a share of the image's width."""
PATIENT = Grid((361, 254, 141), np.array([[1.5, 0, 0, -270], [0, 1.5, 0, -190], [0, 0, 2, -140], [0, 0, 0, 1.0]]))
"""What of a patient implants are put into."""
NO_PLACE = "this patient has no place for such an implant; take another --seed or --part"
Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class Case:
    """What is scanned, and how; `make_case` scans it. implants: placed, in LPS."""

    seed: int
    part: str
    kinds: tuple[str, ...]
    implants: tuple[Implant, ...]
    grid: Grid
    scanner: Scanner
    family: Family = "training"
    body: Scan | None = None

    def describe(self) -> str:
        """One line."""
        ceiling = "extended scale" if self.scanner.ceiling_hu is None else f"ends at {self.scanner.ceiling_hu:g} HU"
        return f"{self.part}, {', '.join(self.kinds) or 'no metal'}; {ceiling}; {self.grid.describe()}"


@dataclass(frozen=True)
class Wish:
    """What of a case is not left to chance. saturated: whether the scale ends at 12 bits. metal: any implant at all.
    material: one metal for all implants.
    """

    part: Part | None = None
    kinds: tuple[str, ...] | None = None
    pixel_mm: float | None = None
    slice_mm: float | None = None
    size: int | None = None
    slices: int | None = None
    saturated: bool | None = None
    metal: bool | None = None
    material: str | None = None
    family: Family = "training"
    scanner: dict[str, float] = field(default_factory=dict)


def draw_case(seed: int, wish: Wish | None = None) -> Case:
    """The case of a seed; the same seed and wish give the same case.

    Raises CtsegError where there is no such part, or none with a place for the kinds.
    """
    wish = wish or Wish()
    random = np.random.default_rng((seed, 7 if wish.family == "training" else 11))
    part = _choose_part(random, wish)
    patient = _Patient.of(seed, part)
    landmarks = patient.landmarks
    with_metal = wish.metal if wish.metal is not None else bool(random.random() > WITHOUT_METAL)
    sites = _choose_sites(random, landmarks, wish.kinds) if with_metal else []
    implants = [one for kind, site in sites for one in _put(kind, site, random, wish.family, patient)]
    about = _about(random, implants, landmarks)
    implants += _outside(random, wish.family, patient) if wish.kinds is None and wish.metal is not False else []
    scanner = draw_scanner(random, saturated=wish.saturated)
    grid = _draw_grid(random, about, wish)
    settings = {**vars(scanner), **wish.scanner}
    return Case(
        seed, part, tuple(kind for kind, _ in sites), tuple(_of(implants, wish)), grid, Scanner(**settings), wish.family
    )


def draw_case_in(body: Scan, seed: int, wish: Wish | None = None) -> Case:
    """The case of a seed in a real body, on the body's own grid; an implant that fits any bone lies along its bone.

    Raises CtsegError where the body holds metal already, or no bone, or where a kind does not belong on a shaft.
    """
    wish = wish or Wish()
    _require_on_shafts(wish.kinds or ())
    body = without_burned_in(body)
    require_no_metal(body)
    random = np.random.default_rng((seed, 13))
    scanner = draw_scanner(random, saturated=wish.saturated)
    kinds = wish.kinds or (str(random.choice(("plate", "screws", "pins"))),)
    implants: list[Implant] = []
    for kind in kinds if wish.metal is not False else ():
        point, axis = along_bone(body, random)
        across = toward(axis, random.normal(size=3))[:, 0]
        site = Landmark("femur", point, axis, across, "middle", BONE_MM)
        implants += put(kind, site, random, wish.family)
    settings = {**vars(scanner), **wish.scanner}
    used = kinds if implants else ()
    return Case(seed, "body", used, tuple(_of(implants, wish)), body.grid, Scanner(**settings), wish.family, body)


def _require_on_shafts(kinds: Sequence[str]) -> None:
    """CtsegError for kinds that have no place on an unknown bone."""
    allowed = _kinds_at("femur")
    others = [kind for kind in kinds if kind not in allowed]
    if others:
        raise CtsegError(
            f"{' and '.join(others)} cannot be put into a real body, where only bone is found; "
            f"take {', '.join(allowed)}, or leave the body out"
        )


def make_case(case: Case, *, jobs: int = 1, progress: Progress | None = None) -> Simulated:
    """The case's scan and its truth."""
    return simulate(
        case.body or _draw_body(case),
        case.implants,
        scanner=case.scanner,
        grid=case.grid,
        seed=case.seed,
        jobs=jobs,
        progress=progress,
    )


def put(kind: str, site: Landmark, random: Random, family: Family = "training") -> list[Implant]:
    """The implants of a kind at a landmark, as they are put there in patients, turned and shifted a little."""
    frame, point = _frame(kind, site)
    turn = np.linalg.qr(np.eye(3) + random.normal(0, 0.06, (3, 3)))[0]
    turn *= np.sign(np.diag(turn))
    return list(place(make_implants(kind, random, family=family), frame @ turn, point + random.normal(0, 1.5, 3)))


def _of(implants: Sequence[Implant], wish: Wish) -> list[Implant]:
    """The implants, of the metal wished for."""
    return [replace(one, metal=wish.material) if wish.material and one.inside else one for one in implants]


def _frame(kind: str, site: Landmark) -> tuple[FloatArray, FloatArray]:
    """The implant's axes as columns, and its origin, in LPS; the other side of the body is a mirror image."""
    point, axis, second = (np.asarray(v, dtype=float) for v in (site.point_lps, site.axis_lps, site.second_lps))
    if site.place == "hip":
        frame = _axes(up=second, across=-axis)
        return (frame, point - axis * NECK_MM) if kind in ON_THE_SHAFT else (frame, point)
    if site.place == "jaw":
        return _back_and_up(BACK if kind in ALONG_THE_ARCH else -second, -axis), point - GUM_MM * axis
    if site.place == "spine":
        frame = _back_and_up(BACK, second)
        behind = -BODY_MM if kind == "cage" else BEHIND_MM
        return frame, point + frame @ (-PEDICLE_MM if site.side == "left" else PEDICLE_MM, behind, 0.0)
    if site.place in OWN_PLACES.values():
        return _back_and_up(-second, axis), point
    frame = _axes(up=axis, across=second)
    if site.place == "table":
        return frame, point - second * UNDER_MM
    if kind in ("screws", "pins"):  # from the side of the bone inwards
        return _axes(up=-second, across=axis), point + second * site.size_mm
    return (frame, point + second * site.size_mm) if kind == "plate" else (frame, point)


def _back_and_up(back: FloatArray, up: FloatArray) -> FloatArray:
    """Columns x, y (as near to `back` as it can) and z (up)."""
    z = unit(up)
    y = unit(back - np.dot(back, z) * z)
    return np.stack([np.cross(y, z), y, z], axis=1)


def _axes(*, up: FloatArray, across: FloatArray) -> FloatArray:
    """Columns x (across), y (to the patient's back, so that right sides are mirrored) and z (up)."""
    frame = toward(up, across)
    if abs(frame[1, 1]) > 0.3 and frame[1, 1] < 0:
        frame[:, 1] *= -1
    return frame


def _choose_part(random: Random, wish: Wish) -> Part:
    """The part wished for, or one by weight; with kinds, one in which each of them has a place."""
    if wish.part is not None:
        if wish.part not in PARTS:
            raise CtsegError(f"no body part is called {wish.part!r}; there are: {', '.join(PARTS)}")
        return wish.part
    kinds = wish.kinds
    fit = [part for part in PARTS if all(set(_PLACES[part]) & _places_of(kind) for kind in kinds or ())]
    if not fit:
        wanted = " and ".join(kinds or ())
        raise CtsegError(f"no body part has a place for {wanted}; take another kind, or one at a time")
    weights = np.array([PARTS[part] for part in fit])
    return fit[int(random.choice(len(fit), p=weights / weights.sum()))]


_PLACES: dict[Part, tuple[str, ...]] = {
    "pelvis": ("hip", "femur", "skin", "table"),
    "limb": ("femur", "skin", "table"),
    "spine": ("spine", "trunk", "skin", "table"),
    "head": ("jaw", "skin", "table"),
    "trunk": ("trunk", "sternum", "chest", "spine", "skin", "table"),
}
"""The landmarks of each part on which implants are put."""


def _places_of(kind: str) -> set[str]:
    """The landmarks that a kind is put on."""
    return {place for places in _PLACES.values() for place in places if kind in _kinds_at(place)}


def _choose_sites(
    random: Random, landmarks: Sequence[Landmark], kinds: Sequence[str] | None
) -> list[tuple[str, Landmark]]:
    """Kinds of implants and the landmarks that they are put on: those wished for, or one and sometimes more."""
    if kinds is not None:
        sites = [_choose_site(random, [site for site in landmarks if kind in _kinds_at(site.place)]) for kind in kinds]
        pairs = list(zip(kinds, sites, strict=True))
    else:
        inside = [site for site in landmarks if site.place not in ("skin", "table") and _kinds_at(site.place)]
        first = _choose_site(random, inside)
        others = [site for site in inside if site is not first and site.place not in OWN_PLACES.values()]
        others.sort(key=lambda site: float(np.linalg.norm(np.subtract(site.point_lps, first.point_lps))))
        often = {"jaw": (1, 8), "trunk": (1, 5), "spine": (1, 1)}.get(first.place, (1, 2))
        chosen = [first, *others][: int(random.integers(*often, endpoint=True))]
        pairs = [(_choose_kind(random, site), site) for site in chosen]
    return [(kind, _seat(kind, site, landmarks)) for kind, site in pairs]


def _choose_site(random: Random, sites: Sequence[Landmark]) -> Landmark:
    """One of the sites by how often their places are chosen; CtsegError where there is none."""
    if not sites:
        raise CtsegError(NO_PLACE)
    weights = np.array([OFTEN_AT.get(site.place, 1.0) for site in sites])
    return sites[int(random.choice(len(sites), p=weights / weights.sum()))]


def _seat(kind: str, site: Landmark, landmarks: Sequence[Landmark]) -> Landmark:
    """Where a kind sits that is drawn at a site: the socket of a hip, the foremost tooth of a jaw, else the site."""
    if kind == "hip_cup":
        return next(other for other in landmarks if (other.place, other.side) == ("socket", site.side))
    if kind not in ALONG_THE_ARCH:
        return site
    row = [other for other in landmarks if other.place == "jaw" and np.dot(other.axis_lps, site.axis_lps) > 0]
    return min(row, key=lambda other: float(other.point_lps[1]))


def _choose_kind(random: Random, site: Landmark) -> str:
    kinds = _kinds_at(site.place)
    weights = np.array([OFTEN.get(kind, 1.0) for kind in kinds])
    return str(random.choice(kinds, p=weights / weights.sum()))


def _kinds_at(place: str) -> tuple[str, ...]:
    """The kinds that are put at landmarks of a place."""
    if place == "hip":
        return (*kinds_for("hip"), *ON_THE_SHAFT)
    if place == "femur":
        return tuple(kind for kind in kinds_for("femur") if kind not in ON_THE_SHAFT)
    if place == "table":
        return ("table_rail",)
    if place == "skin":
        return tuple(kind for kind in kinds_for("outside") if kind != "table_rail")
    if place == "trunk":
        return tuple(kind for kind in kinds_for("trunk") if kind not in OWN_PLACES)
    own = tuple(kind for kind, own_place in OWN_PLACES.items() if own_place == place)
    return own or (kinds_for(place) if place in PLACES else ())


@dataclass(frozen=True, eq=False)
class _Patient:
    """Where things may lie on a drawn patient."""

    lying: Lying
    landmarks: Sequence[Landmark]

    @classmethod
    def of(cls, seed: int, part: Part) -> _Patient:
        """The patient that `_draw_body` draws, and those of its landmarks that lie within PATIENT."""
        lying = lay_down(PATIENT, np.random.default_rng(seed), part, extras=True)
        marks = lying.scene.landmarks
        index = PATIENT.to_index([mark.point_lps for mark in marks])
        inside = ((index >= 0) & (index <= np.array(PATIENT.shape) - 1)).all(axis=1)
        return cls(lying, [marks[n] for n in np.flatnonzero(inside)])


def _put(kind: str, site: Landmark, random: Random, family: Family, patient: _Patient) -> list[Implant]:
    """As `put`; what lies outside goes elsewhere where it would pierce the body. CtsegError where it always would."""
    if kind not in kinds_for("outside"):
        return put(kind, site, random, family)
    sites = [other for other in patient.landmarks if other.place == site.place]
    for n in random.permutation(len(sites)):
        implants = put(kind, sites[n], random, family)
        if not any(_pierces(one, patient.lying) for one in implants):
            return implants
    raise CtsegError(NO_PLACE)


def _pierces(implant: Implant, lying: Lying) -> bool:
    """Whether some of it lies deep in the body."""
    i, j, k = (int(n) for n in np.ceil((implant.high - implant.low) / EVERY_MM) + 1)
    to_lps = np.diag([EVERY_MM, EVERY_MM, EVERY_MM, 1.0])
    to_lps[:3, 3] = implant.low
    at = Space((i, j, k), to_lps).points(every((i, j, k)))
    return bool(((implant.distance(at) < EVERY_MM / 2) & (lying.skin((i, j, k), to_lps) < -DEEP_MM)).any())


def _outside(random: Random, family: Family, patient: _Patient) -> list[Implant]:
    """Sometimes an ECG lead, a buckle, a marker or a rail, where one fits."""
    kind = str(random.choice(kinds_for("outside")))
    sites = [site for site in patient.landmarks if kind in _kinds_at(site.place)]
    if not sites or random.random() > WITH_OUTSIDE:
        return []
    with suppress(CtsegError):
        return _put(kind, sites[0], random, family, patient)
    return []


def _about(random: Random, implants: Sequence[Implant], landmarks: Sequence[Landmark]) -> FloatArray:
    """The middle of the image: somewhere in an implant, or near a landmark."""
    if implants:
        one = implants[int(random.integers(len(implants)))]
        share = np.array([0.5, 0.5, random.uniform(0.1, 0.9)])
        return one.low + share * (one.high - one.low)
    site = landmarks[int(random.integers(len(landmarks)))]
    return np.asarray(site.point_lps) + random.normal(0, 10, 3)


def _draw_grid(random: Random, about: FloatArray, wish: Wish) -> Grid:
    """A grid about a point: whole bodies on large pixels, details on small ones, and coarse planning scans."""
    pixel, size, middle = _draw_plane(random, about)
    pixel, size = wish.pixel_mm or pixel, wish.size or size
    middle = _keep_in(about, middle, pixel * size)
    slice_mm = float(np.exp(random.uniform(np.log(0.6), np.log(5))))
    slice_mm = wish.slice_mm or slice_mm
    slices = wish.slices or int(np.clip(random.uniform(25, 45) / slice_mm, 6, 24))
    matrix = np.diag([pixel, pixel, slice_mm, 1.0])
    matrix[:3, 3] = middle - (np.array([size, size, slices]) - 1) / 2 * (pixel, pixel, slice_mm)
    return Grid((size, size, slices), matrix)


def _draw_plane(random: Random, about: FloatArray) -> tuple[float, int, FloatArray]:
    """Pixel in mm, pixels a side, and the middle of the image."""
    middle = np.array([0.0, about[1], about[2]])
    choice = random.random()
    if choice < 0.35:  # the whole body
        size = int(random.choice((256, 288, 320)))
        return float(random.uniform(380, 500)) / size, size, (about + 2 * middle) / 3
    if choice < 0.5:
        return float(random.uniform(0.85, 0.98)), 448, (about + middle) / 2
    if choice < 0.6:  # resampled planning scans
        return float(random.uniform(3.0, 5.0)), 112, (about + 2 * middle) / 3
    return float(random.uniform(0.3, 1.0)), 256, about + np.append(random.uniform(-15, 15, 2), 0)


def _keep_in(about: FloatArray, middle: FloatArray, width_mm: float) -> FloatArray:
    """The middle of the image, moved back so far that `about` lies well inside an image of this width."""
    shift = middle - about
    far = float(np.linalg.norm(shift))
    return about + shift * min(1.0, OFF_MIDDLE * width_mm / far) if far else middle


def _draw_body(case: Case) -> Scan:
    body = draw_body(_body_grid(case), seed=case.seed, part=case.part, whole=PATIENT)  # type: ignore[arg-type]
    return Scan(body.hu, body.grid)


def _body_grid(case: Case) -> Grid:
    """Wide enough for the whole body, which makes streaks also where it is not shown.

    CtsegError where the image is longer than what is drawn of a patient.
    """
    slice_mm = PATIENT.spacing_mm[2]
    length, longest = case.grid.shape[2] * case.grid.spacing_mm[2], PATIENT.shape[2] * slice_mm
    if length > longest:
        raise CtsegError(
            f"{case.grid.shape[2]} slices of {case.grid.spacing_mm[2]:g} mm are {length:g} mm, and {longest:g} mm of a "
            f"patient are drawn; ask for a --count of {int(longest / case.grid.spacing_mm[2])} or for a smaller --slice"
        )
    thick = length + 2 * MARGIN_MM
    matrix = np.array(PATIENT.index_to_lps)
    matrix[2, 3] = case.grid.center_lps[2] - thick / 2
    return Grid((*PATIENT.shape[:2], int(np.ceil(thick / slice_mm)) + 1), matrix)
