"""A bundle's network over the cases of a dataset: by the library, by MONAI's own command, and on two ranks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.bundle import run as run_bundle
from monai.data import MetaTensor

from benchmarks.quick_phantom import Phantom
from monai_ctseg.bundles import find_bundle
from monai_ctseg.datasets.records import Case, DataSplit
from monai_ctseg.errors import BundleError, DatasetError
from monai_ctseg.grid import Grid
from monai_ctseg.io.nifti import write_mask, write_scan
from monai_ctseg.metrics.overlap import compare_masks
from monai_ctseg.networks.config import read_config
from monai_ctseg.networks.evaluate import EvaluateOptions, case_items, evaluate
from monai_ctseg.networks.guards import quiet
from monai_ctseg.networks.handlers import Scores
from monai_ctseg.networks.handlers.scores import are_neighbours, choose_slice
from monai_ctseg.networks.train import TrainOptions, TrainResult, train
from monai_ctseg.networks.transforms import scan_to_tensor
from monai_ctseg.scan import Mask, Scan
from monai_ctseg.segmentation.pipeline import segment

Figures = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def folder(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom and its truth as NIfTI."""
    folder = tmp_path_factory.mktemp("evaluation")
    write_scan(phantom.scan, folder / "scan.nii.gz")
    write_mask(phantom.truth, folder / "mask.nii.gz")
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> TrainResult:
    """A short training in blocks."""
    overrides = {"steps_per_epoch": 12, "val_interval": 1, "patch": 48, "scans_per_batch": 4}
    scan, mask = folder / "scan.nii.gz", folder / "mask.nii.gz"
    options = TrainOptions(labels=[mask], max_epochs=2, device="cpu", overrides=overrides)
    return train([scan], folder / "run", options)


def write_split(place: Path, *validation: dict[str, Any]) -> Path:
    """dataset.json that validates on these cases, and trains on a file that nobody reads."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "other.nii.gz").touch()
    content = {"training": [{"image": "other.nii.gz"}], "validation": list(validation)}
    (place / "dataset.json").write_text(json.dumps(content))
    return place


def figures(output: Path) -> Figures:
    """scores.json: the row of each case and method."""
    content = json.loads((output / "scores.json").read_text())
    return {f"{row['case']} {row['method']}": row for row in content["cases"]}


@pytest.mark.slow
def test_the_dice_is_the_one_that_training_reported(trained: TrainResult, tmp_path: Path) -> None:
    assert trained.dice > 0
    found = evaluate(trained.dataset, tmp_path / "out", EvaluateOptions(weights=trained.weights, device="cpu"))
    assert found.table.overall["network"].dice.mean == pytest.approx(trained.dice, abs=1e-6)
    assert found.inputs[0]["voxels_sha256"] == trained.inputs[0]["voxels_sha256"]


@pytest.mark.slow
def test_monais_own_command_writes_the_same_files(trained: TrainResult, tmp_path: Path) -> None:
    evaluate(trained.dataset, tmp_path / "ours", EvaluateOptions(weights=trained.weights, device="cpu"))
    configs = find_bundle() / "configs"
    with quiet():
        run_bundle(
            config_file=[str(configs / "inference.yaml"), str(configs / "evaluate.yaml")],
            logging_file=False,
            bundle_root=str(find_bundle()),
            dataset_dir=str(trained.dataset.parent),
            checkpoint=str(trained.weights),
            output_dir=str(tmp_path / "theirs"),
            device="$torch.device('cpu')",
        )
    for name in ("cases.csv", "scores.json", "sheet.png"):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()


@pytest.mark.slow
def test_evaluate_merges_over_train_too(trained: TrainResult) -> None:
    """As MONAI's model zoo has it; and the metric has one name."""
    parser = read_config(find_bundle(), "inference", "train", "evaluate", overrides={"device": "$torch.device('cpu')"})
    assert parser.get("key_metric") == parser.get("validate::key_metric")
    assert parser.get("label") == read_config(find_bundle(), "inference", "train").get("label")
    assert (parser.get("initialize"), parser.get("finalize")) == ([], [])


@pytest.mark.slow
def test_slices_apart_have_true_volumes_and_no_distances(
    trained: TrainResult, phantom: Phantom, folder: Path, tmp_path: Path
) -> None:
    slices = list(range(4, 30, 5))
    case = {"image": str(folder / "scan.nii.gz"), "label": str(folder / "mask.nii.gz")}
    place = write_split(tmp_path / "data", {**case, "slices": slices}, {**case, "slices": list(range(10, 20))})
    evaluate(place, tmp_path / "out", EvaluateOptions(weights=trained.weights, device="cpu"))
    found = figures(tmp_path / "out")
    apart, block = found[f"{folder.name}_scan network"], found[f"{folder.name}_scan_2 network"]
    assert apart["voxels_truth"] == phantom.truth.voxels[:, :, slices].sum() > 0
    assert apart["volume_truth_mm3"] == pytest.approx(apart["voxels_truth"] * phantom.truth.grid.voxel_mm3)
    assert (apart["hd95_mm"], apart["no_distances"]) == (None, "the evaluated slices are not adjacent")
    assert (block["slices"], block["no_distances"]) == (10, "")


