"""Did anything move? What every command finds, as hashes and facts, recorded before a change and compared after it.

    python benchmarks/unchanged.py record BEFORE.json DATA     # with the old code (PYTHONPATH=<old checkout>)
    python benchmarks/unchanged.py record AFTER.json DATA      # with the new one
    python benchmarks/unchanged.py compare BEFORE.json AFTER.json [TABLE.csv]

DATA holds hip-screw-ct/dicom, hip-prosthesis-ct/dicom and head-neck-ct/pt_*.nii.gz. A snapshot is {step: {key: value}}:
the JSON that a command prints, its exit code, the SHA-256 of the voxels of each mask, the pixels of each picture, the
bytes of each CSV and the tensors of all weights. Paths, seconds and versions are left out. RENAMED says which keys
changed their names on purpose. Any other difference of a fact is printed and makes the exit code 1; sentences that were
re-worded are printed for a person to judge.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image

RENAMED = {
    "ceiling_hu": "highest_hu",
    "ceiling_voxels": "highest_voxels",
    "unlike_training": "out_of_distribution",
    "mean_inside_hu": "mean_in_fov_hu",
    "anywhere": "body_mask",
    "interval_mm3": "volume_interval_mm3",
    "audits": "component_reports",
    "hips": "targets",
    "hips_attempted": "targets_attempted",
    "hips.csv": "targets.csv",
    "audit.json": "component_report.json",
}
"""Old name of a key or a file -> new name, wherever it stands in a path of keys."""
INVERTED = {"body_mask"}
"""Renamed keys whose value changed from True to False and back."""

VOLATILE = re.compile(r"(^|/)(seconds|versions|output|source|image|path|weights|truth|predicted|log|file|folder)(/|$)")
SIMULATED = ["--kind", "hip_screw", "--seed", "4", "--size", "256", "--pixel", "1.5", "--count", "40", "--slice", "2.5"]
HEAD_NECK = ("pt_38", "pt_265", "pt_208")
QUICK_TRAINING = ["--epochs", "1", "--set", "steps_per_epoch=4"]


def steps(data: Path, out: Path) -> Iterator[tuple[str, list[str]]]:
    """Each command by a name; those that write, write to `out / name`."""
    yield "demo/simulate", ["simulate", *SIMULATED, "--json"]
    scans = {
        "screw": data / "hip-screw-ct" / "dicom",
        "prosthesis": data / "hip-prosthesis-ct" / "dicom",
        **{name: data / "head-neck-ct" / f"{name}.nii.gz" for name in HEAD_NECK},
        "demo": out / "demo/simulate" / "dicom",
    }
    for name, place in scans.items():
        if place.is_dir():
            yield f"{name}/series", ["series", str(place), "--json"]
        yield f"{name}/stats", ["stats", str(place), "--json"]
        yield f"{name}/labels", ["labels", str(place), "--json"]
        yield f"{name}/labels-2500", ["labels", str(place), "--threshold", "2500", "--json"]
        yield f"{name}/half-maximum", ["labels", str(place), "--method", "half-maximum", "--json"]
        yield f"{name}/infer-2d", ["infer", str(place), "--probability", "--json"]
        yield f"{name}/infer-3d", ["infer", str(place), "--bundle", "metal_unet3d", "--json"]
        two = [str(out / f"{name}/{mask}" / "mask.nii.gz") for mask in ("infer-2d", "half-maximum")]
        yield f"{name}/evaluate", ["evaluate", *two, "--json"]
        yield f"{name}/measure", ["measure", str(place), "--json"]
        yield f"{name}/prepare", ["prepare", str(place), "--validation", "0", "--test", "0", "--json"]
    yield "screw/train", ["train", str(scans["screw"]), *QUICK_TRAINING, "--json"]
    yield "demo/train", ["train", str(scans["demo"]), *QUICK_TRAINING, "--json"]
    yield "demo/train-3d", ["train", str(scans["demo"]), "--bundle", "metal_unet3d", *QUICK_TRAINING, "--json"]
    yield "heads/prepare", ["prepare", *(str(scans[name]) for name in HEAD_NECK), "--seed", "3", "--json"]
    yield "heads/evaluate", ["evaluate", str(out / "heads/prepare/dataset.json"), "--section", "training", "--json"]
    yield "simulate/cohort", ["simulate", "--cases", "3", "--seed", "11", "--size", "160", "--json"]
    yield "bundles", ["bundles", "--json"]
    readings = Path(__file__).parents[1] / "docs" / "readings.csv"
    words = ["--reference", "clinician", "--method", "program", "--acceptable-difference", "2", "--json"]
    yield "agreement", ["agreement", str(readings), *words]


def writes(words: list[str]) -> bool:
    """Whether the command takes -o."""
    return words[0] not in ("series", "stats", "bundles") and not (words[0] == "evaluate" and len(words) == 4)


def record(data: Path) -> dict[str, dict[str, Any]]:
    """Run every step and say what came out."""
    found: dict[str, dict[str, Any]] = {}
    out = Path(tempfile.mkdtemp(prefix="unchanged."))
    try:
        for name, words in steps(data, out):
            place = out / name
            command = [sys.executable, "-m", "monai_ctseg", *words, *(["-o", str(place)] if writes(words) else [])]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            facts: dict[str, Any] = {"exit": done.returncode}
            if done.returncode:
                facts["refusal"] = done.stderr.strip()
            if done.stdout.strip():
                facts |= dict(flat(json.loads(done.stdout)))
            facts |= {f"files/{key}": value for key, value in files(place, out)} if place.is_dir() else {}
            facts = {key: neutral(value, out, data) for key, value in facts.items()}
            found[name] = {key: value for key, value in facts.items() if not VOLATILE.search(key)}
            print(f"{name}: exit {done.returncode}, {len(found[name])} facts", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(out, ignore_errors=True)
    return found


def flat(content: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of JSON by their path of keys."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from flat(value, f"{path}/{key}".lstrip("/"))
    elif isinstance(content, list):
        yield f"{path}/length", len(content)
        for n, value in enumerate(content):
            yield from flat(value, f"{path}/{n}")
    else:
        yield path, content


def neutral(value: Any, out: Path, data: Path) -> Any:
    """A value without the folders of this run."""
    return value.replace(str(out), "OUT").replace(str(data), "DATA") if isinstance(value, str) else value


def files(folder: Path, out: Path) -> Iterator[tuple[str, str]]:
    """Hashes of what a command wrote; of coloured pictures, which hold text, only the size."""
    for path in sorted(folder.rglob("*")):
        key = path.relative_to(folder).as_posix()
        if path.name.endswith(".nii.gz"):
            image = nib.load(path)
            voxels = np.ascontiguousarray(np.asanyarray(image.dataobj))
            yield key, sha(voxels.tobytes() + np.round(image.affine, 6).tobytes())
        elif path.suffix == ".png":
            picture = np.asarray(Image.open(path))
            yield key, sha(picture.tobytes()) if picture.ndim == 2 else str(picture.shape)
        elif path.suffix == ".csv":
            yield key, sha(path.read_bytes())
        elif path.suffix == ".pt" and path.name == "model.pt":
            yield key, weights_sha(path)
        elif path.name == "dataset.json":
            yield key, sha(path.read_bytes().replace(str(out).encode(), b"OUT"))


def weights_sha(path: Path) -> str:
    """Hash of the tensors of a state dict, in order of name."""
    import torch

    state = torch.load(path, weights_only=True)
    return sha(b"".join(state[name].cpu().numpy().tobytes() for name in sorted(state)))


def sha(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def renamed(key: str) -> str:
    """A key of the old snapshot as the new code names it."""
    for old, new in RENAMED.items():
        key = re.sub(rf"(^|/){re.escape(old)}(?=/|$)", rf"\g<1>{new}", key)
    return key


def translated(facts: dict[str, Any]) -> dict[str, Any]:
    """An old snapshot's facts by the names of the new code.

    `infer` had a method of null and the method's name under "edges"; what is null in one and missing in the other is
    the same.
    """
    found: dict[str, Any] = {}
    for key, value in facts.items():
        new = renamed(key)
        if value is not None or new not in found:
            found[new] = not value if new.split("/")[-1] in INVERTED and isinstance(value, bool) else value
    if "edges" in found:
        found["method"] = found.pop("edges")
    return found


def compare(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> tuple[list[str], list[str], int]:
    """Differences of facts that no renamed key explains; re-worded sentences; and how many facts are equal."""
    moved, reworded, equal = [f"{step}: is new" for step in after if step not in before], [], 0
    for step, facts in before.items():
        old, new = translated(facts), after.get(step, {})
        for key in sorted({*old, *new}):
            if old.get(key) == new.get(key):
                equal += 1
                continue
            line = f"{step}: {key}: {old.get(key)!r} -> {new.get(key)!r}"
            (reworded if is_sentence(old.get(key)) and is_sentence(new.get(key)) else moved).append(line)
    return moved, reworded, equal


def write_table(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]], path: Path) -> None:
    """A row for each step: facts equal, sentences re-worded, facts moved."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["step", "facts_equal", "sentences_reworded", "facts_moved"])
        for step in before:
            moved, reworded, equal = compare({step: before[step]}, {step: after.get(step, {})})
            table.writerow([step, equal, len(reworded), len(moved)])


def is_sentence(value: Any) -> bool:
    """Whether a value is text for people."""
    return isinstance(value, str) and " " in value


def main() -> int:
    """See the top of this file."""
    if len(sys.argv) == 4 and sys.argv[1] == "record":
        Path(sys.argv[2]).write_text(json.dumps(record(Path(sys.argv[3]).resolve()), indent=1) + "\n", "utf-8")
        return 0
    if len(sys.argv) in (4, 5) and sys.argv[1] == "compare":
        before, after = (json.loads(Path(name).read_text("utf-8")) for name in sys.argv[2:4])
        moved, reworded, equal = compare(before, after)
        print("\n".join([*moved, *reworded]))
        print(f"{equal:,} facts equal, {len(reworded)} sentences re-worded, {len(moved)} facts moved")
        if len(sys.argv) == 5:
            write_table(before, after, Path(sys.argv[4]))
        return 1 if moved else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
