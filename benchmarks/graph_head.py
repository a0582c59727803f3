"""A training step with the graph head against one without, by backbone.

    python benchmarks/graph_head.py [--backbone i3d] [--batch 1]

The step is the real one: forward, binary cross-entropy, backward, SGD with momentum, on clips of
the paper's size with 15 boxes at each of 16 time steps. Medians of `RUNS` steps, taken in turn
after one to warm up.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch

from glidn import memory
from glidn.batch import Batch
from glidn.config import Context, RunConfig
from glidn.learner import make_optimizer
from glidn.losses import binary_cross_entropy
from glidn.model import build
from glidn.recipes import charades
from glidn.regions import step_frames

RUNS, CLASSES = 5, 157


def batch(config: RunConfig, videos: int) -> Batch:
    assert config.clips is not None and config.backbone is not None
    clips = config.clips
    steps = len(step_frames(config.backbone.name, clips.frames))
    corner = torch.rand(videos, steps, clips.boxes, 2) * clips.size / 2
    boxes = torch.cat([corner, corner + clips.size / 3], -1)
    size = (videos, 3, clips.frames, clips.size, clips.size)
    return Batch(
        videos=("",) * videos,
        inputs={"region": boxes},
        real=torch.ones(boxes.shape[:3], dtype=torch.bool),
        labels=(torch.rand(videos, CLASSES) < 0.05).float(),
        clips=torch.randint(0, 256, size, dtype=torch.uint8),
    )


def main() -> None:
    memory.keep()  # as the command line does
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", choices=["i3d", "slowfast"], default="i3d")
    parser.add_argument("--batch", type=int, default=1)
    asked = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    first = charades.i3d() if asked.backbone == "i3d" else charades.slowfast()
    contexts: tuple[Context | None, ...] = (None, "local", "global")
    steppers = []
    for context in contexts:
        config = first if context is None else charades.view(first, Path("unused"), context)
        torch.manual_seed(0)
        network = build(config.nodes, config.view, {}, CLASSES, config.backbone).to(device).train()
        steppers.append((network, make_optimizer(network, config.train)))
    data = batch(first, asked.batch).to(device)

    times: list[list[float]] = [[] for _ in contexts]
    for run in range(RUNS + 1):
        for found, (network, optimizer) in zip(times, steppers, strict=True):
            began = time.monotonic()
            optimizer.zero_grad()
            binary_cross_entropy(network(data).logits, data.labels).backward()
            optimizer.step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if run:
                found.append(time.monotonic() - began)
    alone, *heads = (statistics.median(found) for found in times)
    where = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(
        f"{asked.backbone}, batch {asked.batch}, {where}, {torch.get_num_threads()} threads; the "
        f"backbone alone takes {alone:.2f} s.\n"
    )
    print("| with | against the backbone alone |\n|---|---|")
    for context, found in zip(contexts[1:], heads, strict=True):
        print(f"| the {context} view | {found / alone:.2f} |")


if __name__ == "__main__":
    main()
