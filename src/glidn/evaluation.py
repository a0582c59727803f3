"""Trained networks -> predictions of the test videos -> scores under the dataset's protocol."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from glidn import many_labels, runs, timed, timeline, windows
from glidn.batch import Sample, collate
from glidn.errors import RunError
from glidn.files import write_text
from glidn.many_labels import ManyScores
from glidn.metrics import confusion
from glidn.model import AnyNetwork
from glidn.runs import Run
from glidn.timed import Timelines
from glidn.timeline import TimelineScores
from glidn.types import Video


@dataclass(frozen=True)
class Predictions:
    """What a network said of V videos, none of which it was trained on.

    Attributes:
        videos, subjects: (V,) names.
        truth: (V,) class indices.
        logits: (V, K).
    """

    videos: tuple[str, ...]
    subjects: tuple[str, ...]
    truth: np.ndarray
    logits: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """(V,) class indices."""
        return self.logits.argmax(-1)

    @property
    def correct(self) -> np.ndarray:
        """(V,) bool."""
        return self.predicted == self.truth


@dataclass(frozen=True)
class Scores:
    """Accuracies in 0..1.

    Attributes:
        pooled: over all videos of all folds.
        mean, std: of the folds' accuracies; the sample standard deviation.
        per_fold, per_class: by name.
        confusion: (K, K) counts, rows true, columns predicted.
    """

    videos: int
    pooled: float
    mean: float
    std: float
    per_fold: dict[str, float]
    per_class: dict[str, float]
    confusion: list[list[int]]

    @property
    def sentence(self) -> str:
        return (
            f"accuracy {100 * self.mean:.1f} ± {100 * self.std:.1f} (mean and standard deviation "
            f"over folds: {len(self.per_fold)}), {100 * self.pooled:.1f} pooled over {self.videos} "
            "videos"
        )


@dataclass(frozen=True)
class TimedScores:
    """How well timed labels are told.

    Attributes:
        segments: the class of each true segment, its borders known.
        timeline: what is shown when, nothing known; over the videos of all folds.
        per_fold: the same by fold.
    """

    segments: Scores
    timeline: TimelineScores
    per_fold: dict[str, TimelineScores]

    @property
    def sentence(self) -> str:
        known = self.segments
        return (
            f"segments with known borders {100 * known.mean:.1f} ± {100 * known.std:.1f} (mean and "
            f"standard deviation over folds: {len(known.per_fold)}), {100 * known.pooled:.1f} "
            f"pooled over {known.videos} segments; timelines of {self.timeline.videos} videos: "
            f"{self.timeline.sentence}"
        )


AnyScores = Scores | ManyScores | TimedScores


def predict(network: AnyNetwork, samples: Sequence[Sample], batch: int = 32) -> Predictions:
    """Test samples with one label each, by their first variants, with the network in eval mode."""
    return Predictions(
        videos=tuple(sample.video for sample in samples),
        subjects=tuple(sample.subject for sample in samples),
        truth=np.array([sample.label for sample in samples]),
        logits=logits(network, samples, batch).numpy(),
    )


@torch.no_grad()
def logits(network: AnyNetwork, samples: Sequence[Sample], batch: int = 32) -> Tensor:
    """(V, K) of test samples, each by its first variant, with the network in eval mode."""
    network.eval()
    device = next(network.parameters()).device
    return torch.cat(
        [
            network(collate(samples[start : start + batch]).to(device)).logits.float().cpu()
            for start in range(0, len(samples), batch)
        ]
    )


def over_time(
    network: AnyNetwork,
    samples: Sequence[Sample],
    middles: np.ndarray,
    frames: int,
    smooth: float,
    many: bool = False,
) -> np.ndarray:
    """(F, K) in 0..1: what a network says of every frame of one video.

    Args:
        samples: its windows, in order.
        middles: (n,) the frame in the middle of each.
        frames: F.
        smooth: over so many frames; see `timeline.spread`.
        many: several classes may be shown at once.
    """
    said = logits(network, samples).double()
    said = said.sigmoid() if many else said.softmax(-1)
    return timeline.spread(middles, said.numpy(), frames, smooth)


def timelines(
    videos: Sequence[Video], over: Mapping[str, np.ndarray], classes: Sequence[str]
) -> dict[str, Timelines]:
    """The true and the predicted timeline of every video.

    Args:
        over: (F, K) scores of every frame, by video.
    """
    return {
        video.name: Timelines(windows.timeline(video, classes), over[video.name].argmax(-1))
        for video in videos
    }


def segments(
    videos: Sequence[Video], over: Mapping[str, np.ndarray], classes: Sequence[str]
) -> Predictions:
    """What is said of each true segment, its borders known: the mean scores of its frames.

    Args:
        over: as for `timelines`.
    """
    every = [(segment, video) for video in videos for segment in video.segments]
    means = []
    for segment, video in every:
        first, last = windows.frames_of(segment, video)
        means.append(over[video.name][first : last + 1].mean(0))
    return Predictions(
        videos=tuple(windows.name_of(segment, video) for segment, video in every),
        subjects=tuple(video.subject for _, video in every),
        truth=np.array([classes.index(segment.label) for segment, _ in every], np.int64),
        logits=np.log(np.reshape(means, (len(every), len(classes)))),
    )


def write(path: Path, predictions: Predictions, classes: Sequence[str]) -> None:
    """A table: video, subject, truth, predicted, and a logit per class."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["video", "subject", "truth", "predicted", *classes])
    rows = zip(
        predictions.videos,
        predictions.subjects,
        predictions.truth,
        predictions.predicted,
        predictions.logits,
        strict=True,
    )
    for video, subject, truth, predicted, logits in rows:
        scores = [f"{value:.9g}" for value in logits]
        table.writerow([video, subject, classes[truth], classes[predicted], *scores])
    write_text(path, out.getvalue())


