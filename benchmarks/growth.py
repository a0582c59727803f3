"""How time and memory grow: with nodes of a graph, with the length of a video, with videos.

    python benchmarks/growth.py --run demo/runs/seed0/local [--plots benchmarks]

- nodes: forward pass of one attention layer over a complete graph of 512 features, against the
  dense form as far as that fits;
- length: `glidn predict` of a video of 10 seconds to 2 hours whose boxes are known, drawing left
  out; every length in a process of its own, for its peak memory;
- videos: opening a cache of frozen features (12 steps, 3 boxes, 64 features each, so that 10,000
  videos are quick to make) against reading one safetensors file per video.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot
from safetensors.torch import load_file, save_file

from complete_graph import MOST_DENSE, WIDTH, layer_way, median_seconds, nodes_of, peak_gib
from glidn import memory
from glidn.attention import GraphAttention
from glidn.prediction.predict import Boxes, predict
from glidn.prediction.speaker import load
from glidn.prediction.watch import Found, Rows
from glidn.store import Store
from glidn.types import Video

NODES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
LENGTHS = (10, 60, 600, 7_200)  # seconds
VIDEOS = (10, 100, 1_000, 10_000)
FPS, SIDE, EVERY = 30.0, 192, 3
FEATURES = (12, 3, 64)
Curve = list[tuple[float, float]]


class Still:
    """The same grey frame at all times, so that reading costs next to nothing."""

    source = "still"

    def read(self, frames: np.ndarray) -> np.ndarray:
        return np.full((len(frames), SIDE, SIDE, 3), 90, np.uint8)

    def each(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        return iter(self.read(frames))

    def files(self, frames: np.ndarray) -> list[Path]:
        return []


def nodes(runs: int) -> tuple[Curve, Curve]:
    """Seconds by nodes: ours, and dense."""
    ours, dense = [], []
    layer = GraphAttention(WIDTH, WIDTH)
    for count in NODES:
        x = nodes_of(count, backward=False)
        with torch.no_grad():
            ways = [layer_way(layer, x, backward=False, dense=one) for one in (None, True)]
            found = median_seconds(ways[: 2 if count <= MOST_DENSE else 1], runs)
        ours.append((count, found[0]))
        dense += [(count, one) for one in found[1:]]
    return ours, dense


def boxes(frames: int) -> Rows:
    """A person and three things, of which one moves."""
    for frame in range(0, frames, EVERY):
        x = 60 + 40 * np.sin(frame / 40)
        corners = [(10, 10), (x, 90), (120, 100), (30, 130)]
        names = ("person", "cup", "bowl", "box")
        yield (
            frame,
            tuple(
                Found(name, name, np.array([left, top, left + 40, top + 40], np.float32), 0.9)
                for name, (left, top) in zip(names, corners, strict=True)
            ),
        )


def one_length(
    run: Path, seconds: int, answer: "multiprocessing.Queue[tuple[float, float]]"
) -> None:
    """Seconds and peak memory in GiB of a prediction."""
    torch.set_num_threads(1)
    frames = round(seconds * FPS)
    video = Video("v", "", "", "", frames, FPS, SIDE, SIDE, (), pixels=Still())
    speaker = load(run)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        predict(video, speaker, Boxes("known", rows=boxes(frames)), Path(folder))
        took = time.perf_counter() - began
    answer.put((took, peak_gib()))


def lengths(run: Path) -> list[tuple[int, float, float]]:
    """(seconds of video, seconds, GiB)."""
    context = multiprocessing.get_context("spawn")
    found = []
    for seconds in LENGTHS:
        answer = context.Queue()
        process = context.Process(target=one_length, args=(run, seconds, answer))
        process.start()
        found.append((seconds, *answer.get()))
        process.join()
    return found


def videos(runs: int) -> tuple[Curve, Curve]:
    """Seconds to open the features of so many videos: in one mapped file, and in one file each."""
    mapped, apart = [], []
    for count in VIDEOS:
        with tempfile.TemporaryDirectory() as name:
            folder, store = Path(name), Store(Path(name))
            for number in range(count):
                value = torch.full(FEATURES, float(number))
                store.put(str(number), value)
                save_file({"features": value}, folder / f"{number}.safetensors")
            ways = [partial(one, folder, count) for one in (read_mapped, read_apart)]
            for curve, seconds in zip((mapped, apart), median_seconds(ways, runs), strict=True):
                curve.append((count, seconds))
    return mapped, apart


def read_mapped(folder: Path, count: int) -> None:
    opened = Store(folder)
    for number in range(count):
        opened.get(str(number))


def read_apart(folder: Path, count: int) -> None:
    for number in range(count):
        load_file(folder / f"{number}.safetensors")


def slope(curve: Curve) -> float:
    """The exponent of growth over the last three points."""
    x, y = np.log(curve[-3:]).T
    return float(np.polyfit(x, y, 1)[0])


def plot(path: Path, curves: dict[str, Sequence[tuple[float, float]]], x: str, y: str) -> None:
    pyplot.rcParams["svg.hashsalt"] = "glidn"
    figure, axes = pyplot.subplots(figsize=(5, 3.2), layout="constrained")
    for name, curve in curves.items():
        axes.loglog(*zip(*curve, strict=True), marker="o", label=name)
    axes.set(xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    memory.keep()  # as the command line does
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--plots", type=Path)
    asked = parser.parse_args()
    ours, dense = nodes(asked.runs)
    print("| nodes | against 100 nodes | dense / ours |\n|---|---|---|")
    for row, (count, seconds) in enumerate(ours):
        ratio = f"{dense[row][1] / seconds:.1f}" if row < len(dense) else "-"
        print(f"| {count:,.0f} | {seconds / ours[0][1]:,.1f} | {ratio} |")
    print(f"\nGrowth at the end: nodes^{slope(ours):.2f}; dense: nodes^{slope(dense):.2f}.\n")
    found = lengths(asked.run)
    print("| length | seconds a second of video | peak memory, GiB |\n|---|---|---|")
    for seconds, took, peak in found:
        print(f"| {seconds:,} s | {took / seconds:.3f} | {peak:.2f} |")
    mapped, apart = videos(asked.runs)
    print("\n| videos | opening, against 10 videos | a file each / ours |\n|---|---|---|")
    for (count, seconds), (_, other) in zip(mapped, apart, strict=True):
        print(f"| {count:,} | {seconds / mapped[0][1]:,.1f} | {other / seconds:.1f} |")
    if asked.plots:
        plot(asked.plots / "nodes.svg", {"ours": ours, "dense": dense}, "nodes", "seconds")
        took = [(seconds, one) for seconds, one, _ in found]
        plot(asked.plots / "length.svg", {"predict": took}, "seconds of video", "seconds")
        plot(
            asked.plots / "videos.svg",
            {"one mapped file": mapped, "a file per video": apart},
            "videos",
            "seconds to open",
        )


if __name__ == "__main__":
    main()
