"""Attention over a complete graph without its matrix: how long against other ways, and how much.

    python benchmarks/complete_graph.py sizes
    python benchmarks/complete_graph.py batches
    python benchmarks/complete_graph.py hour

`sizes` compares one graph of growing size with the dense form, torch_geometric's GATConv and, for
size only, scaled dot-product attention, which is another function. `batches` finds from where the
way without the matrix is the quicker one for training batches. `hour` is an hour of video, 54,000
nodes of 512 features, against the projection x @ W alone, with the peak memory of a process of its
own. Medians of alternating runs.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

import torch
from torch.nn import functional as F

from glidn import attention, memory
from glidn.attention import GraphAttention

WIDTH, HOUR = 512, 54_000
MOST_DENSE = 10_000  # nodes; the scores of one head are 400 MB
MOST_EDGES = 2_000  # nodes, for GATConv, which keeps a row of features for every edge


def median_seconds(ways: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """Of each way, taken in turn, after one run to warm up."""
    times: list[list[float]] = [[] for _ in ways]
    for run in range(runs + 1):
        for found, way in zip(times, ways, strict=True):
            began = time.perf_counter()
            way()
            if run:
                found.append(time.perf_counter() - began)
    return [statistics.median(found) for found in times]


def peak_gib() -> float:
    """Of this process. What `resource` tells of it begins with what its parent had."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(peak) / 2**20


def layer_way(
    layer: GraphAttention, x: torch.Tensor, backward: bool, dense: bool | None = None
) -> Callable:
    """The layer as it chooses its way itself, or by one of its two ways."""
    edges = torch.ones(*x.shape[:-2], 1, x.shape[-2], dtype=torch.bool)
    many = attention.MANY if dense is None else 10**9 if dense else 0

    def run() -> None:
        with mock.patch.object(attention, "MANY", many):
            _finish(layer(x, edges), backward)

    return run


def _finish(out: torch.Tensor, backward: bool) -> None:
    if backward:
        out.sum().backward()


def gat_way(x: torch.Tensor, backward: bool) -> Callable:
    from torch_geometric.nn import GATConv

    layer = GATConv(WIDTH, WIDTH, bias=False, add_self_loops=False)
    nodes = torch.arange(len(x))
    edges = torch.cartesian_prod(nodes, nodes).T.contiguous()
    return lambda: _finish(layer(x, edges), backward)


def sdpa_way(x: torch.Tensor, backward: bool) -> Callable:
    projections = [torch.nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(3)]
    return lambda: _finish(
        F.scaled_dot_product_attention(*(project(x)[None, None] for project in projections)),
        backward,
    )


def nodes_of(*shape: int, backward: bool) -> torch.Tensor:
    return torch.randn(*shape, WIDTH, requires_grad=backward)


def sizes(runs: int) -> None:
    print("| nodes | pass | ours, ms | dense | GATConv | scaled dot-product |")
    print("|---|---|---|---|---|---|")
    for nodes in (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000):
        for backward in (False, True):
            torch.manual_seed(0)
            layer = GraphAttention(WIDTH, WIDTH)
            x = nodes_of(nodes, backward=backward)
            ways = [layer_way(layer, x, backward)]
            if nodes <= MOST_DENSE:
                ways.append(layer_way(layer, x, backward, dense=True))
            if nodes <= MOST_EDGES:
                ways.append(gat_way(x, backward))
            if nodes <= MOST_DENSE:
                ways.append(sdpa_way(x, backward))
            with torch.set_grad_enabled(backward):
                ours, *others = median_seconds(ways, runs)
            ratios = [f"{other / ours:.1f}" for other in others]
            dense, *rest = ratios or ["-"]
            gat, sdpa = rest if len(rest) == 2 else ("-", *(rest or ["-"]))
            what = "forward and backward" if backward else "forward"
            print(
                f"| {nodes:,} | {what} | {1000 * ours:.1f} | {dense} | {gat} | {sdpa} |", flush=True
            )


def batches(runs: int) -> None:
    print("| graphs | heads | nodes | dense / ours, forward | forward and backward |")
    print("|---|---|---|---|---|")
    for graphs, heads in ((1, 1), (1, 8), (8, 1), (32, 1)):
        for nodes in (256, 512, 768, 1024, 1536, 2048):
            ratios = []
            for backward in (False, True):
                torch.manual_seed(0)
                layer = GraphAttention(WIDTH, WIDTH, heads)
                x = nodes_of(graphs, nodes, backward=backward)
                ways = [layer_way(layer, x, backward, dense) for dense in (True, False)]
                with torch.set_grad_enabled(backward):
                    dense, ours = median_seconds(ways, runs)
                ratios.append(f"{dense / ours:.2f}")
            print(f"| {graphs} | {heads} | {nodes} | {' | '.join(ratios)} |", flush=True)


def hour(runs: int) -> None:
    print("| pass | projection, s | layer, s | ratio | peak memory of the process, GiB |")
    print("|---|---|---|---|---|")
    torch.manual_seed(0)
    layer = GraphAttention(WIDTH, WIDTH)
    for backward in (False, True):
        x = nodes_of(HOUR, backward=backward)
        ways = [
            lambda x=x, b=backward: _finish(layer.project(x), b),
            layer_way(layer, x, backward, dense=False),
        ]
        with torch.set_grad_enabled(backward):
            project, whole = median_seconds(ways, runs)
        what = "forward and backward" if backward else "forward"
        ratio, peak = whole / project, peak_gib()
        print(f"| {what} | {project:.3f} | {whole:.3f} | {ratio:.1f} | {peak:.2f} |")


def main() -> None:
    memory.keep()  # as the command line does
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["sizes", "batches", "hour"])
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, medians of {asked.runs} runs.\n")
    {"sizes": sizes, "batches": batches, "hour": hour}[asked.what](asked.runs)


if __name__ == "__main__":
    main()
