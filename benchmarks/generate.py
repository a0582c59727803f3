"""Frames a second of the generated videos, written to disk as PNG, by size and processes.

    python benchmarks/generate.py

Each line is the median of three runs of 8 videos of 60 frames, start of the processes included;
the last column is the ratio to one process at the same size.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

from glidn.datasets.synthetic import SyntheticConfig, write_cad120

RUNS, VIDEOS, FRAMES = 3, 8, 60


def rate(size: int, workers: int) -> float:
    """Frames a second, the median of `RUNS`."""
    found = []
    for seed in range(RUNS):
        config = SyntheticConfig(
            seed=seed, repetitions=1, frames=FRAMES, width=size, height=size, subjects=(1, 3, 4, 5),
            activities=("making_cereal", "stacking_objects"),
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            write_cad120(Path(folder), config, workers)
            found.append(VIDEOS * FRAMES / (time.monotonic() - began))
    return statistics.median(found)


def main() -> None:
    cores = os.cpu_count() or 1
    print("| size | processes | frames a second | against one process |\n|---|---|---|---|")
    for size in (128, 256):
        one = rate(size, 1)
        for workers, found in ((1, one), (cores, rate(size, cores))):
            print(f"| {size}x{size} | {workers} | {found:.0f} | {found / one:.2f} |")


if __name__ == "__main__":
    main()
