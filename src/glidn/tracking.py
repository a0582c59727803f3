"""Detections, frame after frame -> tracks, as they come in: who is who, in constant memory.

Each track predicts its box at constant velocity (a Kalman filter), and detections are given to
tracks so that the sum of their overlaps is largest. As in ByteTrack (Zhang et al. 2022), the sure
detections come first, and the unsure ones may then continue a track but never begin one: a thing
that is half hidden is found with a low score, and so is what is not there. Nothing is random.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from glidn.detectors import Detections
from glidn.errors import SettingError

# The filter, in sizes of the box (the root of its area), so that near and far are alike.
BOX_NOISE = 0.05  # how far a detector's box is off
SPEED = 2.0  # of a new track, sizes a second
AGITATION = 4.0  # how much the speed changes within a second, sizes a second: hands are quick
OTHER = 0.5  # of an overlap counts between a track and a detection of another category
UNSURE_OVERLAP = 0.5  # of an unsure detection: low scores beside a track are often something else
TWIN = 0.7  # a box that overlaps a tracked one more is the same thing by another category's name


@dataclass(frozen=True)
class TrackSettings:
    """What makes a track.

    Attributes:
        sure: least score of a detection that may begin a track.
        least: least score of one that may continue a track.
        overlap: least intersection over union of a detection and a track's predicted box.
        hits: detections in successive looks that confirm a track.
        patience: seconds that a track waits for its next detection before it ends.
    """

    sure: float = 0.4
    least: float = 0.1
    overlap: float = 0.2
    hits: int = 2
    patience: float = 1.0


@dataclass(frozen=True)
class Tracked:
    """A detection that belongs to a track.

    Attributes:
        track: from 1, in the order in which tracks were first seen; never given twice.
        frame: in which it was found.
        category: what the track has been found to be so far, by the sum of the scores; the
            detection may have said otherwise.
        xyxy: (4,) float32, pixels: the detector's box.
        score: the detector's.
    """

    track: int
    frame: int
    category: str
    xyxy: np.ndarray
    score: float


class Tracker:
    """The tracks of one video; frames may be passed over.

    Memory holds the tracks that are alive: at most as many as were found within `patience`.

    Args:
        fps: frames a second, to turn frame numbers into time.

    Raises:
        SettingError: a setting that cannot be.
    """

    def __init__(self, fps: float, settings: TrackSettings | None = None) -> None:
        self.fps = fps
        self.settings = settings or TrackSettings()
        _check(fps, self.settings)
        self.alive: list[_Track] = []
        self._frame = -1
        self._begun = 0

    def update(self, frame: int, found: Detections) -> list[Tracked]:
        """Give the detections of one frame to the tracks.

        A track is confirmed by its second detection (`hits`), and the ones before come with it,
        each with its own frame: nothing of a track is lost, and nothing is shown that turns out
        to be none. What is not wanted late can be told by `Tracked.frame`.

        Args:
            frame: larger than in the call before.

        Returns:
            The boxes of confirmed tracks, by track, then frame.

        Raises:
            ValueError: the frame is not behind the last one.
        """
        if frame <= self._frame:
            raise ValueError(f"frame {frame} comes after frame {self._frame}")
        self._frame = frame
        settings = self.settings
        longest = settings.patience * self.fps
        self.alive = [track for track in self.alive if frame - track.frame <= longest]
        confirmed = [track for track in self.alive if track.confirmed]
        begun = [track for track in self.alive if not track.confirmed]
        sure = np.flatnonzero(found.scores >= settings.sure)
        unsure = np.flatnonzero((found.scores < settings.sure) & (found.scores >= settings.least))

        pairs, confirmed, sure = _match(confirmed, sure, found, frame, settings.overlap)
        more, _, _ = _match(confirmed, unsure, found, frame, UNSURE_OVERLAP)
        first, lost, sure = _match(begun, sure, found, frame, settings.overlap)
        self.alive = [track for track in self.alive if track not in lost]
        said: list[Tracked] = []
        for track, row in pairs + more + first:
            track.take(frame, found, row)
            said += self._say(track)
        taken = found.xyxy[[row for _, row in pairs + more + first]]
        for row in sure.tolist():
            if (_overlaps(found.xyxy[row][None], taken) > TWIN).any():
                continue
            taken = np.concatenate([taken, found.xyxy[row][None]])
            self._begun += 1
            track = _Track(self._begun, self.fps, frame, found.xyxy[row])
            track.take(frame, found, row)
            self.alive.append(track)
            said += self._say(track)
        return sorted(said, key=lambda it: (it.track, it.frame))

    def _say(self, track: "_Track") -> list[Tracked]:
        """The boxes of a track that were not said yet, once it is confirmed."""
        track.confirmed |= len(track.unsaid) >= self.settings.hits
        if not track.confirmed:
            return []
        category = track.category
        said = [Tracked(track.number, at, category, box, score) for at, box, score in track.unsaid]
        track.unsaid.clear()
        return said


@dataclass(eq=False)
class _Track:
    """A track that is alive, as of its last detection.

    Attributes:
        frame: of its last detection.
        xyxy: (4,) its first box.
        state: (2, 4): centre and size, and their change a second, smoothed; pixels.
        spread: (2, 2) the covariance of a row of `state`, in squares of the size.
        votes: category -> sum of scores.
        unsaid: (frame, box, score) of the detections that were not reported yet.
    """

    number: int
    fps: float
    frame: int
    xyxy: np.ndarray
    confirmed: bool = False
    spread: np.ndarray = field(default_factory=lambda: np.diag([BOX_NOISE**2, SPEED**2]))
    votes: dict[str, float] = field(default_factory=dict)
    unsaid: list[tuple[int, np.ndarray, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = np.stack([_centred(self.xyxy), np.zeros(4)])

    @property
    def category(self) -> str:
        """The first of the best."""
        return max(self.votes, key=lambda name: self.votes[name])

    def predict(self, frame: int) -> np.ndarray:
        """(4,) the box in a later frame; its size stays, because a line would take it below 0."""
        centre, size = self.state[0, :2], self.state[0, 2:]
        centre = centre + self.state[1, :2] * (frame - self.frame) / self.fps
        return np.concatenate([centre - size / 2, centre + size / 2])

    def take(self, frame: int, found: Detections, row: int) -> None:
        """Move to a detection: predict, then correct."""
        if frame > self.frame:
            self._correct((frame - self.frame) / self.fps, _centred(found.xyxy[row]))
        self.frame = frame
        name, score = found.categories[row], float(found.scores[row])
        self.votes[name] = self.votes.get(name, 0.0) + score
        self.unsaid.append((frame, found.xyxy[row], score))

    def _correct(self, step: float, box: np.ndarray) -> None:
        onward = np.array([[1, step], [0, 1]])
        drift = np.array([[step**3 / 3, step**2 / 2], [step**2 / 2, step]]) * AGITATION**2
        spread = onward @ self.spread @ onward.T + drift
        gain = spread[:, 0] / (spread[0, 0] + BOX_NOISE**2)  # (2,)
        state = onward @ self.state
        self.state = state + gain[:, None] * (box - state[0])
        self.state[1, 2:] = 0  # the size is followed, not predicted
        self.spread = spread - np.outer(gain, spread[0])


def _match(
    tracks: list[_Track], rows: np.ndarray, found: Detections, frame: int, overlap: float
) -> tuple[list[tuple[_Track, int]], list[_Track], np.ndarray]:
    """Give detections to tracks, one each, so that the sum of their likeness is largest.

    Args:
        rows: (n,) which detections.
        overlap: least likeness of a pair.

    Returns:
        The pairs, and the tracks and the rows that are left, in their order.
    """
    if not tracks or not len(rows):
        return [], tracks, rows
    boxes = np.stack([track.predict(frame) for track in tracks])
    likeness = _overlaps(boxes, found.xyxy[rows])
    alike = [[track.category == found.categories[row] for row in rows] for track in tracks]
    likeness *= np.where(alike, 1, OTHER)
    # Pairs below the limit are worth nothing, so that they do not keep apart those above it.
    worth = np.where(likeness >= overlap, likeness, 0)
    ours, theirs = linear_sum_assignment(worth, maximize=True)
    good = worth[ours, theirs] > 0
    ours, theirs = ours[good], theirs[good]
    pairs = [(tracks[at], int(rows[row])) for at, row in zip(ours, theirs, strict=True)]
    taken = set(ours.tolist())
    left = [track for at, track in enumerate(tracks) if at not in taken]
    return pairs, left, np.delete(rows, theirs)


def _overlaps(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n, 4) and (m, 4) boxes -> (n, m) intersection over union."""
    low = np.maximum(some[:, None, :2], others[None, :, :2])
    high = np.minimum(some[:, None, 2:], others[None, :, 2:])
    shared = (high - low).clip(min=0).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (some, others)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _centred(xyxy: np.ndarray) -> np.ndarray:
    """(4,) -> (4,) float64: the centre and the size."""
    first, second = xyxy[:2].astype(np.float64), xyxy[2:].astype(np.float64)
    return np.concatenate([(first + second) / 2, second - first])


def _check(fps: float, settings: TrackSettings) -> None:
    for name in ("sure", "least", "overlap"):
        value = getattr(settings, name)
        if not 0 <= value <= 1:
            raise SettingError(f"the tracker's {name} is {value:g}; it must be within 0 and 1.")
    if settings.hits < 1:
        raise SettingError(f"the tracker's hits are {settings.hits}; they must be 1 or more.")
    for name, value in (("fps", fps), ("patience", settings.patience)):
        if not 0 < value < float("inf"):
            raise SettingError(f"the tracker's {name} is {value:g}; it must be above 0.")
