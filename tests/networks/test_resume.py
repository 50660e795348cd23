"""A training that is interrupted at any step resumes as if it had not been."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.quick_phantom import Phantom
from monai_ctseg.errors import NoScanFound, TrainingError
from monai_ctseg.io.nifti import write_mask, write_scan
from monai_ctseg.networks.train import TrainOptions, TrainResult, train

EPOCHS = 4
SHORT = {
    "steps_per_epoch": 4,
    "val_interval": 2,
    "patch": 32,
    "scans_per_batch": 2,
    "network_def::channels": [8, 16, 32, 64, 128],
}


@pytest.fixture(scope="module")
def scan(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom and its truth as NIfTI: a mask file spares the search for the body."""
    folder = tmp_path_factory.mktemp("data")
    write_scan(phantom.scan, folder / "scan.nii.gz")
    write_mask(phantom.truth, folder / "mask.nii.gz")
    return folder / "scan.nii.gz"


def run(scan: Path, output: Path, **more) -> TrainResult:
    overrides = {**SHORT, **more.pop("overrides", {})}
    mask = scan.with_name("mask.nii.gz")
    progress = more.pop("progress", None)
    options = TrainOptions(labels=[mask], device="cpu", overrides=overrides, **{"max_epochs": EPOCHS, **more})
    return train([scan], output, options, progress=progress)


