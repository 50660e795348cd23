"""Make the weights that the bundles carry: simulate, train, train on with real scans, calibrate the confidence.

python benchmarks/weights.py OUT [--only metal_unet2d] [--steps 14000] [--real REAL/dataset.json] [--jobs 16]

OUT/COHORT: simulated cohorts with the seeds below, OUT/dataset.json: all of them, OUT/BUNDLE/simulated: the training on
them. With --real, OUT/BUNDLE/mixed continues from there on both; all scans of that dataset.json train, as often as
their weights say. OUT/BUNDLE/model.pt: the weights, calibrated; calibration.json: how, and the interval levels for
the bundle's inference.yaml. What is there is kept: after an interruption, the same command resumes.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.optimize import minimize

from monai_ctseg.datasets.dataset_file import read_dataset, write_dataset
from monai_ctseg.datasets.records import DataSplit
from monai_ctseg.datasets.simulated import simulate_cohort
from monai_ctseg.io.nifti import read_mask, read_nifti
from monai_ctseg.parallel import cores
from monai_ctseg.scan import BoolArray, Scan
from monai_ctseg.segmentation.confidence import matching_levels, set_levels
from monai_ctseg.simulation import CaseOptions

COHORTS = {
    "mixed": (0, 0.85, CaseOptions(saturated=False)),
    "heads": (10_000, 0.05, CaseOptions(saturated=False, part="head", pixel_mm=4.0, size=112, with_metal=True)),
    "hips": (20_000, 0.1, CaseOptions(saturated=False, part="pelvis", kinds=("total_hip",))),
}
"""Folder: first seed, share of the cases, and what they have in common."""
FASTER = "network=$@network_def.to(@device, memory_format=torch.{})"
"""Weights in memory as CPUs take them fastest."""
SETTINGS = {
    "metal_unet2d": (FASTER.format("channels_last"),),
    "metal_unet3d": (FASTER.format("channels_last_3d"), "patch=[64,64,16]"),
}
COMMON = ("loss::_target_=DiceCELoss", "vary_peak::prob=0.3", "vary_kernel::prob=0.2", "vary_noise::prob=0.3")
RATE, LATER_RATE = 0.002, 0.0005
EPOCH = 100
"""Steps."""
LATER = 0.15
"""Steps of the second training, as a share of the first one's."""
NEAR_MM = 5.0
SURE = 30
"""Voxels of metal that a case needs to say something of intervals."""


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=tuple(SETTINGS))
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--steps", type=int, default=14_000)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--jobs", type=int, default=cores())
    given = parser.parse_args()
    data = make_data(given.out, cases=given.cases, jobs=given.jobs)
    for bundle in [given.only] if given.only else SETTINGS:
        weights = train_both(given.out, bundle, data, steps=given.steps, real=given.real)
        found = calibrate(bundle, weights, data, given.out / bundle / "model.pt")
        (given.out / bundle / "calibration.json").write_text(json.dumps(found, indent=1) + "\n")
        print(bundle, found)


