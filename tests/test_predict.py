"""A run on videos that it never saw: windows, deletion effects, tracks, files, bad input."""

import csv
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import networkx
import numpy as np
import pytest
import torch

import glidn
import make
from glidn import experiment, graph, protocol, runs
from glidn.cli import main
from glidn.config import DataConfig, NodesConfig, RunConfig, TrainConfig, ViewConfig
from glidn.detectors import Detections
from glidn.errors import DataError
from glidn.material import prepare
from glidn.prediction import many, sources, speaker
from glidn.prediction import predict as one
from glidn.prediction import result as results
from glidn.prediction.finding import detect, every_frame
from glidn.prediction.watch import Found, Look, looks, rows_of, tracks_in, watch
from glidn.types import Track, Video
from glidn.video import VideoFile, write_video

FPS, WIDTH, HEIGHT = 20.0, 160, 120


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds of the local view on geometry, trained for a moment."""
    path = tmp_path_factory.mktemp("runs") / "own"
    config = RunConfig(
        data=DataConfig(steps=8),
        nodes=NodesConfig(kinds=("geometry",)),
        view=ViewConfig(context="local", embed=8, width=8, layers=2, residual=True),
        train=TrainConfig(epochs=3, batch=4, lr=0.01, threads=1),
        folds=("anna", "ben"),
    )
    data = make.dataset()
    folds = protocol.folds(data, config.folds)
    made = runs.create(path, config, data, folds)
    for fold in folds:
        experiment.train_fold(made, fold.name, prepare(data, config, None))
    return path


def box(x: float, y: float, side: float = 20) -> np.ndarray:
    return np.array([x, y, x + side, y + side], np.float32)


def moving(seconds: float = 6.0) -> Video:
    """A person throughout, a cup that moves, and a bowl in the middle of the time."""
    at = np.arange(round(seconds * FPS))
    cup = np.stack([box(10 + frame / 3, 40) for frame in at])
    here = at[len(at) // 3 : 2 * len(at) // 3]
    return Video(
        name="kitchen",
        subject="",
        split="",
        label="",
        frames=len(at),
        fps=FPS,
        width=WIDTH,
        height=HEIGHT,
        tracks=(
            Track("p", "person", at, np.stack([box(5, 5, 90)] * len(at))),
            Track("c", "cup", at, cup),
            Track("b", "bowl", here, np.stack([box(60, 80)] * len(here))),
        ),
    )


def film(path: Path, frames: int = 40) -> Path:
    """A bright square that goes right."""
    images = np.full((frames, HEIGHT, WIDTH, 3), 30, np.uint8)
    for frame, image in enumerate(images):
        image[50:70, 10 + frame : 30 + frame] = (250, 240, 40)
    write_video(path, iter(images), FPS)
    return path


def bright(frames: np.ndarray) -> list[Detections]:
    """A detector of bright squares, and of a person who stands in the corner."""
    found = []
    for frame in frames:
        columns = np.flatnonzero((frame[60] > 150).all(-1) | (frame[60, :, 0] > 180))
        boxes = [box(2, 2, 80)]
        if len(columns):
            boxes.append(np.array([columns[0], 50, columns[-1] + 1, 70], np.float32))
        names = ("person", "cup")[: len(boxes)]
        found.append(Detections(np.stack(boxes), np.full(len(boxes), 0.9, np.float32), names))
    return found


def test_what_a_track_contributes_is_the_score_less_that_of_a_video_without_it(run):
    """Would catch: another track masked, folds averaged wrongly, effects of a wrong sign."""
    speaks, video = speaker.load(run), moving()
    said = speaks.say(video)
    assert said.scores.sum() == pytest.approx(1)
    for number in (1, 2):  # without the person, the steps would be others
        rest = tuple(track for at, track in enumerate(video.tracks) if at != number)
        without = speaks.say(replace(video, tracks=rest)).scores
        np.testing.assert_allclose(said.effects[number], said.scores - without, atol=1e-6)


def test_a_run_speaks_with_all_folds_but_of_its_own_videos_with_the_one_that_tests_them(run):
    speaks, video = speaker.load(run), moving()
    alone = [replace(speaks, networks={f: n}).say(video).scores for f, n in speaks.networks.items()]
    np.testing.assert_allclose(speaks.say(video).scores, np.mean(alone, 0))
    tested = runs.read_fold(speaks.run, "ben").test[0]
    assert list(speaks.unbiased(tested).networks) == ["ben"]
    assert list(speaks.unbiased("kitchen").networks) == ["anna", "ben"]


def test_between_tracks_is_the_mean_of_what_their_nodes_take():
    rng = np.random.default_rng(0)
    tracks = np.array([[0, 1, -1], [1, 0, 2]])
    real = tracks >= 0
    for shape in ((2, 3, 3), (1, 6, 6)):
        weights = rng.random(shape) * real.reshape(shape[0], 1, -1)
        weights /= weights.sum(-1, keepdims=True)
        found, even = graph.between(weights, tracks, 3)
        owners = tracks.reshape(shape[0], -1)
        for a in range(3):
            rows = [(g, i) for g, nodes in enumerate(owners) for i, o in enumerate(nodes) if o == a]
            for b in range(3):
                taken = [weights[g, i][owners[g] == b].sum() for g, i in rows]
                share = [(owners[g] == b).sum() / (owners[g] >= 0).sum() for g, i in rows]
                assert found[a, b] == pytest.approx(np.mean(taken))
                assert even[a, b] == pytest.approx(np.mean(share))
        np.testing.assert_allclose(found.sum(1), 1)
    assert graph.above(np.array([0.25, 1.0, 0.1]), np.array([0.25, 0.25, 0.25])).tolist() == [
        0,
        1,
        0,
    ]


def test_windows_lie_within_the_video_and_end_with_it(run):
    speaks, video = speaker.load(run), moving(7.1)
    found = looks(video, speaks, seconds=2, stride=1.5)
    assert [(look.first, look.last) for look in found] == [
        (0, 39), (30, 69), (60, 99), (90, 129), (102, 141),
    ]  # fmt: skip
    assert (found[-1].end, found[1].start) == (pytest.approx(7.1), pytest.approx(1.5))
    short = looks(moving(1), speaks, seconds=2, stride=1.5)
    assert [(look.first, look.last) for look in short] == [(0, 19)]


def test_a_window_of_a_stream_says_what_the_same_part_says_alone(run):
    """Would catch: boxes of other windows kept or lost, and rows that come in one box too late."""
    speaks, video = speaker.load(run), moving()
    where = looks(video, speaks, seconds=2, stride=1)
    found = list(watch(replace(video, tracks=()), rows_of(video), speaks, where))
    assert len(found) == len(where) == 5
    for look, window in zip(where, found, strict=True):
        inside = [row for row in rows_of(video) if look.first <= row[0] <= look.last]
        moved = [(frame - look.first, boxes) for frame, boxes in inside]
        part = replace(video, frames=40, tracks=tracks_in(moved, "person"))
        np.testing.assert_allclose(window.scores, speaks.say(part).scores, atol=1e-5)


def test_memory_holds_one_window_of_boxes(run):
    speaks, alive, most = speaker.load(run), 0, 0

    class Counted(Found):
        def __init__(self, *values: object) -> None:
            nonlocal alive, most
            super().__init__(*values)
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def rows():
        for frame in range(4000):
            yield frame, [Counted("p", "person", box(5, 5, 90), 0.9)]

    video = replace(moving(), frames=4000, tracks=())
    where = looks(video, speaks, seconds=2, stride=10)
    assert len(list(watch(video, rows(), speaks, where))) == len(where)
    assert most < 100


def test_actions_are_stretches_of_the_mean_of_the_windows_over_them():
    windows = tuple(
        results.Window(start, start + 2.0, scores, start + 1.0)
        for start, scores in ((0.0, (0.9, 0.1)), (1.0, (0.2, 0.8)), (2.0, (0.3, 0.7)))
    )
    found = results.Result(
        "v", "r", "d", ("drink", "eat"), False, False, 0.0, 20, 160, 120, 4, windows, ()
    )
    # 0-1: 0.9/0.1; 1-2: 0.55/0.45; 2-3: 0.25/0.75; 3-4: 0.3/0.7
    assert [(a.label, a.start, a.end, a.score) for a in found.actions] == [
        ("drink", 0.0, 2.0, 0.725),
        ("eat", 2.0, 4.0, 0.725),
    ]
    many = replace(found, many=True, threshold=0.5)
    assert [(a.label, a.start, a.end) for a in many.actions] == [
        ("drink", 0.0, 2.0),
        ("eat", 2.0, 4.0),
    ]
    assert list(many.scores.items()) == [("drink", 0.9), ("eat", 0.8)]
    both = replace(many, threshold=0.45)
    assert [(a.label, a.start) for a in both.actions] == [("drink", 0.0), ("eat", 1.0)]
    assert replace(found, windows=()).actions == ()


def test_a_track_is_drawn_between_two_looks_but_not_over_a_long_gap():
    rows = [
        (0, [Found("c", "cup", box(0, 0), 0.9)]),
        (4, [Found("c", "cup", box(8, 0), 0.9)]),
        (20, [Found("c", "cup", box(0, 0), 0.9)]),
    ]
    shown = list(every_frame(rows, 22, patience=5))
    assert [frame for frame, boxes in enumerate(shown) if boxes] == [0, 1, 2, 3, 4, 20]
    assert [boxes[0].xyxy[0] for boxes in shown[:5]] == [0, 2, 4, 6, 8]


def test_the_first_boxes_of_a_track_come_in_their_own_frames(tmp_path):
    video = sources.open_file(film(tmp_path / "film.mp4"))
    rows = dict(detect(video, bright, every=4))
    assert list(rows) == list(range(0, 40, 4))
    for frame, boxes in rows.items():
        assert [found.category for found in boxes] == ["person", "cup"]
        assert abs(boxes[1].xyxy[0] - (10 + frame)) <= 2


def test_everything_is_written_and_reads_back(run, tmp_path):
    video = sources.open_file(film(tmp_path / "film.mp4"))
    speaks, boxes = speaker.load(run), one.Boxes("bright squares", bright)
    settings = one.Settings(window=1.0, stride=0.5)
    result = one.predict(video, speaks, boxes, tmp_path / "out", settings)
    one.draw(result, video, tmp_path / "out", speaks.person)
    result.write(tmp_path / "out")
    assert results.read(tmp_path / "out" / "result.json") == result
    assert {seen.category for seen in result.tracks} == {"person", "cup"}
    drawn = VideoFile(tmp_path / "out" / "annotated.mp4")
    assert (drawn.frames, drawn.fps) == (40, pytest.approx(FPS))
    assert drawn.width >= WIDTH and drawn.height > HEIGHT
    with (tmp_path / "out" / "actions.csv").open() as file:
        assert [row["label"] for row in csv.DictReader(file)] == [a.label for a in result.actions]
    read = networkx.read_graphml(tmp_path / "out" / "graph.graphml")
    assert set(read) == {seen.track for seen in result.tracks}
    # The boxes can be given again, in place of the detector.
    again = sources.with_boxes(video, tmp_path / "out" / "boxes.csv", "person")
    same = one.predict(again, speaks, one.Boxes("table"), tmp_path / "again", settings)
    for a, b in zip(same.windows, result.windows, strict=True):
        np.testing.assert_allclose(a.scores, b.scores, atol=2e-3)


def test_in_python(run, tmp_path):
    model = glidn.load(run)
    table = tmp_path / "boxes.csv"
    path = film(tmp_path / "film.mp4")
    rows = [f"film,{frame},cup 1,cup,{10 + frame},50,{30 + frame},70" for frame in range(40)]
    table.write_text("video,frame,track,category,x1,y1,x2,y2\n" + "\n".join(rows) + "\n")
    result = model.predict(path, boxes=table)
    assert model.classes == make.CLASSES
    assert result.notes[0] == "no person was found, so nobody acts."
    times, scores = result.timeline
    assert scores.shape == (len(times), 3)
    result.save_video(tmp_path / "drawn.mp4")
    assert VideoFile(tmp_path / "drawn.mp4").frames == 40
    page = ET.fromstring(result._repr_html_())
    assert "nobody acts" in "".join(page.itertext())


def test_the_other_run_is_told_apart(run, tmp_path):
    speaks = speaker.load(run)
    contrary = speaker.load(run)
    for network in contrary.networks.values():
        with torch.no_grad():
            network.get_parameter("classify.1.bias").copy_(torch.tensor([0.0, 0.0, 99.0]))
    result = one.predict(moving(), speaks, one.Boxes("own"), tmp_path, other=contrary)
    best = [int(np.argmax(window.scores)) for window in result.windows]
    assert all(window.other == "eating" for window in result.windows)
    assert len(result.disagreements) == sum(k != 2 for k in best)


def test_two_broken_videos_of_five_cost_only_themselves(run, tmp_path, capsys, monkeypatch):
    """And a second call does no more than what has changed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips").mkdir()
    for number in range(3):
        film(tmp_path / "clips" / f"{number}.mp4", frames=12)
    (tmp_path / "clips" / "text.mp4").write_text("not a video")
    (tmp_path / "clips" / "empty.mp4").write_bytes(b"")
    monkeypatch.setattr(many, "boxes_from", lambda *_: one.Boxes("bright squares", bright))
    command = ["predict", "clips", "--run", str(run), "--window", "0.5"]

    def again(*more: str) -> list[str]:
        """The videos that were done anew."""
        assert main([*command, *more]) == 1
        printed = capsys.readouterr()
        assert printed.err.count("is no video that can be read") == 1
        assert printed.err.count("is empty; copy or download it again") == 1
        assert "2 of 5 videos could not be done" in printed.err
        told = [line for line in printed.out.splitlines() if line.startswith("predictions")]
        return [Path(line.split(":")[0]).name for line in told if "there already" not in line]

    assert again() == ["0", "1", "2"]
    done = sorted(path.parent.name for path in Path("predictions").glob("*/result.json"))
    assert done == ["0", "1", "2"]
    assert again() == []
    Path("predictions/1/actions.csv").unlink()
    film(tmp_path / "clips" / "2.mp4", frames=13)
    assert again() == ["1", "2"]
    assert again("--stride", "0.2") == ["0", "1", "2"]


