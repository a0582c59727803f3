"""Attention over graphs of a few nodes, and how near a training step comes to its products alone.

    python benchmarks/small_graphs.py layers
    python benchmarks/small_graphs.py step [--data demo/data]

`layers` is what set `attention.FEW_NODES` and its neighbours: a layer with its backward pass where
PyTorch's kernels do everything, against ours. `step` takes a step of `cad120.tracks` on all videos,
notes every operation of it, and repeats them alone: all, and only the matrix products. One thread;
medians of alternating runs.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from complete_graph import median_seconds
from glidn import attention, datasets, memory
from glidn.attention import GraphAttention
from glidn.material import prepare
from glidn.model import build
from glidn.recipes import cad120, variants
from glidn.training import seeded
from glidn.types import Dataset
from stacked_models import CONTEXTS, alone

NODES = (1, 2, 3, 4, 5, 8, 12, 15, 16)
WIDTHS = (32, 512)
PRODUCTS = {"mm", "addmm", "bmm", "baddbmm"}
EVERY = 5_040  # nodes of all graphs together: 84 videos of 30 steps of 2 nodes


def layer_way(layer: GraphAttention, x: torch.Tensor, kernels: bool) -> Callable[[], None]:
    """Forward and backward, all by PyTorch's kernels or as the layer chooses."""
    edges = torch.ones(len(x), 1, x.shape[-2], dtype=torch.bool)
    few = 0 if kernels else attention.FEW_NODES
    scores = 0 if kernels else attention.FEW_SCORES

    def run() -> None:
        with mock.patch.multiple(attention, FEW_NODES=few, FEW_SCORES=scores):
            layer(x, edges).sum().backward()

    return run


def layers(runs: int) -> None:
    print(f"{EVERY:,} nodes in all, 1 thread, medians of {runs} runs.\n")
    print("| nodes of a graph | " + " | ".join(f"{width} features" for width in WIDTHS) + " |")
    print("|---|" + "---|" * len(WIDTHS))
    for nodes in NODES:
        ratios = []
        for width in WIDTHS:
            layer = GraphAttention(width, width)
            x = torch.randn(EVERY // nodes, nodes, width, requires_grad=True)
            theirs, ours = median_seconds([layer_way(layer, x, k) for k in (True, False)], runs)
            ratios.append(theirs / ours)
        print(f"| {nodes} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |", flush=True)


class Operations(TorchDispatchMode):
    """Notes the operations that are computed, with what they were computed from."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple, dict]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls.append((func, args, kwargs or {}))
        return func(*args, **(kwargs or {}))

    def again(self) -> None:
        for func, args, kwargs in self.calls:
            func(*args, **kwargs)

    def products_again(self) -> None:
        for func, args, kwargs in self.calls:
            if func.overloadpacket.__name__ in PRODUCTS:
                func(*args, **kwargs)


def steps(data: Dataset, runs: int) -> None:
    print(f"{len(data.videos)} videos a step, 1 thread, medians of {runs} runs.\n")
    print("| view | MFLOP of products | a step, ms | its operations alone | its products alone |")
    print("|---|---|---|---|---|")
    for context in CONTEXTS:
        config = variants.alone(cad120.tracks(), context)
        material = prepare(data, config, None)
        names = [video.name for video in data.videos]
        source = material.source(names, 0)
        seeded(0, context)
        network = build(config.nodes, config.view, material.widths, len(data.classes), None).train()
        material.measure([network], names)
        step = alone(network, config, source, 0)
        with Operations() as noted, FlopCounterMode(display=False) as counter:
            step()
        ways = [torch.enable_grad()(step), noted.again, noted.products_again]
        with torch.no_grad():
            whole, every, bare = median_seconds(ways, runs)
        flop = counter.get_total_flops() / 1e6
        shares = f"{100 * every / whole:.0f}% | {100 * bare / whole:.0f}%"
        print(f"| {context} | {flop:.0f} | {1000 * whole:.1f} | {shares} |", flush=True)


def main() -> None:
    memory.keep()  # as the command line does
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("layers", "step"))
    parser.add_argument("--data", type=Path, default=Path("demo/data"))
    parser.add_argument("--runs", type=int, default=41)
    asked = parser.parse_args()
    if asked.what == "layers":
        layers(asked.runs)
    else:
        steps(datasets.load(asked.data), asked.runs)


if __name__ == "__main__":
    main()
