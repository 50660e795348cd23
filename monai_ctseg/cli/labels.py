"""`monai-ctseg labels`: metal masks by threshold, or by the edges of each object."""

from __future__ import annotations

from enum import StrEnum
from time import perf_counter
from typing import Annotated

import typer

from monai_ctseg.cli.console import (
    JsonOption,
    NoBodyMaskOption,
    OutputOption,
    OverwriteOption,
    ScanArgument,
    SeriesOption,
    ThresholdOption,
    load,
    progress,
    warn,
)
from monai_ctseg.cli.describe import print_segmentation
from monai_ctseg.output import new_folder, segmentation_writer, write_run
from monai_ctseg.segmentation.intensity import METAL_HU
from monai_ctseg.segmentation.pipeline import segment


class Method(StrEnum):
    """How metal is found."""

    threshold = "threshold"
    half_maximum = "half-maximum"


app = typer.Typer()


@app.command(epilog="Example:  monai-ctseg labels ~/scans/hip -o hip_metal --threshold 3000")
def labels(
    scan: ScanArgument,
    output: OutputOption,
    threshold: ThresholdOption = METAL_HU,
    method: Annotated[
        Method,
        typer.Option(
            metavar="METHOD",
            help="threshold, or half-maximum: each object up to its own edges, if it exceeds --threshold somewhere.",
        ),
    ] = Method.threshold,
    no_body_mask: NoBodyMaskOption = False,
    image: Annotated[bool, typer.Option("--image", help="Write the scan as image.nii.gz beside the mask.")] = False,
    series: SeriesOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find metal by threshold or half-maximum, and write masks.

    Metal blooms, so a threshold draws it too large. --method half-maximum ends each object half-way between its own
    plateau and what is around it. Where a scan is saturated below that plateau (12-bit range), the edge cannot be
    known: the command says so, takes what lies around the saturation level, and gives the interval of volume that
    remains.

    Only metal in the patient's body is kept; the report names every component, and why it was dropped.

    Writes mask.nii.gz, masks/ and images/ (an 8-bit PNG a slice), component_report.json and run.json.

    Other thresholds find other tissue: --threshold 250 --no-body-mask marks bone, and all that is as dense.
    """
    start = perf_counter()
    with new_folder(output, overwrite=overwrite) as folder:
        loaded = load(scan, series)
        read = perf_counter()
        with segmentation_writer(folder, loaded, image=image) as write:
            with progress("segmenting"):
                found = segment(loaded, method=method.value, threshold_hu=threshold, body_mask=not no_body_mask)
            segmented = perf_counter()
            with progress("writing") as callback:
                write(found, progress=callback)
        write_run(
            folder,
            "labels",
            {
                "threshold_hu": threshold,
                "method": method.value,
                "body_mask": not no_body_mask,
                "image": image,
                "series": series,
            },
            scans=[loaded],
            seconds={"read": read - start, "segment": segmented - read, "write": perf_counter() - segmented},
        )
    print_segmentation(found, output, as_json=as_json)
    for note in found.notes:
        warn(note)
