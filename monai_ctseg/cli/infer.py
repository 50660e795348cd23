"""`monai-ctseg infer`: metal masks by a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monai_ctseg.bundles import BundleFacts, describe_bundle
from monai_ctseg.cli.console import (
    JsonOption,
    NoBodyMaskOption,
    OutputOption,
    OverwriteOption,
    SeriesOption,
    load,
    print_json,
    progress,
    refuse,
    warn,
)
from monai_ctseg.cli.describe import describe_interval, print_segmentation
from monai_ctseg.cli.settings import parse_settings
from monai_ctseg.errors import AmbiguousScan, CtsegError
from monai_ctseg.output import file_sha256, new_folder, segmentation_writer, write_run
from monai_ctseg.output.names import unique_names
from monai_ctseg.segmentation.pipeline import segment
from monai_ctseg.segmentation.records import Segmentation

if TYPE_CHECKING:
    from monai_ctseg.networks.bundle_network import MetalNetwork


@dataclass(frozen=True)
class Options:
    """What is asked for each scan."""

    body_mask: bool
    image: bool
    probability: bool
    series: str | None
    overwrite: bool


@dataclass(frozen=True)
class Tool:
    """The network, ready, and what run.json says of it."""

    network: MetalNetwork
    bundle: BundleFacts
    arguments: dict[str, Any]
    weights_sha256: str


app = typer.Typer()
PANELS = {
    "What is written": ("no_body_mask", "image", "probability"),
    "Network": ("bundle", "weights", "set_", "tta", "device", "batch", "overlap"),
}


@app.command(epilog="Example:  monai-ctseg infer ~/scans/hip -o hip_predicted")
def infer(
    scans: Annotated[
        list[Path],
        typer.Argument(
            metavar="SCAN...", help="Folders of DICOM files, DICOM files, or NIfTI volumes.", show_default=False
        ),
    ],
    output: OutputOption,
    weights: Annotated[
        Path | None, typer.Option(help="A model.pt from `train`. Default: the bundle's own.", show_default=False)
    ] = None,
    bundle: Annotated[str, typer.Option(help="Name or folder of a MONAI bundle.")] = "metal_unet2d",
    no_body_mask: NoBodyMaskOption = False,
    image: Annotated[bool, typer.Option("--image", help="Write the scan as image.nii.gz beside the mask.")] = False,
    probability: Annotated[
        bool, typer.Option("--probability", help="Write the network's probability as probability.nii.gz.")
    ] = False,
    tta: Annotated[
        bool, typer.Option("--tta", help="Mean of the scan and its flips along i, j and both: four times as long.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1. Default: CUDA where it is.", show_default=False)
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1, help="Windows (2D: slices) through the network at a time. Default: the bundle's.", show_default=False
        ),
    ] = None,
    overlap: Annotated[
        float | None,
        typer.Option(min=0, max=0.95, help="Share of a 3D window that its neighbours see, too.", show_default=False),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="ID=VALUE", help="Change a value of the bundle's config.", show_default=False),
    ] = None,
    series: SeriesOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find metal with a network, and write masks.

    A bundle's network segments whole scans; only metal in the patient's body is kept.

    Writes mask.nii.gz, masks/ and images/ (an 8-bit PNG a slice), component_report.json and run.json. Each of several
    scans gets a folder of its own in the output folder, named after the scan's folder or file: check what those names
    say of a patient. A scan that is refused does not stop the others.

    Each volume comes with an interval. A scan unlike those that the network was trained on is flagged.
    """
    settings = _settings(set_ or [], batch=batch, overlap=overlap)
    if series and len(scans) > 1:
        raise typer.BadParameter("a series is one scan's; name one scan, or leave it out", param_hint="--series")
    options = Options(not no_body_mask, image, probability, series, overwrite)
    if len(scans) == 1:
        with new_folder(output, overwrite=overwrite) as folder:
            found = _segment(scans[0], folder, _open(bundle, weights, device, tta, settings), options)
        print_segmentation(found, output, as_json=as_json)
        return
    tool = _open(bundle, weights, device, tta, settings)
    rows = [_try(scan, output / name, tool, options) for scan, name in zip(scans, unique_names(scans), strict=True)]
    _report_all(rows, output, as_json=as_json)


