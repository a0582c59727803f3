"""Many small trainings: one after another, as a script would, against all cores at once.

    python benchmarks/many_trainings.py [--data demo/data] [--seeds 2]

The folds and seeds of the local and the global view of `cad120.tracks` on geometry nodes. "One
after another" is the training loop in one process: with all cores for each training, and with one.
Predictions of the same training are compared between the ways.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from glidn import datasets, evaluation, experiment, memory, protocol, runs
from glidn.config import Context, RunConfig
from glidn.material import prepare
from glidn.recipes import cad120, variants
from glidn.reproduction.schedule import Job, train_all
from glidn.types import Dataset

CONTEXTS: tuple[Context, ...] = ("local", "global")


def jobs(folder: Path, data: Dataset, seeds: int, threads: int) -> list[Job]:
    found = []
    base = cad120.tracks()
    for seed in range(seeds):
        for context in CONTEXTS:
            train = replace(base.train, seed=seed, threads=threads)
            config: RunConfig = variants.alone(replace(base, train=train), context)
            folds = protocol.folds(data)
            path = folder / f"{context}{seed}"
            runs.create(path, config, data, folds)
            found += [Job(path, fold.name, None, config) for fold in folds]
    return found


def one_after_another(every: list[Job], data: Dataset) -> None:
    material = prepare(data, every[0].config, None)
    for job in every:
        experiment.train_fold(runs.read(job.run), job.fold, material)


def verdicts(every: list[Job]) -> list[list[int]]:
    found = []
    for job in every:
        run = runs.read(job.run)
        said = evaluation.read(run.fold(job.fold) / f"{run.views[0]}.csv", run.classes)
        found.append(said.predicted.tolist())
    return found


def main() -> None:
    memory.keep()  # as the command line does
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("demo/data"))
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    data, cores = datasets.load(asked.data), torch.get_num_threads()
    times, said = [], []
    with tempfile.TemporaryDirectory() as name:
        for number, threads in enumerate((cores, 1, 1)):
            every = jobs(Path(name) / str(number), data, asked.seeds, threads)
            began = time.perf_counter()
            if number < 2:
                one_after_another(every, data)
            else:
                train_all(every, data)
            times.append(time.perf_counter() - began)
            said.append(verdicts(every))
    print(f"{len(every)} trainings, {cores} cores.\n")
    print("| way | against ours | same verdicts as ours |\n|---|---|---|")
    names = (f"one after another, {cores} threads", "one after another, 1 thread", "ours")
    for way, took, own in zip(names, times, said, strict=True):
        pairs = [
            (a, b) for x, y in zip(own, said[-1], strict=True) for a, b in zip(x, y, strict=True)
        ]
        same = sum(a == b for a, b in pairs) / len(pairs)
        print(f"| {way} | {took / times[-1]:.2f} ({took:.1f} s) | {100 * same:.1f}% |")


if __name__ == "__main__":
    main()