def read(path: Path, classes: Sequence[str]) -> Predictions:
    """What `write` wrote.

    Raises:
        RunError: the file is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return Predictions(
            videos=tuple(row["video"] for row in rows),
            subjects=tuple(row["subject"] for row in rows),
            truth=np.array([list(classes).index(row["truth"]) for row in rows], np.int64),
            logits=np.array([[float(row[name]) for name in classes] for row in rows], np.float32),
        )
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise runs.damaged(path, error) from error


def read_all(run: Run, view: str) -> dict[str, Predictions]:
    """The predictions of every fold of a run, by fold."""
    return {fold: read(run.fold(fold) / f"{view}.csv", run.classes) for fold in run.folds}


def pool(parts: Sequence[Predictions]) -> Predictions:
    """All folds as one, ordered by video, so that runs can be compared video by video."""
    videos = [video for part in parts for video in part.videos]
    order = np.argsort(videos)
    subjects = [subject for part in parts for subject in part.subjects]
    return Predictions(
        videos=tuple(videos[row] for row in order),
        subjects=tuple(subjects[row] for row in order),
        truth=np.concatenate([part.truth for part in parts])[order],
        logits=np.concatenate([part.logits for part in parts])[order],
    )


def score(folds: dict[str, Predictions], classes: Sequence[str]) -> Scores:
    """Accuracy in every way in which CAD-120 papers report it."""
    per_fold = {name: float(part.correct.mean()) for name, part in folds.items()}
    every = pool(list(folds.values()))
    values = np.array(list(per_fold.values()))
    return Scores(
        videos=len(every.videos),
        pooled=float(every.correct.mean()),
        mean=float(values.mean()),
        std=float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        per_fold=per_fold,
        per_class={
            name: float(every.correct[every.truth == number].mean())
            for number, name in enumerate(classes)
            if (every.truth == number).any()
        },
        confusion=confusion(every.truth, every.predicted, len(classes)).tolist(),
    )


def evaluate(run: Run) -> Mapping[str, AnyScores]:
    """Score every view of a run and write metrics.json.

    Raises:
        RunError: a fold is not done.
    """
    for fold in run.folds:
        if not run.is_done(fold):
            raise RunError(
                f"{run.path}: fold {fold} is not done; run the command that trained it again and "
                "it goes on where it stopped."
            )
    tasks: dict[str, Callable[[Run, str], AnyScores]]
    tasks = {"single": score_single, "multi": score_many, "timed": score_timed}
    measure = tasks[run.task]
    scores: dict[str, AnyScores] = {view: measure(run, view) for view in run.views}
    text = json.dumps({view: asdict(found) for view, found in scores.items()}, indent=1)
    write_text(run.path / "metrics.json", text + "\n")
    return scores


def score_single(run: Run, view: str) -> Scores:
    """The accuracies of one view of a run with one label per video."""
    return score(read_all(run, view), run.classes)


def score_many(run: Run, view: str) -> ManyScores:
    """The average precisions of one view of a run with many labels per video."""
    parts = [many_labels.read(run.fold(fold) / f"{view}.csv", run.classes) for fold in run.folds]
    unread = [name for fold in run.folds for name in runs.read_unread(run, fold)]
    return many_labels.score(many_labels.pool(parts), run.classes, unread)


def score_timed(run: Run, view: str) -> TimedScores:
    """The accuracy and the timelines of one view of a run with timed labels."""
    pairs = {
        fold: [
            (found.truth, found.predicted)
            for found in timed.read(run.fold(fold) / f"{view}.timeline.csv", run.classes).values()
        ]
        for fold in run.folds
    }
    return TimedScores(
        segments=score_single(run, view),
        timeline=timeline.score([pair for found in pairs.values() for pair in found]),
        per_fold={fold: timeline.score(found) for fold, found in pairs.items()},
    )
