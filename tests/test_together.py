"""Trainings side by side: what they share is done once, and each ends as it would alone."""

import itertools
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glidn import experiment, runs
from glidn.config import (
    Context,
    DataConfig,
    DistillConfig,
    NodesConfig,
    RunConfig,
    TrainConfig,
    ViewConfig,
)
from glidn.learner import Lesson
from glidn.material import prepare
from glidn.model import Network, build
from glidn.protocol import folds
from glidn.recipes import find, variants
from glidn.reproduction import schedule
from glidn.reproduction.schedule import Job, _groups
from glidn.runs import Run
from glidn.sources import InMemory
from glidn.teachers import consult
from glidn.training import fit, seeded
from make import CLASSES, dataset, samples

TRAIN = TrainConfig(epochs=9, batch=4, accumulate=2, lr=0.03, checkpoint_every=2, threads=1)
TRAINED, HELD = InMemory(samples(13)), InMemory(samples(5, seed=1))


def network(context: str, dropout: float = 0.2) -> Network:
    seeded(0, context)
    view = ViewConfig(context=context, embed=8, width=8, layers=2, dropout=dropout)
    return build(NodesConfig(kinds=("geometry",)), view, {"geometry": 7}, len(CLASSES))


def lessons(folder: Path) -> list[Lesson]:
    """A view alone, one that draws more chance, a student, and peers."""
    said = consult(network("global"), TRAINED)
    peers = {context: network(context) for context in ("local", "global")}
    return [
        Lesson({"local": network("local")}, folder / "local"),
        Lesson({"global": network("global", 0.5)}, folder / "global"),
        Lesson({"local": network("local")}, folder / "student", DistillConfig(), said),
        Lesson(peers, folder / "peers", DistillConfig(mutual=True)),
    ]


def same(some: Sequence[Lesson], others: Sequence[Lesson]) -> None:
    """Bit by bit the same weights and logs."""
    for one, other in zip(some, others, strict=True):
        for view, net in one.networks.items():
            theirs = other.networks[view].state_dict()
            for name, value in net.state_dict().items():
                assert torch.equal(value, theirs[name]), (one.folder.name, view, name)
        logs = [(lesson.folder / "log.jsonl").read_bytes() for lesson in (one, other)]
        assert logs[0] == logs[1]


def epochs(lesson: Lesson) -> int:
    return len((lesson.folder / "log.jsonl").read_text().splitlines())


class Killed(Exception):  # noqa: N818
    """Stands for a kill in the middle of an epoch."""


