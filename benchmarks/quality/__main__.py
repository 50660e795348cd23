"""Quality of every way to find metal, in one command.

    python -m benchmarks.quality OUT [--data DATA] [--cases 60] [--methods ...] [--weights2d PATH] [--weights3d PATH]

Simulates test cases whose seeds and shapes no training has seen, runs thresholds, half-maximum and both networks on
them and on the real scans in DATA, and writes OUT/quality.md, quality.json and pictures. What is there already is not
made again: simulated cases, and what a method found as long as its code and weights are the same.
--without names weights that were trained without a real scan, which are used for that scan.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from benchmarks.quality.cases import FIRST_SEED, Kept, keep_cases, make_plans
from benchmarks.quality.figures import Record, reliability, summarize
from benchmarks.quality.head_neck import run_head_neck
from benchmarks.quality.methods import METHODS, NETWORKS, Method, make_methods
from benchmarks.quality.oracles import dice, through_grid
from benchmarks.quality.pictures import draw_reliability, draw_strips, draw_worst
from benchmarks.quality.real import SCANS, run_real
from benchmarks.quality.records import VARIANTS, Store, run_method
from benchmarks.quality.report import write_report
from benchmarks.quality.targets import make_rows
from monai_ctseg.bundles import describe_bundle, find_bundle
from monai_ctseg.errors import CtsegError

ROWS = ("simulated", "real", "head-neck")


def main() -> None:
    """Simulate, run, measure, write."""
    given = parse(sys.argv[1:])
    given.out.mkdir(parents=True, exist_ok=True)
    store = Store(given.out / "found")
    methods = make_methods(given.methods, {"net2d": given.weights2d, "net3d": given.weights3d})
    records, oracles, kept = [], [], []
    if "simulated" in given.rows:
        plans = make_plans(given.cases, given.bare, given.coarse, seed=given.seed)
        kept = list(keep_cases(plans, given.out / "cases", jobs=given.jobs))
        records += run_simulated(kept, methods, store)
        oracles = find_upper_bounds(kept)
    if given.data and "real" in given.rows:
        records += run_real(given.data, store, lambda scan: swap(methods, given.without, scan), given.scans)
    if given.data and "head-neck" in given.rows:
        records += run_head_neck(given.data, store, methods)
    write(records, oracles, kept, store, given.out)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.quality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="folder with hip-screw-ct, hip-prosthesis-ct, head-neck-ct")
    parser.add_argument("--cases", type=int, default=60, help="simulated with metal")
    parser.add_argument("--bare", type=int, default=12, help="simulated without metal")
    parser.add_argument("--coarse", type=int, default=6, help="simulated dental metal on pixels of 3.5 to 5 mm")
    parser.add_argument("--jobs", type=int, default=1, help="cases simulated at a time")
    parser.add_argument("--seed", type=int, default=FIRST_SEED)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--scans", nargs="+", choices=SCANS, default=SCANS)
    parser.add_argument("--weights2d", type=Path)
    parser.add_argument("--weights3d", type=Path)
    parser.add_argument(
        "--without",
        nargs=3,
        action="append",
        default=[],
        metavar=("SCAN", "NETWORK", "PATH"),
        help=f"weights trained without a real scan: one of {', '.join(SCANS)}; net2d or net3d; model.pt",
    )
    return parser.parse_args(words)


def run_simulated(kept: Sequence[Kept], methods: Sequence[Method], store: Store) -> list[Record]:
    """Every method on every case on both scales."""
    records = []
    for done, one in enumerate(kept, start=1):
        facts = {"group": one.plan.group, "kind": one.plan.kind, "what": one.plan.what, "metals": one.facts["metals"]}
        facts["voxels"] = one.facts["voxels_sha256"]
        for variant in VARIANTS:
            scan = cache(lambda one=one, variant=variant: one.scan(variant))
            records += [
                run_method(store, method, one.folder.name, variant, scan, one.truth, **facts) for method in methods
            ]
        print(f"[{done}/{len(kept)}] {one.plan.name}: {_line(records[-2 * len(methods) :])}", flush=True)
    return records


def _line(records: Sequence[Record]) -> str:
    """Dice, or mm3 of false metal, of each method on both scales."""
    pairs = [
        (r["method"], f"{r['dice']:.3f}" if r["dice"] is not None else f"{r['false_mm3']:.0f} mm3") for r in records
    ]
    half = len(pairs) // 2
    return ", ".join(
        f"{name} {first} / {second}" for (name, first), (_, second) in zip(pairs[:half], pairs[half:], strict=True)
    )


def swap(methods: Sequence[Method], without: Sequence[Sequence[str]], scan: str) -> list[Method]:
    """The methods, with the networks that never saw a scan in place of the others."""
    weights = {name: Path(path) for held_out, name, path in without if held_out == scan}
    others = {name: make_methods([name], weights)[0] for name in weights}
    return [others.get(method.name, method) for method in methods]


def find_upper_bounds(kept: Sequence[Kept]) -> list[Record]:
    """The Dice that a small deviation of the surface, and the 3D network's grid, leave for each case."""
    spacing = describe_bundle(find_bundle(NETWORKS["net3d"])).spacing_mm
    rows = []
    for one in kept:
        if one.plan.group == "bare":
            continue
        row: Record = {"case": one.folder.name, "group": one.plan.group, "kind": one.plan.kind}
        row |= {f"moved {move} mm": value for move, value in one.facts["moved_surface"].items()}
        if spacing:
            row["through the 3D grid"] = dice(through_grid(one.truth, spacing), one.truth.voxels)
        rows.append(row)
    return rows


