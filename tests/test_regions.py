"""Region nodes against torchvision's RoIAlign box by box, and what the scene does."""

import numpy as np
import pytest
import torch
from torchvision.ops import RoIAlign

from glidn.batch import Batch
from glidn.config import BackboneConfig, NodesConfig, ViewConfig
from glidn.model import Network, build
from glidn.regions import Regions, build_backbone, cut_regions, one_map, step_frames

SMALL = {
    name: BackboneConfig(name=name, width=8, blocks=(1, 1, 1, 1), frozen_norm=False)
    for name in ("i3d", "slowfast")
}
FRAMES = {"i3d": 8, "slowfast": 16}  # both give 4 time steps
B, T, N, S, K = 2, 4, 3, 64, 5


def batch(name: str, seed: int = 0, steps: int = T) -> Batch:
    g = torch.Generator().manual_seed(seed)
    corner = torch.rand(B, steps, N, 2, generator=g) * 40
    boxes = torch.cat([corner, corner + 5 + 15 * torch.rand(B, steps, N, 2, generator=g)], -1)
    real = torch.rand(B, steps, N, generator=g) < 0.7
    real[0, 0] = False
    clips = torch.randint(0, 256, (B, 3, FRAMES[name], S, S), generator=g, dtype=torch.uint8)
    labels = (torch.rand(B, K, generator=g) < 0.5).float()
    return Batch(("a", "b"), {"region": boxes * real[..., None]}, real, labels, clips)


def network(name: str, context: str = "local", scene: str = "concat") -> Network:
    torch.manual_seed(0)
    view = ViewConfig(context=context, width=11, layers=1, scene=scene)
    nodes = NodesConfig(kinds=("region",), region_width=11)
    return build(nodes, view, {}, K, SMALL[name]).eval()


@pytest.mark.parametrize("steps", [4, 8])
def test_regions_are_cut_box_by_box(steps):
    """Also with boxes at every frame, where two of them share a time step of the map."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(B, 7, 4, 5, 5, generator=g)
    some = batch("i3d", steps=steps)
    found = cut_regions(x, some.inputs["region"], some.real, 5 / S)
    align = RoIAlign(7, spatial_scale=5 / S, sampling_ratio=2, aligned=True)
    for b, t, n in np.ndindex(*some.real.shape):
        if not some.real[b, t, n]:
            assert (found[b, t, n] == 0).all()
            continue
        cell = align(x[b, :, t * 4 // steps][None], [some.inputs["region"][b, t, n][None]])
        torch.testing.assert_close(found[b, t, n], cell[0].amax((1, 2)))


@pytest.mark.parametrize("name", ["i3d", "slowfast"])
def test_nodes_come_from_their_own_time_step(name):
    """Where a step's pixels are seen: changed pixels at the end change the later nodes most."""
    torch.manual_seed(0)
    module = Regions(build_backbone(SMALL[name], None), 11).eval()
    some = batch(name)
    real = torch.ones_like(some.real)
    boxes = torch.tensor([4.0, 4, 60, 60]).expand(B, T, N, 4)
    before = module(some.clips, boxes, real)
    assert before.nodes.shape == (B, T, N, 11)
    assert before.scene.shape == (B, 11)
    loud = some.clips.clone()
    loud[:, :, -1] = 255
    moved = (module(loud, boxes, real).nodes - before.nodes).abs().mean((0, 2, 3))
    assert moved[: T // 2].max() < moved[T // 2 :].min()


def test_slowfasts_fast_map_is_averaged_to_the_slow_ones_steps():
    backbone = build_backbone(SMALL["slowfast"], None).eval()
    maps = backbone(torch.randn(1, 3, 16, S, S))
    both = one_map(maps)
    assert both.shape[1] == backbone.channels == maps.slow.shape[1] + maps.fast.shape[1]
    fast = maps.fast.unflatten(2, (4, 4)).mean(3)
    torch.testing.assert_close(both[:, maps.slow.shape[1] :], fast)


def test_time_steps_stand_for_the_frames_that_the_network_takes():
    assert step_frames("i3d", 32).tolist() == list(range(0, 32, 2))
    assert step_frames("slowfast", 64).tolist()[:7] == [0, 4, 8, 12, 16, 21, 25]


@pytest.mark.parametrize("name", ["i3d", "slowfast"])
@pytest.mark.parametrize("scene", ["concat", "sum", "none"])
def test_a_video_without_boxes_is_judged_by_its_scene_alone(name, scene):
    net = network(name, scene=scene)
    some = batch(name)
    none = Batch(some.videos, some.inputs, torch.zeros_like(some.real), some.labels, some.clips)
    said = net(none).logits
    assert torch.isfinite(said).all()
    other = Batch(some.videos, some.inputs, none.real, some.labels, some.clips.flip(0))
    same = torch.allclose(said, net(other).logits)
    assert same == (scene == "none")


def test_every_parameter_is_trained():
    """DDP waits for gradients of all parameters."""
    for name in ("i3d", "slowfast"):
        for context in ("local", "global", "none"):
            net = network(name, context).train()
            net(batch(name)).logits.sum().backward()
            assert all(p.grad is not None for p in net.parameters()), (name, context)


def test_a_frozen_backbone_keeps_its_weights_and_lets_the_rest_learn():
    torch.manual_seed(0)
    frozen = BackboneConfig(name="i3d", width=8, blocks=(1, 1, 1, 1), frozen=True)
    view = ViewConfig(context="local", width=11, layers=1, scene="concat")
    net = build(NodesConfig(kinds=("region",), region_width=11), view, {}, K, frozen)
    net(batch("i3d")).logits.sum().backward()
    trained = {key for key, p in net.named_parameters() if p.grad is not None}
    assert not any(key.startswith("encode.backbone") for key in trained)
    assert {"encode.narrow.weight", "classify.1.weight"} <= trained


def test_the_backbone_alone_says_what_its_own_head_says():
    torch.manual_seed(0)
    view = ViewConfig(context="none", scene="only")
    net = build(NodesConfig(kinds=("region",)), view, {}, K, SMALL["slowfast"]).eval()
    some = batch("slowfast")
    maps = net.backbone((some.clips.float() / 255 - 0.45) / 0.225)
    torch.testing.assert_close(net(some).logits, net.backbone.logits(maps))
    torch.testing.assert_close(net.probabilities(some), net.backbone.probabilities(maps))