def stop_after(step: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done == step:
            raise Killed

    return progress


def test_each_ends_with_the_bits_that_it_has_alone(tmp_path: Path):
    """Dropout must be each one's own, though all draw from one generator."""
    alone, together = lessons(tmp_path / "alone"), lessons(tmp_path / "together")
    for lesson in alone:
        fit([lesson], TRAINED, TRAIN)
    fit(together, TRAINED, TRAIN)
    same(together, alone)


def test_they_go_on_from_different_epochs(tmp_path: Path):
    """One was killed alone, two together and later, one never began."""
    alone, together = lessons(tmp_path / "alone"), lessons(tmp_path / "together")
    for lesson in alone:
        fit([lesson], TRAINED, TRAIN)
    steps = 4  # of 4 videos each, in an epoch
    for some, epoch in ((slice(0, 1), 2), (slice(1, 3), 6)):
        with pytest.raises(Killed):
            fit(lessons(tmp_path / "together")[some], TRAINED, TRAIN, stop_after(epoch * steps + 3))
    fit(together, TRAINED, TRAIN)
    same(together, alone)


def test_each_stops_when_it_gets_no_better_and_keeps_its_best(tmp_path: Path):
    train = replace(TRAIN, epochs=40, patience=2)
    alone, together = lessons(tmp_path / "alone"), lessons(tmp_path / "together")
    for lesson in alone:
        fit([lesson], TRAINED, train, judge=HELD)
    told = []
    fit(together, TRAINED, train, lambda *steps: told.append(steps), judge=HELD)
    same(together, alone)
    assert len({epochs(lesson) for lesson in alone}) > 2
    assert max(epochs(lesson) for lesson in alone) < train.epochs
    assert told[-1] == (4 * train.epochs, 4 * train.epochs)


BASE = replace(
    find("cad120.tracks"),
    data=DataConfig(variants=2, steps=5),
    train=replace(
        TRAIN, epochs=3, lr=0.01, checkpoint_every=1, validation=0.25, class_weights=3.0, prior=True
    ),
)
DATA = dataset()
FOLD = folds(DATA)[0].name


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> dict[Context, Run]:
    """A run of either view."""
    made: dict[Context, Run] = {}
    contexts: tuple[Context, ...] = ("local", "global")
    for context in contexts:
        config = variants.alone(BASE, context)
        path = tmp_path_factory.mktemp("teachers") / context
        made[context] = runs.create(path, config, DATA, folds(DATA))
        experiment.train_fold(made[context], FOLD, MATERIAL)
    return made


def students(folder: Path, by: dict[Context, Run]) -> list[Run]:
    """Two of one teacher, one of another, and peers."""
    by_global, by_local = by["global"].path, by["local"].path
    configs = {
        "T2": variants.taught(BASE, "local", by_global, DistillConfig(temperature=2)),
        "T3": variants.taught(BASE, "local", by_global, DistillConfig(temperature=3)),
        "by local": variants.taught(BASE, "global", by_local),
        "mutual": variants.mutual(BASE),
    }
    return [
        runs.create(folder / name, config, DATA, folds(DATA)) for name, config in configs.items()
    ]


def files(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.fold(FOLD).iterdir()}


MATERIAL = prepare(DATA, BASE, None)


def test_runs_of_a_fold_write_what_each_writes_alone_and_ask_a_teacher_once(
    tmp_path: Path, teachers: dict[Context, Run], monkeypatch: pytest.MonkeyPatch
):
    alone = students(tmp_path / "alone", teachers)
    together = students(tmp_path / "together", teachers)
    for run in alone:
        experiment.train_fold(run, FOLD, MATERIAL)
    asked = []
    monkeypatch.setattr(experiment, "consult", lambda *what: asked.append(what) or consult(*what))
    experiment.train_together(together, FOLD, MATERIAL)
    assert len(asked) == 2
    for one, other in zip(together, alone, strict=True):
        assert files(one) == files(other)
    assert "checkpoint.pt" not in files(together[0])
    assert files(together[0])["local.csv"] != files(together[1])["local.csv"]


def test_runs_that_are_done_or_only_untested_are_not_trained_again(
    tmp_path: Path, teachers: dict[Context, Run]
):
    whole, some = students(tmp_path / "whole", teachers), students(tmp_path / "some", teachers)
    experiment.train_together(whole, FOLD, MATERIAL)
    for run in some[:2]:
        experiment.train_fold(run, FOLD, MATERIAL)
    (some[0].fold(FOLD) / "local.csv").unlink()
    kept = [run.fold(FOLD) / "local.safetensors" for run in some[:2]]
    kept.append(some[1].fold(FOLD) / "local.csv")
    times = [path.stat().st_mtime_ns for path in kept]
    experiment.train_together(some, FOLD, MATERIAL)
    assert [path.stat().st_mtime_ns for path in kept] == times
    for one, other in zip(some, whole, strict=True):
        assert files(one) == files(other)


def test_runs_of_other_training_or_videos_are_not_taken_for_alike(tmp_path: Path):
    def run(name: str, train: TrainConfig, first: int) -> Run:
        data = replace(DATA, videos=DATA.videos[first:])
        return runs.create(tmp_path / name, replace(BASE, train=train), data, folds(data))

    usual = run("usual", BASE.train, 0)
    for other in (
        run("seed", replace(BASE.train, seed=1), 0),
        run("videos", BASE.train, 4),
    ):
        with pytest.raises(ValueError, match="same fold and equal training"):
            experiment.train_together([usual, other], FOLD, MATERIAL)


def test_jobs_are_grouped_by_fold_data_and_training():
    def job(name: str, fold: str = "a", needs: str = "", config: RunConfig = BASE) -> Job:
        return Job(Path(name), fold, Path(needs) if needs else None, config)

    seed = replace(BASE, train=replace(BASE.train, seed=1))
    steps = replace(BASE, data=replace(BASE.data, steps=7))
    width = replace(BASE, view=replace(BASE.view, width=9))  # of the network alone
    alike = [job("1"), job("2", config=width)]
    others = [job("3", "b"), job("4", config=seed), job("5", config=steps)]
    more = [job(str(number), "c") for number in range(6, 10)]  # or five would be one group each
    found = _groups([*alike, *others, *more], 1)
    assert found == [alike, *([other] for other in others), more[:2], more[2:]]


def test_groups_are_as_large_as_all_workers_can_be_busy():
    def sizes(jobs: int, workers: int) -> list[int]:
        made = [Job(Path(str(number)), "a", Path("xy"[number % 2])) for number in range(jobs)]
        found = _groups(made, workers)
        # Students of one teacher stay together.
        assert {one.needs for one in found[0]} == {Path("x")}
        assert sorted(made, key=str) == sorted(itertools.chain(*found), key=str)
        return [len(group) for group in found]

    assert sizes(100, 2) == [8] * 12 + [4]
    assert sizes(20, 2) == [2] * 10
    assert sizes(20, 16) == [1] * 20
    assert sizes(33, 1) == [7] * 4 + [5]


def test_progress_counts_every_job_of_a_group():
    schedule._running[:] = [multiprocessing.Value("q", 0)]
    with schedule._telling(3) as told:
        told(50, 100)
        assert schedule._running[0].value == 1500
    assert schedule._running[0].value == 0


def test_trainings_on_clips_stay_alone():
    """Their activations fill the memory one by one."""
    clips = find("charades.i3d_local")
    jobs = [Job(Path(name), "a", None, clips) for name in "12"]
    assert _groups(jobs * 8, 1) == [[job] for job in jobs * 8]
