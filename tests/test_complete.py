"""Attention over a complete graph without its matrix, against the matrix in float64."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from glidn import attention
from glidn.attention import GraphAttention
from glidn.complete import BLOCK, CHUNK, attend

GRAPHS, HEADS, WIDTH, SLOPE = 2, 3, 5, 0.2
Case = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def dense(case: Case, slope: float = SLOPE) -> torch.Tensor:
    """Equations 1-2 with all their scores."""
    h, received, sent, real = case
    scores = F.leaky_relu(received.mT[..., None] + sent.mT[..., None, :], slope)  # (G, A, M, M)
    heard = real[:, None, None]
    weights = scores.masked_fill(~heard, torch.finfo(scores.dtype).min).softmax(-1) * heard
    return (weights @ h.transpose(1, 2)).transpose(1, 2)


def drawn(nodes: int, spread: float = 3.0, padding: float = 0.2) -> Case:
    torch.manual_seed(nodes)
    h = torch.randn(GRAPHS, nodes, HEADS, WIDTH)
    received, sent = spread * torch.randn(2, GRAPHS, nodes, HEADS)
    return h, received, sent, torch.rand(GRAPHS, nodes) >= padding


def with_gradients(case: Case, how, dtype: torch.dtype) -> list[torch.Tensor]:
    """The output and the gradients of the three inputs."""
    inputs = [part.to(dtype).detach().requires_grad_() for part in case[:3]]
    out = how((*inputs, case[3]))
    torch.manual_seed(0)
    (out * torch.randn(out.shape).to(dtype)).sum().backward()
    return [out.detach(), *(part.grad for part in inputs)]


def ours(case: Case, slope: float = SLOPE) -> torch.Tensor:
    return attend(*case, slope)


def assert_exact(case: Case, relative: float = 1e-5, dtype: torch.dtype = torch.float32) -> None:
    found = with_gradients(case, ours, dtype)
    expected = with_gradients(case, dense, torch.float64)
    # Where all scores have one sign, a score's gradient is zero; it is measured against h's.
    scales = [1, *[max(1e-30, float(expected[1].norm()))] * 3]
    for one, truth, scale in zip(found, expected, scales, strict=True):
        assert torch.isfinite(one).all()
        allowed = relative * max(float(truth.norm()), 0.1 * scale)
        assert float((one.double() - truth).norm()) <= allowed


AROUND = [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 1, 2 * BLOCK, 2 * BLOCK + 1, CHUNK + 3]


@pytest.mark.parametrize("nodes", AROUND)
@pytest.mark.parametrize("padding", [0.0, 0.2])
def test_values_and_gradients_are_those_of_the_matrix(nodes, padding):
    assert_exact(drawn(nodes, padding=padding))


@pytest.mark.parametrize("spread", [0.0, 1e-3, 1e2, 1e4])
def test_any_scores_are_safe(spread):
    """All equal, nearly equal, and so far apart that most weights are nothing."""
    assert_exact(drawn(2 * BLOCK + 7, spread))


@pytest.mark.parametrize("received", [-1e4, 1e4])
@pytest.mark.parametrize("sent", [-1e4, 1e4])
def test_scores_of_one_sign_are_safe(received, sent):
    """Every list is cut at its beginning or at its end, or every score is zero."""
    case = drawn(BLOCK + 7, 1.0)
    assert_exact((case[0], case[1] + received, case[2] + sent, case[3]))


def test_ties_at_zero_are_on_leaky_relus_side():
    h, received, sent, real = drawn(2 * BLOCK)
    assert_exact((h, received.round(), sent.round(), real))


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_gradients_are_those_of_finite_differences(slope):
    h, received, sent, real = (
        part.double() if part.is_floating_point() else part for part in drawn(4)
    )
    inputs = tuple(part.clone().requires_grad_() for part in (h, received, sent))
    assert torch.autograd.gradcheck(lambda *parts: attend(*parts, real, slope), inputs)


def test_half_precision_is_as_exact_as_the_matrix():
    case = drawn(BLOCK + 7)
    rounded = (*(part.bfloat16() for part in case[:3]), case[3])
    truth = with_gradients(rounded, dense, torch.float64)
    found, matrix = (with_gradients(rounded, how, torch.bfloat16) for how in (ours, dense))
    for one, other, right in zip(found, matrix, truth, strict=True):
        assert (one.double() - right).norm() <= 1.1 * (other.double() - right).norm()


def test_nobody_sends_and_nobody_is_there():
    h, received, sent, real = drawn(BLOCK + 1)
    real[0] = False
    found = with_gradients((h, received, sent, real), ours, torch.float32)
    for part in found:
        assert (part[0] == 0).all()
        assert torch.isfinite(part).all()
    assert attend(*(part[:, :0] for part in (h, received, sent, real)), SLOPE).shape == (2, 0, 3, 5)


def test_what_is_not_real_does_not_take_part():
    h, received, sent, real = drawn(BLOCK + 1)
    loud = sent.masked_fill(~real[..., None], 1e4)
    large = h.masked_fill(~real[..., None, None], 1e30)
    torch.testing.assert_close(
        attend(h, received, sent, real, SLOPE), attend(large, received, loud, real, SLOPE)
    )


class Largest(TorchDispatchMode):
    """The most elements of any tensor that is made."""

    most = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        sizes = [part.numel() for part in tree_leaves(out) if isinstance(part, torch.Tensor)]
        self.most = max([self.most, *sizes])
        return out


def test_no_matrix_of_all_pairs_is_made():
    nodes = 40 * BLOCK
    with Largest() as made:
        # Equal scores: every list is cut in the same block.
        with_gradients(drawn(nodes, 0.0), ours, torch.float32)
    assert made.most <= GRAPHS * nodes * HEADS * max(WIDTH, BLOCK)


def test_a_layer_gives_the_same_in_either_way(monkeypatch):
    torch.manual_seed(0)
    layer = GraphAttention(7, 33, 3, glorot=True)
    x = torch.randn(2, 1, BLOCK + 9, 7)
    edges = torch.rand(2, 1, 1, BLOCK + 9) < 0.8
    small = layer(x, edges)
    monkeypatch.setattr(attention, "MANY", BLOCK)
    monkeypatch.setattr(layer, "weights", None)  # the matrix cannot have been made
    torch.testing.assert_close(layer(x, edges), small)


def test_rows_of_weights_are_rows_of_the_matrix():
    torch.manual_seed(0)
    layer = GraphAttention(7, 33, 3, glorot=True)
    x, rows = torch.randn(2, 11, 7), torch.tensor([8, 3])
    for edges in (torch.rand(2, 1, 11) < 0.8, torch.rand(2, 11, 11) < 0.8):
        every = layer.weights(x, edges)
        torch.testing.assert_close(layer.weights(x, edges, rows), every[:, :, rows])
