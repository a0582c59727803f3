"""What a folder holds that can be reported: a run, or the runs and tables of a reproduction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from glidn import evaluation, many_labels, runs, timed
from glidn.config import Context
from glidn.errors import RunError
from glidn.evaluation import Predictions, Scores, TimedScores
from glidn.many_labels import ManyPredictions, ManyScores
from glidn.runs import Run
from glidn.timed import Timelines

NAMES = {"local": "Local view", "global": "Global view", "none": "No relations"}
# The plans of a reproduction that the page looks into; the others appear in its tables.
PLANS = ("baseline", "local", "global")
# What the plans' names begin with where several backbones are compared; the first that was run.
BACKBONES = ("", "i3d-", "slowfast-")


@dataclass(frozen=True)
class Arm:
    """One network design, and the runs that trained it, one per seed.

    With one label per video it has `predictions` and `scores`, with many labels `rankings` and
    `precisions`.

    Attributes:
        view: "local", "global" or "none".
        role: what is special about it: "taught by the global view"; "" for a view on its own.
    """

    view: Context
    role: str
    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        return "Backbone alone" if self.alone else NAMES[self.view]

    @property
    def alone(self) -> bool:
        """Whether it is a video network that sees whole pictures and no boxes."""
        return self.runs[0].config.view.scene == "only"

    @property
    def many(self) -> bool:
        """Whether a video has many labels."""
        return self.runs[0].task == "multi"

    @property
    def is_timed(self) -> bool:
        """Whether a video has labels one after the other, and `videos` counts those."""
        return self.runs[0].task == "timed"

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

    @cached_property
    def rankings(self) -> list[dict[str, ManyPredictions]]:
        """Per seed, the scores that every fold gave its test videos."""
        return [
            {
                fold: many_labels.read(run.fold(fold) / f"{self.view}.csv", run.classes)
                for fold in run.folds
            }
            for run in self.runs
        ]

    @cached_property
    def precisions(self) -> list[ManyScores]:
        """Per seed, the average precisions."""
        return [evaluation.score_many(run, self.view) for run in self.runs]

    @cached_property
    def timed(self) -> list[TimedScores]:
        """Per seed, the scores of windows and timelines."""
        return [evaluation.score_timed(run, self.view) for run in self.runs]

    @cached_property
    def timelines(self) -> list[dict[str, Timelines]]:
        """Per seed, every test video's timelines."""
        return [
            {
                video: found
                for fold in run.folds
                for video, found in timed.read(
                    run.fold(fold) / f"{self.view}.timeline.csv", run.classes
                ).items()
            }
            for run in self.runs
        ]

    @cached_property
    def unread(self) -> dict[str, str]:
        """The test videos that could not be read, in any of the runs: name, and why."""
        return {
            video: why
            for run in self.runs
            for fold in run.folds
            for video, why in runs.read_unread(run, fold).items()
        }

    @property
    def videos(self) -> int:
        """How many were tested."""
        return (self.precisions if self.many else self.scores)[0].videos

    @property
    def percents(self) -> np.ndarray:
        """(S,) per seed: accuracy over all videos, with many labels mAP; in percent."""
        if self.many:
            return 100 * np.array([found.mean for found in self.precisions])
        return 100 * np.array([found.pooled for found in self.scores])

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
    def many(self) -> bool:
        """Whether a video has many labels."""
        return self.arms[0].many

    @property
    def is_timed(self) -> bool:
        """Whether a video has labels one after the other."""
        return self.arms[0].is_timed

    @property
    def measure(self) -> str:
        """What the figures are percent of."""
        return "mAP" if self.many else "accuracy"

    @property
    def unread(self) -> dict[str, str]:
        """The test videos that some network could not read: name, and why."""
        return {video: why for arm in self.arms for video, why in arm.unread.items()}

    @property
    def first(self) -> Run:
        """The run whose circumstances stand for all: the reported one, not its teacher."""
        return self._own(self.arms)

    @property
    def looked_at(self) -> Run:
        """The run whose test videos are shown."""
        return self._own(self.related)

    def _own(self, arms: Sequence[Arm]) -> Run:
        every = [arm.runs[0] for arm in arms]
        return next((run for run in every if run.path == self.path), every[0])

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
    arms, notes = _of_reproduction(path)
    return Sources(
        path,
        _ordered(arms),
        tables=_rows(path / "tables.json", ("table", "row", "paper", "mean")),
        differences=_rows(path / "differences.json", ("what", "mean", "low", "high")),
        label_rules=label_rules,
        notes=notes,
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


def _of_reproduction(path: Path) -> tuple[list[Arm], tuple[str, ...]]:
    seeds = sorted((path / "runs").glob("seed*"), key=lambda folder: (len(folder.name), folder))
    looked_into: list[Arm] = []
    others = []
    for backbone in BACKBONES:
        arms = []
        for plan in (backbone + name for name in PLANS):
            folders = [seed / plan for seed in seeds if (seed / plan / "run.json").exists()]
            if folders and looked_into:
                others.append(plan)
            elif folders:
                found = tuple(_finished(folder) for folder in folders)
                arms.append(Arm(found[0].views[0], "", found))
        looked_into = looked_into or arms
    if not looked_into:
        raise RunError(
            f"{path} holds tables but none of the runs {', '.join(PLANS)} under runs/seed0; "
            "run glidn reproduce again."
        )
    if not others:
        return looked_into, ()
    name = looked_into[0].runs[0].path.name
    return looked_into, (
        f"The page looks into the runs {name.split('-')[0]}-…; those of {others[0].split('-')[0]} "
        "are in the tables, and glidn report shows any of them by its folder.",
    )


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
