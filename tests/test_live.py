"""A stream: each frame looked at once, old ones dropped, the same said as of the window's video."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import make
from glidn import experiment, protocol, runs
from glidn.cli import main
from glidn.config import DataConfig, NodesConfig, RunConfig, TrainConfig, ViewConfig
from glidn.detectors import Detections
from glidn.errors import DataError, SettingError
from glidn.material import prepare
from glidn.prediction import predict as one
from glidn.prediction import speaker
from glidn.prediction.live import FPS, Rolling, Stream, is_live, watch_live
from glidn.prediction.watch import Found, tracks_in
from glidn.types import Video
from glidn.video import write_video

STEPS = 6


class Noise:
    """Frames that differ, as a video's pixels and as a stream's."""

    source = "noise"

    def __init__(self, frames: int) -> None:
        rng = np.random.default_rng(0)
        self.images = rng.integers(0, 255, (frames, 60, 80, 3)).astype(np.uint8)

    def read(self, frames: np.ndarray) -> np.ndarray:
        return self.images[frames]

    def each(self, frames: np.ndarray):
        return iter(self.images[frames])

    def files(self, frames: np.ndarray) -> list[Path]:
        return []


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small crops and geometry."""
    path = tmp_path_factory.mktemp("runs") / "own"
    config = RunConfig(
        data=DataConfig(steps=STEPS),
        nodes=NodesConfig(kinds=("small", "geometry"), small_size=16, small_width=8),
        view=ViewConfig(context="global", embed=8, width=8, layers=1),
        train=TrainConfig(epochs=1, batch=4, threads=1),
        folds=("anna",),
    )
    data = make.dataset(frames=12)
    data = replace(
        data,
        videos=tuple(
            replace(video, width=80, height=60, pixels=Noise(12), tracks=tuple(
                replace(track, xyxy=track.xyxy / 8) for track in video.tracks
            ))
            for video in data.videos
        ),
    )  # fmt: skip
    folds = protocol.folds(data, config.folds)
    made = runs.create(path, config, data, folds)
    experiment.train_fold(made, "anna", prepare(data, config, None))
    return path


def boxes_at(frame: int) -> tuple[Found, ...]:
    person = Found("p", "person", np.array([2, 2, 40, 50], np.float32), 0.9)
    cup = Found("c", "cup", np.array([frame, 20, frame + 12, 32], np.float32), 0.8)
    return (person, cup)


def test_a_rolling_window_says_what_the_video_of_it_says(run):
    """Would catch: crops given to the wrong box or step, frames kept too long or too short."""
    speaks, noise = speaker.load(run), Noise(40)
    rolling = Rolling(speaks, 80, 60, seconds=1.0)
    for frame in range(40):
        scores = rolling.add(frame / FPS, noise.images[frame], boxes_at(frame))
    assert len(rolling) == 31
    rows = [(frame - 9, boxes_at(frame)) for frame in range(9, 40)]
    part = Noise(0)
    part.images = noise.images[9:]
    video = Video("w", "", "", "", 31, FPS, 80, 60, tracks_in(rows, "person"), pixels=part)
    np.testing.assert_allclose(scores, speaks.say(video).scores, atol=1e-5)


def test_each_frame_goes_through_the_small_network_once(run):
    speaks = speaker.load(run)
    (network,) = speaks.networks.values()
    seen = []
    network.encode.kinds["small"].network.register_forward_hook(
        lambda module, args, out: seen.append(len(args[0]))
    )
    rolling = Rolling(speaks, 80, 60, seconds=0.5)
    for frame in range(20):
        rolling.add(frame / FPS, Noise(1).images[0], boxes_at(frame))
    assert seen == [2] * 20


def test_nodes_that_need_the_whole_clip_are_refused(run):
    speaks = speaker.load(run)
    config = replace(speaks.run.config, nodes=NodesConfig(kinds=("region",)))
    with pytest.raises(SettingError, match="not made frame by frame"):
        Rolling(replace(speaks, run=replace(speaks.run, config=config)), 80, 60, 1.0)


def slow(frames: np.ndarray) -> list[Detections]:
    time.sleep(0.05)
    found = np.array([[2, 2, 40, 50], [20, 20, 32, 32]], np.float32)
    return [Detections(found, np.array([0.9, 0.8], np.float32), ("person", "cup"))] * len(frames)


def test_frames_that_come_meanwhile_are_dropped(run, tmp_path):
    write_video(tmp_path / "film.mp4", iter(Noise(60).images), 30)
    stream = Stream(str(tmp_path / "film.mp4"))
    moments = list(watch_live(stream, speaker.load(run), slow, seconds=1.0))
    assert 1 <= len(moments) < 60
    assert moments[-1].dropped + len(moments) <= 60 and stream.dropped > 0
    assert all(moment.latency >= 0.05 for moment in moments)
    assert moments[-1].scores.sum() == pytest.approx(1, abs=1e-5)
    assert stream.reason == ""


def test_a_camera_that_is_not_there_is_one_sentence(run, capsys, monkeypatch):
    monkeypatch.setattr(one, "boxes_from", lambda *_: one.Boxes("slow", slow))
    assert is_live("0") and is_live("rtsp://camera/1") and not is_live("0.mp4")
    with pytest.raises(DataError, match="plugged in"):
        Stream("97")
    assert main(["predict", "97", "--run", str(run)]) == 2
    assert "97 cannot be opened" in capsys.readouterr().err
    assert main(["predict", "97", "a.mp4", "--run", str(run)]) == 2


def test_what_was_seen_of_a_stream_is_kept(run, tmp_path, capsys, monkeypatch):
    from glidn.cli import live

    write_video(tmp_path / "film.mp4", iter(Noise(30).images), 30)
    assert live.run(str(tmp_path / "film.mp4"), speaker.load(run), slow, 1.0, tmp_path) == 0
    rows = (tmp_path / "live.csv").read_text().splitlines()
    assert rows[0] == 'seconds,latency,"cutting","drinking","eating"' and len(rows) > 1
    assert "frames a second" in capsys.readouterr().out
