"""A view: which nodes relate to which, and how related nodes become one vector per video."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glidn.attention import GraphAttention
from glidn.config import ViewConfig
from glidn.errors import SettingError


class Relations(nn.Module):
    """Graph attention layers over the nodes of each frame (local) or of the video (global).

    Section 3.2. The local view is T graphs of N nodes, the global one a single graph of T·N
    nodes; both are complete, with self-loops. The nodes' order in time plays no part in either.
    Between layers stands an ELU, as in Veličković et al. (2018).
    """

    def __init__(self, in_dim: int, config: ViewConfig) -> None:
        super().__init__()
        self.config = config
        if config.residual and in_dim != config.width:
            raise SettingError(
                f"view.residual adds a layer's input to its output, but the first layer takes "
                f"{in_dim} features and gives {config.width}; set view.embed={config.width}."
            )
        widths = [in_dim] + [config.width] * config.layers
        self.norms = nn.ModuleList(
            nn.LayerNorm(width) if config.norm else nn.Identity() for width in widths[:-1]
        )
        self.layers = nn.ModuleList(
            GraphAttention(before, after, config.heads, config.slope, config.init == "glorot")
            for before, after in pairwise(widths)
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, nodes: Tensor, real: Tensor) -> Tensor:
        """(B, T, N, D) and (B, T, N) bool -> (B, T, N, width)."""
        return self._run(nodes, real, None)

    def attention(self, nodes: Tensor, real: Tensor) -> list[Tensor]:
        """The weights of every layer, for explanations.

        Returns:
            Per layer (B, T, A, N, N) in the local view, (B, 1, A, T·N, T·N) in the global one,
            where node t·N + n is slot n of step t.
        """
        weights: list[Tensor] = []
        self._run(nodes, real, weights)
        return weights

    def _run(self, nodes: Tensor, real: Tensor, collected: list[Tensor] | None) -> Tensor:
        shape = real.shape
        edges = self._edges(real)  # (B, G, 1 or M, M)
        x = self._as_graphs(nodes)  # (B, G, M, D): G graphs of M nodes
        last = len(self.layers) - 1
        for number, (norm, layer) in enumerate(zip(self.norms, self.layers, strict=True)):
            assert isinstance(layer, GraphAttention)  # ModuleList forgets what it holds
            before = x
            x = self.dropout(norm(x))
            if collected is not None:
                collected.append(layer.weights(x, edges))
            x = layer(x, edges)
            if number < last or self.config.residual:
                x = F.elu(x)
            if self.config.residual:
                x = before + x
        return x.reshape(*shape, -1)

    def _as_graphs(self, nodes: Tensor) -> Tensor:
        return nodes if self.config.context == "local" else nodes.flatten(1, 2)[:, None]

    def _edges(self, real: Tensor) -> Tensor:
        if self.config.context == "local":
            return real[..., None, :]
        edges = real.flatten(1)[:, None, None, :]
        if self.config.window:
            steps = torch.arange(real.shape[1], device=real.device)
            # As repeat_interleave, which is exported wrongly where N is left open.
            steps = steps[:, None].expand(real.shape[1:]).flatten()
            near = (steps[:, None] - steps[None]).abs() <= self.config.window
            edges = edges & near
        return edges


def time_encoding(steps: int, width: int, device: torch.device | None = None) -> Tensor:
    """(T, D): sines and cosines of the share of the video that has passed, at many rates.

    Like Vaswani et al. (2017), but with the share 0..1 for position, so that videos of any length
    are comparable, and rates from a quarter turn per video, which rises steadily and so tells
    before from after, to sixteen turns.
    """
    if torch.compiler.is_exporting():
        # The same but for rounding. An exported linspace of one step divides by nothing.
        count = torch.arange(steps, device=device)
        share = (count / count[-1].clamp(min=1))[:, None]
    else:
        share = torch.linspace(0, 1, steps, device=device)[:, None]
    pairs = (width + 1) // 2
    rates = 0.5 * math.pi * 64 ** torch.linspace(0, 1, pairs, device=device)
    return torch.stack([(share * rates).sin(), (share * rates).cos()], -1).flatten(1)[:, :width]


class Mean(nn.Module):
    """Mean over the nodes of a frame, then over frames (local); over all nodes at once (global).

    A frame without a node takes no part; a video without any gives a zero vector.
    """

    def __init__(self, per_frame: bool) -> None:
        super().__init__()
        self.per_frame = per_frame

    def forward(self, nodes: Tensor, real: Tensor) -> Tensor:
        """(B, T, N, D) and (B, T, N) bool -> (B, D)."""
        if not self.per_frame:
            return masked_mean(nodes.flatten(1, 2), real.flatten(1))
        return masked_mean(masked_mean(nodes, real), real.any(-1))


class Max(nn.Module):
    """Maximum over all nodes; a video without any gives a zero vector."""

    def forward(self, nodes: Tensor, real: Tensor) -> Tensor:
        """(B, T, N, D) and (B, T, N) bool -> (B, D)."""
        lowest = torch.finfo(nodes.dtype).min
        top = nodes.masked_fill(~real[..., None], lowest).flatten(1, 2).amax(1)
        return top * real.flatten(1).any(1, keepdim=True)


class Attend(nn.Module):
    """A learnt weighted mean over all nodes; a video without any gives a zero vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1)

    def forward(self, nodes: Tensor, real: Tensor) -> Tensor:
        """(B, T, N, D) and (B, T, N) bool -> (B, D)."""
        x, real = nodes.flatten(1, 2), real.flatten(1)
        scores = self.score(x)[..., 0].masked_fill(~real, torch.finfo(x.dtype).min)
        return ((scores.softmax(-1) * real)[:, None] @ x)[:, 0]


class Persons(nn.Module):
    """The mean person and the mean object, side by side: the second "no relations" baseline.

    Slot 0 of a video is its person (`types.Video.tracks`).
    """

    def forward(self, nodes: Tensor, real: Tensor) -> Tensor:
        """(B, T, N, D) and (B, T, N) bool -> (B, 2 D)."""
        person = masked_mean(nodes[:, :, 0], real[:, :, 0])
        if torch.compiler.is_exporting():
            # The same but for rounding: a slice from 1 on would not let N be 1 in a file.
            thing = real & (torch.arange(real.shape[2], device=real.device) > 0)
            things = masked_mean(nodes.flatten(1, 2), thing.flatten(1))
        else:
            things = masked_mean(nodes[:, :, 1:].flatten(1, 2), real[:, :, 1:].flatten(1))
        return torch.cat([person, things], -1)


def build_readout(config: ViewConfig, width: int) -> tuple[nn.Module, int]:
    """The readout of a view, and the width of what it gives."""
    match config.readout:
        case "mean":
            return Mean(per_frame=config.context == "local"), width
        case "max":
            return Max(), width
        case "attention":
            return Attend(width), width
        case "persons":
            return Persons(), 2 * width


def masked_mean(x: Tensor, real: Tensor) -> Tensor:
    """(*, M, D) and (*, M) bool -> (*, D): the mean over real rows, zero where there is none."""
    count = real.sum(-1, keepdim=True).clamp(min=1)
    return (x * real[..., None]).sum(-2) / count
