"""A video watched through windows that slide over it; memory does not grow with its length."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np

from glidn.boxes import fill_gaps
from glidn.errors import SettingError
from glidn.prediction.result import Effect, Relation, Window
from glidn.prediction.speaker import Said, Speaker
from glidn.types import Track, Video
from glidn.windows import spans, window

Progress = Callable[[int, int], None]
# Of one window, the strongest are kept.
MOST_EFFECTS, MOST_RELATIONS = 12, 12


@dataclass(frozen=True)
class Found:
    """One box of a frame.

    Attributes:
        xyxy: (4,) float32, pixels.
        score: 0..1; NaN where people drew it.
    """

    track: str
    category: str
    xyxy: np.ndarray
    score: float = math.nan


# A frame's number and its boxes; rising.
Rows = Iterable[tuple[int, Sequence[Found]]]


@dataclass(frozen=True)
class Look:
    """A window to come.

    Attributes:
        first, last: the frames that it sees, both included; they may reach over the ends.
        start, end: seconds, the stretch of the video that it speaks for.
        at: seconds, its middle frame.
    """

    first: int
    last: int
    start: float
    end: float
    at: float


def looks(video: Video, speaker: Speaker, seconds: float, stride: float) -> list[Look]:
    """The windows over a video.

    A run that was trained on windows says what is shown at their middles; any other what a
    whole video shows, so that its windows lie within the video, and each speaks for all of itself.

    Raises:
        SettingError: a length is not above 0.
    """
    for name, value in (("--window", seconds), ("--stride", stride)):
        if not value > 0:
            raise SettingError(f"{name} is {value:g} seconds; it must be above 0.")
    if speaker.timed:
        found = spans(video, seconds, stride)
        middles = [(first + last) // 2 / video.fps for first, last in found]
        borders = [0.0, *((a + b) / 2 for a, b in pairwise(middles)), video.seconds]
        return [
            Look(*span, *ends, middle)
            for span, ends, middle in zip(found, pairwise(borders), middles, strict=True)
        ]
    length = min(max(round(seconds * video.fps), 1), video.frames)
    last = video.frames - length
    starts = [*range(0, last, max(round(stride * video.fps), 1)), last]
    return [
        Look(
            first=at,
            last=at + length - 1,
            start=at / video.fps,
            end=(at + length) / video.fps,
            at=(at + (length - 1) / 2) / video.fps,
        )
        for at in starts
    ]


def rows_of(video: Video) -> Iterator[tuple[int, list[Found]]]:
    """The boxes that a video comes with, by the frames that have any.

    People draw key frames, so gaps in tracks without scores are filled. A detector's boxes are
    taken as they were found, so that a table that was written says the same when it is read.
    """
    tracks = [track if track.scores is not None else fill_gaps(track) for track in video.tracks]
    frames = np.concatenate([np.zeros(0, np.int64), *(track.frames for track in tracks)])
    whose = np.repeat(np.arange(len(tracks)), [len(track.frames) for track in tracks])
    rows = np.concatenate([np.zeros(0, np.int64), *(np.arange(len(t.frames)) for t in tracks)])
    order = np.lexsort((whose, frames))
    for frame, places in groupby(order, key=lambda place: int(frames[place])):
        found = []
        for place in places:
            track, row = tracks[whose[place]], rows[place]
            score = math.nan if track.scores is None else float(track.scores[row])
            found.append(Found(track.name, track.category, track.xyxy[row], score))
        yield frame, found


def watch(
    video: Video,
    rows: Rows,
    speaker: Speaker,
    where: Sequence[Look],
    other: Speaker | None = None,
    progress: Progress | None = None,
) -> Iterator[Window]:
    """What a run says of every window in which there is a box.

    Args:
        video: without tracks; they come as `rows`.
        where: of `looks`.
        other: another run of the same classes, to tell where it says something else.
        progress: called with the windows done and their number.

    Raises:
        DataError: the video cannot be decoded.
    """
    recent: deque[tuple[int, Sequence[Found]]] = deque()
    coming = iter(rows)
    ended = False
    for number, look in enumerate(where):
        while recent and recent[0][0] < look.first:
            recent.popleft()
        while not ended and (not recent or recent[-1][0] < look.last):
            row = next(coming, None)
            ended = row is None
            if row is not None and row[0] >= look.first:
                recent.append(row)
        tracks = tracks_in((row for row in recent if row[0] <= look.last), speaker.person)
        if tracks:
            part = window(replace(video, tracks=tracks), look.first, look.last)
            yield _window(part, look, speaker, other)
        if progress:
            progress(number + 1, len(where))


def tracks_in(rows: Rows, person: str) -> tuple[Track, ...]:
    """The tracks of some frames: people first, then objects, each in the order of appearance."""
    frames: dict[str, list[int]] = {}
    found: dict[str, list[Found]] = {}
    for frame, boxes in rows:
        for box in boxes:
            frames.setdefault(box.track, []).append(frame)
            found.setdefault(box.track, []).append(box)
    made = []
    for name, boxes in found.items():
        scores = np.array([box.score for box in boxes], np.float32)
        made.append(
            Track(
                name=name,
                category=boxes[-1].category,
                frames=np.array(frames[name], np.int64),
                xyxy=np.stack([box.xyxy for box in boxes]).astype(np.float32),
                scores=None if np.isnan(scores).any() else scores,
            )
        )
    return tuple(sorted(made, key=lambda track: track.category != person))


def _window(part: Video, look: Look, speaker: Speaker, other: Speaker | None) -> Window:
    said = speaker.say(part)
    there = other.say(part).scores if other else None
    return Window(
        start=round(look.start, 3),
        end=round(look.end, 3),
        at=round(look.at, 4),
        scores=tuple(round(float(score), 5) for score in said.scores),
        effects=_effects(said, part, speaker.classes),
        relations=_relations(said, part),
        other="" if there is None else speaker.classes[int(there.argmax())],
    )


def _effects(said: Said, part: Video, classes: Sequence[str]) -> tuple[Effect, ...]:
    best = int(said.scores.argmax())
    found = [
        Effect(track.name, track.category, classes[best], round(float(change), 5))
        for track, change in zip(part.tracks, said.effects[:, best], strict=True)
    ]
    return tuple(sorted(found, key=lambda effect: -abs(effect.change))[:MOST_EFFECTS])


def _relations(said: Said, part: Video) -> tuple[Relation, ...]:
    names = [track.name for track in part.tracks]
    found = [
        Relation(names[a], names[b], round(float(said.heard[a, b]), 5), round(float(strength), 5))
        for (a, b), strength in np.ndenumerate(said.strength)
        if a != b and strength > 0.01
    ]
    return tuple(sorted(found, key=lambda relation: -relation.strength)[:MOST_RELATIONS])
