"""What the paper reports on Charades: Tables 1, 5, 6 and 7, and the run behind each row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from glidn.config import Context, RunConfig
from glidn.many_labels import GUESSES
from glidn.recipes import charades
from glidn.reproduction import precisions
from glidn.reproduction.paper import Comparison, Measured, Planned, Progress, Row, Trained
from glidn.types import Dataset

TABLES = ("1", "5", "6", "7")
NAMES = {"i3d": "I3D", "slowfast": "SlowFast"}
# Table 1: (model, nodes, mAP); * the union boxes of two objects.
TABLE_1 = (
    ("STRG [55]", "50 objects", 36.20),
    ("STRG [55]", "25 objects", 35.9),
    ("STAG [18]", "15 objects and edges*", 37.20),
)
# Table 7: (model, backbone, mAP), in its order; None is ours.
TABLE_7 = (
    ("2-Stream [39]", "VGG-16", 18.6),
    ("2-Stream + LSTM [39]", "VGG-16", 17.8),
    ("Async-TF [39]", "VGG-16", 22.4),
    ("Multiscale TRN [63]", "Inception", 25.2),
    ("I3D [5]", "Inception", 32.9),
    ("I3D [55]", "R50-I3D", 31.8),
    ("STRG [55]", "R50-I3D", 36.2),
    ("STAG [18]", "R50-I3D", 37.2),
    ("Pose and Joint-Aware [37]", "R50-I3D", 32.81),
    ("GLIDN, I3D", "i3d", None),
    ("LFB Max [56]", "R50-I3D-NL", 38.6),
    ("SlowFast 16 x 8 [11]", "R50-3D", 38.9),
    ("GLIDN, SlowFast 16 x 8", "slowfast", None),
)
# Tables 6 and 5: the paper's figures by the plan behind them, in its order.
ABLATIONS = {
    "i3d": {
        "baseline": 34.23,
        "local": 36.45,
        "global": 35.39,
        "local-by-global": 36.81,
        "global-by-local": 37.30,
    },
    "slowfast": {
        "baseline": 38.9,
        "local": 40.73,
        "global": 39.95,
        "global-by-local": 39.89,
        "local-by-global": 41.00,
    },
}
# The student of the paper's best row.
BEST = {"i3d": "global-by-local", "slowfast": "local-by-global"}
VIEWS: dict[str, Context] = {
    "first": "none",
    "baseline": "none",
    "none": "none",
    "local": "local",
    "global": "global",
    "local-by-global": "local",
    "global-by-local": "global",
}


def settings(first: RunConfig) -> RunConfig:
    """What the command line changes: a first stage's recipe with its views' heads and teaching."""
    head = charades.view(first, Path(), "none").view
    return replace(first, view=head, distill=charades.DISTILL)


@dataclass(frozen=True)
class Plan:
    """A run to train on one backbone.

    Attributes:
        kind: a key of `VIEWS`.
        backbone: i3d or slowfast.
    """

    kind: str
    backbone: str

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.backbone}-{self.kind}"

    @property
    def needs(self) -> str:
        """The plan that must be done before."""
        if self.kind == "first":
            return ""
        return f"{self.backbone}-{self.kind.split('-by-')[1] if self.taught else 'first'}"

    @property
    def taught(self) -> bool:
        return "-by-" in self.kind

    def config(self, base: RunConfig, second_epochs: int, seed: int, folder: Path) -> RunConfig:
        """The settings of this run.

        Args:
            base: of `settings`.
            second_epochs: of the second stage.
            folder: holds the runs of that seed.
        """
        context = VIEWS[self.kind]
        alone = replace(base.view, context="none", scene="only", scene_dropout=0.0)
        train = replace(base.train, seed=base.train.seed + seed)
        first = replace(base, view=alone, distill=None, train=train)
        if self.kind == "first":
            return first
        weights = folder / f"{self.backbone}-first"
        if self.kind == "baseline":
            made = charades.second_stage(first, weights)
        elif self.taught:
            assert base.distill is not None  # `settings` gives it
            teacher = folder / self.needs
            made = charades.student(first, weights, context, teacher, base.distill)
        else:
            made = charades.view(first, weights, context)
        if self.kind != "baseline":
            made = replace(made, view=replace(base.view, context=context))
        return replace(made, train=replace(made.train, epochs=second_epochs))


def plans() -> tuple[Plan, ...]:
    """Every run behind the tables; what is needed before what needs it."""
    return tuple(Plan(kind, backbone) for backbone in NAMES for kind in VIEWS)


def rows() -> tuple[Row, ...]:
    """Every line of the tables, in the paper's order; ours that it lacks beside what they test."""
    prior = "prior work, the paper's figure"
    best = {backbone: ABLATIONS[backbone][kind] for backbone, kind in BEST.items()}
    return (
        *(
            Row("1", f"{name}, {nodes}", paper, note=_star(prior, nodes))
            for name, nodes, paper in TABLE_1
        ),
        _best_row("1", "GLIDN, 15 objects", "i3d", best["i3d"]),
        *_ablation("5", "slowfast"),
        *_ablation("6", "i3d"),
        *(
            _best_row("7", name, backbone, best[backbone])
            if paper is None
            else Row("7", name, paper, note=f"{backbone}; {prior}")
            for name, backbone, paper in TABLE_7
        ),
    )


