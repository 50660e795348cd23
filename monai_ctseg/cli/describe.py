"""A segmentation in lines to read; `labels` and `infer` print it."""

from __future__ import annotations

from pathlib import Path

import typer

from monai_ctseg.cli.console import print_facts, print_json, warn
from monai_ctseg.errors import plural
from monai_ctseg.output.masks import COMPONENT_REPORT
from monai_ctseg.segmentation.records import Component, Segmentation, Volumes

SHOWN = 10
"""Components on the screen; all are in the component report."""


def print_segmentation(found: Segmentation, output: Path, *, as_json: bool) -> None:
    """Print what was found, how sure it is, and where it was written."""
    if as_json:
        print_json({**found.component_report(), "output": str(output)})
    else:
        print_facts(describe(found))
        typer.echo(f"\nwritten to {output}: mask.nii.gz, masks/, images/, {COMPONENT_REPORT}, run.json")
    if not found.mask.count:
        warn("no metal was found; the mask is empty")


def describe(found: Segmentation) -> dict[str, str]:
    """Names and values, in the order to print them."""
    voxels, slices = plural(found.mask.count, "voxel"), plural(found.slices_with_metal, "slice")
    facts = {
        "metal": f"{voxels}, {found.mask.volume_mm3:,.0f} mm3, on {slices}",
        "volume": _volumes(found),
        "found": f"{_found_by(found)}, {'in the body' if found.body_mask else 'without a body mask'}",
        "intensity": found.intensity.describe(),
        "components": _components(found) or "none",
        "other thresholds": "\n".join(
            f"{row.threshold_hu:g} HU: {row.voxels:,} voxels, {row.volume_mm3:,.0f} mm3" for row in found.sensitivity
        ),
    }
    return {name: text for name, text in facts.items() if text}


def describe_interval(interval: Volumes | None) -> str:
    """The interval in words; "" where there is none."""
    return f"between {interval[0]:,.0f} and {interval[1]:,.0f}" if interval else ""


def _volumes(found: Segmentation) -> str:
    """The whole volume and that of the largest components, each with its interval."""
    if not found.volume_interval_mm3:
        return ""
    lines = [f"all {found.mask.volume_mm3:,.0f} mm3, {describe_interval(found.volume_interval_mm3)}"]
    lines += [
        f"component {one.label} {one.volume_mm3:,.0f} mm3, {describe_interval(one.volume_interval_mm3)}"
        for one in [one for one in found.components if one.kept][:SHOWN]
        if one.volume_interval_mm3
    ]
    if found.confidence and not found.confidence.interval_calibrated:
        lines.append("(the intervals are not calibrated for these weights)")
    return "\n".join(lines)


def _components(found: Segmentation) -> str:
    lines = [_component(one) for one in found.components[:SHOWN]]
    more = len(found.components) - SHOWN
    return "\n".join(lines + ([f"... {more} more in {COMPONENT_REPORT}"] if more > 0 else []))


def _component(one: Component) -> str:
    line = (
        f"{'kept   ' if one.kept else 'dropped'} {one.voxels:>9,} voxels, up to {one.max_hu:g} HU, "
        f"LPS ({', '.join(f'{mm:.1f}' for mm in one.centroid_lps)}): {one.reason}"
    )
    if one.plateau_hu is None:
        return line
    edge, around = f"{one.edge_hu:.0f} HU", f"{one.surroundings_hu:.0f} HU"
    return f"{line}; plateau {one.plateau_hu:.0f} HU, edge at {edge}, surroundings {around}"


def _found_by(found: Segmentation) -> str:
    """How the mask was made, in words."""
    threshold = "" if found.threshold_hu is None else f"{found.threshold_hu:g} HU"
    return {
        "threshold": f"above {threshold}",
        "half-maximum": f"by half-maximum edges around voxels above {threshold}",
        "plateau": f"above {threshold} around voxels at the saturation level",
        "network": "by the network",
        "network and half-maximum": "by the network, its probabilities averaged with half-maximum",
        "network and threshold": "by the network, its probabilities averaged with a threshold",
        "given": "as given",
    }[found.method]
