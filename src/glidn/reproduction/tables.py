"""Predictions of many seeds -> the paper's tables with our figures, as data and as text."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from glidn.evaluation import Predictions, pool
from glidn.metrics import bootstrap_difference, bootstrap_mean
from glidn.reproduction.cad120 import (
    GLOBAL_TEACHER,
    GLOBAL_TEACHER_SQUARED,
    LOCAL_TEACHER,
    LOCAL_TEACHER_SQUARED,
    Row,
)

# (plan, view) -> per seed, the predictions of every fold
Results = Mapping[tuple[str, str], Sequence[Mapping[str, Predictions]]]


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


@dataclass(frozen=True)
class Difference:
    """How much better one row is than another on the same videos, in points."""

    what: str
    mean: float
    low: float
    high: float


# What each comparison asks: (question, ours, theirs).
COMPARISONS = (
    ("local relations against none", ("local", "local"), ("baseline", "none")),
    ("global relations against none", ("global", "global"), ("baseline", "none")),
    ("the global view's teaching of the local one", (GLOBAL_TEACHER, "local"), ("local", "local")),
    (
        "the local view's teaching of the global one",
        (LOCAL_TEACHER, "global"),
        ("global", "global"),
    ),
    (
        "the global view's teaching of the local one, T² in the loss",
        (GLOBAL_TEACHER_SQUARED, "local"),
        ("local", "local"),
    ),
    (
        "the local view's teaching of the global one, T² in the loss",
        (LOCAL_TEACHER_SQUARED, "global"),
        ("global", "global"),
    ),
    ("mutual learning, local view", ("mutual", "local"), ("local", "local")),
    ("mutual learning, global view", ("mutual", "global"), ("global", "global")),
)


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
        mean=_percent(correct.mean()),
        std=_percent(_spread(correct.mean(1))),
        low=_percent(low),
        high=_percent(high),
        fold_mean=_percent(by_fold.mean()),
        fold_std=_percent(np.mean([_spread(folds) for folds in by_fold])),
        seeds=len(correct),
        videos=correct.shape[1],
        view=row.view,
        note=row.note,
    )


def differences(results: Results) -> list[Difference]:
    """Does each part of the method help? Paired, over the same videos."""
    found = []
    for what, ours, theirs in COMPARISONS:
        if ours in results and theirs in results:
            a, b = (
                np.stack([pool(list(folds.values())).correct for folds in results[key]])
                for key in (ours, theirs)
            )
            low, high = bootstrap_difference(a, b)
            found.append(
                Difference(what, _percent(a.mean() - b.mean()), _percent(low), _percent(high))
            )
    return found


def as_json(found: Sequence[Entry]) -> list[dict]:
    return [asdict(entry) for entry in found]


def as_markdown(
    found: Sequence[Entry], compared: Sequence[Difference], title: str, how: Sequence[str]
) -> str:
    """The tables as text, with the command and the machine above them."""
    lines = [f"# {title}", "", *how, ""]
    for table in dict.fromkeys(entry.table for entry in found):
        lines += [
            f"## {_title(table)}",
            "",
            "| row | paper | ours, mean ± std | 95% interval | mean of folds ± std "
            "| seeds | videos | assumed |",
            "|---|---|---|---|---|---|---|---|",
            *(_line(entry) for entry in found if entry.table == table),
            "",
        ]
    if compared:
        lines += [
            "## Does it help?",
            "",
            "| what is added | points | 95% interval (paired bootstrap over videos) |",
            "|---|---|---|",
            *(f"| {d.what} | {d.mean:+.1f} | {d.low:+.1f} to {d.high:+.1f} |" for d in compared),
            "",
        ]
    return "\n".join(lines)


def _title(table: str) -> str:
    return f"Table {table}" if table.isdigit() else table


def _line(entry: Entry) -> str:
    paper = "" if entry.paper is None else f"{entry.paper:g}"
    if entry.mean is None:
        return f"| {entry.row} | {paper} | | | | | | {entry.note} |"
    spread = f" ± {entry.std:.1f}" if entry.seeds > 1 else ""
    return (
        f"| {entry.row} | {paper} | {entry.mean:.1f}{spread} "
        f"| {entry.low:.1f} to {entry.high:.1f} | {entry.fold_mean:.1f} ± {entry.fold_std:.1f} "
        f"| {entry.seeds} | {entry.videos} | {entry.note} |"
    )


def _percent(share: float | np.floating) -> float:
    return round(100 * float(share), 4)


def _spread(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
