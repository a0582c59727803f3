"""How time and memory grow: with nodes of a graph, with the length of a video, with videos.

    python benchmarks/growth.py --run demo/runs/seed0/local [--plots benchmarks]

- nodes: forward pass of one attention layer over a complete graph of 512 features, against the
  dense form as far as that fits;
- length: `glidn predict` of a video of 10 seconds to 2 hours whose boxes are known, drawing left
  out;
- videos: opening a cache of frozen features (12 steps, 3 boxes, 64 features each, so that 10,000
  videos are quick to make) against reading one safetensors file per video.

Peak memory is that of a process of its own for every point; torch alone takes most of the smallest.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple, TypeVar

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
T = TypeVar("T")


class Point(NamedTuple):
    """Of a curve."""

    size: int
    seconds: float
    gib: float


class Still:
    """The same grey frame at all times, so that reading costs next to nothing."""

    source = "still"

    def read(self, frames: np.ndarray) -> np.ndarray:
        return np.full((len(frames), SIDE, SIDE, 3), 90, np.uint8)

    def each(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        return iter(self.read(frames))

    def files(self, frames: np.ndarray) -> list[Path]:
        return []


def nodes(runs: int) -> tuple[list[Point], list[Point]]:
    """By nodes: ours, and dense."""
    ours, dense = [], []
    layer = GraphAttention(WIDTH, WIDTH)
    for count in NODES:
        x = nodes_of(count, backward=False)
        kinds = (None, True)[: 2 if count <= MOST_DENSE else 1]
        with torch.no_grad():
            ways = [layer_way(layer, x, backward=False, dense=kind) for kind in kinds]
            found = median_seconds(ways, runs)
        for points, kind, seconds in zip((ours, dense), kinds, found, strict=False):
            peak = in_a_process_of_its_own(peak_of_nodes, count, kind)
            points.append(Point(count, seconds, peak))
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


def in_a_process_of_its_own(measure: Callable[..., T], *words: object) -> T:
    """What a function answers in a new process, whose peak memory is its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure, *words).result()


def peak_of_nodes(count: int, dense: bool | None) -> float:
    """Peak memory in GiB of a process that makes a graph and passes through the layer."""
    memory.keep()
    layer = GraphAttention(WIDTH, WIDTH)
    with torch.no_grad():
        layer_way(layer, nodes_of(count, backward=False), backward=False, dense=dense)()
    return peak_gib()


def one_length(run: Path, seconds: int) -> tuple[float, float]:
    """Seconds and peak memory in GiB of a prediction."""
    memory.keep()
    torch.set_num_threads(1)
    frames = round(seconds * FPS)
    video = Video("v", "", "", "", frames, FPS, SIDE, SIDE, (), pixels=Still())
    speaker = load(run)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        predict(video, speaker, Boxes("known", rows=boxes(frames)), Path(folder))
        took = time.perf_counter() - began
    return took, peak_gib()


def lengths(run: Path) -> list[Point]:
    return [
        Point(seconds, *in_a_process_of_its_own(one_length, run, seconds)) for seconds in LENGTHS
    ]


def videos(runs: int) -> tuple[list[Point], list[Point]]:
    """To open the features of so many videos: in one mapped file, and in one file each."""
    mapped, apart = [], []
    for count in VIDEOS:
        with tempfile.TemporaryDirectory() as name:
            folder, store = Path(name), Store(Path(name))
            for number in range(count):
                value = torch.full(FEATURES, float(number))
                store.put(str(number), value)
                save_file({"features": value}, folder / f"{number}.safetensors")
            ways = [partial(one, folder, count) for one in (read_mapped, read_apart)]
            for points, way, seconds in zip(
                (mapped, apart), ways, median_seconds(ways, runs), strict=True
            ):
                points.append(Point(count, seconds, in_a_process_of_its_own(peak_of, way)))
    return mapped, apart


def peak_of(way: Callable[[], object]) -> float:
    """Peak memory in GiB of a process that does this, and keeps what it gets."""
    memory.keep()
    kept = way()
    peak = peak_gib()
    del kept
    return peak


def read_mapped(folder: Path, count: int) -> list[torch.Tensor]:
    opened = Store(folder)
    found = [opened.get(str(number)) for number in range(count)]
    return [one for one in found if one is not None]


def read_apart(folder: Path, count: int) -> list[torch.Tensor]:
    return [load_file(folder / f"{number}.safetensors")["features"] for number in range(count)]


def slope(points: Sequence[Point]) -> float:
    """The exponent of growth of time over the last three points."""
    sizes, seconds = ([getattr(p, name) for p in points[-3:]] for name in ("size", "seconds"))
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def plot(path: Path, curves: dict[str, list[Point]], x: str) -> None:
    """Time beside memory."""
    pyplot.rcParams["svg.hashsalt"] = "glidn"
    figure, (time_axes, memory_axes) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for name, points in curves.items():
        sizes = [point.size for point in points]
        time_axes.plot(sizes, [point.seconds for point in points], marker="o", label=name)
        memory_axes.plot(
            sizes, [point.gib for point in points], marker="o", label=name, clip_on=False
        )
    time_axes.set(xscale="log", yscale="log", xlabel=x, ylabel="seconds")
    memory_axes.set(xscale="log", ylim=(0, None), xlabel=x, ylabel="peak memory of a process, GiB")
    for axes in (time_axes, memory_axes):
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
    print("| nodes | against 100 nodes | dense / ours | peak memory, GiB | dense |")
    print("|---|---|---|---|---|")
    for point, other in zip_longest(ours, dense):
        against = f"{other.seconds / point.seconds:.1f}" if other else "-"
        peak = f"{other.gib:.2f}" if other else "-"
        times = point.seconds / ours[0].seconds
        print(f"| {point.size:,} | {times:,.1f} | {against} | {point.gib:.2f} | {peak} |")
    print(f"\nGrowth at the end: nodes^{slope(ours):.2f}; dense: nodes^{slope(dense):.2f}.\n")
    found = lengths(asked.run)
    print("| length | seconds a second of video | peak memory, GiB |\n|---|---|---|")
    for point in found:
        print(f"| {point.size:,} s | {point.seconds / point.size:.3f} | {point.gib:.2f} |")
    mapped, apart = videos(asked.runs)
    print("\n| videos | against 10 | a file each / ours | peak memory, GiB | a file each |")
    print("|---|---|---|---|---|")
    for point, other in zip(mapped, apart, strict=True):
        times, against = point.seconds / mapped[0].seconds, other.seconds / point.seconds
        peaks = f"{point.gib:.2f} | {other.gib:.2f}"
        print(f"| {point.size:,} | {times:,.1f} | {against:.1f} | {peaks} |")
    if asked.plots:
        plot(asked.plots / "nodes.svg", {"ours": ours, "dense": dense}, "nodes")
        plot(asked.plots / "length.svg", {"predict": found}, "seconds of video")
        both = {"one mapped file": mapped, "a file per video": apart}
        plot(asked.plots / "videos.svg", both, "videos")


if __name__ == "__main__":
    main()
