"""Graph attention against a plain loop and against torch_geometric."""

import numpy as np
import pytest
import torch
from torch_geometric.nn import GATConv

from glidn.attention import GraphAttention

# Distinct primes, so that two swapped axes cannot pass by accident.
BATCH, NODES, IN_DIM, HEADS, HEAD_DIM = 2, 7, 5, 3, 11


@pytest.fixture
def case() -> tuple[GraphAttention, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    # Glorot's wider weights, so that LeakyReLU has both signs to work on.
    layer = GraphAttention(IN_DIM, HEADS * HEAD_DIM, HEADS, glorot=True)
    x = torch.randn(BATCH, NODES, IN_DIM)
    edges = torch.rand(BATCH, NODES, NODES) < 0.5
    edges[0, 3] = False  # a node that listens to nobody
    return layer, x, edges


def reference(layer: GraphAttention, x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Equations 1-2 for one graph, one head and one node at a time."""
    w = layer.project.weight.detach().numpy().astype(np.float64)
    out = np.zeros((len(x), HEADS * HEAD_DIM))
    for head in range(HEADS):
        part = slice(head * HEAD_DIM, (head + 1) * HEAD_DIM)
        receive = layer.receive.detach().numpy()[head, :, 0]
        send = layer.send.detach().numpy()[head, :, 0]
        for i in range(len(x)):
            heard, scores = [], []
            for j in range(len(x)):
                if edges[i, j]:
                    score = receive @ (w[part] @ x[i]) + send @ (w[part] @ x[j])
                    scores.append(score if score > 0 else 0.2 * score)
                    heard.append(w[part] @ x[j])
            if heard:
                share = np.exp(np.array(scores) - max(scores))
                out[i, part] = (share / share.sum()) @ np.array(heard)
    return out


def test_it_is_equations_1_and_2(case):
    layer, x, edges = case
    ours = layer(x, edges).detach().numpy()
    for graph in range(BATCH):
        expected = reference(layer, x[graph].numpy(), edges[graph].numpy())
        np.testing.assert_allclose(ours[graph], expected, rtol=1e-4, atol=1e-6)


def test_it_is_torch_geometrics_gatconv(case):
    """On the real nodes of a padded graph, with gradients."""
    layer, x, edges = case
    real = 5
    edges = edges.clone()
    edges[:, :, real:] = False
    theirs = GATConv(IN_DIM, HEAD_DIM, HEADS, bias=False, add_self_loops=False)
    with torch.no_grad():
        theirs.lin.weight.copy_(layer.project.weight)
        theirs.att_dst.copy_(layer.receive[None, ..., 0])
        theirs.att_src.copy_(layer.send[None, ..., 0])
    for graph in range(BATCH):
        ours_x = x[graph].clone().requires_grad_()
        their_x = x[graph, :real].clone().requires_grad_()
        ours = layer(ours_x, edges[graph])[:real]
        receivers, senders = edges[graph, :real, :real].nonzero().T
        expected = theirs(their_x, torch.stack([senders, receivers]))
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)
        ours.square().sum().backward()
        expected.square().sum().backward()
        torch.testing.assert_close(ours_x.grad[:real], their_x.grad, rtol=1e-4, atol=1e-6)


def test_a_node_without_an_edge_is_zero_and_has_finite_gradients(case):
    layer, x, edges = case
    x.requires_grad_()
    out = layer(x, edges)
    assert (out[0, 3] == 0).all()
    out.square().sum().backward()
    assert torch.isfinite(x.grad).all()


def test_nodes_without_an_edge_to_us_cannot_change_us(case):
    layer, x, edges = case
    edges[:, :-1, -1] = False
    loud = x.clone()
    loud[:, -1] += 1e3
    torch.testing.assert_close(layer(x, edges)[:, :-1], layer(loud, edges)[:, :-1])


def test_weights_are_what_forward_uses(case):
    layer, x, edges = case
    weights = layer.weights(x, edges)
    assert weights.shape == (BATCH, HEADS, NODES, NODES)
    sums = weights.sum(-1)
    torch.testing.assert_close(sums, edges.any(-1)[:, None].float().expand_as(sums))
    h = layer.project(x).unflatten(-1, (HEADS, HEAD_DIM))
    mixed = torch.einsum("bhij,bjhd->bihd", weights, h).flatten(-2)
    torch.testing.assert_close(layer(x, edges), mixed)


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 7, 8, 9, 15, 16, 17])
@pytest.mark.parametrize("width", [1, 24, 25, 44, 45, 99, 100, 399, 400])
@pytest.mark.parametrize("everybody", [True, False])
def test_small_graphs_are_the_plain_form(nodes, width, everybody):
    """On both sides of every size from which PyTorch's own kernels are used, with gradients.

    Graph 0 has scores of tens of thousands, graph 1 a node that listens to nobody.
    """
    torch.manual_seed(nodes * width)
    layer = GraphAttention(6, 2 * width, 2, glorot=True).double()
    x = torch.randn(3, nodes, 6, dtype=torch.float64)
    x[0] *= 1e4
    x.requires_grad_()
    edges = torch.rand(3, 1 if everybody else nodes, nodes) < 0.7
    edges[1, 0] = False

    h = layer.project(x).unflatten(-1, (2, width))
    received, sent = (
        torch.einsum("gmad,ad->gam", h, ends[..., 0]) for ends in (layer.receive, layer.send)
    )
    scores = received[..., None] + sent[..., None, :]
    scores = torch.where(scores > 0, scores, 0.2 * scores)
    weights = scores.masked_fill(~edges[:, None], -1e300).softmax(-1) * edges[:, None]
    plain = torch.einsum("gaij,gjad->giad", weights, h).flatten(-2)

    ours = layer(x, edges)
    inputs = [x, *layer.parameters()]
    for graph in range(3):  # their sizes differ too much to be looked at together
        some, same = ours[graph], plain[graph]
        torch.testing.assert_close(some, same, rtol=1e-9, atol=1e-9 * x[graph].abs().max().item())
        gradients, expected = (
            torch.autograd.grad(out.sin().sum(), inputs, retain_graph=True) for out in (some, same)
        )
        # Where a gradient is the rest of what cancels out, it is as exact as what did.
        close = 1e-8 * max(right.abs().max().item() for right in expected)
        for mine, right in zip(gradients, expected, strict=True):
            torch.testing.assert_close(mine, right, rtol=1e-8, atol=close)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="10 features cannot be shared out evenly to 3 heads"):
        GraphAttention(4, 10, 3)