def _star(note: str, nodes: str) -> str:
    return f"{note}; * union boxes of two objects" if "*" in nodes else note


def _best_row(table: str, name: str, backbone: str, paper: float) -> Row:
    kind = BEST[backbone]
    teacher = kind.split("-by-")[1]
    note = f"{NAMES[backbone]}, {teacher}-teacher: the {VIEWS[kind]} view, taught by the {teacher}"
    return Row(table, name, paper, f"{backbone}-{kind}", VIEWS[kind], note)


def _ablation(table: str, backbone: str) -> list[Row]:
    name = NAMES[backbone]
    notes = {
        "first": "not in the paper; fewer epochs than the other rows",
        "baseline": "the backbone alone, trained for as long as the views",
        "none": "not in the paper; the mean of the nodes beside the scene",
        "local-by-global": "the local view, taught by the global",
        "global-by-local": "the global view, taught by the local",
    }
    if backbone == "i3d":
        notes["global"] = "the paper's text says 35.35"
    else:
        notes["global-by-local"] += "; in the paper below the global view alone (39.95)"
    titles = {
        "first": f"{name}, first stage only",
        "baseline": name,
        "none": "Nodes without relations",
        "local": "Local-context (spatial)",
        "global": "Global-context (temporal)",
        "global-by-local": "Local-teacher",
        "local-by-global": "Global-teacher",
    }
    paper = ABLATIONS[backbone]
    return [
        Row(
            table,
            titles[kind],
            paper.get(kind),
            f"{backbone}-{kind}",
            VIEWS[kind],
            notes.get(kind, ""),
        )
        for kind in dict.fromkeys(("first", "baseline", "none", *paper))
    ]


def comparisons() -> tuple[Comparison, ...]:
    """What each comparison asks: (question, ours, theirs)."""
    asked = (
        ("nodes without relations against the backbone alone", "none", "baseline"),
        ("the local view against the backbone alone", "local", "baseline"),
        ("the global view against the backbone alone", "global", "baseline"),
        ("local relations against nodes without relations", "local", "none"),
        ("global relations against nodes without relations", "global", "none"),
        ("the global view's teaching of the local one", "local-by-global", "local"),
        ("the local view's teaching of the global one", "global-by-local", "global"),
        ("the second stage of the backbone alone", "baseline", "first"),
    )
    return tuple(
        (
            f"{NAMES[backbone]}: {what}",
            (f"{backbone}-{ours}", VIEWS[ours]),
            (f"{backbone}-{theirs}", VIEWS[theirs]),
        )
        for backbone in NAMES
        for what, ours, theirs in asked
    )


