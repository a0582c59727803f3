"""Timed labels from the videos to the scores, on hand-made tracks."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from glidn import (
    evaluation,
    experiment,
    features,
    material,
    protocol,
    runs,
    timed,
    timeline,
    windows,
)
from glidn.checks import check
from glidn.cli.evaluate import main as evaluate
from glidn.config import DataConfig, NodesConfig, RunConfig
from glidn.datasets.table import write_table
from glidn.errors import SettingError
from glidn.prediction import predict, speaker
from glidn.recipes import cad120
from glidn.report import timelines
from glidn.report.page import write_report
from glidn.runs import Run
from glidn.timeline import UNLABELLED
from glidn.types import Dataset, Segment, Track, Video

FPS, SUBJECTS = 10.0, ("anna", "ben", "carl")
SPEEDS = {"left": -3.0, "right": 3.0, "still": 0.0}  # pixels a frame


def video(name: str, subject: str, seed: int) -> Video:
    """A cup that is pushed left and right and rests, some two seconds each."""
    rng = np.random.default_rng(seed)
    labels = [str(label) for label in rng.permutation(list(SPEEDS) * 2)]
    lengths = rng.integers(17, 24, len(labels))
    ends = lengths.cumsum()
    steps = np.repeat([SPEEDS[label] for label in labels], lengths)
    at, frames = 300 + steps.cumsum(), int(ends[-1])
    every = np.arange(frames)
    cup = np.stack([at, 0 * at + 200, at + 30, 0 * at + 240], -1)
    person = np.stack([at / 4 + 100, 0 * at + 50, at / 4 + 300, 0 * at + 400], -1)
    return Video(
        name=name,
        subject=subject,
        split="",
        label="",
        frames=frames,
        fps=FPS,
        width=640,
        height=480,
        tracks=(
            Track("0", "person", every, person.astype(np.float32)),
            Track("1", "cup", every, cup.astype(np.float32)),
        ),
        segments=tuple(
            Segment(label, (end - length) / FPS, end / FPS)
            for label, length, end in zip(labels, lengths.tolist(), ends.tolist(), strict=True)
            if (label, end) != ("still", frames)  # the rest at the end has no label
        ),
        source="made-up",
    )


def dataset() -> Dataset:
    videos = tuple(
        video(f"{subject}{number}", subject, 10 * at + number)
        for at, subject in enumerate(SUBJECTS)
        for number in range(3)
    )
    raw = Dataset("made-up", Path("made-up"), "multi", tuple(SPEEDS), "subjects", videos)
    return windows.timed(raw)


def settings() -> RunConfig:
    recipe = cad120.timed()
    data = replace(recipe.data, window=1.5, stride=0.3, steps=5, variants=1)
    return replace(recipe, data=data, train=replace(recipe.train, epochs=12, batch=32))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Every fold trained and tested."""
    made, config = dataset(), settings()
    prepared = material.prepare(made, config, None)
    folds = protocol.folds(made)
    run = runs.create(tmp_path_factory.mktemp("runs") / "timed", config, made, folds)
    for fold in folds:
        experiment.train_fold(run, fold.name, prepared)
    return run


def test_what_is_done_when_is_learnt(run, capsys):
    scores = evaluation.evaluate(run)["global"]
    assert isinstance(scores, evaluation.TimedScores)
    assert scores.segments.videos == sum(len(video.segments) for video in dataset().videos)
    assert scores.segments.pooled > 0.9
    assert scores.timeline.accuracy > 0.75
    assert scores.timeline.f1["50"] > 0.6
    assert set(scores.per_fold) == set(SUBJECTS)
    written = json.loads((run.path / "metrics.json").read_text())["global"]
    assert written["timeline"]["f1"]["50"] == scores.timeline.f1["50"]
    assert written["segments"]["pooled"] == scores.segments.pooled
    evaluate([str(run.path)])
    said = capsys.readouterr().out
    assert scores.timeline.sentence in said
    assert scores.per_fold["ben"].sentence in said


def test_true_timelines_are_those_of_the_dataset(run):
    videos = {video.name: video for video in dataset().videos}
    for fold in run.folds:
        found = timed.read(run.fold(fold) / "global.timeline.csv", run.classes)
        assert set(found) == {name for name, video in videos.items() if video.subject == fold}
        for name, one in found.items():
            assert (one.truth == windows.timeline(videos[name], run.classes)).all()
            assert (one.predicted != UNLABELLED).all()


def test_a_prediction_is_what_the_test_said(run, tmp_path):
    """`glidn predict` sees a video as the test did, whatever labels it has."""
    fold = run.folds[0]
    speaks = speaker.load(run.path)
    for video in (video for video in dataset().videos if video.subject == fold):
        own = predict.Boxes("its own")
        found = predict.predict(video, speaks, own, tmp_path, dataset=dataset().name)
        tested = timed.read(run.fold(fold) / "global.timeline.csv", run.classes)[video.name]
        for action in found.actions:
            first, after = (round(at * video.fps) for at in (action.start, action.end))
            said = tested.predicted[first:after]
            assert (said == run.classes.index(action.label)).all()
        assert sum(action.end - action.start for action in found.actions) == pytest.approx(
            video.seconds, abs=0.01
        )


