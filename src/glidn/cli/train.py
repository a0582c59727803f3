"""glidn train RECIPE [--out RUN] [--data.root DIR] [--nodes KINDS] [any setting]"""

import re
import sys
from collections.abc import Mapping, Sequence
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
    found = parse(parser, kinds_of(arguments[1:]))
    return _train(found.out or Path("runs") / name, to_config(found))


def kinds_of(arguments: Sequence[str]) -> list[str]:
    """--nodes small,geometry is short for --nodes.kinds [small,geometry]."""
    words: list[str] = []
    for word in arguments:
        option, equals, value = word.partition("=")
        if option == "--nodes" and equals:
            words += [option]
            word = value
        if words and words[-1] == "--nodes" and re.fullmatch(r"[a-z]+(,[a-z]+)*", word):
            words[-1:] = ["--nodes.kinds", f"[{word}]"]
        else:
            words.append(word)
    return words


def _train(path: Path, config: RunConfig) -> int:
    # Imported here because torch takes seconds: a wrong setting is told at once.
    from glidn import (
        datasets,
        enough,
        evaluation,
        experiment,
        processes,
        protocol,
        runs,
        windows,
    )
    from glidn.checks import check_weights
    from glidn.material import prepare

    check_weights(config)
    dataset = windows.learnt(datasets.load(config.data.root, config.data.kind), config.data)
    if processes.is_first():
        say_left_out(dataset)
    data = config.data
    folds = protocol.folds(dataset, config.folds, data.protocol, data.parts, data.parts_seed)
    too_little = enough.notes(dataset, folds)
    if processes.is_first():
        for note in too_little:
            print(f"note: {note}.")
    for fold in folds:
        experiment.check_teacher(config, dataset.classes, fold)
        experiment.check_backbone(config, dataset.classes, fold)
    with progress_bar(show=processes.is_first()) as report:
        material = prepare(dataset, config, report)
        if processes.is_first():
            runs.create(path, config, dataset, folds)
        processes.wait()
        run = runs.read(path)
        for fold in folds:
            training, testing = (
                partial(report, f"{what}fold {fold.name}") for what in ("", "testing ")
            )
            experiment.train_fold(run, fold.name, material, training, testing)
    if not processes.is_first():
        return 0
    scores = evaluation.evaluate(run)
    for view, found in scores.items():
        print(f"{path} ({view}): {found.sentence}.")
    for note in material.notes():
        print(f"note: {note}")
    print(f"look at it: glidn report {path}")
    return say_unread([runs.read_unread(run, fold.name) for fold in folds])


def say_unread(folds: Sequence[Mapping[str, str]]) -> int:
    """The test videos that could not be read, at the end; the exit code."""
    unread = {video: reason for fold in folds for video, reason in fold.items()}
    for video, reason in unread.items():
        sentence = f"glidn: test video {video} could not be read and ranks last: {reason}"
        print(sentence, file=sys.stderr)
    return 1 if unread else 0


def say_left_out(dataset: Dataset) -> None:
    """What could not be used, and why; once per command."""
    for one in dataset.left_out:
        print(f"left out {one.video}: {one.reason}")
