"""`monai-ctseg bundles`: what is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import typer

from monai_ctseg.bundles import BundleFacts, describe_bundle, installed_bundles
from monai_ctseg.cli.console import JsonOption, print_facts, print_json

app = typer.Typer()


@app.command(epilog="Example:  monai-ctseg bundles --json")
def bundles(as_json: JsonOption = False) -> None:
    """List the bundles that --bundle takes by name.

    Each with its version, voxel spacing, HU window, weights and measured figures.
    --bundle also takes the path of any other MONAI bundle's folder.
    """
    found = [describe_bundle(folder) for folder in installed_bundles()]
    if as_json:
        print_json([{**asdict(facts), "folder": str(facts.folder)} for facts in found])
        return
    for n, facts in enumerate(found):
        if n:
            typer.echo()
        print_facts(describe(facts))


def describe(facts: BundleFacts) -> dict[str, str]:
    """One bundle as names and values to print."""
    spacing = " x ".join(f"{mm:g}" for mm in facts.spacing_mm or ())
    window = "not stated" if facts.window_hu is None else "{:g} to {:g} HU".format(*facts.window_hu)
    return {
        "bundle": f"{facts.name} {facts.version}" + (f", {facts.dimensions}D" if facts.dimensions else ""),
        "task": facts.task or "not stated",
        "spacing": f"{spacing} mm, scans are resampled to it" if spacing else "the scan's own",
        "window": window,
        "weights": f"sha256 {facts.weights_sha256[:12]}" if facts.weights_sha256 else "no weights; train it first",
        "measured": "\n".join(_lines(facts.figures)) or "nothing yet",
        "folder": str(facts.folder),
    }


def _lines(figures: Mapping[str, Any], before: str = "") -> list[str]:
    """Nested figures, a line for each."""
    lines = []
    for name, value in figures.items():
        if isinstance(value, Mapping):
            lines += _lines(value, f"{before}{name}, ")
        else:
            lines.append(f"{before}{name}: {value:.4g}" if isinstance(value, float) else f"{before}{name}: {value}")
    return lines
