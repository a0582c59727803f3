"""The whole of it: plans -> runs -> tables.json, tables.md, differences.json and more files."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from glidn import evaluation, protocol, runs
from glidn.checks import check
from glidn.config import RunConfig
from glidn.errors import SettingError
from glidn.files import write_text
from glidn.reproduction import tables
from glidn.reproduction.paper import Measured, Paper, Planned, Progress, Row, Trained, seed_folder
from glidn.reproduction.schedule import Job, train_all
from glidn.runs import Run
from glidn.types import Dataset


@dataclass(frozen=True)
class Reproduction:
    """Tables to make of a dataset.

    Attributes:
        out: the folder for runs, tables and figures.
        paper: rows, runs and measurements.
        seeds: how many runs per row.
        tables: which of the paper's tables.
        extras: also our own rows, which the paper does not have.
    """

    out: Path
    paper: Paper
    seeds: int
    tables: tuple[str, ...]
    extras: bool = True

    @property
    def rows(self) -> list[Row]:
        found = [
            row
            for row in self.paper.rows()
            if row.table in self.tables and (self.extras or row.paper is not None)
        ]
        return sorted(found, key=lambda row: int(row.table))

    @property
    def plans(self) -> list[Planned]:
        """The runs behind the rows, and those that they need."""
        wanted = {row.run for row in self.rows}
        every = self.paper.plans()
        # Backwards, because what is needed stands before what needs it.
        for plan in reversed(every):
            if plan.name in wanted:
                wanted.add(plan.needs)
        return [plan for plan in every if plan.name in wanted]

    def folder(self, seed: int) -> Path:
        return seed_folder(self.out, seed)


def reproduce(
    dataset: Dataset, what: Reproduction, workers: int | None, progress: Progress
) -> Measured:
    """Train what is missing, then write the tables.

    Raises:
        SettingError: fewer than one seed, or settings that cannot be.
    """
    if what.seeds < 1:
        raise SettingError(f"--seeds is {what.seeds}; at least one is needed.")
    folds = protocol.folds(dataset, what.paper.folds)
    what.paper.prepare(dataset, progress)
    jobs = []
    for path, needs, config in configs(what):
        runs.create(path, config, dataset, folds)
        jobs += [Job(path, fold.name, needs, config) for fold in folds]
    train_all(jobs, dataset, workers, lambda done, of: progress("training", done, of))
    trained = _evaluate(what, dataset, folds, progress)
    measured = what.paper.measure(trained, progress)
    _write(what, dataset, measured)
    return measured


def configs(what: Reproduction) -> Iterator[tuple[Path, Path | None, RunConfig]]:
    """Of every run: its folder, the run that must be done before, and its settings.

    Raises:
        SettingError: the settings of one cannot be.
    """
    for seed in range(what.seeds):
        folder = what.folder(seed)
        for plan in what.plans:
            config = plan.config(seed, folder)
            config = replace(config, train=replace(config.train, threads=1))
            check(config)
            if config.data.protocol != "dataset":
                raise SettingError(
                    f"data.protocol is {config.data.protocol}, and the paper's tables have their "
                    "own; leave it out."
                )
            yield folder / plan.name, folder / plan.needs if plan.needs else None, config


def _evaluate(
    what: Reproduction, dataset: Dataset, folds: tuple[protocol.Fold, ...], progress: Progress
) -> Trained:
    done: dict[str, list[Run]] = {}
    scores: dict[tuple[str, str], list[Any]] = {}
    total = what.seeds * len(what.plans)
    for seed in range(what.seeds):
        for number, plan in enumerate(what.plans, seed * len(what.plans) + 1):
            run = runs.read(what.folder(seed) / plan.name)
            done.setdefault(plan.name, []).append(run)
            for view, found in evaluation.evaluate(run).items():
                scores.setdefault((plan.name, view), []).append(found)
            progress("scoring", number, total)
    return Trained(what.out, dataset, folds, what.rows, what.seeds, done, scores)


def unread(what: Reproduction) -> Mapping[str, str]:
    """The test videos that some run could not read, and why."""
    found: dict[str, str] = {}
    for seed in range(what.seeds):
        for plan in what.plans:
            run = runs.read(what.folder(seed) / plan.name)
            for fold in run.folds:
                found |= runs.read_unread(run, fold)
    return dict(sorted(found.items()))


def _write(what: Reproduction, dataset: Dataset, measured: Measured) -> None:
    about = runs.environment()
    how = [
        f"    {about['command']}",
        "",
        *measured.how,
        f"glidn {about['glidn']} ({about['commit'] or 'no commit'}), torch {about['torch']}, "
        f"{about['machine']}, {about['started'][:10]}.",
        "",
        *measured.legend,
    ]
    text = tables.as_markdown(measured, f"{dataset.name}: the paper's tables", how)
    write_text(what.out / "tables.md", text)
    rows = [asdict(entry) for entry in measured.entries]
    write_text(what.out / "tables.json", json.dumps(rows, indent=1) + "\n")
    differences = [asdict(difference) for difference in measured.differences]
    write_text(what.out / "differences.json", json.dumps(differences, indent=1) + "\n")
    for name, content in measured.files.items():
        write_text(what.out / name, content)
