"""Views and readouts against plain loops; padding never changes a result."""

import itertools

import pytest
import torch

from glidn.attention import GraphAttention
from glidn.config import ViewConfig
from glidn.errors import SettingError
from glidn.views import Attend, Max, Mean, Persons, Relations, time_encoding

BATCH, STEPS, SLOTS, WIDTH = 2, 5, 3, 7


@pytest.fixture
def case() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    nodes = torch.randn(BATCH, STEPS, SLOTS, WIDTH)
    real = torch.rand(BATCH, STEPS, SLOTS) < 0.7
    real[0, 1] = False  # an empty frame
    real[1, 0] = True
    return nodes * real[..., None], real


def one_graph(layer: GraphAttention, nodes: list[torch.Tensor]) -> list[torch.Tensor]:
    """One layer over one complete graph, node by node."""
    x = torch.stack(nodes)
    return list(layer(x, torch.ones(len(x), len(x), dtype=torch.bool)))


@pytest.mark.parametrize("context", ["local", "global"])
def test_relations_are_layers_over_one_graph_per_frame_or_per_video(case, context):
    nodes, real = case
    view = Relations(WIDTH, ViewConfig(context=context, width=WIDTH, layers=2))
    related = view(nodes, real)
    for video in range(BATCH):
        where = [
            [(step, slot) for slot in range(SLOTS) if real[video, step, slot]]
            for step in range(STEPS)
        ]
        graphs = where if context == "local" else [list(itertools.chain.from_iterable(where))]
        for graph in filter(None, graphs):
            x = [nodes[video, step, slot] for step, slot in graph]
            x = [torch.nn.functional.elu(row) for row in one_graph(view.layers[0], x)]
            x = one_graph(view.layers[1], x)
            for (step, slot), expected in zip(graph, x, strict=True):
                torch.testing.assert_close(related[video, step, slot], expected)


@pytest.mark.parametrize("readout", ["mean", "max", "attention", "persons"])
@pytest.mark.parametrize("context", ["local", "global"])
def test_padding_changes_nothing(case, context, readout):
    """More slots, more steps' worth of padding and any garbage-free zeros leave it as it was."""
    nodes, real = case
    view = Relations(WIDTH, ViewConfig(context=context, width=WIDTH))
    head = {
        "mean": Mean(context == "local"),
        "max": Max(),
        "attention": Attend(WIDTH),
        "persons": Persons(),
    }[readout]
    pad = torch.nn.functional.pad
    padded, padded_real = pad(nodes, (0, 0, 0, 2)), pad(real, (0, 2))
    torch.testing.assert_close(
        head(view(nodes, real), real), head(view(padded, padded_real), padded_real)
    )


def test_the_local_view_does_not_see_other_frames_and_the_global_one_does(case):
    nodes, real = case
    loud = nodes.clone()
    loud[1, 0] += 10
    for context, sees in (("local", False), ("global", True)):
        view = Relations(WIDTH, ViewConfig(context=context, width=WIDTH))
        change = (view(loud, real) - view(nodes, real))[1, 1:].abs()
        assert (change[real[1, 1:]].max() > 1e-4) == sees


@pytest.mark.parametrize("context", ["local", "global"])
def test_neither_view_sees_the_order_of_frames(case, context):
    """As the paper describes them, both are blind to it: DESIGN's rule (iii)."""
    nodes, real = case
    view = Relations(WIDTH, ViewConfig(context=context, width=WIDTH))
    readout = Mean(context == "local")
    torch.testing.assert_close(
        readout(view(nodes, real), real), readout(view(nodes.flip(1), real.flip(1)), real.flip(1))
    )


def test_a_window_cuts_far_edges(case):
    nodes, real = case
    view = Relations(WIDTH, ViewConfig(context="global", width=WIDTH, layers=1, window=1))
    weights = view.attention(nodes, real)[0][:, 0, 0]
    step = torch.arange(STEPS).repeat_interleave(SLOTS)
    far = (step[:, None] - step[None]).abs() > 1
    assert (weights[:, far] == 0).all()
    assert (weights[:, ~far] > 0).any()


def test_means_are_over_real_nodes_and_frames(case):
    nodes, real = case
    per_frame, at_once = Mean(True)(nodes, real), Mean(False)(nodes, real)
    for video in range(BATCH):
        frames = [nodes[video, step][real[video, step]] for step in range(STEPS)]
        means = [frame.mean(0) for frame in frames if len(frame)]
        torch.testing.assert_close(per_frame[video], torch.stack(means).mean(0))
        torch.testing.assert_close(at_once[video], torch.cat(frames).mean(0))


def test_max_and_persons_take_real_nodes_only(case):
    nodes, real = case
    nodes = nodes - 5 * real[..., None]  # all real values negative: a padded zero would win
    for video in range(BATCH):
        torch.testing.assert_close(Max()(nodes, real)[video], nodes[video][real[video]].amax(0))
        person = nodes[video, :, 0][real[video, :, 0]].mean(0)
        things = nodes[video, :, 1:][real[video, :, 1:]].mean(0)
        torch.testing.assert_close(Persons()(nodes, real)[video], torch.cat([person, things]))


@pytest.mark.parametrize("readout", [Mean(True), Mean(False), Max(), Attend(WIDTH), Persons()])
def test_an_empty_video_is_a_zero_vector(readout):
    nothing = torch.zeros(1, STEPS, SLOTS, WIDTH)
    out = readout(nothing, torch.zeros(1, STEPS, SLOTS, dtype=torch.bool))
    assert (out == 0).all()


def test_the_time_encoding_tells_every_step_apart():
    encoding = time_encoding(30, 63)
    assert encoding.shape == (30, 63)
    distance = torch.cdist(encoding, encoding) + torch.eye(30) * 10
    assert distance.min() > 0.1


def test_residual_layers_need_equal_widths():
    with pytest.raises(SettingError, match="first layer takes 7 features and gives 11"):
        Relations(WIDTH, ViewConfig(width=11, residual=True))
