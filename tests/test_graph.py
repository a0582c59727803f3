"""Which edges are drawn: the strongest, none to itself, and none where attention is even."""

import numpy as np
import pytest

from glidn import graph
from glidn.graph import Edge
from glidn.report.drawing import Moment, Stage, draw
from glidn.types import Boxes, Video

# Row i: whom node i listens to. Slot 3 is padding.
FRAME = np.array(
    [
        [0.70, 0.20, 0.10, 0.0],
        [0.05, 0.05, 0.90, 0.0],
        [0.60, 0.39, 0.01, 0.0],
        [0.00, 0.00, 0.00, 0.0],
    ]
)
REAL = np.array([[True, True, True, False]])


def pairs(edges: list[Edge]) -> list[tuple]:
    return [(edge.listener, edge.target) for edge in edges]


def test_in_a_frame_the_strongest_edges_are_drawn_and_no_loops():
    edges = graph.in_frame(FRAME, REAL, step=0, most=2)
    assert pairs(edges) == [((0, 1), (0, 2)), ((0, 2), (0, 0))]
    assert [edge.weight for edge in edges] == [0.9, 0.6]
    # Only three edges to others are above an even share of 1/3; the loop 0.7 is not among them.
    every = graph.in_frame(FRAME, REAL, step=0, most=99)
    assert [edge.weight for edge in every] == [0.9, 0.6, 0.39]


def test_strength_is_zero_at_an_even_share_and_one_for_everything():
    np.testing.assert_allclose(graph.strength(np.array([0.1, 0.25, 0.5, 1.0]), 4), [0, 0, 0.5, 1])
    even = np.full((3, 3), 1 / 3)
    assert graph.in_frame(even, np.ones((1, 3), bool), 0) == []
    assert graph.strength(np.array([1.0]), 1) == 1  # a single node has no other


def test_across_time_every_window_gives_its_strongest_node():
    steps, slots = 4, 2
    real = np.ones((steps, slots), bool)
    real[3, 0] = False
    weights = np.zeros((steps, slots, steps, slots))
    weights[1, 0, 0, 1] = 0.30  # first half: the node (0, 1)
    weights[1, 1, 0, 1] = 0.20
    weights[1, 0, 1, 1] = 0.90  # the same step: not across time
    weights[1, 0, 2, 0] = 0.25  # second half: (2, 0) before (3, 1)
    weights[1, 1, 3, 1] = 0.15
    weights[1, 0, 3, 0] = 0.99  # padding
    weights[0, 0, 3, 1] = 1.00  # another step's
    edges = graph.across(weights.reshape(8, 8), real, step=1, windows=2, each=1)
    assert pairs(edges) == [((1, 0), (0, 1)), ((1, 0), (2, 0))]
    both = graph.across(weights.reshape(8, 8), real, step=1, windows=2, each=2)
    assert pairs(both) == [((1, 0), (0, 1)), ((1, 0), (2, 0)), ((1, 1), (0, 1))]


def test_rollout_follows_a_node_through_the_layers():
    rng = np.random.default_rng(0)
    first, second = rng.dirichlet(np.ones(5), (2, 3, 5)).transpose(0, 1, 2, 3)  # (A, M, M)
    found = graph.rollout([first, second], residual=False)
    by_hand = np.zeros((5, 5))
    for i in range(5):
        for via in range(5):
            for j in range(5):
                by_hand[i, j] += second.mean(0)[i, via] * first.mean(0)[via, j]
    np.testing.assert_allclose(found, by_hand)
    np.testing.assert_allclose(found.sum(-1), 1)
    # With residual layers a node that listens only to another keeps a quarter of itself.
    away = np.array([[[0.0, 1.0], [0.0, 1.0]]])
    kept = graph.rollout([away, away], residual=True)
    assert kept[0, 0] == pytest.approx(0.25)


def test_listening_is_counted_in_even_shares():
    frame = np.stack([FRAME, np.eye(4)])
    real = np.array([[True, True, True, False], [True, False, False, False]])
    heard = graph.heard(frame, real)
    np.testing.assert_allclose(heard[0, :3], FRAME[:3, :3].mean(0) * 3)
    np.testing.assert_allclose(heard[1], [1, 0, 0, 0])
    whole = np.zeros((8, 8))
    whole[:, 4] = 1  # all listen to the first node of the second step
    assert graph.heard(whole, real)[1, 0] == 4  # of four real nodes
    assert graph.heard(whole, real).sum() == 4


def test_an_edge_is_drawn_where_its_boxes_are():
    video = Video("v", "", "", "", 1, 10.0, 200, 100, ())
    xyxy = np.array([[[10, 40, 30, 60], [170, 40, 190, 60]]], np.float32)
    boxes = Boxes(xyxy, np.ones((1, 2), bool), np.zeros(1, np.int64), ("person", "cup"), ("a", "b"))
    stage = Stage.of(video)

    def picture(edges: list[Edge]) -> np.ndarray:
        image = np.full((100, 200, 3), 90, np.uint8)
        return draw(stage, Moment("local", image, boxes, 0, edges, (), (0,), ("", ""), 0.5))

    plain, drawn = picture([]), picture([Edge((0, 0), (0, 1), 1.0, 1.0)])
    changed = np.argwhere((plain != drawn).any(-1))
    assert plain.shape == (stage.height, stage.width, 3)
    assert len(changed)
    # From the middle of one box, at 20, to the other, whose frame up to 190 is lit; not elsewhere.
    assert changed[:, 1].min() / stage.scale == pytest.approx(20, abs=4)
    assert changed[:, 1].max() / stage.scale == pytest.approx(190, abs=2)
    hidden = Boxes(
        xyxy, np.array([[True, False]]), np.zeros(1, np.int64), ("person", "cup"), ("a", "b")
    )
    moment = Moment(
        "local", None, hidden, 0, [Edge((0, 0), (0, 1), 1.0, 1.0)], (), (0,), ("", ""), 0.5
    )
    bare = Moment("local", None, hidden, 0, [], (), (0,), ("", ""), 0.5)
    np.testing.assert_array_equal(draw(stage, moment), draw(stage, bare))
