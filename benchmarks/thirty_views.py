"""The 30-view test of one video of 30 seconds: its parts as ratios.

    python benchmarks/thirty_views.py [--backbone i3d] [--threads N]

- decoding once for all views, against decoding for each view, as a loader with a view per item
  does;
- the whole test of a video (decoding, cropping, boxes, network with the graph head, fusion) against
  the bare backbone on the same views, ready in memory.

The weights are random: time does not depend on them. Each figure is the median of `RUNS` runs,
taken in turn.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from glidn import clips, datasets, memory, multiview
from glidn.backbones.blocks import normalise
from glidn.config import RunConfig
from glidn.datasets.synthetic import CharadesConfig, write_charades
from glidn.material import Films, prepare
from glidn.model import build
from glidn.recipes import charades
from glidn.regions import build_backbone
from glidn.types import Video

RUNS = 3


def timed(what: Callable[[], object]) -> float:
    began = time.monotonic()
    what()
    return time.monotonic() - began


def thirty_seconds(folder: Path) -> Video:
    """A generated video in the size and length of Charades: 480 lines, 30 s, H.264."""
    write_charades(folder, CharadesConfig(train=1, test=1, seconds=30, size=480))
    return max(datasets.load(folder).videos, key=lambda video: video.seconds)


def main() -> None:
    memory.keep()  # as the command line does
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", choices=["i3d", "slowfast"], default="i3d")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    first = charades.i3d() if asked.backbone == "i3d" else charades.slowfast()
    config: RunConfig = charades.view(first, Path("unused"), "global")
    with tempfile.TemporaryDirectory() as folder:
        measure(thirty_seconds(Path(folder)), config, Path(folder))


def measure(video: Video, config: RunConfig, folder: Path) -> None:
    data = datasets.load(folder)
    material = prepare(data, config, None)
    assert isinstance(material, Films) and config.backbone is not None
    cutter = material.cutter
    network = build(config.nodes, config.view, {}, len(data.classes), config.backbone).eval()
    bare = build_backbone(config.backbone, None).eval()
    ready = cutter.test(video)
    views = range(len(ready.looks))
    label = torch.zeros(len(data.classes))
    size = cutter.config.views_per_batch
    batches = [ready.batch(views[at : at + size], label).clips for at in views[::size]]

    def each_view() -> None:
        for look in clips.views(video, cutter.config):
            distinct, rows = np.unique(
                clips.frames_of(video, look, cutter.config), return_inverse=True
            )
            pixels = clips.decode(video, distinct, look.short)[rows]
            clips.cut(pixels, look, *clips.corner(look, video.width, video.height)).contiguous()

    @torch.no_grad()
    def backbone() -> None:
        for part in batches:
            assert part is not None
            bare(normalise(part))

    def whole() -> None:
        multiview.fuse(multiview.score(network, cutter.test(video), cutter), "max")

    runs = [(timed(lambda: cutter.test(video)), timed(each_view)) for _ in range(RUNS)]
    once, apart = (statistics.median(times) for times in zip(*runs, strict=True))
    runs = [(timed(whole), timed(backbone)) for _ in range(RUNS)]
    test, alone = (statistics.median(times) for times in zip(*runs, strict=True))
    print(
        f"{config.backbone.name}, {video.width}x{video.height}, {video.seconds:.0f} s, "
        f"{len(views)} views of {cutter.config.frames} frames, {torch.get_num_threads()} threads\n"
    )
    print("| | ratio |\n|---|---|")
    print(
        f"| decoding for each view, against once for all | {apart / once:.1f} "
        f"({apart:.2f} s / {once:.2f} s) |"
    )
    print(
        "| the whole test (decoding, crops, boxes, graph head, fusion), against the bare backbone "
        f"on the same views | {test / alone:.2f} ({test:.1f} s / {alone:.1f} s) |"
    )


if __name__ == "__main__":
    main()
