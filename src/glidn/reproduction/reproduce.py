"""The whole of it: plans -> runs -> tables.json, tables.md, differences.json and figure5.svg."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from glidn import evaluation, protocol, runs
from glidn.config import RunConfig
from glidn.errors import SettingError
from glidn.evaluation import Predictions
from glidn.files import write_text
from glidn.material import prepare
from glidn.metrics import confusion
from glidn.protocol import Fold
from glidn.report.confusion import svg
from glidn.reproduction import cad120, forest, tables
from glidn.reproduction.cad120 import Plan, Row
from glidn.reproduction.schedule import Job, train_all
from glidn.types import Dataset

Progress = Callable[[str, int, int], None]
FOREST = Row(
    "3",
    "600 extremely randomised trees on hand-made track features",
    None,
    "forest",
    "trees",
    "another method: 12 sampled places, spread, speed, duration, category",
)


@dataclass(frozen=True)
class Reproduction:
    """Tables to make of a dataset.

    Attributes:
        out: the folder for runs, tables and figures.
        base: the recipe that every run is derived from.
        seeds: how many runs per row.
        tables: which of the paper's tables.
        extras: also our own rows, which the paper does not have.
    """

    out: Path
    base: RunConfig
    seeds: int
    tables: tuple[str, ...] = ("2", "3", "8", "9")
    extras: bool = True

    @property
    def rows(self) -> list[Row]:
        found = [
            row
            for row in (*cad120.rows(), FOREST)
            if row.table in self.tables and (self.extras or row.paper is not None)
        ]
        return sorted(found, key=lambda row: int(row.table))

    @property
    def plans(self) -> list[Plan]:
        """The runs behind the rows, and their teachers."""
        wanted = {row.run for row in self.rows}
        every = cad120.plans()
        wanted |= {plan.teacher for plan in every if plan.name in wanted}
        return [plan for plan in every if plan.name in wanted]

    def folder(self, seed: int) -> Path:
        return self.out / "runs" / f"seed{seed}"


def reproduce(
    dataset: Dataset, what: Reproduction, workers: int | None, progress: Progress
) -> list[tables.Entry]:
    """Train what is missing, then write tables.json, tables.md and differences.json.

    Raises:
        SettingError: fewer than one seed.
    """
    if what.seeds < 1:
        raise SettingError(f"--seeds is {what.seeds}; at least one is needed.")
    folds = protocol.folds(dataset, what.base.folds)
    base = replace(what.base, train=replace(what.base.train, threads=1))
    if "crop" in base.nodes.kinds:
        # Fill the cache once, here; the workers would each compute every feature.
        prepare(dataset, base, progress)
    jobs = []
    for seed in range(what.seeds):
        folder = what.folder(seed)
        for plan in what.plans:
            runs.create(folder / plan.name, plan.config(base, seed, folder), dataset, folds)
            needs = folder / plan.teacher if plan.teacher else None
            jobs += [Job(folder / plan.name, fold.name, needs) for fold in folds]
    train_all(jobs, dataset, base, workers, lambda done, of: progress("training", done, of))
    results = _results(what, dataset, folds, progress)
    found = tables.entries(what.rows, results)
    _write(what, dataset, found, tables.differences(results))
    _write_figure_5(what, dataset, results[cad120.GLOBAL_TEACHER, "local"])
    return found


def _results(
    what: Reproduction, dataset: Dataset, folds: Sequence[Fold], progress: Progress
) -> dict[tuple[str, str], list[dict[str, Predictions]]]:
    found: dict[tuple[str, str], list[dict[str, Predictions]]] = {}
    for seed in range(what.seeds):
        for plan in what.plans:
            run = runs.read(what.folder(seed) / plan.name)
            evaluation.evaluate(run)
            for view in run.views:
                found.setdefault((plan.name, view), []).append(evaluation.read_all(run, view))
    if FOREST in what.rows:
        found[FOREST.run, FOREST.view] = [
            {
                fold.name: _forest(what, dataset, fold, seed)
                for fold in _counted(folds, seed, what.seeds, progress)
            }
            for seed in range(what.seeds)
        ]
    return found


def _counted(folds: Sequence[Fold], seed: int, seeds: int, progress: Progress) -> Iterator[Fold]:
    """The folds of a seed's forests; each is reported when the next is asked for."""
    for number, fold in enumerate(folds, seed * len(folds) + 1):
        yield fold
        progress("growing forests", number, seeds * len(folds))


def _forest(what: Reproduction, dataset: Dataset, fold: Fold, seed: int) -> Predictions:
    path = what.folder(seed) / FOREST.run / f"{fold.name}.csv"
    if path.exists():
        return evaluation.read(path, dataset.classes)
    said = forest.train_and_test(dataset, fold, what.base.train.seed + seed)
    evaluation.write(path, said, dataset.classes)
    return said


def _write(
    what: Reproduction,
    dataset: Dataset,
    found: Sequence[tables.Entry],
    compared: Sequence[tables.Difference],
) -> None:
    about = runs.environment()
    first = what.base.train.seed
    how = [
        f"    {about['command']}",
        "",
        f"Data: {dataset.name}, {len(dataset.videos)} videos, {len(dataset.classes)} classes, "
        f"subjects {', '.join(dataset.subjects)}; {len(dataset.left_out)} videos left out.",
        f"Nodes: {' + '.join(what.base.nodes.kinds)}. {what.base.train.epochs} epochs for every "
        f"row; seeds {first} to {first + what.seeds - 1}; the last epoch is tested.",
        f"glidn {about['glidn']} ({about['commit'] or 'no commit'}), torch {about['torch']}, "
        f"{about['machine']}, {about['started'][:10]}.",
        "",
        "*Paper* is the paper's figure, on its own data and inputs. *Ours* is accuracy in percent "
        "over all videos, each tested by a network that never saw its subject; mean and standard "
        "deviation over seeds.",
    ]
    text = tables.as_markdown(found, compared, f"{dataset.name}: the paper's tables", how)
    write_text(what.out / "tables.md", text)
    write_text(what.out / "tables.json", json.dumps(tables.as_json(found), indent=1) + "\n")
    write_text(
        what.out / "differences.json", json.dumps([asdict(d) for d in compared], indent=1) + "\n"
    )


def _write_figure_5(
    what: Reproduction, dataset: Dataset, seeds: Sequence[dict[str, Predictions]]
) -> None:
    """The confusion matrix of the paper's best row, over all seeds (figure 5)."""
    parts = [part for folds in seeds for part in folds.values()]
    counts = sum(confusion(part.truth, part.predicted, len(dataset.classes)) for part in parts)
    write_text(what.out / "figure5.svg", svg(np.asarray(counts), dataset.classes))