def make_data(out: Path, *, cases: int, jobs: int) -> DataSplit:
    """All cohorts, and one dataset.json of them."""
    parts = []
    for name, (seed, share, options) in COHORTS.items():
        folder = out / name
        if not (folder / "dataset.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            simulate_cohort(folder, cases=max(2, round(cases * share)), seed=seed, options=options, jobs=jobs)
        parts.append(read_dataset(folder / "dataset.json"))
    return _join(parts, out / "dataset.json", "simulated by benchmarks/weights.py")


def _join(parts: list[DataSplit], file: Path, note: str) -> DataSplit:
    joined = replace(
        parts[0],
        training=tuple(case for part in parts for case in part.training),
        validation=tuple(case for part in parts for case in part.validation),
        note=note,
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    write_dataset(joined, file)
    return joined


def train_both(out: Path, bundle: str, data: DataSplit, *, steps: int, real: Path | None) -> Path:
    """The weights after the last step; of the simulated scans alone, or after both."""
    first = out / bundle / "simulated"
    train(out / "dataset.json", first, bundle, f"learning_rate={RATE}", epochs=math.ceil(steps / EPOCH))
    if real is None:
        return first / "last.pt"
    later = out / bundle / "mixed"
    scans = read_dataset(real)
    scans = replace(scans, training=scans.training + scans.validation, validation=())
    _join([data, scans], out / bundle / "dataset.json", f"{data.note}, and real scans")
    more = (f"learning_rate={LATER_RATE}", f"start_from={first / 'last.pt'}")
    train(out / bundle / "dataset.json", later, bundle, *more, epochs=math.ceil(LATER * steps / EPOCH))
    return later / "last.pt"


def train(data: Path, run: Path, bundle: str, *settings: str, epochs: int) -> None:
    """As a user would. Validated once, at the end; the last epoch's weights are taken."""
    if _finished(run):
        return
    every = (*COMMON, *SETTINGS[bundle], *settings, f"steps_per_epoch={EPOCH}", f"val_interval={epochs}")
    words = [word for setting in every for word in ("--set", setting)]
    command = ["train", str(data), "-o", str(run), "--bundle", bundle, "--epochs", str(epochs), *words]
    subprocess.run([sys.executable, "-m", "monai_ctseg", *command], check=True)


def _finished(run: Path) -> bool:
    record = run / "run.json"
    return record.exists() and '"finished": true' in record.read_text()


def calibrate(bundle: str, weights: Path, data: DataSplit, out: Path) -> dict[str, object]:
    """Fit temperature and offset on the validation cases, fold them into `out`, and set the interval levels."""
    plain = out.with_name("uncalibrated.pt")
    fold_calibration(weights, plain, temperature=1.0, offset=0.0)
    temperature, offset = fit_logits(bundle, plain, data)
    fold_calibration(weights, out, temperature=temperature, offset=offset)
    known = [
        matching_levels(chance, chance > 127, truth, scan.grid)
        for scan, truth, chance in _seen(bundle, out, data)
        if truth.sum() >= SURE
    ]
    return {
        "temperature": round(temperature, 3),
        "offset": round(offset, 3),
        "interval_levels": [round(level, 4) for level in set_levels(np.concatenate(known))],
        "objects": sum(map(len, known)),
    }


def _seen(bundle: str, weights: Path, data: DataSplit) -> Iterator[tuple[Scan, BoolArray, np.ndarray]]:
    """Validation cases, on the extended scale and clipped at 12 bits: scan, truth, probability (uint8)."""
    from monai_ctseg.networks.predict import load_network

    predictor = load_network(bundle, weights=weights)
    for case in data.validation:
        assert case.label is not None
        scan, truth = read_nifti(case.image), read_mask(case.label).voxels
        for shown in (scan, replace(scan, hu=np.minimum(scan.hu, 3071).astype(scan.hu.dtype))):
            chance = predictor.predict(shown).probability
            assert chance is not None
            yield shown, truth, chance


def fit_logits(bundle: str, weights: Path, data: DataSplit) -> tuple[float, float]:
    """Temperature and offset with the lowest negative log-likelihood near metal; as `fold_calibration` takes them.

    Platt, in Advances in Large Margin Classifiers (1999); Guo and others, arXiv 1706.04599, section 4.2.
    """
    logits, truths = [], []
    for scan, truth, chance in _seen(bundle, weights, data):
        some = truth | (chance > 127)
        if some.any():
            near = distance_transform_edt(~some, sampling=scan.grid.spacing_mm) <= NEAR_MM
            share = np.clip(chance[near] / 255.0, 0.002, 0.998)
            logits.append(np.log(share / (1 - share)))
            truths.append(truth[near])
    z, y = np.concatenate(logits), np.concatenate(truths)
    fit = minimize(lambda a: np.mean(np.logaddexp(0, np.where(y, -1, 1) * (a[0] * z + a[1]))), (1.0, 0.0))
    return 1 / float(fit.x[0]), float(fit.x[1] / fit.x[0])


def fold_calibration(weights: Path, out: Path, *, temperature: float, offset: float) -> None:
    """Write weights whose logits are (z + offset) / temperature, z being those of `weights`: the last layer changes."""
    import torch

    content = torch.load(weights, map_location="cpu", weights_only=True)
    content = {name: value.contiguous() for name, value in content.get("model", content).items()}
    kernel, bias = list(content)[-2:]
    content[kernel], content[bias] = content[kernel] / temperature, (content[bias] + offset) / temperature
    torch.save(content, out)


if __name__ == "__main__":
    main()
