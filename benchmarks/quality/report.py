"""Report: quality.md, tables for the docs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.quality.figures import Figure, Record, by, coverage, mean_of, objects_held, reliability
from benchmarks.quality.methods import METHODS, NAMES, NETWORKS
from benchmarks.quality.targets import SIMULATED, make_rows, table

DASH = "-"


def write_report(
    records: Sequence[Record], oracles: Sequence[Record], path: Path, *, command: str, pictures: Sequence[str]
) -> None:
    """Write every table for which there are records."""
    simulated = [r for r in records if r["group"] in (*SIMULATED, "coarse", "bare")]
    parts = [
        "# Quality\n",
        f"Made by `{command}`. Means over cases; in brackets 95 % intervals, percentile bootstrap over cases.\n",
        "## Targets\n",
        table(make_rows(records)),
        *_kinds(simulated),
        *_upper_bounds(oracles),
        *_real([r for r in records if r["group"] == "real"]),
        *_head_neck([r for r in records if r["group"] == "head-neck"]),
        *_calibration(simulated),
        *[f"\n![{name}]({name})" for name in pictures],
    ]
    path.write_text("\n".join(parts) + "\n")


def _methods(records: Sequence[Record]) -> list[str]:
    return [name for name in METHODS if any(r["method"] == name for r in records)]


def _cell(figure: Figure | None, digits: int, *, sign: bool = False, interval: bool = False) -> str:
    if figure is None:
        return DASH
    return figure.text(digits, sign=sign) if interval else f"{figure.mean:{'+' if sign else ''}.{digits}f}"


def _kinds(records: Sequence[Record]) -> list[str]:
    """Tables of Dice, volume and surface distance for each scale: kinds down, methods across."""
    parts: list[str] = []
    metal = [r for r in records if r["group"] != "bare"]
    for variant, some in by(metal, "variant").items():
        for name, title, digits, sign in (
            ("dice", "Dice", 3, False),
            ("volume_percent", "volume against the truth, %", 1, True),
            ("surface_mm", "mean surface distance, mm", 2, False),
            ("stray_mm3", "marked more than 5 mm from any metal, mm3 a case", 0, False),
        ):
            parts += [f"\n## Simulated, {variant}: {title}\n", _table(some, name, digits, sign=sign)]
    return parts + _false_metal([r for r in records if r["group"] == "bare"])


def _table(records: Sequence[Record], name: str, digits: int, *, sign: bool) -> str:
    methods = _methods(records)
    lines = [f"| kind | cases | {' | '.join(NAMES[m] for m in methods)} |", "| --- | --- |" + " --- |" * len(methods)]
    groups = by(records, "kind")
    for cases, wanted in (("**plain implants**", ("plain",)), ("**plain and unseen implants**", SIMULATED)):
        groups[cases] = [r for r in records if r["group"] in wanted]
    for kind, some in groups.items():
        cells = [
            _cell(
                mean_of([r for r in some if r["method"] == m], name), digits, sign=sign, interval=kind.startswith("*")
            )
            for m in methods
        ]
        lines.append(f"| {kind} | {len({r['case'] for r in some})} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _false_metal(records: Sequence[Record]) -> list[str]:
    if not records:
        return []
    methods = [m for m in _methods(records) if m != "best_threshold"]
    lines = [f"| case, scale | {' | '.join(NAMES[m] for m in methods)} |", "| --- |" + " --- |" * len(methods)]
    for case, some in by(records, "case").items():
        for variant, few in by(some, "variant").items():
            mm3 = {r["method"]: r["false_mm3"] for r in few}
            lines.append(f"| {case}, {variant} | {' | '.join(f'{mm3[m]:.0f}' for m in methods)} |")
    return ["\n## Simulated, without metal: false metal, mm3\n", "\n".join(lines)]


def _upper_bounds(oracles: Sequence[Record]) -> list[str]:
    if not oracles:
        return []
    moves = sorted(
        {key for r in oracles for key in r if key.startswith("moved")}, key=lambda key: float(key.split()[1])
    )
    columns = [*moves, "through the 3D grid"]
    lines = [f"| kind | cases | {' | '.join(columns)} |", "| --- | --- |" + " --- |" * len(columns)]
    for kind, some in [
        *by(oracles, "kind").items(),
        ("**plain and unseen implants**", [r for r in oracles if r["group"] in SIMULATED]),
    ]:
        lines.append(f"| {kind} | {len(some)} | {' | '.join(_cell(mean_of(some, c), 3) for c in columns)} |")
    text = (
        "Dice with the truth of a mask whose surface is the true one, moved outwards by so many mm (0 checks the "
        "count), and of the truth taken to the 3D network's grid and back: what thin parts cost at these pixels.\n"
    )
    return ["\n## Upper bounds\n", text, "\n".join(lines)]


def _real(records: Sequence[Record]) -> list[str]:
    if not records:
        return []
    lines = [
        "| scan | scale | method | Dice | against plain | volume, % | surface, mm | beyond 5 mm, mm3 | slices 0-85 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in records:
        plain = f"{r['dice_plain']:.4f}" if "dice_plain" in r else DASH
        surface = DASH if r["surface_mm"] is None else f"{r['surface_mm']:.2f}"
        bare = DASH if r.get("bare_mm3") is None else f"{r['bare_mm3']:.0f}"
        lines.append(
            f"| {r['case']} | {r['variant']} | {NAMES[r['method']]} | {r['dice']:.4f} | {plain} "
            f"| {r['volume_percent']:+.1f} | {surface} | {r['stray_mm3']:.0f} | {bare} |"
        )
    text = (
        "Against the half-maximum labels of the unsaturated scan, which are no truth; half-maximum there is measured "
        "against itself. Against plain: Dice with the labels of the plain version (half of the maximum within 4 mm).\n"
    )
    return ["\n## Real scans\n", text, "\n".join(lines)]


def _head_neck(records: Sequence[Record]) -> list[str]:
    if not records:
        return []
    methods = _methods(records)
    lines = [
        f"| volume | maximum HU | known | bright in jaw / elsewhere, mm3 | {' | '.join(NAMES[m] for m in methods)} |",
        "| --- | --- | --- | --- |" + " --- |" * len(methods),
    ]
    for name, some in by(records, "case").items():
        own = {r["method"]: r for r in some}
        cells = [
            f"{r['jaw_mm3']:.0f} / {r['elsewhere_mm3']:.0f} ({r['components_found']} of {r['components']})"
            for m in methods
            if (r := own[m])
        ]
        first = some[0]
        bright = f"{first['bright_jaw_mm3']:.0f} / {first['bright_elsewhere_mm3']:.0f}"
        lines.append(f"| {name} | {first['highest_hu']} | {first['known']} | {bright} | {' | '.join(cells)} |")
    text = (
        "mm3 marked within 8 mm of bright (above 2450 HU) components in the jaw / anywhere else; in brackets, how many "
        "of the bright components in the jaw were touched. One voxel is 35 to 80 mm3.\n"
    )
    return ["\n## head-neck-ct\n", text, "\n".join(lines)]


def _calibration(records: Sequence[Record]) -> list[str]:
    lines = [
        "| method | scale | error near metal | all voxels | from 0.1 to 0.9 | intervals that hold: cases | objects |",
        "| --- |" + " --- |" * 6,
    ]
    metal = [r for r in records if r["group"] in SIMULATED]
    for method in [m for m in METHODS if m in NETWORKS or m == "half_maximum"]:
        for variant, some in by([r for r in metal if r["method"] == method], "variant").items():
            errors = [
                f"{found.error:.4f}" if (found := reliability(some, where)) else DASH for where in ("near", "all")
            ]
            near = reliability(some, "near")
            errors.append(f"{near.unsure:.4f}" if near else DASH)
            shares = [f"{pair[0]} of {pair[1]}" if pair else DASH for pair in (coverage(some), objects_held(some))]
            lines.append(f"| {NAMES[method]} | {variant} | {' | '.join(errors + shares)} |")
    text = (
        "Expected calibration error over ten bins of probability; near metal: over voxels within 5 mm of true or found "
        "metal; from 0.1 to 0.9: of those among them alone. Intervals: cases whose whole volume lies in the "
        "interval that the component report gives, and objects found whose volume lies in their own interval.\n"
    )
    return ["\n## Calibration\n", text, "\n".join(lines)] if len(lines) > 2 else []