@pytest.mark.slow
def test_the_threshold_beside_the_network(trained: TrainResult, phantom: Phantom, folder: Path, tmp_path: Path) -> None:
    """On the same truth; a truth by threshold is its own, and a saturated scan has none."""
    saturated = Scan(np.minimum(phantom.scan.hu, 2976).astype(np.int16), phantom.scan.grid)
    write_scan(saturated, tmp_path / "saturated.nii.gz")
    image, label = str(folder / "scan.nii.gz"), str(folder / "mask.nii.gz")
    place = write_split(
        tmp_path / "data",
        {"image": image, "label": label},
        {"image": image},
        {"image": str(tmp_path / "saturated.nii.gz"), "label": label},
    )
    options = EvaluateOptions(weights=trained.weights, device="cpu", threshold_hu=3000)
    table = evaluate(place, tmp_path / "out", options).table
    found = figures(tmp_path / "out")
    assert "saturated threshold" not in found
    assert found[f"{folder.name}_scan_2 threshold"]["dice"] == 1.0
    by_hand = compare_masks(segment(phantom.scan, threshold_hu=3000).mask, phantom.truth)
    assert found[f"{folder.name}_scan threshold"]["dice"] == by_hand.dice < 1
    assert len(table.notes) == 2


@pytest.mark.slow
def test_what_cannot_be_evaluated(trained: TrainResult, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no section 'all'"):
        evaluate(trained.dataset, tmp_path / "out", EvaluateOptions(weights=trained.weights, section="all"))  # type: ignore[arg-type]
    with pytest.raises(BundleError, match="no 'pach'"):
        evaluate(trained.dataset, tmp_path / "out", EvaluateOptions(weights=trained.weights, overrides={"pach": 3}))
    assert not (tmp_path / "out").exists()


def test_cases_get_names() -> None:
    cases = (Case(Path("a/hip.nii.gz")), Case(Path("b/hip.nii.gz"), label=Path("c.nii.gz")))
    assert [item["case"] for item in case_items(DataSplit(cases, cases), "training")] == ["a_hip", "b_hip"]
    with pytest.raises(DatasetError, match="no scan under 'training'"):
        case_items(DataSplit((), cases), "training")


def test_the_slice_that_is_shown() -> None:
    truth = np.zeros((4, 4, 5), dtype=np.bool_)
    predicted = truth.copy()
    assert choose_slice(predicted, truth) == 2
    truth[:2, 0, 3] = predicted[:2, 0, 3] = True
    assert choose_slice(predicted, truth) == 3
    predicted[0, 0, 1] = True
    assert choose_slice(predicted, truth) == 1
    assert are_neighbours([3, 4, 5])
    assert not are_neighbours([3, 5])


ITEMS = [{"image": f"{n}", "label": "a file", "case": f"case_{n}"} for n in range(3)]


def step(engine: Engine, n: int) -> list[dict[str, Any]]:
    """A case with a 2 x 2 x 2 implant, of which the network misses n voxels."""
    hu = np.full((24, 24, 6), 40, dtype=np.int16)
    hu[10:12, 10:12, 2:4] = 9000
    label = torch.from_numpy(hu[None] > 3000)
    pred = label.clone()
    pred[0, 10, 10, 2 : 2 + n] = False
    grid = Grid(hu.shape, np.diag([4.0, 4.0, 4.0, 1.0]))
    engine.state.batch = [{"case": f"case_{n}", "hu": scan_to_tensor(Scan(hu, grid))}]
    return [{"pred": MetaTensor(pred), "label": MetaTensor(label)}]


def test_masks_of_cases_are_on_the_scans_own_grid() -> None:
    """What the handler scores is what `compare_masks` says of the same masks."""
    handler, engine = Scores("unused", ITEMS, threshold_hu=3000), Engine(step)
    engine.state.output = step(engine, 1)
    handler.collect(engine)
    grid = Grid((24, 24, 6), np.diag([4.0, 4.0, 4.0, 1.0]))
    masks = [Mask(engine.state.output[0][key].numpy()[0], grid) for key in ("pred", "label")]
    assert handler._scores[0].overlap == compare_masks(*masks)


@pytest.mark.slow
def test_without_a_threshold_it_takes_the_one_of_the_split(trained: TrainResult, tmp_path: Path) -> None:
    content = json.loads(trained.dataset.read_text())
    assert "threshold_hu" not in content  # the labels were files
    items = {
        name: [{**item, "image": str(trained.dataset.parent / item["image"])} for item in content[name]]
        for name in ("training", "validation")
    }
    (tmp_path / "dataset.json").write_text(json.dumps({**items, "threshold_hu": 2500}))
    found = evaluate(tmp_path, tmp_path / "out", EvaluateOptions(weights=trained.weights, device="cpu"))
    assert found.table.threshold_hu == 2500