def test_categories_that_the_run_does_not_know_can_be_predicted(run, tmp_path):
    video = dataset().videos[0]
    tracks = tuple(replace(track, category="thing") for track in video.tracks)
    strange = replace(video, tracks=tracks)
    found = predict.predict(strange, speaker.load(run.path), predict.Boxes("own"), tmp_path)
    assert found.timeline[1].shape[1] == 3
    assert any("was not trained on thing" in note for note in found.notes)


def test_no_window_of_a_test_subject_is_trained_on():
    made = dataset()
    prepared = material.prepare(made, settings(), None)
    for fold in protocol.folds(made):
        trained_on = prepared.source(fold.train, 0).videos
        assert trained_on
        assert not [name for name in trained_on if name.startswith(fold.name)]
        assert {name.split("@")[0] for name in trained_on} == set(fold.train)


def test_windows_without_a_label_are_not_trained_on():
    prepared = material.prepare(dataset(), settings(), None)
    assert isinstance(prepared, material.Timed)
    labels = [sample.label for found in prepared.windows.values() for sample in found]
    assert UNLABELLED in labels
    names = list(prepared.videos)
    assert len(prepared.of(names)) == len(labels) - labels.count(UNLABELLED)
    assert (prepared.labels(names) != UNLABELLED).all()


def test_other_times_are_other_data(tmp_path):
    made = dataset()
    first = made.videos[0]
    moved = replace(first.segments[0], end=first.segments[0].end - 0.1)
    other = replace(first, segments=(moved, *first.segments[1:]))
    assert runs.digest(made) != runs.digest(replace(made, videos=(other, *made.videos[1:])))


def test_a_report_shows_the_window_around_a_segment(run, tmp_path):
    from glidn.report import cases
    from glidn.report.sources import Arm

    write_table(replace(dataset(), task="multi"), tmp_path)
    here = replace(run.config, data=replace(run.config.data, root=tmp_path))
    moved = Run(run.path, here, run.about)
    chosen = cases.gather([Arm("global", "", (moved,))])[:2]
    looks = list(cases.look(moved, chosen))
    assert [look.case.video for look in looks] == [case.video for case in chosen]
    assert looks[0].film.video.frames == 2 * round(1.5 * FPS / 2) + 1


def test_crops_of_still_boxes_in_two_windows_are_two_entries(tmp_path, monkeypatch):
    """The boxes of both, counted from each window's start, are the same; the pixels are not."""
    from test_windows import Numbered

    class OneFile(Numbered):
        def files(self, frames: np.ndarray) -> list[Path]:
            return [tmp_path / "video.mp4"]

    (tmp_path / "video.mp4").write_bytes(b"made up")
    at = np.arange(40)
    box = np.tile(np.float32([3, 5, 33, 29]), (40, 1))
    still = Video(
        "v", "", "", "", 40, FPS, 50, 40, (Track("0", "person", at, box),), pixels=OneFile()
    )
    frozen = features.FrozenFeatures(
        NodesConfig(weights="none", crop_size=32, cache=tmp_path / "cache")
    )
    parts = [windows.window(still, first, first + 10) for first in (0, 25)]
    found = [frozen.of(part, features.steps_of(part, 2)) for part in parts]
    assert not torch.equal(*found)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (DataConfig(samples="windows", window=0.0), r"data.window is 0; it must be above 0"),
        (DataConfig(stride=-1.0), r"data.stride is -1; it must be above 0"),
        (DataConfig(samples="windows", window=1.0, stride=2.0), r"the stride may be as long as"),
    ],
)
def test_impossible_windows_are_one_sentence(data, sentence):
    with pytest.raises(SettingError, match=sentence):
        check(replace(RunConfig(), data=data))


def test_windows_cannot_feed_networks_of_clips():
    from glidn.recipes import find

    config = find("charades.i3d")
    with pytest.raises(SettingError, match=r"data.samples is windows; region nodes cut clips"):
        check(replace(config, data=replace(config.data, samples="windows")))


def test_the_page_shows_timelines_from_the_best_to_the_worst(run):
    """Would catch: rows exchanged, pieces of a wrong length, a seed or fold left out."""
    evaluation.evaluate(run)
    page = write_report(run.path).read_text(encoding="utf-8")
    drawings = re.findall(r"<svg[^>]*class=\"timeline\".*?</svg>", page)
    shares = [int(share) for share in re.findall(r"Timelines of \w+: (\d+)% of", page)]
    assert len(drawings) == min(timelines.SHOWN, len(dataset().videos)) == len(shares)
    assert shares == sorted(shares, reverse=True)
    video = re.findall(r"Timelines of (\w+):", page)[0]
    fold = next(name for name in run.folds if video in runs.read_fold(run, name).test)
    found = timed.read(run.fold(fold) / "global.timeline.csv", run.classes)[video]
    told = re.findall(r"<title>(\w+): frames (\d+) to (\d+)</title>", drawings[0])
    wanted = [
        (run.classes[piece.label], str(piece.first), str(piece.last))
        for row in (found.truth, found.predicted)
        for piece in timeline.pieces(row)
    ]
    assert told == wanted
    labels = sum(len(video.segments) for video in dataset().videos)
    assert f"Accuracy over {labels} timed labels of the test videos" in page
    assert not re.search(r"<small>\d+ videos?</small>", page), "classes count labels, not videos"
