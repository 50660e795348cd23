"""The bundle conforms to MONAI's rules, and faults in configs and weights are one line."""

from __future__ import annotations

import json
import logging
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ComponentLocator, ConfigWorkflow

from benchmarks.quick_phantom import Phantom
from monai_ctseg.bundles import find_bundle
from monai_ctseg.errors import BundleError, DatasetError, OutputError
from monai_ctseg.io.nifti import write_scan
from monai_ctseg.networks.config import device_override, open_workflow, read_config
from monai_ctseg.networks.guards import config_errors, own_errors, quiet, writing_errors
from monai_ctseg.networks.weights import load_weights


@pytest.fixture(scope="module")
def bundle() -> Path:
    return find_bundle("metal_unet2d")


@pytest.fixture
def network(bundle: Path) -> Any:
    return read_config(bundle, "inference", overrides=device_override("cpu")).get_parsed_content("network")


def test_a_bundle_is_found_by_name_and_by_path(bundle: Path) -> None:
    assert find_bundle(bundle) == bundle
    with pytest.raises(BundleError, match=r"known by name: .*metal_unet2d"):
        find_bundle("metal_unet9d")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["train", "infer"])
def test_monai_finds_every_property_it_asks_for(kind: str, bundle: Path, phantom: Phantom, tmp_path: Path) -> None:
    write_scan(phantom.scan, tmp_path / "scan.nii.gz")
    torch.save(read_config(bundle, "inference").get_parsed_content("network").state_dict(), tmp_path / "model.pt")
    names = ["inference", "train"] if kind == "train" else ["inference"]
    with quiet():
        workflow = ConfigWorkflow(
            config_file=[str(bundle / "configs" / f"{name}.yaml") for name in names],
            workflow_type=kind,
            logging_file=False,
            bundle_root=str(bundle),
            dataset_dir=str(tmp_path / "scan.nii.gz"),
            output_dir=str(tmp_path),
            checkpoint=str(tmp_path / "model.pt"),
        )
        workflow.initialize()
        assert workflow.check_properties() == []


def test_the_statistics_and_tensorboard_handlers_stand_last(bundle: Path) -> None:
    parser = read_config(bundle, "inference", "train")
    for part in ("train", "validate"):
        last = [handler["_target_"] for handler in parser.get(f"{part}::handlers")[-2:]]
        assert last == ["StatsHandler", "TensorBoardStatsHandler"]


def test_the_metadata_name_the_tensors_and_the_version(bundle: Path) -> None:
    meta = json.loads((bundle / "configs" / "metadata.json").read_text())
    assert list(meta["network_data_format"]["inputs"]) == ["image"]
    assert list(meta["network_data_format"]["outputs"]) == ["pred"]
    assert meta["version"] in meta["changelog"]
    divisor = read_config(bundle, "inference").get("divisor")
    assert meta["network_data_format"]["inputs"]["image"]["spatial_shape"] == [f"{divisor}*n"] * 2


def test_the_network_takes_what_the_padding_gives(bundle: Path, network: Any) -> None:
    divisor = read_config(bundle, "inference").get("divisor")
    assert network(torch.zeros(2, 1, divisor * 2, divisor * 3)).shape == (2, 1, divisor * 2, divisor * 3)


def test_an_unknown_override_is_refused_with_its_neighbours(bundle: Path) -> None:
    with pytest.raises(BundleError, match="no 'max_epoch' to change; near it: max_epochs"):
        read_config(bundle, "inference", "train", overrides={"max_epoch": 3})


