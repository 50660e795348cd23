"""Make the weights that the bundles carry: simulate, train both networks, calibrate their confidence.

python benchmarks/weights.py OUT [--only metal_unet2d] [--epochs 60]

OUT/first and OUT/second: simulated cohorts (seeds 0 to 92 and 1000 to 1099), OUT/dataset.json: both.
OUT/BUNDLE/model.pt: the weights. The last lines are the temperature and the interval levels for the bundle's
inference.yaml. What is there is kept: cut off, the same command goes on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.optimize import minimize_scalar

from monai_ctseg.cohort.simulated import simulate_cohort
from monai_ctseg.dataset import DataSplit, read_dataset, write_dataset
from monai_ctseg.machine import cores
from monai_ctseg.nifti import read_mask, read_nifti
from monai_ctseg.simulation import Wish

COHORTS = {"first": (0, 93), "second": (1000, 100)}
"""Folder: first seed and number of cases."""
SETTINGS = {
    "metal_unet2d": ("loss::_target_=DiceCELoss", "learning_rate=0.002", "val_interval=10"),
    "metal_unet3d": ("loss::_target_=DiceCELoss", "learning_rate=0.002", "val_interval=10", "patch=[64,64,16]"),
}
NEAR_MM = 5.0


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=tuple(SETTINGS))
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=cores())
    given = parser.parse_args()
    dataset = make_data(given.out, jobs=given.jobs)
    for bundle in [given.only] if given.only else SETTINGS:
        run = given.out / bundle
        train(given.out, run, bundle, epochs=given.epochs)
        print(bundle, "temperature", round(fit_temperature(bundle, run / "model.pt", dataset), 2))


def make_data(out: Path, *, jobs: int) -> DataSplit:
    """Both cohorts, and one dataset.json of both."""
    parts = []
    for name, (seed, cases) in COHORTS.items():
        folder = out / name
        if not (folder / "dataset.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            simulate_cohort(folder, cases=cases, seed=seed, wish=Wish(saturated=False), jobs=jobs)
        parts.append(read_dataset(folder / "dataset.json"))
    both = replace(
        parts[0],
        training=tuple(case for part in parts for case in part.training),
        validation=tuple(case for part in parts for case in part.validation),
        note="simulated; seeds " + ", ".join(f"{seed} to {seed + n - 1}" for seed, n in COHORTS.values()),
    )
    write_dataset(both, out / "dataset.json")
    return both


def train(data: Path, run: Path, bundle: str, *, epochs: int) -> None:
    """As a user would."""
    if (
        (run / "model.pt").exists()
        and (run / "run.json").exists()
        and '"finished": true' in (run / "run.json").read_text()
    ):
        return
    settings = [word for setting in SETTINGS[bundle] for word in ("--set", setting)]
    command = ["train", str(data), "-o", str(run), "--bundle", bundle, "--epochs", str(epochs), *settings]
    subprocess.run([sys.executable, "-m", "monai_ctseg", *command], check=True)


def fit_temperature(bundle: str, weights: Path, dataset: DataSplit) -> float:
    """The temperature with the lowest negative log-likelihood near metal in the validation cases, half saturated.

    Guo and others, arXiv 1706.04599, section 4.2.
    """
    from monai_ctseg.inference import load_predictor

    predictor = load_predictor(bundle, weights=weights)
    logits, truths = [], []
    for n, case in enumerate(dataset.validation):
        assert case.label is not None
        scan, truth = read_nifti(case.image), read_mask(case.label).voxels
        if n % 2:
            scan = replace(scan, hu=np.minimum(scan.hu, 3071).astype(scan.hu.dtype))
        found = predictor.predict(scan, probability=True)
        assert found.probability is not None
        some = truth | found.mask.voxels
        if not some.any():
            continue
        near = distance_transform_edt(~some, sampling=scan.grid.spacing_mm) <= NEAR_MM
        share = np.clip(found.probability[near] / 255.0, 0.002, 0.998)
        logits.append(np.log(share / (1 - share)))
        truths.append(truth[near])
    z, y = np.concatenate(logits), np.concatenate(truths)
    loss = minimize_scalar(
        lambda t: np.mean(np.logaddexp(0, np.where(y, -z, z) / t)), bounds=(0.5, 5), method="bounded"
    )
    return float(loss.x)


def fold_calibration(weights: Path, out: Path, *, temperature: float, offset: float) -> None:
    """Write weights whose logits are (z + offset) / temperature, z being those of `weights`: the last layer changes."""
    import torch

    content = torch.load(weights, weights_only=True)
    kernel, bias = list(content)[-2:]
    content[kernel] = content[kernel] / temperature
    content[bias] = (content[bias] + offset) / temperature
    torch.save({name: value.contiguous() for name, value in content.items()}, out)


if __name__ == "__main__":
    main()
