"""Targets: what was asked for, what was reached, and whether that is enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.quality.figures import Record, losses, mean_of, reliability, worst_kind
from benchmarks.quality.head_neck import counts
from benchmarks.quality.methods import NAMES, NETWORKS
from benchmarks.quality.records import VARIANTS

SIMULATED = ("plain", "unseen")
WITH_METAL = {"plain implants": ("plain",), "plain and unseen implants": SIMULATED}


@dataclass(frozen=True)
class Row:
    """One line of the table; met is None where there is nothing to judge."""

    what: str
    method: str
    figure: str
    target: str
    met: bool | None


def make_rows(records: Sequence[Record]) -> list[Row]:
    """All lines for which there are records."""
    networks = [name for name in NETWORKS if any(r["method"] == name for r in records)]
    rows = list(_simulated(records, "half_maximum", "extended", dice=0.95, kinds_volume=3))
    for name in networks:
        rows += _simulated(records, name, "extended", dice=0.96, surface=0.25)
    for name in networks:
        rows += _simulated(records, name, "saturated", dice=0.94, kinds_dice=0.88, volume=5)
    for name in networks:
        rows += _real(records, name)
    for name in [*networks, "half_maximum"]:
        rows += _bare(records, name)
        rows += _coarse(records, name)
        rows += _head_neck(records, name)
    for name in networks:
        rows += _calibration(records, name)
        rows += _never_worse(records, name)
    return rows


def _simulated(
    records: Sequence[Record],
    method: str,
    variant: str,
    *,
    dice: float,
    surface: float | None = None,
    kinds_volume: float | None = None,
    kinds_dice: float | None = None,
    volume: float | None = None,
) -> Iterator[Row]:
    for cases, groups in WITH_METAL.items():
        some = [r for r in records if r["group"] in groups and (r["method"], r["variant"]) == (method, variant)]
        head = f"simulated, {variant}, {cases}"
        if mean := mean_of(some, "dice"):
            yield Row(f"{head}: Dice", method, mean.text(), f"{dice}", mean.mean >= dice)
        if surface and (mean := mean_of(some, "surface_mm")):
            missed = sum(r["surface_mm"] is None for r in some)
            text = mean.text(2) + (f", {missed} missed" if missed else "")
            yield Row(f"{head}: surface distance, mm", method, text, f"{surface}", mean.mean <= surface and not missed)
        if kinds_dice and (worst := worst_kind(some, "dice")):
            yield Row(
                f"{head}: Dice, worst kind",
                method,
                f"{worst[1]:.3f} ({worst[0]})",
                f"{kinds_dice}",
                worst[1] >= kinds_dice,
            )
        if volume and (mean := mean_of(some, "volume_percent")):
            yield Row(
                f"{head}: volume, %", method, mean.text(1, sign=True), f"within {volume}", abs(mean.mean) <= volume
            )
        if kinds_volume and (worst := worst_kind(some, "volume_percent", size=True)):
            text = f"{worst[1]:+.1f} ({worst[0]})"
            yield Row(
                f"{head}: volume, %, worst kind", method, text, f"within {kinds_volume}", abs(worst[1]) <= kinds_volume
            )


REAL = {
    ("hip-screw-ct", "saturated"): 0.90,
    ("hip-prosthesis-ct", "saturated"): 0.985,
    ("hip-screw-ct", "extended"): 0.94,
    ("hip-prosthesis-ct", "extended"): 0.985,
}


def _coarse(records: Sequence[Record], method: str) -> Iterator[Row]:
    for variant in VARIANTS:
        some = [r for r in records if (r["group"], r["method"], r["variant"]) == ("coarse", method, variant)]
        if some:
            found = sum(r["touched"] for r in some)
            what = f"simulated dental metal on pixels of 3.5 to 5 mm found, {variant}"
            yield Row(what, method, f"{found} of {len(some)}", "all", found == len(some))


def _real(records: Sequence[Record], method: str) -> Iterator[Row]:
    for (scan, variant), target in REAL.items():
        for r in records:
            if (r["case"], r["variant"], r["method"]) == (scan, variant, method):
                what = f"{scan}, {variant}, against its half-maximum labels: Dice"
                yield Row(what, method, f"{r['dice']:.4f}", f"{target}", r["dice"] >= target)


def _bare(records: Sequence[Record], method: str) -> Iterator[Row]:
    own = [r for r in records if r["method"] == method]
    bare = [r for r in own if r["group"] == "bare"]
    if bare:
        total, cases = sum(r["false_mm3"] for r in bare), sum(r["false_mm3"] > 0 for r in bare)
        what = f"false metal on {len({r['case'] for r in bare})} simulated scans without metal, on both scales, mm3"
        yield Row(what, method, f"{total:.0f}" + (f", in {cases} of them" if cases else ""), "0", total == 0)
    for r in own:
        if r.get("bare_mm3") is not None:
            yield Row(
                f"false metal on slices 0-85 of hip-screw-ct, {r['variant']}, mm3",
                method,
                f"{r['bare_mm3']:.0f}",
                "0",
                r["bare_mm3"] == 0,
            )


def _head_neck(records: Sequence[Record], method: str) -> Iterator[Row]:
    own = [r for r in records if r["method"] == method and r["group"] == "head-neck"]
    if not own:
        return
    n = counts(own)
    yield Row(
        "head-neck-ct: dental metal found, volumes saturated at 2976 HU",
        method,
        f"{n['found_2976']} of {n['saturated_2976']}",
        "all",
        n["found_2976"] == n["saturated_2976"],
    )
    yield Row(
        "head-neck-ct: dental metal found, all volumes that have it",
        method,
        f"{n['found']} of {n['dental']}",
        "all",
        n["found"] == n["dental"],
    )
    yield Row(
        "head-neck-ct: false metal in volumes without metal in the body, mm3",
        method,
        f"{n['false_metal_free_mm3']:.0f}",
        "0",
        n["false_metal_free_mm3"] == 0,
    )
    text = f"{n['elsewhere_mm3']:.0f}, in {n['volumes_with_elsewhere']} volumes"
    yield Row(
        "head-neck-ct: marked away from the jaw where there is dental metal (contrast, wire), mm3",
        method,
        text,
        "0",
        n["elsewhere_mm3"] == 0,
    )


def _calibration(records: Sequence[Record], method: str) -> Iterator[Row]:
    for variant in VARIANTS:
        some = [r for r in records if r["group"] in SIMULATED and (r["method"], r["variant"]) == (method, variant)]
        if near := reliability(some, "near"):
            everywhere = reliability(some, "all")
            figure = f"{near.error:.3f}" + (
                f" (all voxels: {everywhere.error:.5f}; those between 0.1 and 0.9: {near.unsure:.2f})"
                if everywhere
                else ""
            )
            yield Row(
                f"expected calibration error, {variant}, within 5 mm of metal",
                method,
                figure,
                "0.05",
                near.error <= 0.05,
            )


def _never_worse(records: Sequence[Record], method: str) -> Iterator[Row]:
    some = [r for r in records if r["group"] in (*SIMULATED, "real")]
    if any(r["method"] == "threshold" for r in some):
        lost = losses(some, method)
        text = "; ".join(f"{kind} by {by:.3f}" for kind, by in lost.items()) or "none"
        yield Row("kinds of case in which it loses to 3000 HU", method, text, "none", not lost)


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    met = {True: "yes", False: "no", None: ""}
    lines = [
        "| measured on unseen cases | method | figure (95 % interval) | to reach | met |",
        "| --- | --- | --- | --- | --- |",
    ]
    return "\n".join(
        lines + [f"| {r.what} | {NAMES[r.method]} | {r.figure} | {r.target} | {met[r.met]} |" for r in rows]
    )
