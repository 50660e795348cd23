"""dataset.json + weights -> a bundle's evaluation workflow -> scores of every case, beside those of the threshold."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ignite.engine import Events

from monai_ctseg.bundles import DEFAULT_BUNDLE, find_bundle, find_weights
from monai_ctseg.datasets.records import DataSplit, Section
from monai_ctseg.datasets.split import open_dataset
from monai_ctseg.errors import DatasetError
from monai_ctseg.metrics.scores import ScoreTable
from monai_ctseg.networks.config import device_override, open_workflow, read_config
from monai_ctseg.networks.guards import config_errors, own_errors, quiet, writing_errors
from monai_ctseg.networks.weights import load_weights
from monai_ctseg.output.names import unique_names
from monai_ctseg.parallel import Progress


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation gave; cases.csv, scores.json and sheet.png are in the output folder.

    Attributes:
        table: The scores of every case.
        section: The section of the dataset.
        note: How the dataset was split, a sentence.
        made_by_hu: The threshold that made its labels, where dataset.json says so.
        weights: The file of weights.
        seconds: Of the whole evaluation.
        inputs: The provenance of each scan.
    """

    table: ScoreTable
    section: Section
    note: str
    made_by_hu: float | None
    weights: Path
    seconds: float
    inputs: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class EvaluateOptions:
    """What to evaluate, and how.

    Attributes:
        bundle: Name or folder of the bundle.
        weights: A model.pt; None: the bundle's own.
        section: "validation", "test" or "training".
        device: "cpu", "cuda", "cuda:1"; None: CUDA where there is one.
        threshold_hu: HU, of the threshold, and of the truth where a case names no mask; None: the one that the dataset
            was split with, else as the bundle says.
        overrides: Values for other ids of the bundle's configs.
    """

    bundle: str | Path = DEFAULT_BUNDLE
    weights: str | Path | None = None
    section: Section = "validation"
    device: str | None = None
    threshold_hu: float | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)


def evaluate(
    dataset: str | Path,
    output_dir: str | Path,
    options: EvaluateOptions = EvaluateOptions(),
    *,
    progress: Progress | None = None,
) -> Evaluation:
    """Run a bundle's network over the cases of one section, and score it and the threshold against the same truth.

    Args:
        dataset: A dataset.json or its folder.
        output_dir: Where cases.csv, scores.json and sheet.png go.
        options: What to evaluate, and how.
        progress: Called with (cases done, cases in all).

    Returns:
        The scores, and what they were made of.

    Raises:
        DatasetError: The dataset or its section cannot be used.
        BundleError: The bundle, an override or the weights cannot be used.
        OutputError: The folder cannot be written.
        SaturatedScan: The truth is by threshold, and a scan is saturated below it.
        ScanError: A scan cannot be read, see `read_scan`.
    """
    start = time.monotonic()
    folder, output = find_bundle(options.bundle), Path(output_dir)
    split = open_dataset(dataset)
    case_items(split, options.section)
    threshold_hu = split.threshold_hu if options.threshold_hu is None else options.threshold_hu
    settings = {
        "dataset_dir": str(dataset),
        "output_dir": str(output),
        "section": options.section,
        **({} if threshold_hu is None else {"threshold_hu": threshold_hu}),
        **device_override(options.device),
        **options.overrides,
    }
    file = _check_weights(folder, options.weights, settings)
    with writing_errors(output):
        output.mkdir(parents=True, exist_ok=True)
        scores = _run(folder, {**settings, "checkpoint": str(file)}, progress)
    return Evaluation(
        scores.table,
        options.section,
        split.note,
        made_by_hu=split.threshold_hu,
        weights=file,
        seconds=time.monotonic() - start,
        inputs=scores.inputs,
    )


def case_items(dataset: DataSplit, section: Section) -> list[dict[str, Any]]:
    """A section of a dataset as MONAI takes it, each case with a name under "case" (`unique_names`).

    Args:
        dataset: The dataset.
        section: "validation", "test" or "training".

    Raises:
        DatasetError: There is no such section, or it lists no scan.
    """
    items = dataset.items(section)
    if not items:
        raise DatasetError(
            f"the dataset lists no scan under '{section}', so there is nothing to evaluate; take another"
        )
    names = unique_names([Path(item["image"]) for item in items])
    return [{**item, "case": name} for item, name in zip(items, names, strict=True)]


def _check_weights(bundle: Path, weights: str | Path | None, settings: Mapping[str, Any]) -> Path:
    """The file of weights, after a check that they fit: MONAI's own loader fails with many lines."""
    file = find_weights(bundle, weights)
    with quiet(), config_errors(bundle):
        network = read_config(bundle, "inference", "evaluate", overrides=settings).get_parsed_content("network")
        load_weights(network, file)
    return file.absolute()


def _run(bundle: Path, settings: Mapping[str, Any], progress: Progress | None) -> Any:
    """Run the workflow; the handler that scored."""
    with quiet():
        workflow = open_workflow(bundle, "inference", "evaluate", overrides=settings)
        with config_errors(bundle):
            evaluator = workflow.evaluator
            scores = workflow.parser.get_parsed_content("scores")
        if progress is not None:
            evaluator.add_event_handler(
                Events.ITERATION_COMPLETED,
                lambda engine: progress(engine.state.iteration, engine.state.epoch_length),
            )
        with own_errors():
            workflow.run()
            workflow.finalize()
    return scores