def _settings(words: Sequence[str], *, batch: int | None, overlap: float | None) -> dict[str, Any]:
    """--set, --batch and --overlap as ids of the config."""
    own = {"windows_per_batch": batch, "overlap": overlap}
    settings = parse_settings(words, own={*own, "device", "checkpoint", "dataset_dir", "output_dir"})
    return {**settings, **{name: value for name, value in own.items() if value is not None}}


def _open(bundle: str, weights: Path | None, device: str | None, tta: bool, settings: dict[str, Any]) -> Tool:
    from monai_ctseg.networks.predict import load_network

    network = load_network(bundle, weights=weights, device=device, tta=tta, overrides=settings)
    arguments = {"bundle": bundle, "device": str(network.device), "tta": tta, "overrides": settings}
    return Tool(network, describe_bundle(network.bundle), arguments, file_sha256(network.weights))


def _segment(source: Path, folder: Path, tool: Tool, options: Options) -> Segmentation:
    """Read one scan, segment it, and fill its folder."""
    start = perf_counter()
    scan = load(source, options.series)
    read = perf_counter()
    with segmentation_writer(folder, scan, image=options.image, probability=options.probability) as write:
        with progress("segmenting") as callback:
            found = segment(scan, network=tool.network, body_mask=options.body_mask, progress=callback)
        segmented = perf_counter()
        with progress("writing") as callback:
            write(found, progress=callback)
    for note in found.notes:
        warn(note)
    for sentence in found.confidence.out_of_distribution if found.confidence else ():
        warn(f"{source.name} is out of distribution, unlike the training scans: {sentence}")
    write_run(
        folder,
        "infer",
        {**tool.arguments, **asdict(options)},
        scans=[scan],
        bundle={"name": tool.bundle.name, "version": tool.bundle.version},
        weights_sha256=tool.weights_sha256,
        notes=list(found.notes),
        seconds={"read": read - start, "segment": segmented - read, "write": perf_counter() - segmented},
    )
    return found


def _try(source: Path, place: Path, tool: Tool, options: Options) -> dict[str, Any]:
    """One scan of several: a row of facts, or of the refusal."""
    row: dict[str, Any] = {"source": str(source), "output": None, "error": None}
    try:
        with new_folder(place, overwrite=options.overwrite) as folder:
            found = _segment(source, folder, tool, options)
    except CtsegError as error:
        said = str(error) if str(source) in str(error) else f"{source}: {error}"
        refuse(said, table=error.table if isinstance(error, AmbiguousScan) else "")
        return {**row, "error": " ".join(str(error).split())}
    except MemoryError:
        refuse(f"{source}: not enough memory for this scan")
        return {**row, "error": "not enough memory for this scan"}
    if not found.mask.count:
        warn(f"{source}: no metal was found; the mask is empty")
    return {**row, "output": str(place), **found.component_report()}


def _report_all(rows: Sequence[dict[str, Any]], output: Path, *, as_json: bool) -> None:
    """Print what became of each scan; CtsegError where one was refused."""
    if as_json:
        print_json(rows)
    for row in () if as_json else rows:
        outcome = "refused"
        if row["output"]:
            interval = describe_interval(row["volume_interval_mm3"])
            outcome = f"{row['output']}  {row['voxels']:,} voxels, {row['volume_mm3']:,.0f} mm3, {interval}"
        typer.echo(f"{row['source']} -> {outcome}")
    bad = sum(row["output"] is None for row in rows)
    if bad:
        rest = f"; the others are in {output}" if bad < len(rows) else ""
        raise CtsegError(f"{bad} of {len(rows)} scans refused, for the reasons above{rest}")
