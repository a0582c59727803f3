"""Runs with region nodes on any video: views of a window, fused; deletion by track."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import make_clips
from glidn import experiment, protocol, runs
from glidn.material import prepare
from glidn.prediction import many, speaker
from glidn.prediction import predict as one


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "clips"
    config, data = make_clips.config(), make_clips.dataset()
    folds = protocol.folds(data)
    made = runs.create(path, config, data, folds)
    for fold in folds:
        experiment.train_fold(made, fold.name, prepare(data, config, None))
    return path


def test_a_window_is_one_clip_in_all_crops_and_deletion_takes_a_track_from_each(run):
    """Would catch: nodes of another track masked, in the wrong crop or step, or views not fused."""
    speaks, video = speaker.load(run), make_clips.video(3, "")
    said = speaks.say(video)
    assert said.scores.shape == (3,) and ((said.scores > 0) & (said.scores < 1)).all()
    for number in range(2):
        rest = tuple(track for at, track in enumerate(video.tracks) if at != number)
        without = speaks.say(replace(video, tracks=rest)).scores
        np.testing.assert_allclose(said.effects[number], said.scores - without, atol=1e-5)
    np.testing.assert_allclose(said.heard.sum(1), 1, atol=1e-6)


def test_a_whole_video_is_seen_through_windows_as_long_as_a_clip(run, tmp_path):
    speaks = speaker.load(run)
    assert speaks.window == pytest.approx(4 * 3 / 24)
    video = make_clips.video(4, "")
    result = one.predict(video, speaks, one.Boxes("its own"), tmp_path)
    one.draw(result, video, tmp_path, speaks.person)
    assert (result.windows[0].start, result.windows[-1].end) == (0, 2.5)
    assert result.many and result.threshold == 0.5
    assert (tmp_path / "annotated.mp4").exists()


def test_an_engine_computes_what_the_run_says_and_its_answers_are_its_own(run, tmp_path):
    """Would catch: an engine that is never asked, or a result of another one read again."""
    video = make_clips.video(3, "")
    plain, fast = speaker.load(run).say(video), speaker.load(run, "bf16").say(video)
    assert 0 < np.abs(fast.scores - plain.scores).max() < 0.03
    boxes = one.Boxes("own")
    said = one.predict(video, speaker.load(run, "bf16"), boxes, tmp_path / "said")
    assert any("the engine bf16" in note for note in said.notes)
    asked = [
        many.Predictor(many.Request(run, tmp_path, engine=engine), False)._asked(video, boxes)
        for engine in ("plain", "bf16", "plain")
    ]
    assert asked[0] == asked[2] != asked[1]
