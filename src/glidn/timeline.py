"""Timelines: which class every frame of a video shows, and how well one timeline fits another.

A timeline is (F,) int64 class indices, `UNLABELLED` where nobody said what is shown. Frames that
the true timeline leaves unlabelled count neither for nor against the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

UNLABELLED = -1
OVERLAPS = (0.10, 0.25, 0.50)


@dataclass(frozen=True)
class Piece:
    """A stretch of one class; frames count from 0, both ends belong to it."""

    label: int
    first: int
    last: int


@dataclass(frozen=True)
class TimelineScores:
    """How well predicted timelines fit the true ones; in 0..1.

    Attributes:
        frames: labelled frames, of all videos.
        accuracy: share of them whose class is right.
        f1: segmental F1 by the overlap it asks for, "10", "25", "50" percent (Lea et al. 2017,
            section 4.1), counted over all videos.
        edit: 1 less the normalised edit distance between the orders of pieces; mean over videos.
    """

    videos: int
    frames: int
    accuracy: float
    f1: Mapping[str, float]
    edit: float

    @property
    def sentence(self) -> str:
        names, values = "/".join(self.f1), (f"{100 * value:.1f}" for value in self.f1.values())
        return (
            f"frames {100 * self.accuracy:.1f}, F1@{names} {' / '.join(values)}, "
            f"edit {100 * self.edit:.1f}"
        )


def spread(at: np.ndarray, scores: np.ndarray, frames: int, smooth: float = 0.0) -> np.ndarray:
    """Scores at some frames -> scores at all: straight lines between, held at the ends.

    Args:
        at: (n,) rising frame numbers, at least one.
        scores: (n, K).
        smooth: standard deviation, in frames, of a Gaussian over time; 0: none.

    Returns:
        (F, K).
    """
    every = np.arange(frames)
    found = np.stack([np.interp(every, at, column) for column in scores.T], -1)
    return gaussian_filter1d(found, smooth, axis=0, mode="nearest") if smooth else found


def pieces(timeline: np.ndarray) -> list[Piece]:
    """The stretches of one class, in order; unlabelled frames part them and are left out."""
    if not len(timeline):
        return []
    starts = np.flatnonzero(np.diff(timeline, prepend=timeline[0] - 1))
    ends = np.append(starts[1:], len(timeline)) - 1
    found = zip(timeline[starts].tolist(), starts.tolist(), ends.tolist(), strict=True)
    return [Piece(*row) for row in found if row[0] != UNLABELLED]


def hits(truth: Sequence[Piece], said: Sequence[Piece], overlap: float) -> int:
    """How many predicted pieces match a true one.

    Each is held against the true piece of its class with which it shares most: the two match if
    what they share is at least `overlap` of what they cover, and no earlier piece has taken it.
    """
    taken: set[int] = set()
    for piece in said:
        shares = [_share(piece, other) for other in truth]
        best = int(np.argmax(shares)) if shares else 0
        if shares and shares[best] >= overlap and best not in taken:
            taken.add(best)
    return len(taken)


def _share(a: Piece, b: Piece) -> float:
    """Intersection over union; 0 for other classes."""
    if a.label != b.label:
        return 0.0
    both = min(a.last, b.last) - max(a.first, b.first) + 1
    union = max(a.last, b.last) - min(a.first, b.first) + 1
    return max(0, both) / union


def edit(truth: Sequence[int], said: Sequence[int]) -> float:
    """1 less the edit distance (Levenshtein) of two orders of classes, over the longer's length."""
    if not truth and not said:
        return 1.0
    row = list(range(len(said) + 1))
    for number, wanted in enumerate(truth, 1):
        before, row[0] = row[0], number
        for at, label in enumerate(said, 1):
            change = before + (label != wanted)
            before = row[at]
            row[at] = min(change, row[at] + 1, row[at - 1] + 1)
    return 1 - row[-1] / max(len(truth), len(said))


def score(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> TimelineScores:
    """Score predicted timelines.

    Args:
        pairs: (true, predicted) of every video, (F,) each.
    """
    right = frames = true_pieces = said_pieces = 0
    matched = dict.fromkeys(OVERLAPS, 0)
    edits = []
    for truth, predicted in pairs:
        labelled = truth != UNLABELLED
        right += int((truth == predicted)[labelled].sum())
        frames += int(labelled.sum())
        wanted, said = pieces(truth), pieces(np.where(labelled, predicted, UNLABELLED))
        true_pieces += len(wanted)
        said_pieces += len(said)
        for overlap in OVERLAPS:
            matched[overlap] += hits(wanted, said, overlap)
        edits.append(edit([p.label for p in wanted], [p.label for p in said]))
    every = max(1, true_pieces + said_pieces)
    return TimelineScores(
        videos=len(pairs),
        frames=frames,
        accuracy=right / max(1, frames),
        # 2 precision recall / (precision + recall), without dividing by zero.
        f1={f"{100 * overlap:.0f}": 2 * hit / every for overlap, hit in matched.items()},
        edit=float(np.mean(edits)) if edits else 0.0,
    )
