"""Pictures: charts by method and kind, reliability, and the cases that went worst."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.quality.cases import Kept
from benchmarks.quality.figures import Record, by, reliability
from benchmarks.quality.methods import METHODS, NAMES, NETWORKS
from benchmarks.quality.records import Store
from benchmarks.quality.targets import SIMULATED
from monai_ctseg.plots import SheetSlice, plot_sheet

COLORS = dict(zip(METHODS, ("#757575", "#bdbdbd", "#8d6e63", "#2e7d32", "#1565c0", "#ef6c00", "#6a1b9a"), strict=True))
WORST = 6


def draw_strips(records: Sequence[Record], path: Path, *, name: str = "dice", label: str = "Dice") -> None:
    """A panel a scale: a dot a case, a bar for the mean, methods side by side within each kind."""
    metal = [r for r in records if r["group"] in SIMULATED and r.get(name) is not None]
    panels = by(metal, "variant")
    figure = Figure(figsize=(12, 4.2 * len(panels) + 0.6), layout="constrained")
    for axes, (variant, some) in zip(np.atleast_1d(figure.subplots(len(panels), 1)), panels.items(), strict=True):
        kinds, methods = list(by(some, "kind")), [m for m in METHODS if any(r["method"] == m for r in some)]
        for n, method in enumerate(methods):
            shift = (n - (len(methods) - 1) / 2) * 0.8 / len(methods)
            for x, kind in enumerate(kinds):
                values = np.array([r[name] for r in some if (r["kind"], r["method"]) == (kind, method)])
                spread = np.linspace(-0.04, 0.04, len(values)) if len(values) > 1 else np.zeros(len(values))
                axes.plot(x + shift + spread, values, ".", color=COLORS[method], markersize=4, alpha=0.6)
                if len(values):
                    axes.hlines(
                        values.mean(),
                        x + shift - 0.055,
                        x + shift + 0.055,
                        color=COLORS[method],
                        linewidth=2.5,
                        label=NAMES[method] if x == 0 else None,
                    )
        axes.set_xticks(range(len(kinds)), kinds, fontsize=9)
        axes.set(ylabel=label, title=f"Simulated, {variant}: a dot is a case, a bar the mean")
        axes.grid(axis="y", color="#e0e0e0")
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=9)
    figure.savefig(path, dpi=110)


def draw_reliability(records: Sequence[Record], path: Path) -> bool:
    """How often voxels of a said probability are metal; False where no network was run."""
    metal = [r for r in records if r["group"] in SIMULATED and r["method"] in NETWORKS]
    if not metal:
        return False
    figure = Figure(figsize=(5.6, 5.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#9e9e9e", linewidth=1)
    for method, own in by(metal, "method").items():
        for variant, some in by(own, "variant").items():
            if found := reliability(some, "near"):
                style = "-" if variant == "extended" else "--"
                axes.plot(
                    found.said,
                    found.true,
                    style,
                    marker="o",
                    markersize=4,
                    color=COLORS[method],
                    label=f"{NAMES[method]}, {variant}: {found.error:.3f}",
                )
    axes.set(xlabel="probability that the network says", ylabel="share that is metal", xlim=(0, 1), ylim=(0, 1))
    axes.set_title("Within 5 mm of metal; expected calibration error", fontsize=10)
    axes.legend(fontsize=8)
    axes.grid(color="#e0e0e0")
    figure.savefig(path, dpi=110)
    return True


def draw_worst(records: Sequence[Record], kept: dict[str, Kept], store: Store, folder: Path) -> list[str]:
    """A sheet for each method and scale: the cases with the lowest Dice, then the most false metal. Their names."""
    names = []
    for method in [m for m in METHODS if m in NETWORKS or m == "half_maximum"]:
        own = [r for r in records if r["method"] == method and r["case"] in kept]
        for variant, some in by(own, "variant").items():
            lowest = sorted(
                (r for r in some if r["dice"] is not None and r["group"] != "coarse"), key=lambda r: r["dice"]
            )[:WORST]
            false = sorted((r for r in some if r["group"] == "bare" and r["false_mm3"]), key=lambda r: -r["false_mm3"])
            slices = [_worst_slice(r, kept[r["case"]], store) for r in [*lowest, *false[:2]]]
            if slices:
                name = f"worst_{method}_{variant}.png"
                plot_sheet(slices, folder / name, title=f"{NAMES[method]}, {variant}: the worst cases; truth at left")
                names.append(name)
    return names


def _worst_slice(record: Record, kept: Kept, store: Store) -> SheetSlice:
    """The slice with the most voxels that are wrong."""
    scan, truth, mask = kept.scan(record["variant"]), kept.truth.voxels, store.mask(record)
    k = int(np.argmax((truth ^ mask).sum(axis=(0, 1))))
    said = f"Dice {record['dice']:.3f}" if record["dice"] is not None else "no metal"
    return SheetSlice(
        hu=scan.hu[:, :, k].T,
        truth=truth[:, :, k].T,
        predicted=mask[:, :, k].T,
        name=f"{record['case']}, slice {k}",
        truth_note=f"truth, {int(truth[:, :, k].sum()):,} px",
        predicted_note=f"found, {int(mask[:, :, k].sum()):,} px; case: {said}",
        aspect=scan.grid.spacing_mm[1] / scan.grid.spacing_mm[0],
    )
