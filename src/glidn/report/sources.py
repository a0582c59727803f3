"""What a folder holds that can be reported: a run, or the runs and tables of a reproduction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from glidn import evaluation, runs
from glidn.config import Context
from glidn.errors import RunError
from glidn.evaluation import Predictions, Scores
from glidn.runs import Run

NAMES = {"local": "Local view", "global": "Global view", "none": "No relations"}
# The plans of a reproduction that the page looks into; the others appear in its tables.
PLANS = ("baseline", "local", "global")


@dataclass(frozen=True)
class Arm:
    """One network design, and the runs that trained it, one per seed.

    Attributes:
        view: "local", "global" or "none".
        role: what is special about it: "taught by the global view"; "" for a view on its own.
    """

    view: Context
    role: str
    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        return NAMES[self.view]

    @property
    def classes(self) -> tuple[str, ...]:
        return self.runs[0].classes

    @property
    def unseen_people(self) -> bool:
        """Whether every test video is of a subject who was left out of training."""
        run = self.runs[0]
        return set(run.folds) <= set(run.about["dataset"]["subjects"])

    @cached_property
    def predictions(self) -> list[dict[str, Predictions]]:
        """Per seed, the predictions of every fold."""
        return [evaluation.read_all(run, self.view) for run in self.runs]

    @cached_property
    def scores(self) -> list[Scores]:
        """Per seed, the scores of its predictions."""
        return [evaluation.score(folds, self.classes) for folds in self.predictions]

    @property
    def accuracies(self) -> np.ndarray:
        """(S,) over all videos, in percent, per seed."""
        return 100 * np.array([scores.pooled for scores in self.scores])

    @property
    def confusion(self) -> np.ndarray:
        """(K, K) counts, summed over seeds."""
        return np.sum([scores.confusion for scores in self.scores], axis=0)


@dataclass(frozen=True)
class Sources:
    """Everything that the page draws from.

    Attributes:
        arms: what is looked into, no relations first, then local, then global.
        tables, differences: as `glidn reproduce` wrote them; empty for a single run.
        label_rules: how well each view learns rules that only some views can see; may be empty.
        notes: what is missing, in words.
    """

    path: Path
    arms: tuple[Arm, ...]
    tables: list[dict[str, Any]] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)
    label_rules: list[dict[str, Any]] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    @property
    def is_reproduction(self) -> bool:
        return bool(self.tables)

    @property
    def first(self) -> Run:
        """The run whose circumstances stand for all."""
        return self.arms[0].runs[0]

    @property
    def related(self) -> tuple[Arm, ...]:
        """The arms with relations; where there are none, all."""
        return tuple(arm for arm in self.arms if arm.view != "none") or self.arms


def read(path: Path) -> Sources:
    """Recognise a run or reproduction folder and read what it holds.

    Raises:
        RunError: it is neither, or unfinished, or damaged.
    """
    if not path.exists():
        raise RunError(f"{path} does not exist. Train a run with: glidn train RECIPE --out {path}")
    label_rules = _rows(path / "label_rules.json", ("rule", "view", "accuracy", "chance"))
    if (path / "run.json").exists():
        arms, notes = _of_run(_finished(path))
        return Sources(path, _ordered(arms), label_rules=label_rules, notes=notes)
    if not (path / "tables.json").exists():
        what = (
            "its tables are not made yet; run the command that started it again"
            if (path / "runs").is_dir()
            else "it holds no run.json; give the folder of a run or of a reproduction"
        )
        raise RunError(f"{path} cannot be reported: {what}.")
    return Sources(
        path,
        _ordered(_of_reproduction(path)),
        tables=_rows(path / "tables.json", ("table", "row", "paper", "mean")),
        differences=_rows(path / "differences.json", ("what", "mean", "low", "high")),
        label_rules=label_rules,
    )


def _of_run(run: Run) -> tuple[list[Arm], tuple[str, ...]]:
    """The views that a run trained, and the one that taught it."""
    distill = run.config.distill
    if distill is None:
        return [Arm(view, "", (run,)) for view in run.views], ()
    if distill.mutual:
        return [
            Arm(view, f"learning with the {runs.other(view)} view", (run,)) for view in run.views
        ], ()
    own = run.views[0]
    if distill.teacher is None:
        return [Arm(own, "", (run,))], ()
    try:
        teacher = _finished(distill.teacher)
    except RunError as error:
        return [Arm(own, "taught", (run,))], (f"Its teacher is not shown: {error}",)
    view = teacher.views[0]
    taught = Arm(own, f"taught by the {view} view", (run,))
    return [taught, Arm(view, f"teacher of the {own} view", (teacher,))], ()


def _of_reproduction(path: Path) -> list[Arm]:
    seeds = sorted((path / "runs").glob("seed*"), key=lambda folder: (len(folder.name), folder))
    arms = []
    for plan in PLANS:
        found = tuple(
            _finished(seed / plan) for seed in seeds if (seed / plan / "run.json").exists()
        )
        if found:
            arms.append(Arm(found[0].views[0], "", found))
    if not arms:
        raise RunError(
            f"{path} holds tables but none of the runs {', '.join(PLANS)} under runs/seed0; "
            "run glidn reproduce again."
        )
    return arms


def _finished(path: Path) -> Run:
    run = runs.read(path)
    for fold in run.folds:
        if not run.is_done(fold):
            raise RunError(
                f"{path}: fold {fold} is not done; run the command that trained it again and it "
                "goes on where it stopped."
            )
    return run


def _ordered(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    return tuple(sorted(arms, key=lambda arm: ("none", "local", "global").index(arm.view)))


def _rows(path: Path, needed: Sequence[str]) -> list[dict[str, Any]]:
    """A JSON list of objects; empty where the file is absent."""
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        missing = [key for row in rows for key in needed if key not in row]
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} is damaged ({type(error).__name__}); make it again.") from error
    if missing:
        raise RunError(f"{path} is damaged: a row has no {missing[0]}; make it again.")
    return rows
