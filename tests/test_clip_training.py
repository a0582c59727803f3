"""Clips that are cut as training goes by: the same for any number of loaders and processes."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import make_agents
import make_clips
from glidn import evaluation, experiment, many_labels, protocol, runs
from glidn.config import ClipsConfig, DistillConfig, RunConfig
from glidn.errors import GlidnError, LeakError, RunError
from glidn.material import prepare
from glidn.runs import Run
from glidn.types import Dataset


def train(path: Path, config: RunConfig, data: Dataset | None = None) -> Run:
    data = data or make_clips.dataset()
    folds = protocol.folds(data)
    run = runs.create(path, config, data, folds)
    for fold in folds:
        experiment.train_fold(run, fold.name, prepare(data, config, None))
    evaluation.evaluate(run)
    return run


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.fold("test") / f"{run.views[0]}.safetensors")


def log(run: Run) -> list[dict]:
    lines = (run.fold("test") / "log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def assert_same(a: Run, b: Run, **tolerance: float) -> None:
    found, expected = weights(a), weights(b)
    assert found.keys() == expected.keys()
    for key in found:
        torch.testing.assert_close(found[key], expected[key], **tolerance)


def assert_moved_alike(a: Run, b: Run, folder: Path) -> None:
    """All weights together, but for sums in another order: a thousandth of their way from where
    they began, while a share counted twice would be a fifth of it.
    """
    start = weights(train(folder, replace(a.config, train=replace(a.config.train, epochs=0))))
    found, expected, start = (
        torch.cat([value.double().flatten() for value in kept.values()])
        for kept in (weights(a), weights(b), start)
    )
    assert (found - expected).norm() < 1e-3 * (expected - start).norm()


def clips(config: RunConfig, **settings: object) -> RunConfig:
    assert config.clips is not None
    return replace(config, clips=replace(config.clips, **settings))


def test_loaders_in_other_processes_change_nothing(tmp_path):
    config = make_clips.config()
    here = train(tmp_path / "here", config)
    there = train(tmp_path / "there", clips(config, workers=2))
    assert_same(here, there, rtol=0, atol=0)
    assert log(here) == log(there)


def test_videos_that_stay_in_memory_change_nothing(tmp_path):
    """Two of twelve fit; each of those is decoded once, whole."""
    config = make_clips.config()
    data, whole = make_clips.dataset(), make_clips.FRAMES
    size = whole * make_clips.WIDTH * make_clips.HEIGHT * 3
    kept = train(tmp_path / "kept", clips(config, memory=2.5 * size / 2**30), data)
    decoded = [len(v.pixels.decoded) for v in data.videos if v.split == "train"]
    assert sorted(decoded)[-2:] == [whole, whole] and sorted(decoded)[-3] <= 8
    assert_same(kept, train(tmp_path / "anew", config), rtol=0, atol=0)


def test_parts_of_a_step_add_up_to_it(tmp_path):
    """Five videos in two parts, and a last step of two videos."""
    config = make_clips.config()
    whole = train(tmp_path / "whole", config)
    parts = train(tmp_path / "parts", replace(config, train=replace(config.train, accumulate=2)))
    assert_moved_alike(whole, parts, tmp_path / "start")
    assert log(whole)[-1]["local.loss"] == pytest.approx(log(parts)[-1]["local.loss"], rel=1e-4)


def test_fixed_looks_let_the_teacher_be_asked_once(tmp_path):
    """Remembered logits and those of each batch teach the same."""
    config = clips(make_clips.config(), variants=2)
    train(tmp_path / "global", replace(config, view=replace(config.view, context="global")))
    taught = replace(
        config, distill=DistillConfig(teacher=tmp_path / "global", temperature=2, lambda2=4)
    )
    remembered = train(tmp_path / "remembered", taught)
    asked = []
    original = experiment.consult
    try:
        experiment.consult = lambda network, source: (
            asked.append(1) or experiment.Present(network.eval())
        )
        present = train(tmp_path / "present", taught)
    finally:
        experiment.consult = original
    assert asked
    assert_same(remembered, present, rtol=1e-4, atol=1e-6)
    assert log(remembered)[-1]["local.heard"] > 0


def test_a_student_of_new_looks_is_taught_and_its_teacher_stays(tmp_path):
    config = make_clips.config()
    teacher = train(
        tmp_path / "global", replace(config, view=replace(config.view, context="global"))
    )
    before = weights(teacher)
    taught = replace(config, distill=DistillConfig(teacher=tmp_path / "global", lambda2=50.0))
    student, alone = train(tmp_path / "student", taught), train(tmp_path / "alone", config)
    assert_same(teacher, runs.read(tmp_path / "global"))
    assert all(torch.equal(before[key], value) for key, value in weights(teacher).items())
    key = "classify.1.weight"
    assert not torch.allclose(weights(student)[key], weights(alone)[key])


def test_a_second_stage_begins_where_the_first_ended(tmp_path):
    first = train(tmp_path / "first", make_clips.config(context="none", scene="only"))
    backbone = replace(first.config.backbone, weights=first.path)
    none = replace(make_clips.config(), backbone=backbone)
    none = replace(none, train=replace(none.train, epochs=0))
    second = train(tmp_path / "second", none)
    ours = {
        key.removeprefix("encode."): value
        for key, value in weights(second).items()
        if key.startswith("encode.backbone")
    }
    theirs = weights(first)
    assert set(theirs) - set(ours) == {f"backbone.head.projection.{p}" for p in ("weight", "bias")}
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)

    again = replace(make_clips.config(context="none", scene="only"), backbone=backbone)
    again = replace(again, train=replace(again.train, epochs=0))
    assert_same(train(tmp_path / "again", again), first, rtol=0, atol=0)


def test_a_new_classifier_may_begin_at_the_labels_shares_and_a_loaded_one_stays(tmp_path):
    """Would catch: a prior over the test videos, and a first stage's classifier overwritten."""
    data = make_clips.dataset()
    config = make_clips.config(context="none", scene="only")
    begun = replace(config, train=replace(config.train, epochs=0, prior=True))
    bias = weights(train(tmp_path / "begun", begun, data))["backbone.head.projection.bias"]
    for label, said in zip(data.classes, bias.sigmoid(), strict=True):
        training = [video for video in data.videos if video.split == "train"]
        shown = sum(any(s.label == label for s in video.segments) for video in training)
        assert said == pytest.approx((shown + 1) / (len(training) + 2))
    first = train(tmp_path / "first", config, data)
    assert begun.backbone is not None
    second = replace(begun, backbone=replace(begun.backbone, weights=first.path))
    assert_same(train(tmp_path / "second", second, data), first, rtol=0, atol=0)