@pytest.fixture(scope="module")
def whole(scan: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """A training that nothing disturbs."""
    return run(scan, tmp_path_factory.mktemp("whole") / "run")


def stop_at(step: int, error: BaseException):
    def progress(now: int, *_: object) -> None:
        if now == step:
            raise error

    return progress


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 6, 11])
def test_it_resumes_bit_for_bit(step: int, scan: Path, whole: TrainResult, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(scan, tmp_path / "run", progress=stop_at(step, KeyboardInterrupt()))
    result = run(scan, tmp_path / "run")
    for name in ("model.pt", "last.pt"):
        one, two = tensors(whole.weights.with_name(name)), tensors(result.weights.with_name(name))
        one, two = (content.get("model", content) for content in (one, two))
        assert all(torch.equal(one[key], two[key]) for key in one)
    assert (tmp_path / "run" / "history.csv").read_text() == whole.weights.with_name("history.csv").read_text()
    assert (result.dice, result.best_epoch) == (whole.dice, whole.best_epoch)
    assert not list((tmp_path / "run").glob(".partial.*"))


@pytest.mark.slow
def test_the_history_has_a_row_for_each_epoch(whole: TrainResult) -> None:
    header, *rows = whole.weights.with_name("history.csv").read_text().splitlines()
    assert header == "epoch,loss,learning_rate,val_dice"
    assert [row.split(",")[0] for row in rows] == ["1", "2", "3", "4"]
    assert [bool(row.split(",")[3]) for row in rows] == [False, True, False, True]
    rates = [float(row.split(",")[2]) for row in rows]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.slow
def test_a_finished_training_is_not_repeated(scan: Path, whole: TrainResult, tmp_path: Path) -> None:
    shutil.copytree(whole.weights.parent, tmp_path / "run")
    again = run(scan, tmp_path / "run", progress=stop_at(1, AssertionError("it trained")))
    assert (again.dice, again.best_epoch, again.epochs) == (whole.dice, whole.best_epoch, whole.epochs)


@pytest.mark.slow
def test_a_finished_training_is_replaced_by_another(scan: Path, whole: TrainResult, tmp_path: Path) -> None:
    shutil.copytree(whole.weights.parent, tmp_path / "run")
    assert run(scan, tmp_path / "run", max_epochs=2, seed=7).epochs == 2


@pytest.mark.slow
def test_it_resumes_by_a_relative_path(scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scan.parent)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(Path(scan.name), tmp_path / "run", progress=stop_at(6, KeyboardInterrupt()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"seed": 1}, "seed 0 -> 1"),
        ({"max_epochs": 6}, "max_epochs 4 -> 6"),
        ({"overrides": {"learning_rate": 0.1}}, "learning_rate 0.003 -> 0.1"),
        ({"overrides": {"loss::_target_": "DiceCELoss"}}, "loss DiceLoss -> DiceCELoss"),
        ({"augment": False}, "augment True -> False"),
        ({"held_out": (10, 14)}, "other scans or slices"),
    ],
)
def test_another_training_is_not_resumed(change: dict, word: str, scan: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(scan, tmp_path / "run", progress=stop_at(6, KeyboardInterrupt()))
    before = (tmp_path / "run" / "last.pt").read_bytes()
    with pytest.raises(TrainingError, match=word):
        run(scan, tmp_path / "run", **change)
    assert (tmp_path / "run" / "last.pt").read_bytes() == before


@pytest.mark.slow
def test_another_network_is_not_resumed(scan: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(scan, tmp_path / "run", progress=stop_at(6, KeyboardInterrupt()))
    with pytest.raises(TrainingError, match="its model is not of this training"):
        run(scan, tmp_path / "run", overrides={"network_def::channels": [4, 8, 16, 32, 64]})


def test_a_damaged_checkpoint_is_refused(scan: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last.pt").write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match=r"last\.pt: no checkpoint that can be read"):
        run(scan, tmp_path / "run")


def test_a_loss_of_nan_stops_it(scan: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the loss is nan in epoch 1, step 2: train with a smaller learning_rate"):
        run(scan, tmp_path / "run", overrides={"learning_rate": float("inf")})


@pytest.mark.slow
def test_a_case_that_goes_missing_stops_it_and_it_resumes_when_it_is_back(
    scan: Path, whole: TrainResult, tmp_path: Path
) -> None:
    hidden = scan.with_name("hidden")

    def progress(now: int, *_: object) -> None:
        if now == 5:
            scan.rename(hidden)

    try:
        with pytest.raises(NoScanFound, match="there is no such file"):
            run(scan, tmp_path / "run", progress=progress, overrides={"cache": "none"})
    finally:
        hidden.rename(scan)
    run(scan, tmp_path / "run", overrides={"cache": "none"})
    assert (tmp_path / "run" / "history.csv").read_text() == whole.weights.with_name("history.csv").read_text()


def command(scan: Path, output: Path, *more: str, epochs: int = EPOCHS) -> list[str]:
    settings = [word for name, value in SHORT.items() for word in ("--set", f"{name}={value}")]
    mask = str(scan.with_name("mask.nii.gz"))
    words = ["train", str(scan), "--label", mask, "-o", str(output), "--epochs", str(epochs), "--device", "cpu"]
    return [sys.executable, "-m", "monai_ctseg", *words, *settings, *more]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_same_command_resumes_after_a_signal(how: int, scan: Path, whole: TrainResult, tmp_path: Path) -> None:
    output = tmp_path / "run"
    with subprocess.Popen(command(scan, output), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if "epoch 1 of" in line:
                break
        process.send_signal(how)
        process.communicate()  # closing its stderr first would break its pipe
    assert process.returncode in (-how, 128 + how)
    assert (output / "last.pt").exists()
    assert not json.loads((output / "run.json").read_text())["finished"]
    again = subprocess.run(command(scan, output), capture_output=True, text=True, check=True)
    assert "Traceback" not in again.stderr
    assert (output / "history.csv").read_text() == whole.weights.with_name("history.csv").read_text()
    assert json.loads((output / "run.json").read_text())["finished"]
    one, two = tensors(whole.weights), tensors(output / "model.pt")
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.slow
def test_a_full_disk_stops_it_in_one_line_and_keeps_the_last_checkpoint(scan: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(scan, output, progress=stop_at(6, KeyboardInterrupt()))
    before = (output / "last.pt").read_bytes()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, resource.RLIM_INFINITY))

    script = (
        "import sys; from pathlib import Path; from tests.networks.test_resume import run\n"
        "from monai_ctseg.errors import OutputError\n"
        "try: run(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except OutputError as error: print(error); sys.exit(1)"
    )
    full = subprocess.run(
        [sys.executable, "-c", script, str(scan), str(output)],
        capture_output=True, text=True, preexec_fn=limit, cwd=Path(__file__).parents[2], check=False,
    )  # fmt: skip
    assert full.returncode == 1, full.stderr
    assert "cannot be written" in full.stdout
    assert (output / "last.pt").read_bytes() == before
