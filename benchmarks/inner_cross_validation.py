"""Compare settings without ever testing on a subject that a table tests on.

    python benchmarks/inner_cross_validation.py cad120.tracks --data.root DIR --seeds 4 \
        [--view.width 16 or any other setting]

For the fold that leaves out subject s, a setting is scored by leaving out one of the *other*
subjects v in turn, training on the rest and testing on v; nobody looks at s. Prints the score of
every outer fold, and their mean. Two folds (s, v) and (v, s) share one training. With timed labels
(cad120.timed) the means of segments, frames, F1@10/25/50 and edit are printed, too.
"""

import sys
import tempfile
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from jsonargparse import ArgumentParser

from glidn import datasets, evaluation, experiment, runs, timed, timeline, windows
from glidn.cli.settings import add_settings, parse, to_config
from glidn.config import RunConfig
from glidn.material import prepare
from glidn.protocol import Fold
from glidn.recipes import find
from glidn.types import Dataset


def scores(dataset: Dataset, config: RunConfig, seeds: int) -> dict[str, list[list[float]]]:
    """Per outer fold, the inner scores in percent; the first of each is what counts."""
    material = prepare(dataset, config, None)
    subject = {video.name: video.subject for video in dataset.videos}
    found: dict[str, list[list[float]]] = {name: [] for name in dataset.subjects}
    for seed in range(seeds):
        seeded = replace(config, train=replace(config.train, seed=seed))
        for pair in combinations(dataset.subjects, 2):
            held = tuple(name for name, who in subject.items() if who in pair)
            fold = Fold("+".join(pair), tuple(name for name in subject if name not in held), held)
            with tempfile.TemporaryDirectory() as folder:
                run = runs.create(Path(folder) / "run", seeded, dataset, (fold,))
                experiment.train_fold(run, fold.name, material)
                said = evaluation.read_all(run, run.views[0])[fold.name]
                over = run.fold(fold.name) / f"{run.views[0]}.timeline.csv"
                timelines = timed.read(over, run.classes) if run.task == "timed" else {}
            for validated, outer in (pair, pair[::-1]):
                of_him = np.array([who == validated for who in said.subjects])
                values = [float(said.correct[of_him].mean())]
                if timelines:
                    his = [one for name, one in timelines.items() if subject[name] == validated]
                    fit = timeline.score([(one.truth, one.predicted) for one in his])
                    values = [fit.accuracy, *values, *fit.f1.values(), fit.edit]
                found[outer].append([100 * value for value in values])
    return found


def main(arguments: list[str]) -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    add_settings(parser, find(arguments[0]))
    settings = parse(parser, arguments[1:])
    config = to_config(settings)
    dataset = windows.learnt(datasets.load(config.data.root, config.data.kind), config.data)
    means = {o: np.mean(v, 0) for o, v in scores(dataset, config, settings.seeds).items()}
    each = {outer: round(float(values[0]), 1) for outer, values in means.items()}
    first, *others = np.mean(list(means.values()), 0).round(1).tolist()
    print(f"{' '.join(arguments)}\n  inner score by outer fold {each}; mean {first}")
    if others:
        print(f"  segments, F1@10, F1@25, F1@50, edit: {' / '.join(map(str, others))}")


if __name__ == "__main__":
    main(sys.argv[1:])
