"""Graph attention over a set of nodes with a mask of edges."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glidn import complete

# Nodes of a graph from which a complete one is quicker without its matrix, on a CPU by measurement
# (benchmarks/complete_graph.py batches). On a GPU nobody has measured: there it is where the scores
# of one head take 1 GB.
MANY, MANY_ON_GPU = 1024, 16_384
# On a CPU, PyTorch works number by number at products of fewer multiplications than this, and at a
# softmax over fewer scores than fill a vector register (benchmarks/small_graphs.py).
FEW_NODES, FEW_MULTIPLICATIONS = 4, 400
FEW_SCORES = 16 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 8


class GraphAttention(nn.Module):
    """One round of graph attention (Veličković et al. 2018, eq. 1-4; the paper's eq. 1-2).

        weight[i, j] = softmax over j in edges[i] of LeakyReLU(receive · W x_i + send · W x_j)
        out[i]       = sum over j of weight[i, j] · W x_j

    W is the paper's W_o; `receive` and `send` are the two halves of its a. With several heads
    each has its own W, receive and send, and their outputs are concatenated.
    """

    def __init__(
        self, in_dim: int, out_dim: int, heads: int = 1, slope: float = 0.2, glorot: bool = False
    ) -> None:
        super().__init__()
        if out_dim % heads:
            raise ValueError(f"{out_dim} features cannot be shared out evenly to {heads} heads.")
        self.heads = heads
        self.slope = slope
        self.project = nn.Linear(in_dim, out_dim, bias=False)
        self.receive = nn.Parameter(torch.empty(heads, out_dim // heads, 1))
        self.send = nn.Parameter(torch.empty(heads, out_dim // heads, 1))
        if glorot:
            for weight in (self.project.weight, self.receive, self.send):
                nn.init.xavier_uniform_(weight)
        else:
            # As nn.Linear draws its weights, so that attention begins nearly even.
            bound = 1 / math.sqrt(out_dim // heads)
            for weight in (self.receive, self.send):
                nn.init.uniform_(weight, -bound, bound)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        """Let every node gather from the nodes that it is connected to.

        Args:
            x: (*, M, D) node features; finite also in nodes that no edge touches.
            edges: (*, M, M) bool; edges[i, j] lets node i listen to node j. It may have size 1
                in its second last axis where every node listens to the same nodes.

        Returns:
            (*, M, out_dim); zero for a node with no edge.
        """
        h = self.project(x).unflatten(-1, (self.heads, -1))  # (*, M, A, d)
        if self._is_large(x, edges):
            received, sent = self._ends(x)
            out = complete.attend(h, received, sent, edges[..., 0, :], self.slope)
        else:
            weights, listens = self._softmax(*self._ends(x), edges), _listens(edges)
            # Of both matrices the smaller one is silenced where nobody is listened to.
            if _by_size(h) and h.shape[-3] > h.shape[-1]:
                out = _gather(weights, h) * listens.mT[..., None]
            else:
                out = _gather(weights * listens[..., None], h)
        return out.flatten(-2)  # (*, M, out_dim)

    def weights(self, x: Tensor, edges: Tensor, rows: Tensor | None = None) -> Tensor:
        """The attention itself: whom each node listens to, and how much.

        Args:
            rows: (R,) the nodes that are asked for, where the whole matrix is too much; default:
                all, R = M.

        Returns:
            (*, A, R, M); a row sums to 1, or is zero for a node with no edge.
        """
        received, sent = self._ends(x)
        if rows is not None:
            received = received[..., rows, :]
            edges = edges if edges.shape[-2] == 1 else edges[..., rows, :]
        return self._softmax(received, sent, edges) * _listens(edges)[..., None]

    def _ends(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(*, M, A) and (*, M, A): the parts of a node's scores as it receives and as it sends."""
        # receive · (W x) = (receive W) · x: one narrow product instead of one per graph.
        w = self.project.weight.unflatten(0, (self.heads, -1))  # (A, d, D)
        both = torch.cat([self.receive, self.send]).mT @ torch.cat([w, w])  # (2 A, 1, D)
        received, sent = (x @ both[:, 0].T).chunk(2, -1)
        return received, sent

    def _softmax(self, received: Tensor, sent: Tensor, edges: Tensor) -> Tensor:
        """(*, A, R, M) weights; even in rows without an edge."""
        # Softmax of a row that is all -inf is NaN; of a very small number it is even.
        least = torch.finfo(sent.dtype).min / 4
        same = edges.shape[-2] == 1 and self.slope > 0
        if same:
            # Who sends to nobody is silenced in a vector: a matrix of masks costs as much again.
            sent = sent.masked_fill(~edges.mT, least)
        scores = F.leaky_relu(received.mT[..., None] + sent.mT[..., None, :], self.slope)
        if not same:
            scores = scores.masked_fill(~edges.unsqueeze(-3), least)
        if not _by_size(scores) or not 0 < scores.shape[-1] < FEW_SCORES:
            return scores.softmax(-1)
        likely = (scores - scores.detach().amax(-1, keepdim=True)).exp()
        return likely / likely.sum(-1, keepdim=True)

    def _is_large(self, x: Tensor, edges: Tensor) -> bool:
        """Whether the graph is complete, and so large that its matrix had better not be made."""
        complete_graph = edges.shape[-2] == 1 and 0 <= self.slope <= 1
        many = MANY_ON_GPU if x.is_cuda else MANY
        return complete_graph and x.shape[-2] >= many and not torch.compiler.is_exporting()


def _gather(weights: Tensor, h: Tensor) -> Tensor:
    """(*, A, R, M) and (*, M, A, d) -> (*, R, A, d): the weighted sums."""
    rows, nodes, width = weights.shape[-2], weights.shape[-1], h.shape[-1]
    few = _by_size(h) and 0 < rows * nodes <= FEW_NODES**2
    if not few or rows * nodes * width >= FEW_MULTIPLICATIONS:
        return (weights @ h.transpose(-3, -2)).transpose(-3, -2)
    senders, sums = h.unbind(-3), []
    for row in weights.unbind(-2):
        first, *others = (weight[..., None] for weight in row.unbind(-1))  # (*, A, 1)
        total = first * senders[0]
        for weight, sender in zip(others, senders[1:], strict=True):
            total = torch.addcmul(total, weight, sender)
        sums.append(total)
    return torch.stack(sums, -3)


def _by_size(x: Tensor) -> bool:
    """Whether sizes may choose how it is computed: not in a file, where they are left open."""
    return x.device.type == "cpu" and not torch.compiler.is_exporting()


def _listens(edges: Tensor) -> Tensor:
    """(*, R, M) -> (*, 1, R): which nodes listen to anybody."""
    return edges.any(-1)[..., None, :]