@pytest.mark.parametrize(
    "text", ["network: [", "network_def: {_target_: NoSuchNet}", "network_def: {_target_: UNet, wings: 2}"]
)
def test_a_fault_in_a_config_is_one_line(text: str, bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    (copy / "configs" / "train.yaml").write_text(f"{text}\nrun: ['$@network']\n")
    with pytest.raises(BundleError, match="the config cannot be used") as refusal:
        workflow = open_workflow(copy, "inference", "train")
        with config_errors(copy):
            workflow.run()
    assert "\n" not in str(refusal.value)


def test_weights_fit_or_are_refused(network: Any, tmp_path: Path) -> None:
    torch.save(network.state_dict(), tmp_path / "good.pt")
    load_weights(network, tmp_path / "good.pt")
    torch.save({"model": network.state_dict(), "optimizer": {"lr": 0.1}}, tmp_path / "checkpoint.pt")
    load_weights(network, tmp_path / "checkpoint.pt")


class Evil:
    """Unpickling it would run code."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("code was run",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (torch.nn.Linear(2, 2).state_dict(), "another network"),
        ({"epoch": 3}, "no weights of a network"),
        ([1, 2], "no weights of a network"),
        (Evil(), "more than tensors"),
        (None, "cannot be read"),
        (b"not a torch file", "no file of network weights"),
    ],
)
def test_other_files_are_refused_in_one_line(
    content: Any, words: str, network: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.pt"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    with pytest.raises(BundleError, match=words) as refusal:
        load_weights(network, file)
    assert "\n" not in str(refusal.value)
    assert capsys.readouterr().out == ""


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(BundleError, match="no device 'cuda:99'"):
        device_override("cuda:99")


def test_our_refusals_come_out_of_monais_wrapping() -> None:
    def fail() -> None:
        try:
            raise DatasetError("ours")
        except DatasetError as error:
            raise RuntimeError("applying transform") from error

    with pytest.raises(DatasetError, match="ours"), own_errors():
        fail()
    with pytest.raises(ZeroDivisionError), own_errors():
        raise ZeroDivisionError


def test_quiet_puts_everything_back() -> None:
    root, monai = logging.getLogger(), logging.getLogger("monai.bundle.workflows")
    before = root.level, root.propagate, monai.level
    with quiet():
        root.setLevel(logging.DEBUG)
        assert monai.level == logging.CRITICAL
    assert (root.level, root.propagate, monai.level) == before
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with quiet():
            warnings.warn("ours", UserWarning, stacklevel=1)
    assert len(seen) == 1


def test_short_names_in_the_configs_mean_monais_own_classes(bundle: Path) -> None:
    """MONAI looks a short name up in every module whose name starts with "monai": ours do too."""
    text = "".join((bundle / "configs" / f"{name}.yaml").read_text() for name in ("inference", "train"))
    locator = ComponentLocator()
    for name in set(re.findall(r"_target_: (\w+)$", text, flags=re.MULTILINE)):
        assert locator.get_component_module_name(name).split(".")[0] == "monai", name


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), RuntimeError("[enforce fail] PytorchStreamWriter failed writing file")],
)
def test_a_full_disk_in_a_workflow_is_one_line(error: Exception, tmp_path: Path) -> None:
    def fail() -> None:
        try:
            raise error
        except Exception as cause:
            raise RuntimeError("applying transform") from cause

    with pytest.raises(OutputError, match=r"No space left|is the disk full"), writing_errors(tmp_path), own_errors():
        fail() if isinstance(error, OSError) else _raise(error)


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.slow
@pytest.mark.parametrize("odd", ["nan", "int", "sparse"])
def test_weights_that_are_no_numbers_of_the_network_are_refused(odd: str, network: Any, tmp_path: Path) -> None:
    state = {key: value.clone() for key, value in network.state_dict().items()}
    key = next(key for key in state if key.endswith("conv.weight"))
    change = {"nan": lambda t: t * float("nan"), "int": lambda t: t.int(), "sparse": lambda t: t.to_sparse()}
    state[key] = change[odd](state[key])
    torch.save(state, tmp_path / "odd.pt")
    with pytest.raises(BundleError, match=r"odd.pt: 1 of \d+ tensors hold NaN, infinity or another type of number"):
        load_weights(network, tmp_path / "odd.pt")


@pytest.mark.parametrize("spacing", [[0, 1, 1], [1, 1], "fine", [float("nan"), 4, 6]])
def test_a_spacing_is_three_lengths(spacing: Any) -> None:
    with pytest.raises(BundleError, match="it takes three lengths in mm"):
        read_config(find_bundle("metal_unet3d"), "inference", overrides={"spacing_mm": spacing})