def test_a_first_stage_that_saw_a_test_video_is_refused(tmp_path):
    data = make_clips.dataset()
    train(tmp_path / "first", make_clips.config(context="none", scene="only"), data)
    swapped = tuple(
        replace(video, split={"train": "test", "test": "train"}[video.split])
        for video in data.videos
    )
    config = make_clips.config()
    config = replace(config, backbone=replace(config.backbone, weights=tmp_path / "first"))
    (fold,) = protocol.folds(replace(data, videos=swapped))
    with pytest.raises(LeakError, match="trained on 12 of the test videos"):
        experiment.check_backbone(config, data.classes, fold)
    with pytest.raises(RunError, match="nowhere does not exist"):
        nowhere = replace(config.backbone, weights=tmp_path / "nowhere")
        experiment.check_backbone(replace(config, backbone=nowhere), data.classes, fold)


def test_a_classifier_of_other_classes_is_not_tested_as_it_is(tmp_path):
    """With no training to come, it would be random."""
    first = make_clips.config(context="none", scene="only")
    train(tmp_path / "first", first)
    fewer = replace(make_clips.dataset(), classes=make_clips.CLASSES[:2])
    videos = [
        replace(v, segments=tuple(s for s in v.segments if s.label in fewer.classes))
        for v in fewer.videos
    ]
    fewer = replace(fewer, videos=tuple(videos))
    backbone = replace(first.backbone, weights=tmp_path / "first")
    again = replace(first, backbone=backbone, train=replace(first.train, epochs=0))
    with pytest.raises(RunError, match=r"classes.*train\.epochs"):
        train(tmp_path / "tested", again, fewer)
    train(tmp_path / "trained", replace(again, train=replace(first.train, epochs=1)), fewer)


