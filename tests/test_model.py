"""The whole network: padding, batching and neighbours in a batch change nothing."""

from dataclasses import replace

import pytest
import torch

from glidn.batch import Sample, collate
from glidn.config import NodesConfig, ViewConfig
from glidn.model import Network, build, measure
from make import CLASSES, samples

NODES = NodesConfig(kinds=("geometry", "crop", "small"), small_width=5, small_size=8)


def rich(sample: Sample) -> Sample:
    """The sample with all three kinds of node."""
    real = sample.real[0]
    g = torch.Generator().manual_seed(len(sample.video))
    crop = torch.randn(*real.shape, 11, generator=g) * real[..., None]
    small = torch.randint(0, 256, (*real.shape, 3, 8, 8), generator=g, dtype=torch.uint8)
    inputs = {**sample.variants[0], "crop": crop, "small": small * real[..., None, None, None]}
    return replace(sample, variants=(inputs,))


@pytest.fixture
def material() -> list[Sample]:
    return [rich(sample) for sample in samples(6)]


def network(context: str, **settings: object) -> Network:
    torch.manual_seed(0)
    view = ViewConfig(context=context, embed=13, width=13, **settings)
    net = build(NODES, view, {"geometry": 7, "crop": 11}, len(CLASSES))
    return net.eval()


@pytest.mark.parametrize("settings", [{}, {"time": True, "residual": True, "norm": True}])
@pytest.mark.parametrize("context", ["local", "global", "none"])
def test_a_video_is_judged_alike_alone_and_in_a_batch(material, context, settings):
    """Videos have 2 to 4 slots, so all but the fullest are padded in the batch."""
    net = network(context, **settings)
    measure([net], material)
    together = net(collate(material)).logits
    for row, sample in enumerate(material):
        alone = net(collate([sample])).logits[0]
        torch.testing.assert_close(together[row], alone, rtol=1e-4, atol=1e-5)


def test_every_kind_of_node_is_heard(material):
    net = network("local")
    before = net(collate(material[:1])).logits
    for kind in NODES.kinds:
        (inputs,) = material[0].variants
        changed = replace(material[0], variants=({**inputs, kind: torch.zeros_like(inputs[kind])},))
        assert not torch.allclose(net(collate([changed])).logits, before), kind


def test_geometry_is_standardised_over_real_training_nodes(material):
    net = network("local")
    measure([net], material)
    standardised = net.encode.kinds["geometry"]
    rows = torch.cat([s.variants[0]["geometry"][s.real[0]] for s in material])
    batch = collate(material)
    made = standardised(batch.inputs["geometry"], batch.real)
    torch.testing.assert_close(standardised.mean, rows.mean(0))
    assert (made[~batch.real] == 0).all()
    assert made.abs().max() <= 4
    far = standardised(batch.inputs["geometry"] * 1e6, batch.real)
    assert far.abs().max() == 4


def test_a_constant_feature_stays_harmless():
    """A category that training never shows must not be blown up when a test shows it."""
    net = network("local")
    flat = [replace(s, variants=({**s.variants[0], "geometry": s.variants[0]["geometry"] * 0},))
            for s in map(rich, samples(3))]  # fmt: skip
    measure([net], flat)
    one = torch.ones(1, 1, 1, 7)
    assert (net.encode.kinds["geometry"](one, torch.ones(1, 1, 1, dtype=torch.bool)) == 1).all()


def test_attention_is_that_of_the_forward_pass(material):
    net = network("global")
    batch = collate(material)
    layers = net.attention(batch)
    assert len(layers) == 3
    real = batch.real.flatten(1)
    for layer in layers:
        assert layer.shape == (6, 1, 1, real.shape[1], real.shape[1])
        assert (layer[:, 0, 0].transpose(1, 2)[~real] == 0).all(), "nobody listens to padding"
        torch.testing.assert_close(layer.sum(-1), torch.ones(layer.shape[:-1]))
    assert network("none").attention(batch) == []
