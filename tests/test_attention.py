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


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="10 features cannot be shared out evenly to 3 heads"):
        GraphAttention(4, 10, 3)