def test_a_test_can_be_had_again_without_training(tmp_path):
    """Damaged predictions were removed, and a video that could not be read was mended."""
    run = train(tmp_path / "run", make_clips.config(), make_clips.dataset(broken=(14,)))
    log_before, weights_before = log(run), weights(run)
    assert runs.read_unread(run, "test")
    (run.fold("test") / "local.csv").unlink()
    again = train(tmp_path / "run", make_clips.config())
    assert log(again) == log_before and not runs.read_unread(again, "test")
    assert all(torch.equal(weights_before[key], value) for key, value in weights(again).items())
    fresh = train(tmp_path / "whole", make_clips.config())
    assert (again.fold("test") / "local.csv").read_text() == (
        fresh.fold("test") / "local.csv"
    ).read_text()


def test_notes_of_other_weights_do_not_count(tmp_path):
    """A test was interrupted, and the network trained anew: nothing of the old one is kept."""
    config = make_clips.config()
    run = train(tmp_path / "run", config)
    scores = (run.fold("test") / "local.csv").read_text()
    for path in run.fold("test").glob("local.*"):
        path.unlink()
    (run.fold("test") / "local.test").mkdir()
    note = {"video": "v12", "scores": [0.5, 0.5, 0.5]}
    (run.fold("test") / "local.test" / "0.jsonl").write_text(json.dumps(note) + "\n")
    train(tmp_path / "run", config)
    assert (run.fold("test") / "local.csv").read_text() == scores


def test_a_teacher_of_other_clips_is_refused(tmp_path):
    config = make_clips.config(context="global")
    data = make_clips.dataset()
    train(tmp_path / "global", config)
    student = clips(make_clips.config(), rate=2)
    student = replace(student, distill=DistillConfig(teacher=tmp_path / "global"))
    with pytest.raises(RunError, match="other classes, nodes, steps or clips"):
        experiment.check_teacher(student, data.classes, protocol.folds(data)[0])


def test_a_test_video_that_cannot_be_read_ranks_last_and_is_named(tmp_path):
    data = make_clips.dataset(broken=(14,))
    run = train(tmp_path / "run", make_clips.config(), data)
    assert list(runs.read_unread(run, "test")) == ["v14"]
    said = many_labels.read(run.fold("test") / "local.csv", run.classes)
    assert (said.scores[2] == 0).all() and (said.scores[[0, 1, 3, 4]] > 0).all()
    assert json.loads((run.path / "metrics.json").read_text())["local"]["unread"] == ["v14"]


def test_a_training_video_that_cannot_be_read_is_one_sentence(tmp_path):
    for workers in (0, 1):
        data = make_clips.dataset(broken=(3,))
        config = clips(make_clips.config(), workers=workers)
        config = replace(config, train=replace(config.train, epochs=30))
        with pytest.raises(GlidnError, match=r"^v03: frame \d+ cannot be decoded\.$"):
            train(tmp_path / str(workers), config, data)


def test_it_learns_what_is_shown(tmp_path):
    """Which colours a square has, from regions; batch normalisation has to be learnt, too."""
    config = make_clips.config()
    config = replace(
        config,
        backbone=replace(config.backbone, frozen_norm=False),
        train=replace(
            config.train, optimizer="adam", epochs=25, lr=5e-3, schedule="cosine", batch=8
        ),
    )
    run = train(tmp_path / "run", config, make_clips.dataset(24, 12))
    found = evaluation.score_many(run, "local")
    assert found.mean > 0.9 > found.chance + 0.1


def test_notes_name_short_videos_and_those_without_boxes():
    data = make_clips.dataset(2, 1)
    short = replace(data.videos[0], frames=5)
    bare = replace(data.videos[1], tracks=())
    data = replace(data, videos=(short, bare, data.videos[2]))
    notes = prepare(data, make_clips.config(), None).notes()
    assert [note.split(":")[0] for note in notes] == [
        "1 of the videos (v00)",
        "1 of the videos (v01)",
    ]


