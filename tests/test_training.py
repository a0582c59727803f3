"""The loop: resume equals uninterrupted, teachers stay frozen, peers stay independent."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glidn.batch import collate
from glidn.config import DistillConfig, NodesConfig, TrainConfig, ViewConfig
from glidn.errors import RunError
from glidn.learner import Lesson
from glidn.model import Network, build
from glidn.sources import InMemory
from glidn.teachers import consult
from glidn.training import fit, seeded
from make import CLASSES, samples

NODES = NodesConfig(kinds=("geometry",))
TRAIN = TrainConfig(epochs=6, batch=4, lr=0.01, decay_every=3, threads=1)


def network(context: str = "local", seed: int = 0) -> Network:
    seeded(seed, context)
    view = ViewConfig(context=context, embed=8, width=8, layers=2, dropout=0.2)
    return build(NODES, view, {"geometry": 7}, len(CLASSES))


def source(videos: int = 13) -> InMemory:
    return InMemory(samples(videos))


def weights(net: Network) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


class Killed(Exception):  # noqa: N818
    """Stands for a kill in the middle of an epoch."""


def stop_after(step: int):
    def progress(done: int, total: int) -> None:
        if done == step:
            raise Killed

    return progress


def test_resume_equals_uninterrupted(tmp_path: Path):
    """With dropout, shuffling and a decaying rate; the checkpoint is older than the kill."""
    train = replace(TRAIN, checkpoint_every=2)
    whole = network()
    fit([Lesson({"local": whole}, tmp_path / "whole")], source(), train)

    steps = 4  # of 4 videos each, in an epoch
    for stop in (2 * steps + 3, 4 * steps + 1):
        with pytest.raises(Killed):
            lesson = Lesson({"local": network()}, tmp_path / "cut")
            fit([lesson], source(), train, stop_after(stop))
    resumed = network()
    fit([Lesson({"local": resumed}, tmp_path / "cut")], source(), train)

    assert torch.equal(weights(whole), weights(resumed))
    logs = [(tmp_path / name / "log.jsonl").read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1]
    assert [json.loads(line)["epoch"] for line in logs[0].splitlines()] == [1, 2, 3, 4, 5, 6]


def test_another_seed_gives_other_weights_and_the_same_seed_the_same(tmp_path: Path):
    made = []
    for number, seed in enumerate((0, 0, 1)):
        net = network(seed=0)
        lesson = Lesson({"local": net}, tmp_path / f"{number}")
        fit([lesson], source(), replace(TRAIN, seed=seed))
        made.append(weights(net))
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_a_spoilt_checkpoint_is_one_sentence(tmp_path: Path):
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(RunError, match=r"checkpoint\.pt cannot be resumed from"):
        fit([Lesson({"local": network()}, tmp_path)], source(), TRAIN)


def test_it_learns_what_can_be_learnt(tmp_path: Path):
    net = network()
    long = replace(TRAIN, epochs=30, decay_every=30)
    fit([Lesson({"local": net}, tmp_path)], source(60), long)
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert last["local.accuracy"] > 0.9


def test_a_student_with_its_teacher_alone_ends_where_the_teacher_is(tmp_path: Path):
    """λ1 = 0: only the teacher's logits are left to learn from."""
    material = source(30)
    teacher = network("global")
    fit([Lesson({"global": teacher}, tmp_path / "t")], material, replace(TRAIN, epochs=20))
    before = weights(teacher)
    said = consult(teacher, material)

    student = network("local")
    only_teacher = DistillConfig(temperature=1, lambda1=0, lambda2=1)
    long = replace(TRAIN, epochs=60, decay_every=60)
    fit([Lesson({"local": student}, tmp_path / "s", only_teacher, said)], material, long)

    assert torch.equal(before, weights(teacher))
    log = [json.loads(line) for line in (tmp_path / "s" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["local.teacher"] < 0.2 * log[0]["local.teacher"]


def test_a_teacher_is_consulted_in_eval_mode_on_each_variant():
    material = [
        replace(
            s, variants=(*s.variants, {"geometry": -s.variants[0]["geometry"]}), real=s.real * 2
        )
        for s in samples(5)
    ]
    teacher = network("global").train()  # dropout on, unless consult turns it off
    both = InMemory(material)
    first, again = consult(teacher, both), consult(teacher, both)
    plain, varied = (collate(material, [variant] * 5) for variant in (0, 1))
    torch.testing.assert_close(first(varied), again(varied))
    assert (first(plain) - first(varied)).abs().max() > 1e-3


def test_peers_that_ignore_each_other_train_as_if_alone(tmp_path: Path):
    """λ2 = 0 takes the teaching away: what is left must be two separate trainings."""
    train = replace(TRAIN, epochs=3)
    view = {name: network(name) for name in ("local", "global")}
    for net in view.values():
        net.relate.dropout.p = 0.0
        net.classify[0].p = 0.0
    deaf = DistillConfig(mutual=True, temperature=1, lambda1=1, lambda2=0)
    fit([Lesson(view, tmp_path / "both", deaf)], source(), train)

    alone = network("global")
    alone.relate.dropout.p = 0.0
    alone.classify[0].p = 0.0
    fit([Lesson({"global": alone}, tmp_path / "alone")], source(), train)
    torch.testing.assert_close(weights(view["global"]), weights(alone))


def test_peers_come_to_agree(tmp_path: Path):
    distance = {}
    for lambda2 in (0.0, 10.0):
        views = {name: network(name) for name in ("local", "global")}
        config = DistillConfig(mutual=True, temperature=1, lambda1=1, lambda2=lambda2)
        lesson = Lesson(views, tmp_path / f"{lambda2}", config)
        fit([lesson], source(30), replace(TRAIN, epochs=20))
        one, other = (consult(net, source(30)).logits.softmax(-1) for net in views.values())
        distance[lambda2] = (one - other).abs().mean()
    assert distance[10.0] < 0.7 * distance[0.0]