def bad_text(folder: Path) -> Path:
    path = folder / "notes.mp4"
    path.write_text("shopping list")
    return path


def bad_image(folder: Path) -> Path:
    from PIL import Image

    path = folder / "still.png"
    Image.new("RGB", (20, 20)).save(path)
    return path


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (bad_text, "is no video that can be read, whatever its name says; give an mp4"),
        (bad_image, "is a still image"),
        (lambda folder: folder / "nowhere.mp4", "does not exist"),
        (lambda folder: folder, "neither videos"),
    ],
)
def test_what_is_no_video_is_one_sentence(made, message, run, tmp_path, capsys):
    assert main(["predict", str(made(tmp_path)), "--run", str(run), "--boxes", "x.csv"]) == 2
    assert message in capsys.readouterr().err


def test_boxes_of_another_video_are_refused(run, tmp_path):
    video = sources.open_file(film(tmp_path / "film.mp4"))
    table = tmp_path / "boxes.csv"
    table.write_text("video,frame,category,x1,y1,x2,y2\nother,0,cup,1,1,5,5\n")
    with pytest.raises(DataError, match="no box of the video film"):
        sources.with_boxes(video, table, "person")
    table.write_text("video,frame,category,x1,y1,x2,y2\nfilm,0,cup,500,1,900,5\n")
    with pytest.raises(DataError, match="may be for a larger copy of the video"):
        sources.with_boxes(video, table, "person")


