"""`monai-ctseg infer`: metal masks by a trained network."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monai_ctseg.bundles import BundleFacts, describe_bundle
from monai_ctseg.cli.console import (
    JsonOption,
    OutputOption,
    OverwriteOption,
    SeriesOption,
    load,
    print_facts,
    print_json,
    progress,
    refuse,
    warn,
)
from monai_ctseg.cli.labels import describe
from monai_ctseg.cli.train import parse_settings
from monai_ctseg.errors import AmbiguousScan, CtsegError
from monai_ctseg.io.nifti import ENDINGS, write_probability
from monai_ctseg.output import file_sha256, new_folder, write_run, write_segmentation
from monai_ctseg.segmentation.confidence import judge_confidence
from monai_ctseg.segmentation.threshold import judge_mask

if TYPE_CHECKING:
    from monai_ctseg.networks.predict import Predictor


@dataclass(frozen=True)
class Wishes:
    """What is asked for each scan."""

    anywhere: bool
    image: bool
    tta: bool
    probability: bool
    series: str | None
    overwrite: bool


@dataclass(frozen=True)
class Tool:
    """The network, ready, and what run.json says of it."""

    predictor: Predictor
    bundle: BundleFacts
    arguments: dict[str, Any]
    weights_sha256: str


@dataclass(frozen=True)
class Found:
    """audit.json of one scan, and its intensities in a line."""

    audit: dict[str, Any]
    intensity: str


app = typer.Typer()


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
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="Keep what lies outside the patient's body, too.")
    ] = False,
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
    """Segment whole scans by a bundle's network, inside the body, and write what `labels` writes.

    Writes mask.nii.gz, masks/ and images/ (an 8-bit PNG a slice), audit.json and run.json; of several scans, each into
    a folder of its own in the output folder, named after the scan's folder or file: mind what those names say of a
    patient. A scan that is refused does not hold up the others.

    Each volume comes with an interval, and a scan unlike those that the network learned from is named so.
    """
    settings = _settings(set_ or [], batch=batch, overlap=overlap)
    if series and len(scans) > 1:
        raise typer.BadParameter("a series is one scan's; name one scan, or leave it out", param_hint="--series")
    wishes = Wishes(anywhere, image, tta, probability, series, overwrite)
    if len(scans) == 1:
        with new_folder(output, overwrite=overwrite) as folder:
            found = _segment(scans[0], folder, _open(bundle, weights, device, settings), wishes)
        _report(found, output, as_json=as_json)
        return
    tool = _open(bundle, weights, device, settings)
    rows = [_try(scan, output / name, tool, wishes) for scan, name in zip(scans, unique_names(scans), strict=True)]
    _report_all(rows, output, as_json=as_json)


def _settings(words: Sequence[str], *, batch: int | None, overlap: float | None) -> dict[str, Any]:
    """--set, --batch and --overlap as ids of the config."""
    own = {"windows_per_batch": batch, "overlap": overlap}
    settings = parse_settings(words, own={*own, "device", "checkpoint", "dataset_dir", "output_dir"})
    return {**settings, **{name: value for name, value in own.items() if value is not None}}


def _open(bundle: str, weights: Path | None, device: str | None, settings: dict[str, Any]) -> Tool:
    from monai_ctseg.networks.predict import load_predictor

    predictor = load_predictor(bundle, weights=weights, device=device, overrides=settings)
    arguments = {"bundle": bundle, "device": str(predictor.device), "overrides": settings}
    return Tool(predictor, describe_bundle(predictor.bundle), arguments, file_sha256(predictor.weights))


def _segment(source: Path, folder: Path, tool: Tool, wishes: Wishes) -> Found:
    """Read one scan, segment it, and fill its folder."""
    start = perf_counter()
    scan = load(source, wishes.series)
    read = perf_counter()
    with progress("segmenting") as callback:
        seen = tool.predictor.predict(scan, tta=wishes.tta, probability=True, progress=callback)
    for note in seen.notes:
        warn(note)
    predicted = perf_counter()
    with progress("finding the body"):
        found = judge_mask(scan, seen.mask, anywhere=wishes.anywhere)
        assert seen.probability is not None
        confidence = judge_confidence(scan, found, seen.probability, tool.predictor.trust)
    for sentence in confidence.unlike_training:
        warn(f"{source.name} is unlike what the network was trained on: {sentence}")
    if wishes.probability:
        write_probability(seen.probability, scan.grid, folder / "probability.nii.gz")
    audit = {**confidence.add_to(found.audit()), "edges": seen.edges}
    with progress("writing") as callback:
        write_segmentation(folder, scan, found.mask, audit, image=wishes.image, progress=callback)
    write_run(
        folder,
        "infer",
        {**tool.arguments, **asdict(wishes)},
        scans=[scan],
        bundle={"name": tool.bundle.name, "version": tool.bundle.version},
        weights_sha256=tool.weights_sha256,
        notes=list(seen.notes),
        seconds={"read": read - start, "predict": predicted - read, "write": perf_counter() - predicted},
    )
    return Found(audit, found.intensity.describe())


def _report(found: Found, output: Path, *, as_json: bool) -> None:
    """Print what was found, how sure it is, and where it was written."""
    audit = found.audit
    if as_json:
        print_json({**audit, "output": str(output)})
    else:
        facts = {"metal": "", "volume": describe_volumes(audit), **describe(audit, found.intensity)}  # in this order
        print_facts(facts)
        typer.echo(f"\nwritten to {output}: mask.nii.gz, masks/, images/, audit.json, run.json")
    if not audit["voxels"]:
        warn("no metal was found, and the empty mask says so; it is an answer, not a fault")


def describe_volumes(audit: dict[str, Any]) -> str:
    """The volume of all that was kept and of the largest pieces, each with its interval: lines to read."""
    kept = [piece for piece in audit["components"] if piece["kept"]]
    rows = [("all", audit), *((f"piece {piece['label']}", piece) for piece in kept[:10])]
    lines = [f"{name} {row['volume_mm3']:,.0f} mm3, {_interval(row)}" for name, row in rows]
    if not audit["confidence"]["interval_calibrated"]:
        lines.append("(the intervals are not calibrated for these weights)")
    return "\n".join(lines)


def _interval(row: dict[str, Any]) -> str:
    low, high = row["volume_interval_mm3"]
    return f"between {low:,.0f} and {high:,.0f}"


def _try(source: Path, place: Path, tool: Tool, wishes: Wishes) -> dict[str, Any]:
    """One scan of several: a row of facts, or of the refusal."""
    row: dict[str, Any] = {"source": str(source), "output": None, "error": None}
    try:
        with new_folder(place, overwrite=wishes.overwrite) as folder:
            found = _segment(source, folder, tool, wishes)
    except CtsegError as error:
        said = str(error) if str(source) in str(error) else f"{source}: {error}"
        refuse(said, table=error.table if isinstance(error, AmbiguousScan) else "")
        return {**row, "error": " ".join(str(error).split())}
    except MemoryError:
        refuse(f"{source}: not enough memory for this scan")
        return {**row, "error": "not enough memory for this scan"}
    audit = found.audit
    if not audit["voxels"]:
        warn(f"{source}: no metal was found, and the empty mask says so")
    return {**row, "output": str(place), **audit}


def _report_all(rows: Sequence[dict[str, Any]], output: Path, *, as_json: bool) -> None:
    """Print what became of each scan; CtsegError where one was refused."""
    if as_json:
        print_json(rows)
    for row in () if as_json else rows:
        metal = f"{row['voxels']:,} voxels, {row['volume_mm3']:,.0f} mm3, {_interval(row)}" if row["output"] else ""
        typer.echo(f"{row['source']} -> " + (f"{row['output']}  {metal}" if metal else "refused"))
    bad = sum(row["output"] is None for row in rows)
    if bad:
        rest = f"; the others are in {output}" if bad < len(rows) else ""
        raise CtsegError(f"{bad} of {len(rows)} scans refused, for the reasons above{rest}")


def unique_names(sources: Sequence[Path]) -> list[str]:
    """The last part of each path without its ending; where two are the same, the folder above in front, then _2, _3.

    >>> unique_names([Path("a/hip.nii.gz"), Path("b/hip"), Path("c/knee.dcm")])
    ['a_hip', 'b_hip', 'knee']
    """
    stems = [_stem(source) for source in sources]
    often = Counter(stem.casefold() for stem in stems)
    names: list[str] = []
    for source, stem in zip(sources, stems, strict=True):
        name = stem if often[stem.casefold()] == 1 else f"{_absolute(source).parent.name}_{stem}"
        tries = (name if n == 1 else f"{name}_{n}" for n in range(1, len(sources) + 1))
        taken = {name.casefold() for name in names}
        names.append(next(name for name in tries if name.casefold() not in taken))
    return names


def _absolute(source: Path) -> Path:
    return Path(os.path.abspath(source.expanduser()))  # noqa: PTH100 - a link's own name


def _stem(source: Path) -> str:
    path = _absolute(source)
    ending = next((ending for ending in ENDINGS if path.name.lower().endswith(ending)), path.suffix)
    name = path.name if path.is_dir() else path.name[: len(path.name) - len(ending)]
    return name.lstrip(".") or "scan"
