"""Predictions of many seeds, one label per video -> accuracies and paired differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glidn.evaluation import Predictions, pool
from glidn.metrics import bootstrap_difference, bootstrap_mean
from glidn.reproduction.paper import Comparison, Difference, Row
from glidn.reproduction.tables import percent, spread

# (plan, view) -> per seed, the predictions of every fold
Results = Mapping[tuple[str, str], Sequence[Mapping[str, Predictions]]]
COLUMNS = (
    "row",
    "paper",
    "ours, mean ± std",
    "95% interval",
    "mean of folds ± std",
    "seeds",
    "videos",
    "assumed",
)


@dataclass(frozen=True)
class Entry:
    """A line of a table with our figures, in percent.

    Attributes:
        paper: as printed in the paper; None where it has no such row.
        view: the view that was tested; "" where we have no figure.
        mean, std: of the seeds' accuracies over all videos; std is the sample standard deviation.
        low, high: a 95% bootstrap interval over videos.
        fold_mean, fold_std: mean over seeds of the mean and of the spread of the folds.
        seeds, videos: how many.
    """

    table: str
    row: str
    paper: float | None
    mean: float | None = None
    std: float | None = None
    low: float | None = None
    high: float | None = None
    fold_mean: float | None = None
    fold_std: float | None = None
    seeds: int = 0
    videos: int = 0
    view: str = ""
    note: str = ""


def entries(rows: Sequence[Row], results: Results) -> list[Entry]:
    """Every row with our figures, where we have them."""
    return [_entry(row, results.get((row.run, row.view))) for row in rows]


def _entry(row: Row, seeds: Sequence[Mapping[str, Predictions]] | None) -> Entry:
    if not seeds:
        return Entry(row.table, row.name, row.paper, note=row.note)
    correct = np.stack([pool(list(folds.values())).correct for folds in seeds])  # (S, V)
    by_fold = np.array([[part.correct.mean() for part in folds.values()] for folds in seeds])
    low, high = bootstrap_mean(correct)
    return Entry(
        table=row.table,
        row=row.name,
        paper=row.paper,
        mean=percent(correct.mean()),
        std=percent(spread(correct.mean(1))),
        low=percent(low),
        high=percent(high),
        fold_mean=percent(by_fold.mean()),
        fold_std=percent(np.mean([spread(folds) for folds in by_fold])),
        seeds=len(correct),
        videos=correct.shape[1],
        view=row.view,
        note=row.note,
    )


def differences(results: Results, comparisons: Sequence[Comparison]) -> list[Difference]:
    """Does each part of the method help? Paired, over the same videos."""
    found = []
    for what, ours, theirs in comparisons:
        if ours in results and theirs in results:
            a, b = (
                np.stack([pool(list(folds.values())).correct for folds in results[key]])
                for key in (ours, theirs)
            )
            low, high = bootstrap_difference(a, b)
            found.append(
                Difference(what, percent(a.mean() - b.mean()), percent(low), percent(high))
            )
    return found


def cells(entry: Entry) -> Sequence[str | None]:
    """A line of the text, under `COLUMNS`."""
    paper = "" if entry.paper is None else f"{entry.paper:g}"
    if entry.mean is None:
        return (entry.row, paper, *[None] * 5, entry.note)
    deviation = f" ± {entry.std:.1f}" if entry.seeds > 1 else ""
    return (
        entry.row,
        paper,
        f"{entry.mean:.1f}{deviation}",
        f"{entry.low:.1f} to {entry.high:.1f}",
        f"{entry.fold_mean:.1f} ± {entry.fold_std:.1f}",
        str(entry.seeds),
        str(entry.videos),
        entry.note,
    )
