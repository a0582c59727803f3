"""glidn bench: engines in turns, what is recommended and why; parts; runs of every kind."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import make
import make_clips
from glidn import engines, experiment, protocol, runs
from glidn.bench import engines as measuring
from glidn.bench import parts, subject
from glidn.bench.engines import Row
from glidn.cli import main
from glidn.config import DataConfig, NodesConfig, RunConfig, TrainConfig, ViewConfig
from glidn.detectors import Detections
from glidn.errors import GlidnError, RunError
from glidn.material import prepare
from glidn.types import Video


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Miniatures, and a detector that costs nothing."""
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ())
    monkeypatch.setattr(
        parts, "_detector", lambda name: (lambda frames: [nothing] * len(frames), "a stub")
    )
    monkeypatch.setattr(parts, "FRAMES", 4)
    monkeypatch.setattr(subject, "CROPS", 2)
    real = subject.BackboneConfig
    monkeypatch.setattr(
        subject, "BackboneConfig", lambda name: real(name=name, width=8, blocks=(1, 1, 1, 1))
    )


def row(engine: str, ratio: float, apart: float = 0.0, why: str = "") -> Row:
    return Row(engine, 1.0, 10.0, ratio, apart, True, why)  # type: ignore[arg-type]


def test_the_fastest_that_holds_is_recommended_and_noise_is_not_a_gain():
    plain, near, far = row("plain", 1), row("onnx", 2.0, 1e-6), row("bf16", 2.05, 1e-2)
    assert measuring.recommended([plain, near, far]) is near
    assert measuring.recommended([plain, near, replace(far, ratio=3.0)]).engine == "bf16"
    wrong = replace(far, ratio=3.0, why="another class")
    assert measuring.recommended([plain, near, wrong]) is near
    assert measuring.recommended([plain, row("onnx", 1.03, 1e-6)]) is plain
    assert measuring.recommended([plain, Row("onnx", why="it is missing")]) is plain


@pytest.mark.parametrize("name", ["i3d", "slowfast", "resnet50", "fasterrcnn"])
def test_it_prints_what_it_measured_and_recommends(name, small, tmp_path, capsys):
    path = tmp_path / "figures.json"
    words = ["bench", "--backbone", name, "--side", "48", "--seconds", "0.05"]
    words += ["--frames", "8"] if name in ("i3d", "slowfast") else []
    assert main([*words, "--engines", "bf16", "channels-last", "--json", str(path)]) == 0
    said = capsys.readouterr().out
    found = json.loads(path.read_text())
    assert [row["engine"] for row in found["engines"]] == ["plain", "bf16", "channels-last"]
    for one in found["engines"]:
        assert one["rate"] > 0 and one["apart"] <= engines.BOUNDS[one["engine"]]
    assert found["engines"][0]["ratio"] == 1 and found["engines"][1]["apart"] > 1e-4
    assert f"--engine {found['recommended']}" in said
    expected = ["decoding", "detector", "tracker", "nodes", "graph", "drawing", "writing"]
    assert [part["name"] for part in found["parts"]] == expected
    assert all(part["rate"] > 0 for part in found["parts"])


def tiny() -> subject.Subject:
    torch.manual_seed(0)
    network = torch.nn.Conv2d(3, 5, 3).eval()
    x = torch.rand(2, 3, 9, 9)
    judge = lambda: network(x).mean((-2, -1)).softmax(-1)  # noqa: E731
    return subject.Subject("tiny", network, x, 2, "crops", judge)


def test_an_engine_that_is_far_off_or_names_another_class_is_not_recommended(monkeypatch):
    """Would catch: a figure that is printed and never looked at; the class asked of plain."""
    fast = engines._bf16

    def made_wrong(wrong: Callable) -> Callable:
        def made(module: torch.nn.Module) -> Callable:
            right = fast(module)
            return lambda x: wrong(right(x))

        return made

    for wrong, why in ((lambda y: y * 1.1, "beyond 0.03"), (lambda y: y.roll(1, 1), "beyond")):
        monkeypatch.setattr(engines, "_bf16", made_wrong(wrong))
        rows = measuring.measure(tiny(), ["bf16"], 0.01)
        assert why in rows[1].why and measuring.recommended(rows).engine == "plain"
    assert rows[1].same is False
    monkeypatch.setitem(engines.BOUNDS, "bf16", 10.0)
    assert measuring.measure(tiny(), ["bf16"], 0.01)[1].why == "another class"


