"""The settings that users ask about, one change at a time: augmentation, loss, split.

    python benchmarks/comparison.py SCAN OUT [--bundle metal_unet2d] [--epochs 10]

Trains the bundle on one scan for each row, writes OUT/curves.png and OUT/table.md, and leaves each training in a folder
of its own in OUT. A row that is there already is not trained again.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from monai_ctseg.networks.train import TrainOptions, train

BCE = {"loss": {"_target_": "torch.nn.BCEWithLogitsLoss"}}
DICE_CE = {"loss::_target_": "DiceCELoss"}
ROWS: dict[str, dict[str, Any]] = {
    "Dice loss, augmented": {},
    "Dice loss, not augmented": {"augment": False},
    "BCE, augmented": {"overrides": BCE},
    "Dice + CE, augmented": {"overrides": DICE_CE},
}
SPLITS = ("blocks", "interleaved")
COLORS = ("#1565c0", "#ef6c00", "#2e7d32", "#6a1b9a")


def run(scan: str, folder: Path, bundle: str, epochs: int, split: str, settings: dict[str, Any]) -> dict[str, float]:
    """Dice of the best and the last epoch, and the seconds that it took."""
    figures = folder / "figures.json"
    if not figures.exists():
        overrides = {"val_interval": 1, **settings.get("overrides", {})}
        options = {**settings, "overrides": overrides}
        chosen = TrainOptions(bundle=bundle, split=split, max_epochs=epochs, **options)  # type: ignore[arg-type]
        result = train([scan], folder, chosen)
        last = read_curve(folder)[-1][1]
        figures.write_text(json.dumps({"best": result.dice, "last": last, "seconds": result.seconds}))
    return dict(json.loads(figures.read_text()))


def read_curve(folder: Path) -> list[tuple[int, float]]:
    """Epochs and their validation Dice, from history.csv."""
    with (folder / "history.csv").open() as file:
        return [(int(row["epoch"]), float(row["val_dice"])) for row in csv.DictReader(file)]


def draw(out: Path, path: Path) -> None:
    """A panel a split, a line a setting."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, split in zip(panels, SPLITS, strict=True):
        for name, color in zip(ROWS, COLORS, strict=True):
            epochs, dice = zip(*read_curve(out / folder_name(split, name)), strict=True)
            panel.plot(epochs, dice, label=name, color=color, marker="o", markersize=3)
        panel.set(title=split, xlabel="epoch", ylim=(0.95, 1.0))
        panel.grid(color="#e0e0e0")
    panels[0].set_ylabel("validation Dice")
    panels[1].legend(loc="lower right", fontsize=8)
    figure.savefig(path, dpi=110)


def folder_name(split: str, name: str) -> str:
    """A name without spaces."""
    return f"{split}_{name}".replace(", ", "_").replace(" + ", "_").replace(" ", "_").lower()


def main() -> None:
    """Train, draw, tabulate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan")
    parser.add_argument("out", type=Path)
    parser.add_argument("--bundle", default="metal_unet2d")
    parser.add_argument("--epochs", type=int, default=10)
    given = parser.parse_args()
    lines = ["| split | setting | Dice, best | Dice, last epoch | seconds |", "| --- | --- | --- | --- | --- |"]
    for split in SPLITS:
        for name, settings in ROWS.items():
            folder = given.out / folder_name(split, name)
            row = run(given.scan, folder, given.bundle, given.epochs, split, settings)
            lines.append(f"| {split} | {name} | {row['best']:.4f} | {row['last']:.4f} | {row['seconds']:.0f} |")
            print(lines[-1], flush=True)
    draw(given.out, given.out / "curves.png")
    (given.out / "table.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
