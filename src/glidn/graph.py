"""Attention weights -> the edges worth drawing.

What is drawn is the attention of all layers together: the product of the layers' matrices, mean
over heads (attention rollout, Abnar and Zuidema 2020). Row i says from which boxes the final node i
is gathered. The last layer alone would relate nodes that are mixtures already.

Weights are compared with an even share, 1/M among M nodes: `strength` is 0 where a node gets no
more than that, and 1 where it gets everything, on a logarithmic scale. So the edges of a frame's
4 nodes and of a video's 180 can be drawn alike, and a network that listens evenly draws nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Edge:
    """A node that listens to another.

    Attributes:
        listener, target: (step, slot).
        weight: the share that the target has in the listener.
        strength: 0..1, how far that is above an even share.
    """

    listener: tuple[int, int]
    target: tuple[int, int]
    weight: float
    strength: float


def rollout(layers: Sequence[np.ndarray], residual: bool) -> np.ndarray:
    """(A, ..., M, M) per layer, first layer first -> (..., M, M), whose rows sum to 1.

    Args:
        residual: each layer adds its input to its output: half of a node stays where it is.
    """
    total: np.ndarray | None = None
    for layer in layers:
        step = layer.mean(0)
        if residual:
            step = (step + np.eye(step.shape[-1])) / 2
        total = step if total is None else step @ total
    assert total is not None, "a network with relations has at least one layer"
    return total


def strength(weight: np.ndarray, nodes: np.ndarray | int) -> np.ndarray:
    """How far weights are above an even share among `nodes`, in 0..1."""
    nodes = np.maximum(nodes, 2)
    return np.log(np.maximum(weight * nodes, 1)) / np.log(nodes)


def in_frame(weights: np.ndarray, real: np.ndarray, step: int, most: int = 6) -> list[Edge]:
    """The strongest edges among the nodes of one frame; a node's edge to itself is left out.

    Args:
        weights: (N, N) of that frame.
        real: (T, N) bool.
    """
    slots = np.flatnonzero(real[step])
    found = [
        _edge((step, int(i)), (step, int(j)), weights[i, j], len(slots))
        for i in slots
        for j in slots
        if i != j
    ]
    return _strongest(found, most)


def across(
    weights: np.ndarray, real: np.ndarray, step: int, windows: int = 6, each: int = 3
) -> list[Edge]:
    """The strongest edges from the nodes of one step to nodes of other steps.

    Neighbouring moments of one object say much the same, so time is cut into windows, and each
    gives at most one target: the node that the current ones listen to most, with its most attentive
    listeners.

    Args:
        weights: (T·N, T·N).
        real: (T, N) bool.
    """
    steps, width = real.shape
    nodes = int(real.sum())
    slots = np.flatnonzero(real[step])
    rows = weights.reshape(steps, width, steps, width)[step, slots]  # (n, T, N)
    allowed = real.copy()
    allowed[step] = False
    most_heard = np.where(allowed, rows.max(0, initial=0), -1)  # (T, N)
    found = []
    for number in range(windows):
        window = [at for at in range(steps) if window_of(at, steps, windows) == number]
        if not window:
            continue
        at, slot = divmod(int(most_heard[window].argmax()), width)
        target = (window[at], slot)
        if most_heard[target] > 0:
            listeners = [
                _edge((step, int(i)), target, row[target], nodes)
                for i, row in zip(slots, rows, strict=True)
            ]
            found += _strongest(listeners, each)
    return _strongest(found, each * windows)


def window_of(step: int, steps: int, windows: int) -> int:
    """Which of the equal parts of the video a step lies in."""
    return min(step * windows // steps, windows - 1)


def heard(weights: np.ndarray, real: np.ndarray) -> np.ndarray:
    """(T, N): how much each node is listened to, on average, in even shares: 1 is no preference.

    Args:
        weights: (T, N, N) in the local view, (T·N, T·N) in the global one.
    """
    if weights.ndim == 2:
        rows = weights[real.reshape(-1)].mean(0).reshape(real.shape)
        return rows * real.sum() * real
    listeners = real.sum(1, keepdims=True)  # (T, 1)
    mean = (weights * real[..., None]).sum(1) / np.maximum(listeners, 1)
    return mean * listeners * real


def _edge(listener: tuple[int, int], target: tuple[int, int], weight: float, nodes: int) -> Edge:
    return Edge(listener, target, float(weight), float(strength(np.asarray(weight), nodes)))


def _strongest(edges: Sequence[Edge], most: int) -> list[Edge]:
    """Strongest first; what is no more than an even share is left out."""
    above = [edge for edge in edges if edge.strength > 1e-6]
    return sorted(above, key=lambda edge: -edge.weight)[:most]


def between(weights: np.ndarray, tracks: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Attention between nodes -> between the R tracks that they are of.

    Args:
        weights: (T, N, N) in the local view, (1, T·N, T·N) in the global one.
        tracks: (T, N) int64, the track of each node; -1 is padding.
        number: R.

    Returns:
        (R, R): what a node of row's track takes from all nodes of column's that it listens to, on
        average over the nodes of row's track; and (R, R) the same if every node took equal shares.
    """
    graphs = tracks.reshape(len(weights), -1)  # (G, M)
    owner = (graphs[..., None] == np.arange(number)).astype(np.float64)  # (G, M, R)
    taken = np.einsum("gir,gij,gjs->rs", owner, weights, owner)
    sizes = owner.sum(1)  # (G, R)
    share = sizes / np.maximum(sizes.sum(1, keepdims=True), 1)
    even = np.einsum("gr,gs->rs", sizes, share)
    nodes = np.maximum(sizes.sum(0), 1)[:, None]
    return taken / nodes, even / nodes


def above(share: np.ndarray, even: np.ndarray) -> np.ndarray:
    """How far shares are above even ones, in 0..1: 0 is no preference, 1 is everything."""
    even = np.clip(even, 1e-9, 1 - 1e-9)
    return np.log(np.maximum(share / even, 1)) / -np.log(even)
