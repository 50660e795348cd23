"""infer on the command line: one scan, several, and what can go wrong."""

from __future__ import annotations

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
import yaml

from monai_ctseg.bundles import find_bundle
from monai_ctseg.io.nifti import write_scan
from monai_ctseg.networks.config import read_config
from monai_ctseg.output import file_sha256

LEFT = ["component_report.json", "images", "mask.nii.gz", "masks", "run.json"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "model.pt"
    torch.manual_seed(0)
    torch.save(read_config(find_bundle(), "inference").get_parsed_content("network").state_dict(), file)
    return file


@pytest.fixture
def nifti(phantom, tmp_path):
    write_scan(phantom.scan, tmp_path / "scan.nii.gz")
    return tmp_path / "scan.nii.gz"


@pytest.fixture
def own_weights(weights, tmp_path):
    """A bundle with weights of its own, by path."""
    shutil.copytree(find_bundle(), tmp_path / "bundle")
    shutil.copy(weights, tmp_path / "bundle" / "models" / "model.pt")
    return tmp_path / "bundle"


def refused(result, *words):
    assert (result.code, result.out) == (1, ""), result
    last = result.err.strip().splitlines()[-1]
    assert last.startswith("monai-ctseg: ")
    assert "Traceback" not in result.err
    for word in words:
        assert word in last


@pytest.mark.slow
def test_it_writes_what_labels_writes(run_cli, weights, phantom, phantom_folder, tmp_path):
    out = tmp_path / "out"
    result = run_cli("infer", phantom_folder, "-o", out, "--weights", weights, "--json")
    assert result.code == 0
    assert sorted(p.name for p in out.iterdir()) == LEFT
    image = nib.load(out / "mask.nii.gz")
    assert np.asarray(image.dataobj).sum() == result.json["voxels"]
    assert np.allclose(image.affine, phantom.scan.grid.affine_ras)
    assert len(list((out / "masks").iterdir())) == 30


@pytest.mark.slow
def test_the_bundles_own_weights_are_used_and_recorded(run_cli, own_weights, weights, nifti, tmp_path):
    assert run_cli("infer", nifti, "-o", tmp_path / "out", "--bundle", own_weights).code == 0
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    metadata = json.loads((own_weights / "configs" / "metadata.json").read_text())
    assert run["bundle"] == {"name": "bundle", "version": metadata["version"]}
    assert run["weights_sha256"] == file_sha256(weights)


def test_without_weights_it_says_how_to_get_them(run_cli, own_weights, nifti, tmp_path):
    (own_weights / "models" / "model.pt").unlink()
    refused(run_cli("infer", nifti, "-o", tmp_path / "out", "--bundle", own_weights), "train", "--weights")
    assert not (tmp_path / "out").exists()


def test_weights_that_are_not_its_own_are_refused(run_cli, nifti, tmp_path):
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pt")
    torch.save(["no", "tensors"], tmp_path / "list.pt")
    (tmp_path / "text.pt").write_text("text")
    for name, word in {
        "other.pt": "another network",
        "list.pt": "no weights",
        "text.pt": "no file of network weights",
        "none.pt": "cannot be read",
    }.items():
        refused(run_cli("infer", nifti, "-o", tmp_path / "out", "--weights", tmp_path / name), word)
        assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_bad_scan_does_not_hold_up_the_others(
    run_cli, weights, phantom_folder, nifti, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    loads = []
    from monai_ctseg.networks.predict import load_weights

    monkeypatch.setattr("monai_ctseg.networks.predict.load_weights", lambda *a: loads.append(a) or load_weights(*a))
    (tmp_path / "bad.nii").write_bytes(b"no volume")
    out = tmp_path / "out"
    scans = (phantom_folder, tmp_path / "bad.nii", nifti)
    result = run_cli("infer", *scans, "-o", out, "--weights", weights)
    assert result.code == 1
    assert len(loads) == 1
    assert sorted(p.name for p in out.iterdir()) == sorted([phantom_folder.name, "scan"])
    for folder in out.iterdir():
        assert sorted(p.name for p in folder.iterdir()) == LEFT
    first, second, third = result.out.splitlines()
    assert first.startswith(f"{scans[0]} -> {out / phantom_folder.name}  ")
    assert (second, third[: third.rindex("  ")]) == (f"{scans[1]} -> refused", f"{nifti} -> {out / 'scan'}")
    lines = [line for line in result.err.splitlines() if line.startswith("monai-ctseg: ")]
    assert "bad.nii" in lines[0]
    assert "1 of 3 scans refused" in lines[1]
    again = run_cli("infer", *scans, "-o", out, "--weights", weights)
    assert "3 of 3 scans refused" in again.err
    one = [run_cli("infer", nifti, "-o", tmp_path / "one", "--weights", weights).code]
    assert one == [0]
    assert (tmp_path / "one" / "mask.nii.gz").read_bytes() == (out / "scan" / "mask.nii.gz").read_bytes()


@pytest.mark.slow
def test_several_scans_as_json(run_cli, weights, nifti, tmp_path):
    result = run_cli("infer", nifti, nifti, tmp_path / "gone", "-o", tmp_path / "out", "--weights", weights, "--json")
    assert result.code == 1
    name = f"{nifti.parent.name}_scan"
    assert [row["output"] and row["output"].rsplit("/")[-1] for row in result.json] == [name, f"{name}_2", None]
    assert [row["error"] is None for row in result.json] == [True, True, False]
    assert result.json[0]["voxels"] == result.json[1]["voxels"] > 0


@pytest.mark.slow
def test_probability_lies_on_the_scans_grid_and_makes_the_mask(run_cli, weights, phantom, nifti, tmp_path):
    out = tmp_path / "out"
    assert (
        run_cli("infer", nifti, "-o", out, "--weights", weights, "--probability", "--no-body-mask", "--tta").code == 0
    )
    image = nib.load(out / "probability.nii.gz")
    assert image.header.get_data_dtype() == np.uint8
    assert np.allclose(image.affine, phantom.scan.grid.affine_ras)
    values = image.get_fdata()
    assert 0 <= values.min() < values.max() <= 1 + 1e-6
    assert np.array_equal(values > 0.5, np.asarray(nib.load(out / "mask.nii.gz").dataobj) > 0)


@pytest.mark.slow
def test_only_the_bundles_own_weights_are_averaged_with_half_maximum(run_cli, own_weights, nifti, tmp_path):
    """Other weights may have learned other edges, such as a threshold's, and are taken alone."""
    both = run_cli("infer", nifti, "-o", tmp_path / "both", "--bundle", own_weights, "--no-body-mask", "--json").json
    alone = ("infer", nifti, "--bundle", own_weights, "--no-body-mask", "--json", "--set", "half_maximum_weight=0")
    assert run_cli(*alone, "-o", tmp_path / "alone").json["method"] == "network"
    assert both["method"] == "network and half-maximum"
    shutil.copy(own_weights / "models" / "model.pt", tmp_path / "other.pt")
    other = run_cli(*alone[:-2], "-o", tmp_path / "other", "--weights", tmp_path / "other.pt")
    assert other.json["method"] == "network"


@pytest.mark.slow
def test_it_says_how_sure_it_is(run_cli, own_weights, nifti, tmp_path):
    """Volumes with intervals, and a note for each way in which the scan is unlike the training's."""
    config = own_weights / "configs" / "inference.yaml"
    said = yaml.safe_load(config.read_text())
    said |= {"interval_levels": [0.2, 0.7], "training_range": {"spacing_mm": [0.3, 1.5]}}
    config.write_text(yaml.safe_dump(said))
    arguments = ("infer", nifti, "--bundle", own_weights, "--no-body-mask")
    result = run_cli(*arguments, "-o", tmp_path / "out", "--json")
    report = json.loads((tmp_path / "out" / "component_report.json").read_text())
    assert {**report, "output": str(tmp_path / "out")} == result.json
    low, high = report["volume_interval_mm3"]
    assert low < report["volume_mm3"] < high
    assert len(report["components"][0]["volume_interval_mm3"]) == 2
    sentence = "its pixels are 4 mm wide; the network was trained on 0.3 to 1.5 mm"
    assert report["confidence"] == {
        "interval_levels": [0.2, 0.7],
        "interval_calibrated": True,
        "training_range_known": True,
        "out_of_distribution": [sentence],
    }
    assert f"note: scan.nii.gz is out of distribution, unlike the training scans: {sentence}" in result.err
    text = run_cli(*arguments, "-o", tmp_path / "text").out
    assert f"all {report['volume_mm3']:,.0f} mm3, between {low:,.0f} and {high:,.0f}" in text
    assert "not calibrated" not in text
    shutil.copy(own_weights / "models" / "model.pt", tmp_path / "other.pt")
    other = run_cli(*arguments, "-o", tmp_path / "other", "--weights", tmp_path / "other.pt")
    assert "not calibrated" in other.out
    assert "unlike" not in other.err


@pytest.mark.slow
def test_a_smaller_batch_for_want_of_memory_is_noted(run_cli, weights, nifti, tmp_path, monkeypatch):
    from monai_ctseg.networks.predict import load_weights

    def load_into_small_memory(network, path):
        load_weights(network, path)
        forward = network.forward

        def small(batch):
            if len(batch) > 1:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return forward(batch)

        network.forward = small

    monkeypatch.setattr("monai_ctseg.networks.predict.load_weights", load_into_small_memory)
    result = run_cli("infer", nifti, "-o", tmp_path / "out", "--weights", weights, "--batch", 2)
    assert result.code == 0
    note = "the memory was too small for 2 windows at a time; 1 went instead"
    assert f"note: {note}" in result.err
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (run["notes"], run["arguments"]["overrides"]) == ([note], {"windows_per_batch": 2})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--overlap", "0.5"], ["no 'overlap'"]),
        (["--set", "hu_mx=3000"], ["no 'hu_mx'", "hu_max"]),
        (["--set", "hu_min=low"], ["config cannot be used"]),
        (["--device", "nonsense"], ["no device 'nonsense'"]),
        (["--bundle", "nonsense"], ["nonsense is no bundle", "metal_unet2d"]),
    ],
)
def test_what_the_bundle_cannot_do_is_refused_and_leaves_nothing(run_cli, weights, nifti, tmp_path, more, words):
    refused(run_cli("infer", nifti, "-o", tmp_path / "out", "--weights", weights, *more), *words)
    assert [p.name for p in tmp_path.iterdir()] == [nifti.name]


@pytest.mark.parametrize(
    "more", [["--batch", 0], ["--overlap", 1], ["--set", "windows_per_batch=2"], ["scan.nii", "--series", "1"]]
)
def test_wrong_usage(run_cli, nifti, tmp_path, more):
    assert run_cli("infer", nifti, "-o", tmp_path / "out", *more).code == 2
