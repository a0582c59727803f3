"""Graph attention over a complete graph in O(M log M + M D), without its matrix of weights.

Where every node listens to the same senders, only LeakyReLU's sign joins the two ends of an edge:

    exp(LeakyReLU(r_i + s_j)) = exp(r_i) · exp(s_j)                   where r_i + s_j > 0: "above"
                              = exp(slope · r_i) · exp(slope · s_j)   elsewhere: "below"

With the senders in falling order of s, those above are for every node a beginning of the list, and
those below are the rest of it. So a node needs one prefix sum of exp(s_j) h_j and one suffix sum of
exp(slope · s_j) h_j. Both are carried from block to block of the list; the block in which a node's
list is cut is finished by a product with a small masked matrix, for all nodes that are cut there.

The gradient is of the same form with the ends exchanged, so one procedure serves both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

# Senders of a block, and receivers that are finished at a time: what they need stays in the cache.
BLOCK = 128
CHUNK = 1024


def attend(h: Tensor, received: Tensor, sent: Tensor, real: Tensor, slope: float) -> Tensor:
    """What `attention.GraphAttention` makes of a complete graph, exactly but for rounding.

    Args:
        h: (*, M, A, d) projected nodes; finite also where they are not real.
        received, sent: (*, M, A) the two parts of every node's scores, receive · h and send · h;
            finite.
        real: (*, M) bool: who sends. All receive.
        slope: of the LeakyReLU, 0 to 1.

    Returns:
        (*, M, A, d); zero where nobody sends.
    """
    graphs = h.shape[:-3]
    parts = [
        part.flatten(0, len(graphs) - 1) if graphs else part[None] for part in (h, received, sent)
    ]
    real = real.expand(h.shape[:-2])
    real = real.flatten(0, len(graphs) - 1) if graphs else real[None]
    return _Attend.apply(*parts, real, slope).view(h.shape)


@dataclass(frozen=True)
class _End:
    """One end of all edges: the nodes that send, or those that receive.

    The weight of an edge is the product of its ends' `above` where their scores add up to more
    than zero, else of their `below`.

    Attributes:
        score, above, below: (M,); `above` and `below` are 0 to 1.
    """

    score: Tensor
    above: Tensor
    below: Tensor


class _Attend(torch.autograd.Function):
    """(G, M, A, d), (G, M, A), (G, M, A), (G, M) -> (G, M, A, d)."""

    @staticmethod
    def forward(
        ctx: Any, h: Tensor, received: Tensor, sent: Tensor, real: Tensor, slope: float
    ) -> Tensor:
        out = torch.empty_like(h)
        for graph, head in _each(h):
            receivers, senders = _ends(
                received[graph, :, head], sent[graph, :, head], real[graph], slope
            )
            for rows, above, below in _Meeting(senders, receivers).sums(h[graph, :, head]):
                out[graph, rows, head] = (above + below).to(out.dtype)
        ctx.save_for_backward(h, received, sent, real, out)
        ctx.slope = slope
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        h, received, sent, real, out = ctx.saved_tensors
        slope = ctx.slope
        grad_h, grad_received, grad_sent = map(torch.empty_like, (h, received, sent))
        for graph, head in _each(h):
            one = (graph, slice(None), head)
            receivers, senders = _ends(received[one], sent[one], real[graph], slope)
            # A weight's gradient is g_i · h_j, less their mean over the row, which is g_i · out_i.
            mean = (grad[one] * out[one]).sum(-1, dtype=receivers.score.dtype)

            # Of r_i: the weights above move by one, those below by the slope. All sum to 1, so a
            # common move is none: what counts is what those above move by more.
            there = _Meeting(senders, receivers)
            share, _ = there.totals(torch.ones_like(mean))
            for rows, above, _ in there.sums(h[one]):
                moved = (above * grad[graph, rows, head]).sum(-1) - share[rows] * mean[rows]
                grad_received[graph, rows, head] = ((1 - slope) * moved).to(h.dtype)

            back = _Meeting(receivers, senders)
            mean_above, mean_below = back.totals(mean)
            for rows, above, below in back.sums(grad[one]):
                grad_h[graph, rows, head] = (above + below).to(h.dtype)
                own = h[graph, rows, head]
                moved_above = (above * own).sum(-1) - mean_above[rows]
                moved_below = (below * own).sum(-1) - mean_below[rows]
                grad_sent[graph, rows, head] = (moved_above + slope * moved_below).to(h.dtype)
        return grad_h, grad_received, grad_sent, None, None


def _each(h: Tensor) -> Iterator[tuple[int, int]]:
    """Every head of every graph that has nodes."""
    graphs, nodes, heads, _ = h.shape
    return ((graph, head) for graph in range(graphs) for head in range(heads) if nodes)


def _ends(received: Tensor, sent: Tensor, real: Tensor, slope: float) -> tuple[_End, _End]:
    """Both ends of the edges of one graph, such that the weights of a row add up to 1.

    No factor exceeds 1, whatever the scores: senders are measured against the loudest, receivers
    against the score that they give it, which is the row's highest.
    """
    wide = torch.promote_types(received.dtype, torch.float32)
    received, sent = received.to(wide).contiguous(), sent.to(wide).masked_fill(~real, -torch.inf)
    loudest = sent.max()
    behind = (sent - loudest).masked_fill(~real, 0)
    senders = _End(sent, behind.exp() * real, (slope * behind).exp() * real)
    highest = (received + loudest).clamp(min=0)
    receivers = _End(received, (highest > 0).to(wide), ((slope - 1) * highest).exp())
    above, below = _Meeting(senders, receivers).totals(torch.ones_like(sent))
    total = above + below
    total = total.masked_fill(total == 0, 1)  # nobody sends
    return _End(received, receivers.above / total, receivers.below / total), senders


class _Meeting:
    """All edges from the nodes of one end to those of the other."""

    def __init__(self, origin: _End, target: _End) -> None:
        self.order = origin.score.argsort(descending=True)
        # How many of them are above zero for each target.
        self.cuts = torch.searchsorted(-origin.score[self.order], target.score)
        self.weights = torch.stack([origin.above, origin.below])[:, self.order]  # (2, M)
        self.target = target

    def totals(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """(M,) of the origins -> (M,) and (M,): each target's sums over edges above and below."""
        weighted = self.weights.double() * values[self.order]
        above = weighted[0].cumsum(0)
        below = weighted[1].flip(0).cumsum(0).flip(0)
        nothing = above.new_zeros(1)
        above = torch.cat([nothing, above])[self.cuts] * self.target.above
        below = torch.cat([below, nothing])[self.cuts] * self.target.below
        return above.to(values.dtype), below.to(values.dtype)

    def sums(self, values: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The same of (M, d), a group of targets at a time.

        Yields:
            (m,) targets, and (m, d) each their sums above and below; every target once.
        """
        wide = self.weights.dtype
        blocks = self.order.split(BLOCK)
        weights = self.weights.split(BLOCK, 1)
        pairs = zip(weights, blocks, strict=True)
        within = torch.stack([w @ values[block].to(wide) for w, block in pairs]).double()
        before = (within[:, 0].cumsum(0) - within[:, 0]).to(wide)
        after = (within[:, 1].flip(0).cumsum(0).flip(0) - within[:, 1]).to(wide)

        cuts, targets = self.cuts.sort()
        starts = torch.arange(0, len(self.order), BLOCK, device=cuts.device)
        first = [*torch.searchsorted(cuts, starts).tolist(), len(cuts)]
        places = torch.arange(BLOCK, device=cuts.device)
        for number, (start, end) in enumerate(pairwise(first)):
            if start == end:
                continue
            block, (above, below) = values[blocks[number]].to(wide), weights[number]
            groups = zip(targets[start:end].split(CHUNK), cuts[start:end].split(CHUNK), strict=True)
            for rows, cut in groups:
                is_above = places[: len(block)] < (cut - number * BLOCK)[:, None]  # (m, BLOCK)
                over = torch.addmm(before[number], above * is_above, block)
                under = torch.addmm(after[number], below * ~is_above, block)
                yield (
                    rows,
                    over * self.target.above[rows, None],
                    under * self.target.below[rows, None],
                )
