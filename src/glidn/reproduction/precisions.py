"""Predictions of many seeds, many labels per video -> mAP, intervals and paired differences."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glidn import many_labels
from glidn.average_precision import draw_videos, redrawn
from glidn.many_labels import ManyScores
from glidn.reproduction.paper import Comparison, Difference, Progress, Row, Trained
from glidn.reproduction.tables import percent, spread

DRAWS = 500  # of the bootstrap; about 2 s per run on Charades' test set
COLUMNS = (
    "row",
    "paper",
    "ours, mean ± std",
    "95% interval",
    "weighted",
    "scikit-learn's rule",
    "seeds",
    "videos",
    "note",
)


@dataclass(frozen=True)
class Entry:
    """A line of a table with our figures, in percent.

    Attributes:
        paper: mAP as printed in the paper; None where it has no such row.
        mean, std: of the seeds' mAP by Charades' official rule; std is the sample standard
            deviation.
        low, high: a 95% bootstrap interval over test videos, of the mean over seeds.
        weighted: by the same rule, each class weighing as many videos as show it; mean of seeds.
        sklearn: mAP by scikit-learn's rule; mean of seeds.
        chance: mAP of random scores on the same videos.
        seeds, videos: how many; test videos.
        plan, view: the run behind it, and which of its views; "" where we have none.
    """

    table: str
    row: str
    paper: float | None
    mean: float | None = None
    std: float | None = None
    low: float | None = None
    high: float | None = None
    weighted: float | None = None
    sklearn: float | None = None
    chance: float | None = None
    seeds: int = 0
    videos: int = 0
    plan: str = ""
    view: str = ""
    note: str = ""


@dataclass(frozen=True)
class Ranked:
    """What the seeds of one plan reached.

    Attributes:
        scores: per seed.
        drawn: (draws,) mAP of bootstrap draws, mean over seeds; the same draws for every plan.
    """

    scores: Sequence[ManyScores]
    drawn: np.ndarray

    @property
    def mean(self) -> float:
        """mAP, mean over seeds, in 0..1."""
        return float(np.mean([found.mean for found in self.scores]))


# (plan, view) -> what it reached
Results = Mapping[tuple[str, str], Ranked]


def rank(done: Trained, progress: Progress) -> dict[tuple[str, str], Ranked]:
    """Every run's mAP, and that of bootstrap draws of its test videos."""
    found = {}
    for number, ((plan, view), scores) in enumerate(done.scores.items(), start=1):
        drawn = []
        for run in done.runs[plan]:
            parts = (run.fold(fold) / f"{view}.csv" for fold in run.folds)
            said = many_labels.pool([many_labels.read(part, run.classes) for part in parts])
            counts = draw_videos(len(said.videos), DRAWS)
            drawn.append(redrawn(said.truth, said.scores, counts))
        found[plan, view] = Ranked(scores, np.mean(drawn, axis=0))
        progress("bootstrap", number, len(done.scores))
    return found


def entries(rows: Sequence[Row], results: Results) -> list[Entry]:
    """Every row with our figures, where we have them."""
    return [_entry(row, results.get((row.run, row.view))) for row in rows]


def _entry(row: Row, found: Ranked | None) -> Entry:
    if found is None:
        return Entry(row.table, row.name, row.paper, note=row.note)
    low, high = _interval(found.drawn, found.mean)
    return Entry(
        table=row.table,
        row=row.name,
        paper=row.paper,
        mean=percent(found.mean),
        std=percent(spread(np.array([one.mean for one in found.scores]))),
        low=low,
        high=high,
        weighted=percent(np.mean([one.weighted for one in found.scores])),
        sklearn=percent(np.mean([one.sklearn for one in found.scores])),
        chance=percent(found.scores[0].chance),
        seeds=len(found.scores),
        videos=found.scores[0].videos,
        plan=row.run,
        view=row.view,
        note=row.note,
    )


def differences(results: Results, comparisons: Sequence[Comparison]) -> list[Difference]:
    """Does each part of the method help? Paired: every draw takes the same videos of both."""
    found = []
    for what, ours, theirs in comparisons:
        if ours in results and theirs in results:
            a, b = results[ours], results[theirs]
            gain = a.mean - b.mean
            found.append(
                Difference(what, percent(gain), *_interval(a.drawn - b.drawn, gain)),
            )
    return found


def _interval(drawn: np.ndarray, found: float, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of the draws, moved so that their mean is what was found.

    A draw shows some positives several times, and copies rank one after the other, so its AP is
    too high: by 0.4 points at the size of Charades, by many on few videos.
    """
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    moved = found - np.nanmean(drawn)
    return percent(low + moved), percent(high + moved)


def per_class(results: Results) -> str:
    """A table: class, videos that show it, and each plan's average precision in percent.

    By the official rule, mean over seeds; only the classes that some test video shows.
    """
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["class", "videos", *(plan for plan, _ in results)])
    first = next(iter(results.values())).scores[0]
    for name, positives in first.positives.items():
        means = [np.mean([s.per_class[name] for s in found.scores]) for found in results.values()]
        table.writerow([name, positives, *(f"{100 * mean:.2f}" for mean in means)])
    return out.getvalue()


def cells(entry: Entry) -> Sequence[str | None]:
    """A line of the text, under `COLUMNS`."""
    paper = "" if entry.paper is None else f"{entry.paper:.2f}"
    if entry.mean is None:
        return (entry.row, paper, *[None] * 6, entry.note)
    deviation = f" ± {entry.std:.2f}" if entry.seeds > 1 else ""
    return (
        entry.row,
        paper,
        f"{entry.mean:.2f}{deviation}",
        f"{entry.low:.2f} to {entry.high:.2f}",
        f"{entry.weighted:.2f}",
        f"{entry.sklearn:.2f}",
        str(entry.seeds),
        str(entry.videos),
        entry.note,
    )