WORKER = """
import sys
from dataclasses import replace
from pathlib import Path
import make_clips
from glidn import experiment, processes, protocol, runs
from glidn.material import prepare

out = Path(sys.argv[1])
config, data = make_clips.config(), make_clips.dataset()
if len(sys.argv) > 2:
    config = replace(config, backbone=replace(config.backbone, frozen_norm=False))
folds = protocol.folds(data)
if processes.is_first():
    runs.create(out, config, data, folds)
processes.wait()
run = runs.read(out)
material = prepare(data, config, None)
experiment.train_fold(run, "test", material)
decoded = [v.name for v in data.videos if v.split == "test" and v.pixels.decoded]
(out.parent / f"decoded{processes.number()}").write_text(" ".join(decoded))
"""


def in_two_processes(folder: Path, *words: str) -> list[list[str]]:
    """Train and test by torchrun on gloo; the test videos that each process decoded."""
    script = folder.parent / "worker.py"
    script.write_text(WORKER)
    options = ("--nproc-per-node=2", f"--master-port={make_agents.free_port()}")
    done = subprocess.run(
        make_agents.command(*options, str(script), str(folder), *words),
        env=make_agents.environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [(folder.parent / f"decoded{number}").read_text().split() for number in range(2)]


def test_two_processes_train_and_test_as_one(tmp_path):
    """Equal weights for the same global batch, and each test video scored once."""
    tested = in_two_processes(tmp_path / "two")
    assert sorted(name for names in tested for name in names) == [f"v{n}" for n in range(12, 17)]
    assert all(len(names) >= 2 for names in tested)

    one, two = train(tmp_path / "one", make_clips.config()), runs.read(tmp_path / "two")
    assert_moved_alike(one, two, tmp_path / "start")
    scores = [many_labels.read(run.fold("test") / "local.csv", run.classes) for run in (one, two)]
    assert scores[0].videos == scores[1].videos
    np.testing.assert_allclose(scores[0].scores, scores[1].scores, rtol=1e-4)
    assert log(one)[-1]["local.loss"] == pytest.approx(log(two)[-1]["local.loss"], rel=1e-4)


def test_two_processes_whose_statistics_differ_test_one_network(tmp_path):
    """Batch normalisation that is not frozen sees each process's own videos."""
    in_two_processes(tmp_path / "two", "unfrozen")
    two = runs.read(tmp_path / "two")
    said = (two.fold("test") / "local.csv").read_text()
    (two.fold("test") / "local.csv").unlink()
    experiment.train_fold(two, "test", prepare(make_clips.dataset(), two.config, None))
    again = many_labels.read(two.fold("test") / "local.csv", two.classes)
    (tmp_path / "before.csv").write_text(said)
    before = many_labels.read(tmp_path / "before.csv", two.classes)
    np.testing.assert_allclose(before.scores, again.scores, rtol=1e-4)


def test_settings_that_cannot_be_are_refused():
    from glidn.checks import check, check_weights
    from glidn.errors import SettingError

    good = make_clips.config()
    good = replace(good, backbone=replace(good.backbone, frozen_norm=False))
    check(good)
    check_weights(good)
    with pytest.raises(SettingError, match=r"backbone\.weights names no weights"):
        check_weights(make_clips.config())
    wrong = {
        "clips.short": clips(good, short=(24, 40)),
        "must be 1 or 3": clips(good, test_crops=2),
        "multiples of 2": clips(good, frames=5),
        "region nodes need": replace(good, clips=None),
        "scene=only": replace(good, view=replace(good.view, scene="only")),
        "scene=sum": replace(good, view=replace(good.view, scene="sum", width=9)),
        "for region nodes": replace(RunConfig(), clips=ClipsConfig()),
        "clips.fps is 0": clips(good, fps=0.0),
        "clips.gap is -1": clips(good, gap=-1.0),
        "clips.size is 0": clips(good, size=0),
        "clips.test_size is 40": clips(good, test_size=40),
        "backbone.dropout": replace(good, backbone=replace(good.backbone, dropout=1.5)),
        "res5_stride is 3": replace(good, backbone=replace(good.backbone, res5_stride=3)),
        "leaves nothing to train": replace(
            make_clips.config(context="none", scene="only"),
            backbone=replace(good.backbone, frozen=True),
        ),
        "first box for its person": replace(good, view=replace(good.view, readout="persons")),
    }
    for sentence, config in wrong.items():
        with pytest.raises(SettingError, match=sentence):
            check(config)
