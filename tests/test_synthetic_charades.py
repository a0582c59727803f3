"""Generated videos in Charades' layout: labels are what happens, boxes are where things are."""

import csv
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from glidn.cli.generate import main as generate_command
from glidn.datasets import load
from glidn.datasets.charades_pixels import FPS
from glidn.datasets.check import examine
from glidn.datasets.synthetic import CharadesConfig, charades, write_charades
from glidn.datasets.synthetic.charades import Plan, plan, planned
from glidn.datasets.synthetic.charades_labels import ACTIONS, CODES, actions
from glidn.datasets.synthetic.charades_layout import shown_on_grid
from glidn.datasets.synthetic.performance import durations
from glidn.datasets.synthetic.person import pose
from glidn.datasets.synthetic.scene import frames, set_stage
from glidn.datasets.synthetic.world import SUBJECTS
from glidn.errors import DataError, SettingError
from glidn.types import Dataset
from glidn.video import write_video

SMALL = CharadesConfig(seed=3, train=4, test=1, seconds=3.0, size=48)
LARGE = CharadesConfig(train=150, test=60)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("charades")
    write_charades(root, SMALL, workers=1)
    return root


@pytest.fixture(scope="module")
def read(written: Path) -> Dataset:
    return load(written)


@pytest.fixture(scope="module")
def plans() -> dict[str, list[Plan]]:
    found: dict[str, list[Plan]] = {"train": [], "test": []}
    for part, number in planned(LARGE):
        found[part].append(plan(LARGE, part, number))
    return found


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


# --- the files ----------------------------------------------------------------------------------


def test_the_official_reader_finds_nothing_wrong(written: Path, read: Dataset) -> None:
    """Would catch: actions past the end, videos of another length, boxes outside their frames."""
    assert not examine(written, all_pixels=True).problems
    assert read.classes == tuple(f"{code} {action}" for action, code in CODES.items())
    assert len(read.classes) == len(set(read.classes)) >= 24
    assert Counter(video.split for video in read.videos) == {"train": 4, "test": 1}
    assert {video.subject for video in read.videos} == {"SUB1", "SUB3", "SUB4", "SUB5"}
    for video in read.videos:
        assert min(video.width, video.height) == SMALL.size
        assert 0.79 * SMALL.seconds < video.seconds < 1.21 * SMALL.seconds
        assert video.tracks[0].category == "person"
        assert len(video.tracks) in (6, 7)  # what is in a microwave may never be seen
    assert sum(len(video.segments) for video in read.videos) > 6


