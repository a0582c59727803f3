"""How much of a training's time is spent waiting for its next batch.

    python benchmarks/waiting.py

Three kinds of input, each by the training loop itself: boxes alone in memory (`cad120.tracks`),
cached ResNet-50 features in the mapped file (`cad120.base`), and clips that are decoded from mp4
files as they are asked for (`charades.i3d`, one loader). Generated videos, random weights.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from glidn import datasets, memory, processes
from glidn.batch import Batch
from glidn.config import RunConfig
from glidn.datasets.synthetic import (
    CharadesConfig,
    SyntheticConfig,
    write_cad120,
    write_charades,
)
from glidn.learner import Lesson
from glidn.material import prepare
from glidn.model import build
from glidn.recipes import cad120, charades
from glidn.sources import Ask, Source
from glidn.training import fit
from glidn.types import Dataset


@dataclass
class Waited:
    """A source that counts the seconds until each batch is there."""

    source: Source
    seconds: float = field(default=0.0)

    @property
    def videos(self) -> Sequence[str]:
        return self.source.videos

    @property
    def variants(self) -> int:
        return self.source.variants

    def batches(self, asked: Sequence[Sequence[Ask]]) -> Iterator[Batch]:
        batches = self.source.batches(asked)
        while True:
            began = time.perf_counter()
            batch = next(batches, None)
            self.seconds += time.perf_counter() - began
            if batch is None:
                return
            yield batch


def share(data: Dataset, config: RunConfig, folder: Path) -> tuple[float, float]:
    """The share of waiting, and seconds a step."""
    material = prepare(data, config, None)
    names = [video.name for video in data.videos if video.split != "test"]
    network = build(config.nodes, config.view, material.widths, len(data.classes), config.backbone)
    material.measure([network], names)
    source = Waited(material.source(names, 0))
    processes.fabric(config.train)  # its import takes seconds, once
    began = time.perf_counter()
    fit([Lesson({"local": network}, folder)], source, config.train)
    whole = time.perf_counter() - began
    steps = config.train.epochs * -(-len(names) // config.train.batch)
    return source.seconds / whole, whole / steps


def main() -> None:
    memory.keep()  # as the command line does
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    cores = torch.get_num_threads()
    print("| input | threads | share of waiting | seconds a step |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = SyntheticConfig(repetitions=1, frames=30, width=128, height=128)
        write_cad120(folder / "cad120", config)
        write_charades(folder / "charades", CharadesConfig(train=8, test=1, seconds=10, size=256))
        few, many = (datasets.load(folder / one) for one in ("cad120", "charades"))
        # Frozen features of a video take ten seconds.
        some = replace(few, videos=few.videos[:12])
        tracks, base, i3d = cad120.tracks(), cad120.base(), charades.i3d()
        assert i3d.clips is not None
        ways = {
            "boxes in memory": (few, replace(tracks, train=replace(tracks.train, epochs=40))),
            "cached features": (
                some,
                replace(
                    base,
                    nodes=replace(base.nodes, weights="none", cache=folder / "cache"),
                    train=replace(base.train, epochs=10),
                ),
            ),
            "clips": (
                many,
                replace(
                    charades.view(i3d, Path("unused"), "local"),
                    backbone=i3d.backbone,
                    clips=replace(i3d.clips, workers=1),
                    # Random weights would not stay finite at the rate of the recipe.
                    train=replace(i3d.train, epochs=2, batch=1, lr=1e-9),
                ),
            ),
        }
        for kind, (data, settings) in ways.items():
            threads = settings.train.threads or cores
            torch.set_num_threads(threads)
            waited, step = share(data, settings, folder / kind)
            print(f"| {kind} | {threads} | {100 * waited:.1f}% | {step:.3f} |", flush=True)


if __name__ == "__main__":
    main()
