"""Engines: the same answers as float32 by other means, refused where they are not."""

import shutil

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import make_clips
from glidn import engines, features
from glidn.backbones.i3d import I3D
from glidn.backbones.resnet import CropResNet
from glidn.backbones.slowfast import SlowFast
from glidn.boxes import sample
from glidn.cli import main
from glidn.config import Engine, NodesConfig
from glidn.detectors import faster_rcnn
from glidn.errors import GlidnError, SettingError
from glidn.model import BackboneAlone, pixel_networks

QUICK: tuple[Engine, ...] = ("channels-last", "bf16")


def small_i3d(classes: int | None = None) -> I3D:
    torch.manual_seed(0)
    return I3D(classes, width=8, blocks=(1, 1, 1, 1), dropout=0).eval()


def clips(rows: int = 3) -> Tensor:
    return torch.randn(rows, 3, 8, 48, 48, generator=torch.Generator().manual_seed(1))


class Parts(nn.Module):
    """As the pyramid of a detector: a mapping of maps, from frames."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 7, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        one = self.first(x)
        return {"0": one, "pool": self.second(one)}


@pytest.mark.parametrize("engine", [*QUICK, "onnx"])
def test_a_video_network_says_the_same_within_the_bound(engine):
    """Would catch: outputs in another order or kind, bf16 let out, a number of rows built in."""
    torch.manual_seed(0)
    for network, rows in (
        (small_i3d(), 3),
        (SlowFast(None, width=8, blocks=(1, 1, 1, 1)).eval(), 2),
    ):
        fast = engines.engage(network, engine)
        for several in (rows, 1, 4):
            expected = engines.engage(network, "plain")(clips(several))
            found = fast(clips(several))
            assert type(found) is type(expected)
            assert all(x.dtype == torch.float32 for x in found.pathways)
            assert not any(x.requires_grad for x in found.pathways)
            assert engines.difference(found, expected) <= engines.BOUNDS[engine]


@pytest.mark.parametrize("engine", [*QUICK, "onnx"])
def test_the_resnet_of_crops_and_a_mapping_of_maps_say_the_same(engine):
    g = torch.Generator().manual_seed(2)
    crops = torch.randint(0, 256, (3, 3, 64, 64), generator=g, dtype=torch.uint8)
    for network, x in ((CropResNet("none"), crops), (Parts(), crops / 255)):
        network.eval()
        expected, found = network(x), engines.engage(network, engine)(x)
        assert engines.difference(found, expected) <= engines.BOUNDS[engine]
        if isinstance(found, dict):
            assert list(found) == ["0", "pool"]


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler")
def test_a_compiled_network_says_the_same():
    network = Parts().eval()
    x = torch.rand(2, 3, 9, 11)
    found = engines.engage(network, "compile")(x)
    assert engines.difference(found, network(x)) <= engines.BOUNDS["compile"]


def test_onnx_makes_a_graph_for_each_size_and_forgets_old_ones():
    network = Parts().eval()
    fast = engines.engage(network, "onnx")
    for side in (9, 11, 13, 15, 17, 9):
        x = torch.rand(2, 3, side, side)
        assert engines.difference(fast(x), network(x)) < 1e-5
    assert len(fast.fast.graphs) == engines.KEPT  # type: ignore[attr-defined]


def test_what_is_installed_is_asked_in_place_of_the_module_which_keeps_its_weights():
    alone = BackboneAlone(small_i3d(4))
    (network,) = pixel_networks(alone)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    calls = []
    fast = engines.engage(network, "bf16")
    with engines.installed(network, lambda x: calls.append(len(x)) or fast(x)):
        said = network(clips())
        assert calls == [3] and engines.difference(said, fast(clips())) == 0
    network(clips())
    assert calls == [3]
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(value.is_contiguous() for value in network.parameters())


def test_an_engine_that_says_something_else_is_refused(monkeypatch):
    """Would catch: a comparison that never happens, or one that lets NaN pass."""
    for wrong in (1.01, float("nan")):
        monkeypatch.setattr(
            engines,
            "_channels_last",
            lambda module, by=wrong: lambda x: {k: v * by for k, v in module(x).items()},
        )
        with pytest.raises(GlidnError, match="channels-last says something else than float32"):
            engines.engage(Parts().eval(), "channels-last")(torch.rand(1, 3, 9, 9))


def test_a_network_in_training_has_no_engine():
    with pytest.raises(ValueError, match="evaluation mode"):
        engines.engage(Parts().train(), "bf16")


def test_what_is_unknown_or_missing_is_one_sentence(monkeypatch, tmp_path, capsys):
    with pytest.raises(SettingError, match="no engine 'bf61'; nearest: bf16"):
        engines.check_engine("bf61")
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(SettingError, match=r"engine onnx needs onnx; .*pip install glidn\[onnx\]"):
        engines.check_engine("onnx")
    monkeypatch.setattr(engines, "find_spec", lambda name: object())
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingError, match=r"needs a C\+\+ compiler"):
        engines.check_engine("compile")
    assert main(["predict", "a.mp4", "--run", str(tmp_path), "--engine", "bf61"]) == 2
    assert "no engine 'bf61'" in capsys.readouterr().err


def test_frozen_features_of_an_engine_are_kept_apart(tmp_path):
    """Would catch: bf16 features taken from the cache by a training."""

    video = make_clips.video(1, "")
    boxes = sample(video, torch.arange(2).numpy())
    config = NodesConfig(kinds=("crop",), weights="none", crop_size=32, cache=tmp_path)
    plain = features.FrozenFeatures(config).of(video, boxes)
    fast = features.FrozenFeatures(config, "bf16").of(video, boxes)
    assert 0 < engines.difference(fast, plain) <= engines.BOUNDS["bf16"]
    assert torch.equal(features.FrozenFeatures(config).of(video, boxes), plain)


@pytest.mark.parametrize("engine", ["bf16", "onnx"])
def test_a_detector_finds_the_same_by_an_engine(engine):
    """Would catch: a pyramid whose levels are in another order; tracing in inference mode."""
    torch.manual_seed(0)
    model = faster_rcnn.untrained(64)
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 80, 3), dtype=np.uint8)
    detect = faster_rcnn.detections(model, top=5, overlap=0.5, score=0.0)
    plain = detect(frames)
    faster_rcnn.engaged(model, engine)
    for expected, found in zip(plain, detect(frames), strict=True):
        assert len(found.scores) == len(expected.scores) == 5
        near = 1e-4 if engine == "onnx" else 0.05
        np.testing.assert_allclose(found.scores, expected.scores, atol=near)
        if engine == "onnx":
            np.testing.assert_allclose(found.xyxy, expected.xyxy, atol=1e-2)