def test_the_csv_files_have_the_official_columns(written: Path) -> None:
    with (written / "Charades_v1_train.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    official = "id,subject,scene,quality,relevance,verified,script,objects,descriptions"
    assert list(rows[0]) == [*official.split(","), "actions", "length"]
    for row in rows:
        assert all(row.values())
        frames_listed = float(row["length"]) * FPS
        assert frames_listed == pytest.approx(round(frames_listed), abs=0.005 * FPS)


def test_two_workers_write_the_same_bytes_as_one(written: Path, tmp_path: Path) -> None:
    """Would catch: videos whose bytes depend on the machine, or boxes in order of completion."""
    seen: list[tuple[int, int]] = []
    write_charades(tmp_path, SMALL, workers=2, progress=lambda *state: seen.append(state))
    assert contents(tmp_path) == contents(written)
    assert seen == [(k, 5) for k in range(1, 6)]


def test_equal_frames_are_equal_files(tmp_path: Path) -> None:
    """Would catch: libx264's mbtree, which made two or three files of the same small frames."""
    shot = plan(SMALL, "test", 0)
    stage = set_stage(
        SUBJECTS[shot.subject], shot.performance, shot.room, shot.width, shot.height, shot.rng
    )
    drawn = [frame.rgb for frame in frames(stage)]
    found, kept = set(), []
    for size in range(1, 12):
        kept.append(np.full(9973 * size, size, np.uint8))  # other memory, other rubbish in it
        write_video(tmp_path / "a.mp4", drawn, shot.fps, repeatable=True)
        found.add((tmp_path / "a.mp4").read_bytes())
    assert len(found) == 1


def test_an_interrupted_generation_leaves_no_half_video_and_goes_on(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = charades.frames

    def fails_half_way(stage):  # type: ignore[no-untyped-def]
        for number, frame in enumerate(original(stage)):
            if stage.subject is SUBJECTS[4] and number == 5:
                raise KeyboardInterrupt
            yield frame

    monkeypatch.setattr(charades, "frames", fails_half_way)
    with pytest.raises(KeyboardInterrupt):
        write_charades(tmp_path, SMALL, workers=1)
    videos = tmp_path / "Charades_v1_480"
    assert sorted(path.name for path in videos.iterdir()) == ["A0000.mp4", "A0001.mp4"]
    assert not (tmp_path / "boxes.csv").exists()

    monkeypatch.setattr(charades, "frames", original)
    before = (videos / "A0001.mp4").stat().st_mtime_ns
    write_charades(tmp_path, SMALL, workers=1)
    assert contents(tmp_path) == contents(written)
    assert (videos / "A0001.mp4").stat().st_mtime_ns == before

    # What somebody deletes comes back, and nothing else is drawn again.
    (videos / "B0000.mp4").unlink()
    write_charades(tmp_path, SMALL, workers=1)
    assert contents(tmp_path) == contents(written)
    with pytest.raises(DataError, match="other settings"):
        write_charades(tmp_path, replace(SMALL, seed=1))


# --- the boxes ----------------------------------------------------------------------------------


def test_boxes_are_those_of_what_the_decoder_shows_at_the_time(read: Dataset) -> None:
    """Would catch: boxes counted in the video's own frames, which drift away on the 24-fps grid."""
    rates = set()
    for video in read.videos:
        part = video.split
        shot = plan(SMALL, part, int(video.name[1:]))
        rates.add(shot.fps)
        subject = SUBJECTS[shot.subject]
        stage = set_stage(subject, shot.performance, shot.room, video.width, video.height, shot.rng)
        drawn = list(frames(stage))
        numbers = np.arange(video.frames)
        own = video.pixels.own(numbers)  # type: ignore[union-attr]
        np.testing.assert_array_equal(shown_on_grid(shot.frames, shot.fps), own)
        names = charades.track_names(shot.performance.objects)
        for track in video.tracks:
            k = [name for name, _ in names].index(track.name)
            owner = charades.PERSON if k == 0 else k
            boxes = dict(zip(track.frames.tolist(), track.xyxy.astype(int).tolist(), strict=True))
            for n in numbers[::7].tolist():
                points = np.argwhere(drawn[own[n]].owner == owner)
                if len(points) < 6:
                    assert n not in boxes
                    continue
                (y1, x1), (y2, x2) = points.min(0), points.max(0) + 1
                assert boxes[n] == [x1, y1, x2, y2]
        # And the decoder shows that very frame: nearer to it than to others, where things move.
        moved = [n for n in numbers[::5].tolist() if own[n] > 6]
        for n, image in zip(moved, video.pixels.read(np.array(moved)), strict=True):  # type: ignore[union-attr]
            now, earlier = (
                np.abs(image.astype(float) - drawn[at].rgb).mean() for at in (own[n], own[n] - 6)
            )
            changed = np.abs(drawn[own[n]].rgb.astype(float) - drawn[own[n] - 6].rgb).mean()
            assert now < 6 and (changed < 2 or now < earlier)
    assert len(rates) >= 3


# --- the labels ---------------------------------------------------------------------------------


def test_every_action_is_learnt_from_several_videos(plans: dict[str, list[Plan]]) -> None:
    for part, least in (("train", 8), ("test", 2)):
        counts = Counter(action for shot in plans[part] for action in {a for a, *_ in shot.actions})
        assert set(counts) == set(ACTIONS)
        assert min(counts.values()) >= least
        assert {SUBJECTS[shot.subject].shoulder for shot in plans[part]} == {
            subject.shoulder for subject in SUBJECTS.values()
        }
    empty = [shot for part in plans.values() for shot in part if not shot.actions]
    assert 1 <= len(empty) <= 10


def test_actions_overlap_in_time(plans: dict[str, list[Plan]]) -> None:
    """Would catch: one label after the other, as in CAD-120, for which one softmax would do."""
    overlapping = 0
    for shot in plans["train"]:
        spans = shot.actions
        overlapping += any(a[1] < b[2] and b[1] < a[2] for a, b in combinations(spans, 2))
        for action, first, end in spans:
            assert 0 <= first < end <= shot.frames
            if action == "Drinking from a cup":
                held = [span for span in spans if span[0] == "Holding a cup"]
                assert any(start <= first and end <= stop for _, start, stop in held)
    assert overlapping > 0.9 * len(plans["train"])


def test_rates_and_sizes_are_mixed(plans: dict[str, list[Plan]]) -> None:
    shots = plans["train"]
    assert {round(float(shot.fps), 3) for shot in shots} == {
        *(12, 15, 23.976, 24, 25, 29.97, 30),
    }
    assert {(128, 96), (96, 128), (170, 96), (96, 170)} <= {
        (shot.width, shot.height) for shot in shots
    }


def test_the_presence_of_a_thing_does_not_tell_what_happens(plans: dict[str, list[Plan]]) -> None:
    """Would catch: cups that are there only where somebody drinks."""
    present: Counter[str] = Counter()
    handled: Counter[str] = Counter()
    for shot in plans["train"]:
        director = shot.script.director
        who = {k for step in director.steps for k in step.affordances}
        assert len(director.objects) == 6 and len(who) <= 4
        present.update(set(director.objects))
        handled.update({director.objects[k] for k in who})
    for category, count in present.items():
        assert 0.1 < handled[category] / count < 0.8, category


@pytest.mark.parametrize("fps", [12, 30])
def test_times_of_labels_are_those_of_the_movements(plans: dict[str, list[Plan]], fps: int) -> None:
    """Would catch: spans off by a step, or times that depend on the frame rate.

    An object that moves is held, and one that is held is where the hand is: read off the played
    arrays, which know nothing of labels.
    """
    shots = [shot for shot in plans["train"] if shot.fps == fps]
    assert len(shots) > 10
    for shot in shots:
        show = shot.performance
        moves = np.abs(np.diff(show.place, axis=0)).max(-1) > 1e-4  # (T - 1, N)
        held = np.zeros(moves.shape[0] + 1, bool)
        for action, first, end in shot.actions:
            if action.startswith("Holding"):
                held[first:end] = True
        moving = moves.any(1)
        assert not (moving & ~held[1:]).any()
        # Taking up and setting down, every held stretch moves most of its time or is held still.
        for action, first, end in shot.actions:
            if action.startswith("Putting") and end < shot.frames:
                assert moving[first : end - 1].any() and not moving[end - 1]
            if action.startswith(("Opening", "Closing")):
                swung = np.abs(np.diff(show.opening[first:end], axis=0)).max(initial=0)
                assert swung > 0
            if action.startswith("Pouring"):
                assert (show.pouring[first:end] >= 0).any() or end - first < 6


def test_one_script_at_two_rates_has_its_actions_at_the_same_times() -> None:
    for number in range(7):
        script = plan(LARGE, "train", number).script
        weights = np.array([step.weight for step in script.director.steps])
        slow, fast = (
            actions(script, durations(weights, 10 * fps, "x").tolist()) for fps in (12, 30)
        )
        assert len(slow) == len(fast)
        # A step takes whole frames, one at least, so times differ by a few of the slower rate.
        for (_, first, end), (_, quick_first, quick_end) in zip(slow, fast, strict=True):
            assert first / 12 == pytest.approx(quick_first / 30, abs=0.5)
            assert end / 12 == pytest.approx(quick_end / 30, abs=0.5)


def test_the_hand_gets_where_the_script_wants_it(plans: dict[str, list[Plan]]) -> None:
    for shot in plans["train"][::5]:
        person = SUBJECTS[shot.subject]
        name = "right_hand" if person.right_handed else "left_hand"
        for hand in shot.performance.hand[::11]:
            assert np.linalg.norm(pose(person, hand).joints[name] - hand) < 0.02


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"train": 0}, "train is 0; it must be 1 or more"),
        ({"seconds": float("nan")}, "seconds is nan; it must be 3 or more"),
        ({"seconds": float("inf")}, "seconds is inf"),
        ({"size": 31}, "size is 31; it must be 32 or more"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        CharadesConfig(**wrong)  # type: ignore[arg-type]


def test_the_shortest_videos_have_frames_for_their_scripts() -> None:
    """Would catch: a step without a frame, whose action would then never be seen."""
    short = CharadesConfig(seconds=3, train=120)
    for number in range(short.train):
        made = plan(short, "train", number)
        assert min(made.counts) >= 1
        assert sum(made.counts) >= 0.8 * 3 * made.fps - 1


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = {"train": 1, "test": 1, "seconds": 3, "size": 32, "workers": 1}
    asked = ["--layout", "charades", *(f"--{name}={value}" for name, value in small.items())]
    assert generate_command([str(tmp_path), *asked]) == 0
    assert f"glidn check {tmp_path}" in capsys.readouterr().out
    assert (len(load(tmp_path).videos), load(tmp_path).name) == (2, "generated Charades")
    with pytest.raises(SettingError, match="--frames is for --layout cad120, and the layout is c"):
        generate_command([str(tmp_path), "--layout", "charades", "--frames", "9"])
    with pytest.raises(SettingError, match="--train is for --layout charades"):
        generate_command([str(tmp_path), "--train", "9"])
