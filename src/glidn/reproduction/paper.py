"""What the tables of either dataset are made of: rows, the runs behind them, what is measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from glidn.config import RunConfig
from glidn.protocol import Fold
from glidn.runs import Run
from glidn.types import Dataset

Progress = Callable[[str, float, int], None]


@dataclass(frozen=True)
class Row:
    """A line of a table.

    Attributes:
        paper: the figure in percent as printed there; None where the paper has no such row.
        run, view: the plan whose network is ours, and which of its views; "" where we have none.
        note: what was assumed, or what is peculiar about the paper's figure.
    """

    table: str
    name: str
    paper: float | None
    run: str = ""
    view: str = ""
    note: str = ""


@dataclass(frozen=True)
class Planned:
    """A run to train.

    Attributes:
        name: of its folder.
        needs: the plan that must be done before: its teacher or its first stage; "" for none.
        config: (seed, folder that holds the runs of that seed) -> its settings.
    """

    name: str
    needs: str
    config: Callable[[int, Path], RunConfig]


@dataclass(frozen=True)
class Difference:
    """How much better one row is than another on the same videos, in points."""

    what: str
    mean: float
    low: float
    high: float


# (question, (plan, view) that is ours, and theirs)
Comparison = tuple[str, tuple[str, str], tuple[str, str]]


@dataclass(frozen=True)
class Trained:
    """Runs that are done, to be measured.

    Attributes:
        out: the reproduction's folder.
        rows: the lines that are wanted.
        runs: per plan, the runs of every seed.
        scores: per (plan, view), what `evaluation.evaluate` found for every seed.
    """

    out: Path
    dataset: Dataset
    folds: Sequence[Fold]
    rows: Sequence[Row]
    seeds: int
    runs: Mapping[str, Sequence[Run]]
    scores: Mapping[tuple[str, str], Sequence[Any]]

    def folder(self, seed: int) -> Path:
        return seed_folder(self.out, seed)


@dataclass(frozen=True)
class Measured:
    """The tables with our figures.

    Attributes:
        entries: a dataclass per row, with at least table, row, paper, mean, std, low, high,
            seeds, videos and note; figures in percent.
        columns: what stands above the columns.
        line: an entry's cells; None where there is no figure.
        how: lines about data and settings, below the command.
        legend: lines on how to read the tables.
        files: further files for the folder: name, text.
    """

    entries: Sequence[Any]
    differences: Sequence[Difference]
    columns: Sequence[str]
    line: Callable[[Any], Sequence[str | None]]
    how: Sequence[str]
    legend: Sequence[str]
    files: Mapping[str, str] = field(default_factory=dict)


class Paper(Protocol):
    """The paper's tables on one dataset: `cad120.Cad120`, `charades.Charades`."""

    @property
    def folds(self) -> tuple[str, ...]:
        """Names of the folds that are wanted; empty: all."""
        ...

    def rows(self) -> Sequence[Row]:
        """Every line of every table, in the order in which a table shows them."""
        ...

    def plans(self) -> Sequence[Planned]:
        """Every run behind them; what is needed before what needs it."""
        ...

    def prepare(self, dataset: Dataset, progress: Progress) -> None:
        """What is better done once than by each worker."""
        ...

    def measure(self, done: Trained, progress: Progress) -> Measured:
        """Our figures, from runs that are done."""
        ...


def seed_folder(out: Path, seed: int) -> Path:
    """The folder of the runs of one seed, counted from 0."""
    return out / "runs" / f"seed{seed}"