def write(records: list[Record], oracles: list[Record], kept: Sequence[Kept], store: Store, out: Path) -> None:
    """quality.json, quality.md, pictures."""
    pictures = []
    if any(r["group"] not in ("real", "head-neck") for r in records):
        draw_strips(records, out / "dice.png")
        draw_strips(records, out / "volume.png", name="volume_percent", label="volume against the truth, %")
        draw_strips(records, out / "surface.png", name="surface_mm", label="mean surface distance, mm")
        pictures += ["dice.png", "volume.png", "surface.png"]
        pictures += ["reliability.png"] if draw_reliability(records, out / "reliability.png") else []
        pictures += draw_worst(records, {one.folder.name: one for one in kept}, store, out)
    rows, calibration = make_rows(records), {name: _curves(records, name) for name in NETWORKS}
    command = "python -m benchmarks.quality " + shlex.join(sys.argv[1:])
    content = {
        "command": command,
        "targets": [vars(row) for row in rows],
        "calibration": calibration,
        "summary": summarize(records_measured(records)),
        "upper_bounds": oracles,
        "cases": [{"name": one.folder.name, **one.facts} for one in kept],
        "records": records,
    }
    (out / "quality.json").write_text(json.dumps(content, indent=1))
    write_report(records, oracles, out / "quality.md", command=command, pictures=pictures)
    print((out / "quality.md").read_text().split("\n## ")[1])
    print(f"written to {out}: quality.md, quality.json, {', '.join(pictures)}")


def records_measured(records: Sequence[Record]) -> list[Record]:
    """Those with a truth to measure against."""
    return [r for r in records if r["group"] != "head-neck"]


def _curves(records: Sequence[Record], method: str) -> Record:
    own = [r for r in records if r["method"] == method and r["group"] in ("plain", "unseen")]
    found = {
        f"{v}, {w}": reliability([r for r in own if r["variant"] == v], w) for v in VARIANTS for w in ("near", "all")
    }
    return {name: vars(curve) for name, curve in found.items() if curve}


if __name__ == "__main__":
    try:
        main()
    except CtsegError as error:
        sys.exit(f"benchmarks.quality: {error}")
