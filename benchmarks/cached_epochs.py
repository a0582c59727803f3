"""An epoch on frozen ResNet-50 features, cached against computed anew.

    python benchmarks/cached_epochs.py [--videos 12]

Generated videos of 30 steps with six boxes, crops of 224 pixels, random weights; the view is the
paper's: three layers of 512 features, batches of 8. An epoch without the cache computes every
feature, as a loop that crops in its loader does; one with it reads them from the mapped file.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from glidn import datasets, memory, processes
from glidn.datasets.synthetic import SyntheticConfig, write_cad120
from glidn.learner import Lesson
from glidn.material import Material, prepare
from glidn.model import build
from glidn.recipes import cad120
from glidn.training import fit
from glidn.types import Dataset


def seconds(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def main() -> None:
    memory.keep()  # as the command line does
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=12)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root, cache = Path(name) / "data", Path(name) / "cache"
        write_cad120(root, SyntheticConfig(repetitions=1, frames=30, width=192, height=192))
        found = datasets.load(root)
        data = replace(found, videos=found.videos[: asked.videos])
        measure(data, cache, Path(name) / "run")


def measure(data: Dataset, cache: Path, folder: Path) -> None:
    base = cad120.base()
    nodes = replace(base.nodes, weights="none", cache=cache)
    config = replace(base, nodes=nodes, train=replace(base.train, epochs=1))
    computing = seconds(lambda: prepare(data, config, None))
    reading = seconds(lambda: prepare(data, config, None))
    material = prepare(data, config, None)
    assert isinstance(material, Material)
    network = build(config.nodes, config.view, material.widths, len(data.classes))
    names = [video.name for video in data.videos]
    source = material.source(names, 0)
    processes.fabric(config.train)  # its import takes seconds, once
    epoch = seconds(lambda: fit([Lesson({"local": network}, folder)], source, config.train))
    print(f"{len(names)} videos, {torch.get_num_threads()} threads\n")
    print("| part of an epoch | seconds a video |\n|---|---|")
    for part, took in (
        ("computing features", computing),
        ("reading them", reading),
        ("training", epoch),
    ):
        print(f"| {part} | {took / len(names):.3f} |")
    ratio = (computing + epoch) / (reading + epoch)
    print(f"\nAn epoch without the cache takes {ratio:.1f} times as long as one with it.")


if __name__ == "__main__":
    main()
