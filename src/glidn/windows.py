"""Parts of a video as videos of their own, and timed labels -> labelled windows.

A long video is looked at through windows of one length, every so many seconds; each window tells
what is shown at its middle, and sees what comes before and after it. Training, the test and
predictions on new videos cut with the same functions, so that they see the same.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from glidn.boxes import fill_gaps
from glidn.config import DataConfig
from glidn.errors import DataError
from glidn.timeline import UNLABELLED
from glidn.types import Dataset, Pixels, Segment, Track, Video


class Part:
    """The pixels of a video from one of its frames on; beyond its ends, the nearest frame's.

    Args:
        first: the frame of the whole video that is frame 0 here.
        frames: of the whole video.
    """

    def __init__(self, whole: Pixels, first: int, frames: int) -> None:
        self.whole = whole
        self.first = first
        self.frames = frames
        self.source = whole.source

    def own(self, frames: np.ndarray) -> np.ndarray:
        """(n,) frames of the part -> (n,) frames of the whole."""
        return np.clip(np.asarray(frames) + self.first, 0, self.frames - 1)

    def read(self, frames: np.ndarray) -> np.ndarray:
        """(n,) frame numbers -> (n, height, width, 3) uint8, RGB."""
        return self.whole.read(self.own(frames))

    def each(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """(n,) rising frame numbers -> (height, width, 3) uint8, RGB, one after the other."""
        wanted, times = np.unique(self.own(frames), return_counts=True)
        for image, often in zip(self.whole.each(wanted), times.tolist(), strict=True):
            for _ in range(often):
                yield image

    def files(self, frames: np.ndarray) -> list[Path]:
        """The files that these frames are read from."""
        return self.whole.files(self.own(frames))


def window(video: Video, first: int, last: int) -> Video:
    """A part of a video, as a video whose frames and times count from the part's own start.

    Gaps in tracks are filled before the cut; a track without a box in the part is left out, a
    label is cut to it. A part may reach over the video's ends: nobody is seen there.

    Args:
        first, last: frames of the video, both belonging to the part.

    Raises:
        DataError: the part holds none of the video's frames.
    """
    if first > last or last < 0 or first >= video.frames:
        raise DataError(
            f"{video.source or video.name}: frames {first} to {last} are no part of the video "
            f"{video.name}, which has the frames 0 to {video.frames - 1}."
        )
    tracks = [_cut(fill_gaps(track), first, last) for track in video.tracks if len(track.frames)]
    return replace(
        video,
        name=f"{video.name}@{first}",
        frames=last - first + 1,
        tracks=tuple(track for track in tracks if len(track.frames)),
        segments=_cut_segments(video, first, last),
        pixels=None if video.pixels is None else Part(video.pixels, first, video.frames),
    )


def spans(video: Video, seconds: float, stride: float) -> list[tuple[int, int]]:
    """(first, last) frames of the windows over a video, by their middles.

    The middles lie every `stride` seconds, the first and the last of them as far from the ends as
    from each other at most; so windows reach over the ends.
    """
    step = max(1, round(stride * video.fps))
    middles = range(min(step // 2, video.frames - 1), video.frames, step)
    return [around(video, middle, seconds) for middle in middles]


def around(video: Video, middle: int, seconds: float) -> tuple[int, int]:
    """The (first, last) frames of the window with that middle frame; their number is odd."""
    reach = round(seconds * video.fps / 2)
    return middle - reach, middle + reach


def learnt(dataset: Dataset, data: DataConfig) -> Dataset:
    """The dataset as the settings want it learnt: by its videos' labels, or by its timed ones.

    Raises:
        DataError: there are no timed labels, or two are shown at once.
    """
    return timed(dataset) if data.samples == "windows" else dataset


def timed(dataset: Dataset) -> Dataset:
    """The dataset, to learn its timed labels and when each of them is shown.

    Raises:
        DataError: there are none, or two are shown at once.
    """
    for video in dataset.videos:
        _check_segments(video)
    found = {segment.label for video in dataset.videos for segment in video.segments}
    if not found:
        raise DataError(
            f"{dataset.root} has no timed labels to learn (data.samples=windows); add them to "
            "labels.csv, or learn a label per video (data.samples=video)."
        )
    return replace(dataset, task="timed", classes=tuple(sorted(found)))


def timeline(video: Video, classes: Sequence[str]) -> np.ndarray:
    """(F,) the class of every frame, by the time of its middle; `UNLABELLED` without any."""
    found = np.full(video.frames, UNLABELLED, np.int64)
    for segment in video.segments:
        first, last = frames_of(segment, video)
        found[first : last + 1] = classes.index(segment.label)
    return found


def frames_of(segment: Segment, video: Video) -> tuple[int, int]:
    """The first and the last frame whose middle lies in the segment; one frame at least."""
    first, after = (math.ceil(t * video.fps - 0.5) for t in (segment.start, segment.end))
    first = min(first, video.frames - 1)
    return first, max(first, min(after, video.frames) - 1)


def name_of(segment: Segment, video: Video) -> str:
    """What a segment is called in tables of predictions: the video's name and its start."""
    return f"{video.name}@{segment.start:g}"


def windows(
    video: Video, classes: Sequence[str], seconds: float, stride: float
) -> list[tuple[int, Video]]:
    """The windows over a video that show a box, each with its middle frame.

    The label of a window is what its middle shows, or "".
    """
    labels = timeline(video, classes)
    filled = replace(video, tracks=tuple(fill_gaps(t) for t in video.tracks if len(t.frames)))
    found = []
    for first, last in spans(video, seconds, stride):
        middle = (first + last) // 2
        part = window(filled, first, last)
        if part.tracks:
            label = "" if labels[middle] == UNLABELLED else classes[labels[middle]]
            found.append((middle, replace(part, label=label)))
    return found


def segments(dataset: Dataset, seconds: float) -> Dataset:
    """A dataset whose videos are the windows around the middles of the segments, to look at."""
    found = []
    for video in dataset.videos:
        for segment in video.segments:
            middle = sum(frames_of(segment, video)) // 2
            part = window(video, *around(video, middle, seconds))
            found.append(replace(part, name=name_of(segment, video), label=segment.label))
    return replace(timed(dataset), videos=tuple(found))


def _cut(track: Track, first: int, last: int) -> Track:
    here = slice(*np.searchsorted(track.frames, [first, last + 1]))
    return replace(
        track,
        frames=track.frames[here] - first,
        xyxy=track.xyxy[here],
        scores=None if track.scores is None else track.scores[here],
    )


def _cut_segments(video: Video, first: int, last: int) -> tuple[Segment, ...]:
    begin, end = first / video.fps, (last + 1) / video.fps
    return tuple(
        Segment(part.label, max(part.start, begin) - begin, min(part.end, end) - begin)
        for part in video.segments
        if part.start < end and part.end > begin
    )


def _check_segments(video: Video) -> None:
    where = f"{video.source or video.name}: in the video {video.name}"
    frame = 1 / video.fps  # ends may be rounded, and one frame belong to both neighbours
    for part in video.segments:
        if part.start < 0 or part.end > video.seconds + 2 * frame or part.start >= part.end:
            raise DataError(
                f"{where}, {part.label!r} from {part.start:g} to {part.end:g} s is not within its "
                f"{video.seconds:g} s."
            )
    for one, other in pairwise(sorted(video.segments, key=lambda part: part.start)):
        if one.end > other.start + 2 * frame:
            raise DataError(
                f"{where}, {one.label!r} and {other.label!r} are shown at once, at "
                f"{other.start:g} s; data.samples=windows learns one label at a time."
            )
