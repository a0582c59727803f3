"""Windows: what is cut, and that everything in them is cut alike."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from glidn.boxes import fill_gaps
from glidn.errors import DataError
from glidn.timeline import UNLABELLED
from glidn.types import Dataset, Segment, Track, Video
from glidn.windows import frames_of, segments, spans, timed, timeline, window, windows

CLASSES = ("moving", "reaching")


@dataclass(frozen=True)
class Numbered:
    """Every pixel of a frame is its number."""

    source: str = "numbered"

    def read(self, frames: np.ndarray) -> np.ndarray:
        return np.stack(list(self.each(frames)))

    def each(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        for frame in frames.tolist():
            yield np.full((40, 50, 3), frame, np.uint8)

    def files(self, frames: np.ndarray) -> list[Path]:
        return [Path(f"{frame}.png") for frame in frames.tolist()]


def video(frames: int = 60, fps: float = 10.0) -> Video:
    """A person in every frame and a cup in every third one of the first half; x1 is the frame."""
    at = np.arange(frames)
    seen = at[3 : frames // 2 : 3]

    def boxes(at: np.ndarray) -> np.ndarray:
        return np.stack([at, 0 * at + 5, at + 7, 0 * at + 23], -1).astype(np.float32)

    return Video(
        name="v",
        subject="anna",
        split="",
        label="",
        frames=frames,
        fps=fps,
        width=640,
        height=480,
        tracks=(
            Track("0", "person", at, boxes(at)),
            Track("1", "cup", seen, boxes(seen), np.ones(len(seen), np.float32)),
        ),
        segments=(Segment("reaching", 0.5, 2.0), Segment("moving", 2.0, 4.7)),
        pixels=Numbered(),
        source="made-up",
    )


def dataset(*videos: Video) -> Dataset:
    return Dataset("made-up", Path("made-up"), "multi", CLASSES, "subjects", videos)


@pytest.mark.parametrize(("first", "last"), [(11, 23), (-5, 7), (20, 70), (-9, 99)])
def test_everything_is_cut_alike(first, last):
    whole = video()
    part = window(whole, first, last)
    assert part.frames == last - first + 1
    for track in part.tracks:
        before = fill_gaps(next(t for t in whole.tracks if t.name == track.name))
        inside = (before.frames >= first) & (before.frames <= last)
        assert (track.frames + first == before.frames[inside]).all()
        assert (track.xyxy == before.xyxy[inside]).all()
        assert track.xyxy[:, 0] == pytest.approx(track.frames + first), "x1 is the frame's number"
        assert track.scores is None or len(track.scores) == len(track.frames)
    assert part.pixels is not None
    every = np.arange(part.frames)
    painted = part.pixels.read(every)[:, 0, 0, 0]
    assert painted.tolist() == (every + first).clip(0, 59).tolist()
    assert [image[0, 0, 0] for image in part.pixels.each(every)] == painted.tolist()
    assert [int(path.stem) for path in part.pixels.files(every)] == painted.tolist()


def test_gaps_are_filled_before_the_cut():
    """The cup is seen in frames 6 and 9 but not between them."""
    assert [track.name for track in window(video(), 7, 8).tracks] == ["0", "1"]
    assert [track.name for track in window(video(), 40, 45).tracks] == ["0"]


def test_labels_are_cut_to_the_window_and_count_from_its_start():
    part = window(video(), 15, 29)
    assert [segment.label for segment in part.segments] == ["reaching", "moving"]
    times = [(segment.start, segment.end) for segment in part.segments]
    assert np.array(times) == pytest.approx(np.array([(0, 0.5), (0.5, 1.5)]))


def test_a_window_beside_the_video_is_one_sentence():
    with pytest.raises(DataError, match=r"frames 60 to 70 are no part .* has the frames 0 to 59"):
        window(video(), 60, 70)


def test_windows_cover_every_frame_and_tell_what_their_middle_shows():
    whole = video()
    found = windows(whole, CLASSES, 1.0, 0.5)
    labels = timeline(whole, CLASSES)
    covered = np.zeros(whole.frames, int)
    for (first, last), (middle, part) in zip(spans(whole, 1.0, 0.5), found, strict=True):
        assert middle - first == last - middle == 5
        covered[max(0, first) : last + 1] += 1
        expected = "" if labels[middle] == UNLABELLED else CLASSES[labels[middle]]
        assert part.label == expected
    assert covered.min() >= 1
    assert np.diff([middle for middle, _ in found]).tolist() == [5] * 11
    assert len({part.name for _, part in found}) == len(found)


def test_a_video_shorter_than_the_stride_has_one_window():
    assert spans(replace(video(), frames=3), 2.0, 9.0) == [(-8, 12)]


def test_frames_belong_to_the_segment_that_holds_their_middle():
    labels = timeline(video(), CLASSES)
    assert labels.tolist() == [UNLABELLED] * 5 + [1] * 15 + [0] * 27 + [UNLABELLED] * 13
    assert frames_of(Segment("moving", 2.04, 2.05), video()) == (20, 20), "one frame at least"


def test_timed_labels_become_the_classes():
    found = timed(dataset(video()))
    assert (found.task, found.classes) == ("timed", CLASSES)
    parts = segments(found, 3.0).videos
    assert [(part.name, part.label) for part in parts] == [("v@0.5", "reaching"), ("v@2", "moving")]


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ((), r"made-up has no timed labels to learn \(data.samples=windows\)"),
        ((Segment("moving", 5.0, 6.4),), r"'moving' from 5 to 6.4 s is not within its 6 s"),
        ((Segment("moving", -1.0, 3.0),), r"'moving' from -1 to 3 s is not within"),
        (
            (Segment("moving", 1.0, 3.0), Segment("reaching", 2.5, 4.0)),
            r"'moving' and 'reaching' are shown at once, at 2.5 s",
        ),
    ],
)
def test_labels_that_cannot_be_learnt_are_one_sentence(parts, sentence):
    with pytest.raises(DataError, match=sentence):
        timed(dataset(replace(video(), segments=parts)))