@dataclass(frozen=True)
class Charades:
    """The tables on Charades, or on any dataset with many labels per video and its own split.

    Attributes:
        bases: by backbone, its settings (`settings` of a recipe).
        second_epochs: of the second stage (Table 4: 30).
    """

    bases: Mapping[str, RunConfig]
    second_epochs: int = 30

    @property
    def folds(self) -> tuple[str, ...]:
        return next(iter(self.bases.values())).folds

    def rows(self) -> Sequence[Row]:
        return rows()

    def plans(self) -> Sequence[Planned]:
        return [
            Planned(p.name, p.needs, partial(p.config, self.bases[p.backbone], self.second_epochs))
            for p in plans()
        ]

    def prepare(self, dataset: Dataset, progress: Progress) -> None:
        """Videos are read when clips are cut from them."""

    def measure(self, done: Trained, progress: Progress) -> Measured:
        found = precisions.rank(done, progress)
        return Measured(
            entries=precisions.entries(done.rows, found),
            differences=precisions.differences(found, comparisons()),
            columns=precisions.COLUMNS,
            line=precisions.cells,
            how=self._how(done),
            legend=(
                "*Paper* is the paper's mAP in percent, on Charades' 1,863 test videos. *Ours* is "
                "mAP in percent by Charades' official rule, mean and standard deviation over "
                "seeds; *weighted* is the same with every class weighing as many videos as show "
                "it; *scikit-learn's rule* treats ties and unlabelled videos differently. "
                f"Intervals: {precisions.DRAWS} bootstrap draws of the test videos, the same for "
                "every row, less their bias.",
                "",
                'Every row but "first stage only" was trained for the same number of epochs; a '
                "student's teacher was trained besides, as in the paper. `per_class.csv` has every "
                "class.",
            ),
            files={"per_class.csv": precisions.per_class(found)},
        )

    def _how(self, done: Trained) -> list[str]:
        data, fold = done.dataset, done.folds[0]
        scores = next(iter(done.scores.values()))[0]
        lines = [
            f"**Chance is {100 * scores.chance:.2f} mAP**: what random scores get on these test "
            f"videos, the mean of {GUESSES} draws.",
            "",
            f"Data: {data.name}, {len(fold.train):,} videos to train on and {len(fold.test):,} to "
            f"test, {len(data.classes)} classes, of which {len(scores.per_class)} are shown in "
            "the test.",
            "",
        ]
        for backbone in dict.fromkeys(plan.split("-")[0] for plan in done.runs):
            lines.append(self._about(backbone, done))
        first = next(iter(self.bases.values())).train.seed
        lines.append("")
        lines.append(f"Seeds {first} to {first + done.seeds - 1}; the last epoch is tested.")
        unread = {name for found in done.scores.values() for one in found for name in one.unread}
        if unread:
            lines.append(
                f"**{len(unread):,} test videos could not be read and rank last in every row**: "
                f"{', '.join(sorted(unread))}."
            )
        return lines

    def _about(self, backbone: str, done: Trained) -> str:
        """A line about a backbone, from the settings of its runs."""
        configs = {
            plan: found[0].config for plan, found in done.runs.items() if plan.startswith(backbone)
        }
        first = configs[f"{backbone}-first"]
        assert first.backbone is not None and first.clips is not None
        second = [c.train.epochs for plan, c in configs.items() if not plan.endswith("-first")]
        clips, network = first.clips, first.backbone
        weights = network.weights.name if network.weights else "random weights"
        size = "ResNet-50" if network.blocks == (3, 4, 6, 3) else "a miniature"
        return (
            f"- {NAMES[backbone]} ({size}, stem of {network.width} channels) from {weights}; "
            f"epochs: {first.train.epochs} of the first stage, {second[0]} of the second; "
            f"{clips.frames} frames of {clips.size}x{clips.size} at {clips.fps / clips.rate:g} a "
            f"second, {clips.boxes} boxes per step; {clips.test_clips} x {clips.test_crops} views "
            f"of {clips.test_size}x{clips.test_size} in the test."
        )
