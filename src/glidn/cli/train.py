"""glidn train RECIPE [--out RUN] [--data.root DIR] [any setting]"""

from functools import partial
from pathlib import Path

from glidn.cli.progress import progress_bar
from glidn.cli.settings import add_settings, parse, to_config
from glidn.config import RunConfig
from glidn.recipes import RECIPES, find
from glidn.types import Dataset


def main(arguments: list[str]) -> int:
    """Train every fold of a run; the same command goes on after an interruption."""
    from jsonargparse import ArgumentParser

    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: glidn train RECIPE [--out RUN] [--data.root DIR] [any setting]\n")
        print("recipes (glidn train RECIPE --help lists its settings):")
        for name, recipe in RECIPES.items():
            print(f"    {name:36}{(recipe.__doc__ or '').splitlines()[0]}")
        return 0

    name = arguments[0]
    parser = ArgumentParser(prog=f"glidn train {name}", description=find(name).__doc__)
    parser.add_argument("--out", type=Path, help="the run folder; default: runs/RECIPE")
    add_settings(parser, find(name))
    found = parse(parser, arguments[1:])
    return _train(found.out or Path("runs") / name, to_config(found))


def _train(path: Path, config: RunConfig) -> int:
    # Imported here because torch takes seconds: a wrong setting is told at once.
    from glidn import datasets, evaluation, experiment, protocol, runs

    dataset = datasets.load(config.data.root, config.data.kind)
    say_left_out(dataset)
    folds = protocol.folds(dataset, config.folds)
    for fold in folds:
        experiment.check_teacher(config, dataset.classes, fold)
    with progress_bar() as report:
        material = experiment.load(dataset, config, report)
        run = runs.create(path, config, dataset, folds)
        for fold in folds:
            experiment.train_fold(run, fold.name, material, partial(report, f"fold {fold.name}"))
    scores = evaluation.evaluate(run)
    for view, found in scores.items():
        print(
            f"{path} ({view}): accuracy {100 * found.mean:.1f} ± {100 * found.std:.1f} "
            f"(mean and standard deviation over folds: {len(found.per_fold)}), "
            f"{100 * found.pooled:.1f} pooled over {found.videos} videos."
        )
    print(f"look at it: glidn report {path}")
    return 0


def say_left_out(dataset: Dataset) -> None:
    """What could not be used, and why; once per command."""
    for one in dataset.left_out:
        print(f"left out {one.video}: {one.reason}")
