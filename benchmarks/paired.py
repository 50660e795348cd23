"""Time two commands in turn (A B A B ...) as whole processes: medians, and the median of the ratio A / B pair by pair.

    python benchmarks/paired.py -n 7 "COMMAND A" "COMMAND B"

Each command is one string, split as a shell splits words. A machine whose speed drifts slows both of a pair, so quote
the ratio.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import subprocess
import time


def seconds(command: str) -> float:
    """Wall time of one run, whose output is thrown away; its failure raises."""
    start = time.perf_counter()
    subprocess.run(shlex.split(command), check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=7, help="Pairs; one more is run first and not counted.")
    parser.add_argument("a")
    parser.add_argument("b")
    options = parser.parse_args()
    pairs = [(seconds(options.a), seconds(options.b)) for _ in range(options.n + 1)][1:]
    for name, times in zip("AB", zip(*pairs, strict=True), strict=True):
        print(f"{name}      median {statistics.median(times):.2f} s, {min(times):.2f} to {max(times):.2f} s")
    print(f"A / B  median {statistics.median(a / b for a, b in pairs):.3f}")


if __name__ == "__main__":
    main()
