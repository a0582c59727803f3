"""Average precision of multi-label predictions, by the rule of Charades and by scikit-learn's.

Axes: V videos, in the order of the file that lists them; K classes.

The two rules differ where scores tie and where videos have no label, and papers use both: on the
case in `fidelity/charades_scorer` of the shared data they say 0.2726 and 0.2690 (0.2718 if only
the ties differed). A figure is comparable only with its rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from glidn.errors import DataError
from glidn.types import Video

Rule = Literal["charades", "sklearn"]


@dataclass(frozen=True)
class AveragePrecision:
    """How well K classes were ranked; all in 0..1.

    Attributes:
        rule: which of the two it was measured by.
        per_class: (K,) float64; NaN where no video shows the class.
        positives: (K,) int64: how many videos show it.
    """

    rule: Rule
    per_class: np.ndarray
    positives: np.ndarray

    @property
    def mean(self) -> float:
        """mAP, over the classes that some video shows; NaN if there are none.

        On the official test set these are all 157. On a part of it the official scorer divides
        by zero instead.
        """
        shown = self.positives > 0
        return float(self.per_class[shown].mean()) if shown.any() else float("nan")

    @property
    def weighted(self) -> float:
        """The mean in which every class weighs as many videos as show it."""
        shown = self.positives > 0
        if not shown.any():
            return float("nan")
        return float(np.average(self.per_class[shown], weights=self.positives[shown]))


def average_precision(
    truth: np.ndarray, scores: np.ndarray, rule: Rule = "charades"
) -> AveragePrecision:
    """Rank the videos by each class's score, and average the precision at its positives.

        AP = 1 / positives · sum over positives i of (positives down to i) / (videos down to i)

    "charades" is the official scorer's rule (Charades_v1_classify.m): no interpolation, ties in
    the order of the file, and videos without any label last in every class, whatever their
    scores. "sklearn" is that of scikit-learn's `average_precision_score`: tied videos are reached
    all at once, and videos without a label rank like any other.

    Args:
        truth: (V, K) bool: which video shows what.
        scores: (V, K), higher is more likely; logits and probabilities rank alike, but rounding
            may make ties of the latter.

    Raises:
        DataError: the shapes differ, or a score is NaN.
    """
    truth, scores = np.asarray(truth, bool), np.asarray(scores, np.float64)
    if truth.ndim != 2 or truth.shape != scores.shape:
        raise DataError(
            f"the labels have shape {truth.shape} and the scores {scores.shape}; both must be "
            "(videos, classes)."
        )
    if broken := int(np.isnan(scores).any(axis=1).sum()):
        raise DataError(f"the scores of {broken:,} of {len(scores):,} videos are not numbers.")
    if rule == "charades":
        scores = np.where(truth.any(axis=1, keepdims=True), scores, -np.inf)

    order = np.argsort(-scores, axis=0, kind="stable")  # (V, K)
    hits = np.take_along_axis(truth, order, axis=0)  # (V, K) down the ranking
    rank = np.arange(1, len(truth) + 1)[:, None]
    precision = hits.cumsum(axis=0) / rank
    if rule == "sklearn":
        ends = _tie_ends(np.take_along_axis(scores, order, axis=0))
        precision = np.take_along_axis(precision, ends, axis=0)
    positives = truth.sum(axis=0)
    unknown = np.full(len(positives), np.nan)
    per_class = np.divide(
        (hits * precision).sum(axis=0), positives, out=unknown, where=positives > 0
    )
    return AveragePrecision(rule, per_class, positives)


def draw_videos(videos: int, draws: int, seed: int = 0) -> np.ndarray:
    """How often each video is in a bootstrap's draws, which take `videos` of them at a time.

    Returns:
        (V, draws) uint8; each column sums to V.
    """
    rng = np.random.default_rng(seed)
    counts = np.empty((videos, draws), np.uint8)
    for column in counts.T:
        column[:] = np.bincount(rng.integers(0, videos, videos), minlength=videos)
    return counts


def redrawn(truth: np.ndarray, scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """mAP of bootstrap draws, by the rule "charades", without sorting anew for each of them.

    A video that is drawn several times stands as often in the file, one copy after the other.

    Args:
        truth: (V, K) bool.
        scores: (V, K).
        counts: (V, draws), of `draw_videos`. Give the same for what shall be compared in pairs.

    Returns:
        (draws,) float64 in 0..1; a class that no video of a draw shows takes no part in it.
    """
    truth, scores = np.asarray(truth, bool), np.asarray(scores, np.float64)
    scores = np.where(truth.any(axis=1, keepdims=True), scores, -np.inf)
    order = np.argsort(-scores, axis=0, kind="stable")  # (V, K)
    most = int(counts.max(initial=0))
    total, shown = np.zeros(counts.shape[1]), np.zeros(counts.shape[1], np.int64)
    for ranking, true in zip(order.T, truth.T, strict=True):
        drawn = counts[ranking]  # (V, draws) down the ranking
        at = np.flatnonzero(true[ranking])
        copies = drawn[at].astype(np.int32)  # (P, draws) of the P positives
        above = drawn.cumsum(axis=0, dtype=np.int32)[at] - copies
        hits = copies.cumsum(axis=0) - copies
        precision = np.zeros(copies.shape)
        for copy in range(1, most + 1):
            precision += np.where(copies >= copy, (hits + copy) / (above + copy), 0)
        positives = copies.sum(axis=0)
        total += precision.sum(axis=0) / np.maximum(positives, 1)
        shown += positives > 0
    return np.divide(total, shown, out=np.full(len(total), np.nan), where=shown > 0)


def labels_shown(videos: Sequence[Video], classes: Sequence[str]) -> np.ndarray:
    """(V, K) bool: which video shows what at any time, as `average_precision` takes it.

    Raises:
        DataError: a segment's label is not among the classes.
    """
    number = {name: at for at, name in enumerate(classes)}
    shown = np.zeros((len(videos), len(classes)), bool)
    for row, video in enumerate(videos):
        for segment in video.segments:
            if segment.label not in number:
                raise DataError(
                    f"{video.source or video.name}: label {segment.label!r} is not one of the "
                    f"{len(classes)} classes."
                )
            shown[row, number[segment.label]] = True
    return shown


def _tie_ends(ranked: np.ndarray) -> np.ndarray:
    """(V, K) falling scores -> (V, K) int64: the row in which the tie of each row ends."""
    rows = np.arange(len(ranked))[:, None]
    last = np.ones(ranked.shape, bool)
    last[:-1] = ranked[:-1] != ranked[1:]
    ends = np.where(last, rows, len(ranked))
    return np.minimum.accumulate(ends[::-1], axis=0)[::-1]
