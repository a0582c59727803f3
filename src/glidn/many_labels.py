"""Datasets with many labels per video: predictions, their file, and mean average precision."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glidn import runs
from glidn.average_precision import average_precision
from glidn.files import write_text

GUESSES = 100  # random rankings whose mean score is chance


@dataclass(frozen=True)
class ManyPredictions:
    """What a network said of V videos, in the order of the dataset.

    Attributes:
        videos, subjects: (V,) names.
        truth: (V, K) bool.
        scores: (V, K) float32 in 0..1; all zero for a video that could not be read.
    """

    videos: tuple[str, ...]
    subjects: tuple[str, ...]
    truth: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class ManyScores:
    """Average precisions in 0..1.

    Attributes:
        mean: mAP by the official rule of Charades: the mean over the classes that are shown.
        weighted: by the same rule, each class weighing as many videos as show it.
        sklearn: mAP by scikit-learn's rule, which other papers use.
        chance: mAP of random scores.
        per_class: by name; only the classes that some video shows.
        positives: by name: how many videos show it.
        unread: videos that could not be read; they rank last.
    """

    videos: int
    mean: float
    weighted: float
    sklearn: float
    chance: float
    per_class: dict[str, float]
    positives: dict[str, int]
    unread: list[str]

    @property
    def sentence(self) -> str:
        return (
            f"mAP {100 * self.mean:.2f} over {len(self.per_class)} classes and {self.videos} "
            f"videos (weighted {100 * self.weighted:.2f}; scikit-learn's rule "
            f"{100 * self.sklearn:.2f}; chance {100 * self.chance:.2f})"
        )


def write(path: Path, said: ManyPredictions, classes: Sequence[str]) -> None:
    """A table: video, subject, truth (numbers of classes, from 0), and a score per class."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["video", "subject", "truth", *classes])
    rows = zip(said.videos, said.subjects, said.truth, said.scores, strict=True)
    for video, subject, truth, scores in rows:
        shown = ";".join(map(str, np.flatnonzero(truth)))
        table.writerow([video, subject, shown, *(f"{value:.9g}" for value in scores)])
    write_text(path, out.getvalue())


def read(path: Path, classes: Sequence[str]) -> ManyPredictions:
    """What `write` wrote.

    Raises:
        RunError: the file is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        truth = np.zeros((len(rows), len(classes)), bool)
        for shown, row in zip(truth, rows, strict=True):
            shown[[int(number) for number in filter(None, row["truth"].split(";"))]] = True
        return ManyPredictions(
            videos=tuple(row["video"] for row in rows),
            subjects=tuple(row["subject"] for row in rows),
            truth=truth,
            scores=np.array([[float(row[name]) for name in classes] for row in rows], np.float32),
        )
    except (OSError, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise runs.damaged(path, error) from error


def pool(parts: Sequence[ManyPredictions]) -> ManyPredictions:
    """All folds as one; a dataset with its own split has one fold, whose order is kept."""
    return ManyPredictions(
        videos=tuple(video for part in parts for video in part.videos),
        subjects=tuple(subject for part in parts for subject in part.subjects),
        truth=np.concatenate([part.truth for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
    )


def score(said: ManyPredictions, classes: Sequence[str], unread: Sequence[str] = ()) -> ManyScores:
    """mAP in every way in which Charades papers report it."""
    found = average_precision(said.truth, said.scores)
    shown = [number for number in range(len(classes)) if found.positives[number]]
    return ManyScores(
        videos=len(said.videos),
        mean=found.mean,
        weighted=found.weighted,
        sklearn=average_precision(said.truth, said.scores, "sklearn").mean,
        chance=chance(said.truth),
        per_class={classes[number]: float(found.per_class[number]) for number in shown},
        positives={classes[number]: int(found.positives[number]) for number in shown},
        unread=list(unread),
    )


def chance(truth: np.ndarray) -> float:
    """mAP that random scores get, the mean over `GUESSES` draws."""
    rng = np.random.default_rng(0)
    draws = [average_precision(truth, rng.random(truth.shape)).mean for _ in range(GUESSES)]
    return float(np.mean(draws))
