"""How long commands take to answer, as multiples of `python -c "import pydicom, numpy"`.

    python benchmarks/startup.py [--data SERIES_FOLDER] [--csv benchmarks/results/startup.csv]

Every command runs in a process of its own, `--rounds` times, one after the other in each round, so that a busy moment
of the machine meets all of them; the table gives medians. With `--data`, `stats` of that folder is measured too; its
bar is 1.3 plus SimpleITK's time to read the same files, which SimpleITK's own process measures around the read alone.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import time
from pathlib import Path

BASE = "import pydicom, numpy"
SCRIPT = Path(sys.executable).with_name("monai-ctseg")
BARS = {"--help": 1.0, "--version": 0.7}
STATS_BAR = 1.3
READ = """
import sys, time, SimpleITK
SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
reader = SimpleITK.ImageSeriesReader()
names = reader.GetGDCMSeriesFileNames(sys.argv[1])
reader.SetFileNames(names)
start = time.perf_counter()
reader.Execute()
print(time.perf_counter() - start)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="A folder with one DICOM series.")
    parser.add_argument("--csv", type=Path, help="Write the table here.")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    commands = {BASE: [sys.executable, "-c", BASE]}
    for words in [*BARS, f"stats {options.data}"] if options.data else BARS:
        commands[f"monai-ctseg {words}"] = [str(SCRIPT), *words.split(maxsplit=1)]
        commands[f"python -m monai_ctseg {words}"] = [sys.executable, "-m", "monai_ctseg", *words.split(maxsplit=1)]
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    reads = []
    for _ in range(options.rounds):
        for name, words in commands.items():
            seconds[name].append(wall(words))
        if options.data:
            reads.append(read_seconds(options.data))
    rows = table(seconds, reads)
    print(f"{'command':<45} {'seconds':>8} {'ratio':>6} {'bar':>6}")
    for row in rows:
        print(f"{row['command']:<45} {row['median_seconds']:>8} {row['ratio']:>6} {row['bar']:>6}")
    if options.csv:
        with options.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


def wall(words: list[str]) -> float:
    """Seconds from start to end of a command that must succeed."""
    start = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - start


def read_seconds(folder: Path) -> float:
    """Seconds that SimpleITK takes to read a series, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", READ, str(folder)], check=True, capture_output=True, text=True)
    return float(done.stdout)


def table(seconds: dict[str, list[float]], reads: list[float]) -> list[dict[str, str]]:
    """A row a command: median seconds, ratio to the base, and the bar for the ratio."""
    median = {name: statistics.median(values) for name, values in seconds.items()}
    if reads:
        median["SimpleITK reads the same folder"] = statistics.median(reads)
    bars = BARS | ({"stats": STATS_BAR + statistics.median(reads) / median[BASE]} if reads else {})
    rows = []
    for name, value in median.items():
        bar = next((bar for word, bar in bars.items() if f" {word}" in name), None)
        rows.append(
            {
                "command": " ".join("DATA" if "/" in word else word for word in name.split()),
                "median_seconds": f"{value:.3f}",
                "ratio": f"{value / median[BASE]:.2f}",
                "bar": "" if bar is None else f"{bar:.2f}",
            }
        )
    return rows


if __name__ == "__main__":
    main()