def test_an_engine_that_cannot_be_used_here_is_named_and_the_rest_is_measured(monkeypatch):
    def missing(module: torch.nn.Module) -> None:
        raise GlidnError("engine onnx needs a thing.")

    monkeypatch.setattr(engines, "_Onnx", missing)
    rows = measuring.measure(tiny(), ["onnx", "channels-last"], 0.01)
    assert [one.engine for one in rows] == ["plain", "onnx", "channels-last"]
    assert rows[1] == Row("onnx", why="engine onnx needs a thing") and rows[2].rate > 0


def test_a_run_is_measured_by_its_own_network_and_clips(small, tmp_path, capsys):
    config, data = make_clips.config(), make_clips.dataset()
    folds = protocol.folds(data)
    run = runs.create(tmp_path / "clips", config, data, folds)
    experiment.train_fold(run, folds[0].name, prepare(data, config, None))
    words = ["bench", "--run", str(run.path), "--engines", "bf16", "--seconds", "0.05"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "clips's I3D, clips of 4 frames" in said and "Recommended here" in said
    assert main([*words, "--side", "64"]) == 2
    assert "--side is 64; a run has its own" in capsys.readouterr().err


class Noise:
    """Pixels that are never the same from frame to frame."""

    source = "noise"

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text("noise")

    def read(self, frames: np.ndarray) -> np.ndarray:
        return np.random.default_rng(0).integers(0, 256, (len(frames), 400, 320, 3), np.uint8)

    def files(self, frames: np.ndarray) -> list[Path]:
        return [self.path]


@pytest.mark.parametrize("kind", ["crop", "small"])
def test_crops_of_a_run_are_judged_through_its_graph(kind, small, tmp_path):
    """Would catch: classes that do not follow from the network that is measured."""
    config = RunConfig(
        data=DataConfig(steps=3),
        nodes=NodesConfig(kinds=(kind,), weights="none", crop_size=32, cache=tmp_path / "cache"),
        view=ViewConfig(context="local", embed=8, width=8, layers=1),
        train=TrainConfig(epochs=1, threads=1),
    )
    data = make.dataset(6)
    noise = Noise(tmp_path / "noise")
    data = replace(data, videos=tuple(replace(one, pixels=noise) for one in data.videos))
    folds = protocol.folds(data)
    run = runs.create(tmp_path / kind, config, data, folds)
    experiment.train_fold(run, folds[0].name, prepare(data, config, None))
    made = subject.of_run(run, None)
    assert made.x.shape[-1] == (32 if kind == "crop" else config.nodes.small_size)
    assert made.judge is not None and made.graph is not None and made.steps == 3
    with torch.no_grad():
        plain = made.judge()
        expected = made.network(made.x)
        with engines.installed(made.network, lambda x: -3 * expected):
            assert not torch.equal(made.judge(), plain)
        made.graph()
    assert plain.shape == (1, len(run.classes))


def test_a_run_that_looks_at_no_pixels_has_no_engine_to_choose(tmp_path):
    config = replace(
        make_clips.config(), nodes=NodesConfig(kinds=("geometry",)), backbone=None, clips=None
    )
    data = make_clips.dataset()
    run = runs.create(tmp_path / "run", config, data, protocol.folds(data))
    with pytest.raises(RunError, match="geometry nodes alone"):
        subject.of_run(run, None)


def test_pixels_are_those_of_the_video():
    video = make_clips.video(1, "")
    shown = subject.pixels(video, 3, 32)
    assert shown.shape == (3, 3, 32, 32) and shown.dtype == torch.uint8
    last = torch.from_numpy(video.pixels.read(np.array([video.frames - 1]))).float().mean((1, 2))
    torch.testing.assert_close(shown[-1:].float().mean((-2, -1)), last, atol=2.0, rtol=0)
    made: Video | None = None
    assert subject.pixels(made, 2, 32).float().std() > 20


def test_bad_words_are_one_sentence(small, tmp_path, capsys):
    for words, expected in (
        (["--engines", "bf61"], "no engine 'bf61'; nearest: bf16"),
        (["--backbone", "i4d"], "no network 'i4d'; nearest: i3d"),
        (["--seconds", "0"], "--seconds is 0; it must be above 0"),
        (["--run", str(tmp_path / "x")], "does not exist"),
        (["--video", str(Path("none.mp4"))], "none.mp4"),
    ):
        assert main(["bench", *words]) == 2
        said = capsys.readouterr().err
        assert expected in said and "Traceback" not in said
