"""`monai-ctseg infer`: metal masks by a trained network."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from monai_ctseg.cli.console import (
    JsonOption,
    OutputOption,
    OverwriteOption,
    ScanArgument,
    SeriesOption,
    load,
    progress,
)
from monai_ctseg.cli.labels import report
from monai_ctseg.metal import judge_mask
from monai_ctseg.outputs import file_sha256, new_folder, write_run, write_segmentation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example:  monai-ctseg infer ~/scans/hip -o hip_predicted --weights hip_run/model.pt")(infer)


def infer(
    scan: ScanArgument,
    output: OutputOption,
    weights: Annotated[
        Path | None, typer.Option(help="A model.pt from `train`. Default: the bundle's own.", show_default=False)
    ] = None,
    bundle: Annotated[str, typer.Option(help="Name or folder of a MONAI bundle.")] = "metal_unet2d",
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="Keep what lies outside the patient's body, too.")
    ] = False,
    image: Annotated[bool, typer.Option("--image", help="Write the scan as image.nii.gz beside the mask.")] = False,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1. Default: CUDA where it is.", show_default=False)
    ] = None,
    series: SeriesOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Segment a whole scan by a bundle's network, inside the body, and write what `labels` writes.

    Writes mask.nii.gz, masks/ and images/ (an 8-bit PNG a slice), audit.json and run.json.
    """
    from monai_ctseg.inference import load_predictor

    start = perf_counter()
    with new_folder(output, overwrite=overwrite) as folder:
        predictor = load_predictor(bundle, weights=weights, device=device)
        loaded = load(scan, series)
        read = perf_counter()
        with progress("segmenting") as callback:
            mask = predictor(loaded, anywhere=True, progress=callback)
        predicted = perf_counter()
        with progress("finding the body"):
            found = judge_mask(loaded, mask, anywhere=anywhere)
        with progress("writing") as callback:
            write_segmentation(folder, loaded, found.mask, found.audit(), image=image, progress=callback)
        write_run(
            folder,
            "infer",
            {"bundle": bundle, "anywhere": anywhere, "image": image, "series": series, "device": str(predictor.device)},
            scans=[loaded],
            weights_sha256=file_sha256(predictor.weights),
            seconds={"load": read - start, "predict": predicted - read, "write": perf_counter() - predicted},
        )
    report(found, output, as_json=as_json)