def test_a_real_video_is_out_of_the_training_data_of_a_generated_run(run, tmp_path):
    about = json.loads((run / "run.json").read_text())
    about["dataset"]["name"] = "generated CAD-120"
    copied = speaker.load(run)
    generated = replace(copied, run=replace(copied.run, about=about))
    for dataset, warned in (("", True), ("CAD-120", True), ("generated CAD-120", False)):
        found = one.predict(moving(), generated, one.Boxes("own"), tmp_path, dataset=dataset)
        assert bool(found.warning) == warned, dataset
    assert not one.predict(moving(), copied, one.Boxes("own"), tmp_path).warning


def test_nothing_found_is_said(run, tmp_path):
    bare = replace(moving(), tracks=())
    result = one.predict(bare, speaker.load(run), one.Boxes("own"), tmp_path)
    assert result.windows == () and result.actions == ()
    assert result.notes == ("nothing was found: no person and no object in any frame.",)


def test_a_look_may_reach_over_the_ends(run):
    """Would catch: negative frames, which a part of a video that begins before it would ask for."""
    video = moving(2)
    look = Look(-10, 25, 0.0, 0.5, 0.35)
    (window,) = watch(replace(video, tracks=()), rows_of(video), speaker.load(run), [look])
    assert (window.start, window.end) == (0.0, 0.5)
